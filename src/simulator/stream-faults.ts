/**
 * What the `stream` faults do to a response stream: change its shape, its content or its head, or act at one point of it.
 */
import { resetAtMsOf } from "./fault-answers.ts";
import type { Fault } from "./fault-book.ts";
import type { FaultKind, FaultParams, StreamPoint } from "./faults.ts";
import type { HeaderList } from "./http-request.ts";
import type { JsonObject } from "./json.ts";
import * as refusal from "./refusals.ts";
import { PLAIN_SSE, type SseShape } from "./sse-writer.ts";

export function shapeOf(kind: FaultKind | null): SseShape {
  switch (kind) {
    case "crlf":
      return { ...PLAIN_SSE, eol: "\r\n" };
    case "cr":
      return { ...PLAIN_SSE, eol: "\r" };
    case "no_event_lines":
      return { ...PLAIN_SSE, eventLines: false };
    case "comments":
      return { ...PLAIN_SSE, comments: true };
    case "no_final_blank_line":
      return { ...PLAIN_SSE, finalBlankLine: false };
    case "byte_writes":
      return { ...PLAIN_SSE, chunks: "bytes" };
    case "one_write":
      return { ...PLAIN_SSE, chunks: "whole" };
    case "gzip":
      return { ...PLAIN_SSE, gzip: true };
    default:
      return PLAIN_SSE;
  }
}

const MIB = 1024 * 1024;

/** A piece of text that the fault adds to the answer. */
export function extraPieceOf(fault: Fault | null): string | null {
  if (fault?.kind === "huge_event") return "x".repeat(fault.params.bytes ?? MIB);
  if (fault?.kind === "line_separator") return " \u2028\u2029\u{1F600} ";
  return null;
}

export function headOf(fault: Fault | null, headers: HeaderList): HeaderList {
  const replace = (name: string, value: string): HeaderList => [
    ...headers.filter(([existing]) => existing !== name),
    [name, value],
  ];
  switch (fault?.kind) {
    case "gzip":
      return replace("content-encoding", "gzip");
    case "wrong_content_type":
      return replace("content-type", "application/json");
    case "model_header":
      return replace("openai-model", fault.params.model ?? "gpt-5.4-nano");
    default:
      return headers;
  }
}

/** What happens at a point. `end` says whether the stream goes on. */
export type PointAct =
  | { act: "events"; events: JsonObject[]; delayMs: number; next: "go_on" | "finish" }
  | { act: "raw"; event: string | null; data: string }
  | { act: "pause"; delayMs: number }
  | { act: "stall" }
  | { act: "close_frame"; code: number }
  | { act: "cut"; how: "fin" | "reset" };

/** Kinds that end the stream where they strike. */
export function endsStream(kind: FaultKind): boolean {
  return (
    kind.startsWith("failed_") ||
    ["error_event", "incomplete", "cut", "cut_reset", "stall", "close_frame"].includes(kind)
  );
}

export function pointOf(fault: Fault): StreamPoint {
  return fault.params.point ?? "opening";
}

export function pointAct(fault: Fault, opening: JsonObject, planType: string, nowMs: number): PointAct | null {
  const { kind, params } = fault;
  const go = (events: JsonObject[]): PointAct => ({
    act: "events",
    events,
    delayMs: params.delayMs ?? 0,
    next: "go_on",
  });
  const finish = (event: JsonObject): PointAct => ({ act: "events", events: [event], delayMs: 0, next: "finish" });
  switch (kind) {
    case "cut":
      return { act: "cut", how: "fin" };
    case "cut_reset":
      return { act: "cut", how: "reset" };
    case "stall":
      return { act: "stall" };
    case "close_frame":
      return { act: "close_frame", code: params.status ?? 1011 };
    case "pause":
      return { act: "pause", delayMs: params.delayMs ?? 1_000 };
    case "bad_json_event":
      return {
        act: "raw",
        event: "response.output_text.delta",
        data: '{"type":"response.output_text.delta","delta":"bro',
      };
    case "keepalive_events":
      return go(Array.from({ length: params.count ?? 50 }, () => ({ type: "keepalive" })));
    case "unknown_events":
      return go(
        Array.from({ length: params.count ?? 3 }, (_, n) => ({ type: `response.novelty_${n}`, detail: { n } })),
      );
    case "error_event":
      return finish({ type: "error", ...errorEventBody(params, planType, nowMs) });
    case "incomplete":
      return finish({
        type: "response.incomplete",
        response: {
          ...opening,
          status: "incomplete",
          incomplete_details: { reason: params.reason ?? "max_output_tokens" },
        },
      });
    default: {
      const error = failureOf(kind, params, planType, nowMs);
      return error && finish({ type: "response.failed", response: { ...opening, status: "failed", error } });
    }
  }
}

/** The error of a `response.failed`: a code and a message; a limit carries its reset as the HTTP body does. */
function failureOf(kind: FaultKind, params: FaultParams, planType: string, nowMs: number): JsonObject | null {
  const error = (code: string, message: string): JsonObject => ({ code, message });
  switch (kind) {
    case "failed_overloaded":
      return error("server_is_overloaded", "Our servers are currently overloaded. Please try again later.");
    case "failed_slow_down":
      return error("slow_down", "Too many requests in a short time. Please slow down.");
    case "failed_usage_limit": {
      const { type, ...rest } = limitBody(params, planType, nowMs);
      return { code: type, ...rest };
    }
    case "failed_rate_limit":
      return error("rate_limit_exceeded", refusal.rateLimitMessage(params.tryAgainIn ?? "1.3s"));
    case "failed_quota":
      return error("insufficient_quota", "You exceeded your current quota.");
    case "failed_not_included":
      return error("usage_not_included", "Your plan does not include Codex");
    case "failed_context_length":
      return error("context_length_exceeded", "Your input exceeds the context window of this model.");
    case "failed_invalid_prompt":
      return error("invalid_prompt", "The prompt is not valid.");
    case "failed_policy":
      return error("cyber_policy", "This request was flagged for high-risk activity.");
    case "failed_unknown":
      return error(params.code ?? "something_new", params.message ?? "Something new went wrong.");
    default:
      return null;
  }
}

function errorEventBody(params: FaultParams, planType: string, nowMs: number): JsonObject {
  const code = params.code ?? "server_error";
  if (code === "usage_limit_reached") return { status: 429, error: limitBody(params, planType, nowMs) };
  const message = params.message ?? "An error occurred while processing your request.";
  return { error: { type: code, code, message, param: null } };
}

function limitBody(params: FaultParams, planType: string, nowMs: number): JsonObject {
  return refusal.usageLimitError({ planType, resetsAtMs: resetAtMsOf(params, nowMs), nowMs, fields: "both" });
}
