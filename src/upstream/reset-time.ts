/**
 * When upstream says "again at …" or "again in …": every spelling of it, checked against the clock.
 * An instant that has passed, or lies further away than any window is long, is nonsense and becomes null.
 */
import { RESET_LONGEST_MS } from "../base/bounds.ts";
import { parseInstant } from "../base/clock.ts";
import { type HeaderList, headerValue } from "../base/header-list.ts";
import { asNumber } from "./json.ts";

/** Unix seconds above this are milliseconds: as seconds they would lie beyond the year 5000. */
const SECONDS_CEILING = 100_000_000_000;

/** `atMs` when it lies ahead of us and within reason, else null. */
export function saneInstant(atMs: number | null, nowMs: number): number | null {
  if (atMs === null || !Number.isFinite(atMs)) return null;
  return atMs > nowMs && atMs - nowMs <= RESET_LONGEST_MS ? Math.round(atMs) : null;
}

/** Unix seconds (number or text), Unix milliseconds or an ISO 8601 text, as milliseconds; unchecked. */
export function instantOf(value: unknown): number | null {
  const number = asNumber(value);
  if (number !== null) return number > SECONDS_CEILING ? number : number * 1000;
  return typeof value === "string" && value !== "" ? parseInstant(value) : null;
}

/** An instant `seconds` from now, checked. */
export function instantAfter(seconds: number | null, nowMs: number): number | null {
  return seconds === null ? null : saneInstant(nowMs + seconds * 1000, nowMs);
}

/** `retry-after-ms`, else `Retry-After` as seconds or as an HTTP date (RFC 9110 §10.2.3), checked. */
export function retryAfter(headers: HeaderList, nowMs: number): number | null {
  const inMs = asNumber(headerValue(headers, "retry-after-ms"));
  if (inMs !== null) return saneInstant(nowMs + inMs, nowMs);
  const value = headerValue(headers, "retry-after");
  if (value === null) return null;
  const seconds = asNumber(value);
  return seconds === null ? saneInstant(parseInstant(value), nowMs) : instantAfter(seconds, nowMs);
}

/** Words after which upstream states a time (wire §4.1, §4.2). */
const INTRODUCTION = /(?:try again|retry|retry after|available again|resets?|wait)\s*(?:in|after|for)?\s*:?\s+(?=\d)/i;
const STEP =
  /^(\d+(?:\.\d+)?)\s*(ms|millis(?:econds?)?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])/i;
const BETWEEN = /^(?:\s|,|\band\b)*/i;

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `1.3s`, `750ms`, `6m0s`, `1h2m`, `3 days 4 hours` after "try again in", as an instant, checked. */
export function instantInText(text: string, nowMs: number): number | null {
  const introduction = INTRODUCTION.exec(text);
  if (introduction === null) return null;
  const totalMs = durationAtStart(text.slice(introduction.index + introduction[0].length));
  return totalMs === null ? null : saneInstant(nowMs + totalMs, nowMs);
}

function durationAtStart(text: string): number | null {
  let rest = text;
  let totalMs: number | null = null;
  for (;;) {
    const step = STEP.exec(rest);
    if (step === null) return totalMs;
    const unit = step[2]!.toLowerCase();
    const unitMs = unit.startsWith("ms") || unit.startsWith("milli") ? 1 : UNIT_MS[unit[0]!]!;
    totalMs = (totalMs ?? 0) + Number(step[1]) * unitMs;
    rest = rest.slice(step[0].length).replace(BETWEEN, "");
  }
}
