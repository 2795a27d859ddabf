/**
 * Windows that fill and reset by the simulator's clock. A window opens at its first request and is empty again when its
 * length has passed. Knows nothing of HTTP.
 */
import type { WindowSpec } from "./plans.ts";

export interface SimWindow {
  minutes: number;
  unit: "tokens" | "requests";
  capacity: number;
  used: number;
  /** Null while unopened: no request has been charged since the last reset. */
  resetAtMs: number | null;
}

/** One allowance: the main one of the account, or an additional one that belongs to some models. */
export interface Bucket {
  /** `codex` for the main one, else the metered feature, e.g. `codex_bengalfox`. */
  feature: string;
  limitName: string | null;
  /** Models that draw on it; null for the main one, which serves the rest. */
  models: string[] | null;
  windows: SimWindow[];
}

/** A window as the outside sees it. */
export interface WindowReading {
  slot: "primary" | "secondary";
  usedPercent: number;
  minutes: number;
  resetAtMs: number;
}

export interface Charge {
  requests: number;
  tokens: number;
}

export function createWindow(spec: WindowSpec, nowMs: number): SimWindow {
  const byRequests = spec.capacityRequests !== undefined;
  const window: SimWindow = {
    minutes: spec.minutes,
    unit: byRequests ? "requests" : "tokens",
    capacity: (byRequests ? spec.capacityRequests : spec.capacityTokens) ?? 1_000_000,
    used: 0,
    resetAtMs: spec.resetsInSeconds === undefined ? null : nowMs + spec.resetsInSeconds * 1_000,
  };
  if (spec.usedPercent) setUsedPercent(window, spec.usedPercent, nowMs);
  return window;
}

export function setUsedPercent(window: SimWindow, usedPercent: number, nowMs: number): void {
  roll(window, nowMs);
  window.used = (window.capacity * usedPercent) / 100;
  if (usedPercent > 0) open(window, nowMs);
}

export function clearWindow(window: SimWindow): void {
  window.used = 0;
  window.resetAtMs = null;
}

export function chargeBucket(bucket: Bucket, charge: Charge, nowMs: number): void {
  for (const window of bucket.windows) {
    roll(window, nowMs);
    window.used += charge[window.unit];
    open(window, nowMs);
  }
}

export function readBucket(bucket: Bucket, nowMs: number): WindowReading[] {
  return bucket.windows.slice(0, 2).map((window, index) => {
    roll(window, nowMs);
    return {
      slot: index === 0 ? "primary" : "secondary",
      usedPercent: usedPercentOf(window),
      minutes: window.minutes,
      resetAtMs: window.resetAtMs ?? nowMs + window.minutes * 60_000,
    };
  });
}

/** When the bucket serves again: the latest reset of its full windows; null when none is full. */
export function fullUntilMs(bucket: Bucket, nowMs: number): number | null {
  const resets = readBucket(bucket, nowMs)
    .filter((reading) => reading.usedPercent >= 100)
    .map((reading) => reading.resetAtMs);
  return resets.length > 0 ? Math.max(...resets) : null;
}

function usedPercentOf(window: SimWindow): number {
  if (window.used >= window.capacity) return 100;
  // 99.96 must not read as 100: a client would leave an account that still serves.
  return Math.min(99.9, Math.round((window.used / window.capacity) * 1_000) / 10);
}

function roll(window: SimWindow, nowMs: number): void {
  if (window.resetAtMs !== null && nowMs >= window.resetAtMs) clearWindow(window);
}

function open(window: SimWindow, nowMs: number): void {
  window.resetAtMs ??= nowMs + window.minutes * 60_000;
}
