/**
 * Puts an exchange's answer on the wire: upstream's bytes as they come, folded for a client that asked for no stream, or Rotor's own.
 */
import { AppError } from "../base/errors.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";
import type { ExchangeAnswer } from "../pool/engine.ts";
import { type AnswerContext, exchangeHeader, finalAnswer } from "./final-answer.ts";
import { type FoldedError, foldStream, statusOfFailure } from "./fold.ts";
import { forClient } from "./header-hygiene.ts";

/** How the client wants what upstream streams. */
export type Delivery = "as_it_comes" | "folded";

export interface AnswerOptions {
  readonly surface: Surface;
  readonly stream: boolean;
  readonly delivery: Delivery;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

export function answerExchange(answer: ExchangeAnswer, options: AnswerOptions): Response | Promise<Response> {
  const context = (): AnswerContext => ({ ...options, exchangeId: answer.exchangeId, nowMs: options.nowMs() });
  if (answer.kind === "refused") return ownAnswer(answer.error, context());
  const headers = [...forClient(answer.headers), ...exchangeHeader(answer.exchangeId)];
  if (answer.kind === "rejected") return respond(answer.status, headers, answer.body);
  // A client that hung up while the exchange opened has no stream left to cancel: it is cancelled for it.
  if (options.signal.aborted || hasNoBody(answer.status)) {
    const bodyless = () => respond(answer.status, headers, null);
    return answer.body.cancel(options.signal.reason).then(bodyless, bodyless);
  }
  if (options.delivery === "as_it_comes" || !isPlainEventStream(answer.headers)) {
    return respond(answer.status, headers, answer.body);
  }
  return foldedAnswer(answer.body, withoutHeaders(headers, STREAM_ONLY), options.signal, context);
}

const STREAM_ONLY: ReadonlySet<string> = new Set(["cache-control", "content-type"]);
const JSON_TYPE: HeaderList = [["content-type", "application/json"]];

async function foldedAnswer(
  body: ReadableStream<Uint8Array>,
  headers: HeaderList,
  signal: AbortSignal,
  context: () => AnswerContext,
): Promise<Response> {
  const folded = await foldStream(body, signal);
  switch (folded.kind) {
    case "response":
      return respond(200, [...headers, ...JSON_TYPE], jsonBytes(folded.response));
    case "failed":
      return failureAnswer(folded.error, headers);
    case "cut":
      return ownAnswer(
        new AppError("upstream_cut", "upstream ended the stream before the response was complete"),
        context(),
      );
    case "malformed":
      return ownAnswer(
        new AppError("upstream_malformed", `upstream's stream cannot be read: ${folded.reason}`),
        context(),
      );
  }
}

/** Upstream's own words under the status that they would have had without a stream. */
function failureAnswer(error: FoldedError, headers: HeaderList): Response {
  const status = statusOfFailure(error);
  const { message, code, param } = error;
  const type =
    error.type ?? (status >= 500 ? "server_error" : status === 429 ? "rate_limit_error" : "invalid_request_error");
  const isPassing = status === 429 || status >= 500;
  const wait: HeaderList = isPassing && headerValue(headers, "retry-after") === null ? [RETRY_AFTER] : [];
  return respond(status, [...headers, ...JSON_TYPE, ...wait], jsonBytes({ error: { message, type, code, param } }));
}

/** Said with every passing failure: without it OpenCode comes back ever slower, and SDKs at once (wire §4.4). */
const RETRY_AFTER: readonly [string, string] = ["retry-after", "5"];

function ownAnswer(error: AppError, context: AnswerContext): Response {
  const { status, headers, body } = finalAnswer(error, context);
  return respond(status, headers, body);
}

function respond(status: number, headers: HeaderList, body: Uint8Array | ReadableStream<Uint8Array> | null): Response {
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | null, {
    status,
    headers: headers as [string, string][],
  });
}

/** An encoded stream is passed on as it is: it was asked for by nobody, and looking into it is not worth decoding it. */
function isPlainEventStream(headers: HeaderList): boolean {
  const encoding = headerValue(headers, "content-encoding");
  const type = headerValue(headers, "content-type") ?? "";
  return (encoding === null || encoding === "identity") && type.toLowerCase().startsWith("text/event-stream");
}

/** RFC 9110 §6.4.1. */
function hasNoBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
