/**
 * What a WebSocket's client is told: upstream's events as they are, refusals as error frames with the status without which Codex waits
 * five minutes for nothing (wire §3.5, §4.3), and what an HTTP answer says in its head. Builds text; sends none.
 */
import { type HeaderList, headerValue } from "../base/header-list.ts";
import type { FinalAnswer } from "./final-answer.ts";
import { statusOfFailure, streamErrorOf } from "./stream-error.ts";

type Json = Record<string, unknown>;

/** Rotor's own final answer. What is a stream over HTTP is its one event here. */
export function frameOfAnswer({ status, headers, body }: FinalAnswer): string {
  const text = new TextDecoder().decode(body);
  if (status === 200) return /^data: (.*)$/m.exec(text)![1]!;
  return errorFrame(status, headers, parsed(text)?.error);
}

/** Upstream's refusal of the request itself, in its own words. */
export function frameOfRefusal(status: number, headers: HeaderList, body: Uint8Array): string {
  const text = new TextDecoder().decode(body);
  const said = parsed(text);
  const error = isObject(said?.error) ? said.error : { type: "invalid_request_error", ...detailOf(said, text) };
  return errorFrame(status, headers, error);
}

function detailOf(said: Json | null, text: string): Json {
  const detail = said?.detail;
  if (isObject(detail)) return { message: JSON.stringify(detail), ...detail };
  return { code: null, message: typeof detail === "string" ? detail : text.slice(0, 500) };
}

function errorFrame(status: number, headers: HeaderList, error: unknown): string {
  const told = headers.filter(([name]) => name.startsWith("x-") || name === "retry-after");
  return JSON.stringify({ type: "error", status, error, headers: Object.fromEntries(told) });
}

/** An `error` event of a stream has no status; as a frame it needs one. */
export function withStatus(data: Buffer): string {
  const text = data.toString("utf8");
  const event = parsed(text);
  if (event === null || typeof event.status === "number" || typeof event.status_code === "number") return text;
  return JSON.stringify({ ...event, status: statusOfFailure(streamErrorOf(event)) });
}

/** Fields that Codex takes from the head of an answer over HTTP, and from this event otherwise (wire §3.5, §3.7). */
const METADATA: readonly string[] = [
  "x-codex-turn-state",
  "openai-model",
  "x-models-etag",
  "x-reasoning-included",
  "x-rotor-model",
  "x-rotor-exchange",
];

/** What the head of the answer says, as the events that say it on a WebSocket. */
export function openingFrames(headers: HeaderList): string[] {
  const told: Record<string, string> = {};
  for (const name of METADATA) {
    const value = headerValue(headers, name);
    if (value !== null) told[name] = value;
  }
  const metadata = { type: "codex.response.metadata", headers: told };
  const limits = limitsEvent(headers);
  return [...(limits === null ? [] : [limits]), metadata].map((event) => JSON.stringify(event));
}

function limitsEvent(headers: HeaderList): Json | null {
  const primary = windowIn(headers, "primary");
  const secondary = windowIn(headers, "secondary");
  if (primary === null && secondary === null) return null;
  const isReached = headerValue(headers, "x-codex-rate-limit-reached-type") !== null;
  return {
    type: "codex.rate_limits",
    plan_type: headerValue(headers, "x-codex-plan-type"),
    rate_limits: { allowed: !isReached, limit_reached: isReached, primary, secondary },
    ...creditsIn(headers),
  };
}

function creditsIn(headers: HeaderList): Json {
  const at = (name: string) => headerValue(headers, `x-codex-credits-${name}`);
  const isSet = (name: string) => at(name)?.toLowerCase() === "true";
  if (at("has-credits") === null) return {};
  return {
    credits: { has_credits: isSet("has-credits"), unlimited: isSet("unlimited"), balance: at("balance") },
  };
}

function windowIn(headers: HeaderList, slot: "primary" | "secondary"): Json | null {
  const number = (field: string): number | null => {
    const text = headerValue(headers, `x-codex-${slot}-${field}`);
    return text === null || text === "" || Number.isNaN(Number(text)) ? null : Number(text);
  };
  const usedPercent = number("used-percent");
  if (usedPercent === null) return null;
  return { used_percent: usedPercent, window_minutes: number("window-minutes"), reset_at: number("reset-at") };
}

function parsed(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
