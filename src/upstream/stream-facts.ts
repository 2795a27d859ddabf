/**
 * What a stream has told about itself so far: whether it is complete, failed, what it used and which windows it stated.
 * Fed by the scanner with whole events; never sees output.
 */
import type { CreditsReading } from "../domain/credits.ts";
import type { Observation, Outcome, Usage } from "../domain/outcome.ts";
import type { WindowReading } from "../domain/window.ts";
import { judgeEvent } from "./codex-outcome.ts";
import { type Json, parseObject } from "./json.ts";
import { readRateLimitEvent } from "./rate-limit-event.ts";
import type { EventType } from "./sse-events.ts";
import { isWholeObject, readUsageTail } from "./usage-tail.ts";

export class StreamFacts {
  /** `response.completed` or `response.incomplete` has arrived whole: upstream did its job, whatever happens to the connection. */
  complete = false;
  /** What upstream reported as failed, the first time. */
  failure: Outcome | null = null;
  /** The event that said so, when it was the request's own fault. */
  refusal: Json | null = null;
  usage: Usage | null = null;
  windows: readonly WindowReading[] = [];
  tier: string | null = null;
  credits: CreditsReading | null = null;
  /** When the latest of these was read; absent while nothing was. */
  atMs: number | undefined;

  /** `data` is what the scanner kept of the event. */
  note(type: EventType | null, data: Uint8Array | null, nowMs: number): void {
    if (type === null) return;
    if (type === "response.completed" || type === "response.incomplete") this.#noteEnd(data);
    else if (type === "response.failed" || type === "error") this.#noteFailure(type, data, nowMs);
    else if (type === "codex.rate_limits" && data !== null) this.#noteLimits(data, nowMs);
  }

  #noteEnd(data: Uint8Array | null): void {
    if (data === null || !isWholeObject(data)) return;
    this.complete = true;
    this.usage = readUsageTail(data);
  }

  #noteFailure(type: EventType, data: Uint8Array | null, nowMs: number): void {
    if (this.failure !== null) return;
    const event = parse(data) ?? { type };
    const { outcome, observation } = judgeEvent(event, nowMs);
    this.failure = outcome;
    if (outcome.kind === "request_rejected") this.refusal = event;
    this.#learn(observation, nowMs);
    if (data !== null) this.usage ??= readUsageTail(data);
  }

  #noteLimits(data: Uint8Array, nowMs: number): void {
    const event = parse(data);
    if (event === null) return;
    this.#learn(readRateLimitEvent(event, nowMs), nowMs);
  }

  /** Later statements about the same window replace earlier ones. */
  #learn({ windows, tier, credits }: Observation, nowMs: number): void {
    this.atMs = nowMs;
    this.credits = credits ?? this.credits;
    if (windows.length > 0) this.windows = laidOver(this.windows, windows);
    this.tier = tier ?? this.tier;
  }
}

export function laidOver(before: readonly WindowReading[], later: readonly WindowReading[]): readonly WindowReading[] {
  if (later.length === 0) return before;
  const kept = before.filter((old) => !later.some((now) => now.limit === old.limit && now.slot === old.slot));
  return [...kept, ...later];
}

function parse(data: Uint8Array | null) {
  return data === null ? null : parseObject(new TextDecoder().decode(data));
}
