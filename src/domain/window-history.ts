/**
 * What windows held over time, and the pace that follows from it. Pure.
 *
 * The pace is what was used in the look-back, by its time: a mean, on purpose. Work comes in bursts, and the median hour of a day is idle.
 * It is kept from being fooled in other ways: within one run of a window only its first and last figure count, so that a figure that was
 * wrong for a moment says nothing; a reset is seen by the reset time that moved, not by a falling figure; what was used between the last
 * look at one run and its end is not guessed.
 */
import type { AccountId } from "./account.ts";
import { isShort, type Window } from "./window.ts";

/** One figure of one window, as it was last observed in a step of time. */
export interface WindowSample extends Pick<Window, "limit" | "slot" | "lengthMinutes" | "usedPercent" | "resetsAtMs"> {
  readonly accountId: AccountId;
  readonly atMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export type HistoryStep = "fine" | "hour" | "day";

/** Every figure is kept in each step, the last one of the step wins, and each step is kept for its time: that bounds it all. */
export const HISTORY_STEPS: Readonly<Record<HistoryStep, { readonly everyMs: number; readonly keptMs: number }>> = {
  fine: { everyMs: 5 * 60_000, keptMs: 2 * DAY_MS },
  hour: { everyMs: HOUR_MS, keptMs: 35 * DAY_MS },
  day: { everyMs: DAY_MS, keptMs: 400 * DAY_MS },
};

/** The finest step that still reaches back to `sinceMs`. */
export function stepFor(sinceMs: number, nowMs: number): HistoryStep {
  const spanMs = nowMs - sinceMs;
  if (spanMs <= HISTORY_STEPS.fine.keptMs) return "fine";
  return spanMs <= HISTORY_STEPS.hour.keptMs ? "hour" : "day";
}

export interface WindowSeries {
  readonly accountId: AccountId;
  readonly limit: string;
  readonly slot: Window["slot"];
  readonly lengthMinutes: number | null;
  /** Oldest first. */
  readonly samples: readonly WindowSample[];
}

export function seriesKey({ accountId, limit, slot }: Pick<WindowSample, "accountId" | "limit" | "slot">): string {
  return `${accountId}/${limit}/${slot}`;
}

/** Samples sorted into their windows, oldest first; the series in the order in which their first samples come. */
export function seriesFrom(samples: readonly WindowSample[]): WindowSeries[] {
  const series = new Map<string, WindowSample[]>();
  for (const sample of samples.toSorted((a, b) => a.atMs - b.atMs)) {
    const known = series.get(seriesKey(sample));
    if (known === undefined) series.set(seriesKey(sample), [sample]);
    else known.push(sample);
  }
  return [...series.values()].map((samples) => {
    const { accountId, limit, slot, lengthMinutes } = samples[samples.length - 1]!;
    return { accountId, limit, slot, lengthMinutes, samples };
  });
}

export interface Pace {
  readonly percentPerHour: number;
  /** Over how much of the past. */
  readonly overMs: number;
}

/** "At today's pace" for a long window; for a short one what is going on now. */
export function lookBackMs(window: Pick<Window, "lengthMinutes">): number {
  return isShort(window) ? 2 * HOUR_MS : DAY_MS;
}

/** Less than this says nothing about an hour. */
const SHORTEST_SPAN_MS = 10 * 60_000;

/** How fast a window is being used up; null when too little was seen. `samples` are of one window, oldest first. */
export function paceOver(samples: readonly WindowSample[], nowMs: number, backMs: number): Pace | null {
  const fromMs = nowMs - backMs;
  // The last figure up to the look-back is what it began with.
  const later = samples.findIndex((sample) => sample.atMs > fromMs);
  const first = Math.max(0, (later === -1 ? samples.length : later) - 1);
  const begin = samples[first];
  if (begin === undefined) return null;
  const overMs = nowMs - Math.max(fromMs, begin.atMs);
  if (overMs < SHORTEST_SPAN_MS) return null;
  let used = 0;
  let runStart = begin.usedPercent;
  let last = begin;
  for (const sample of samples.slice(first + 1)) {
    if (!isSameRun(last, sample)) {
      used += Math.max(0, last.usedPercent - runStart);
      runStart = 0;
    }
    last = sample;
  }
  used += Math.max(0, last.usedPercent - runStart);
  return { percentPerHour: used / (overMs / HOUR_MS), overMs };
}

/** Upstream states the reset to the second, or as seconds from now: a few minutes more or less are the same reset. */
const SAME_RESET_MS = 10 * 60_000;

function isSameRun(before: WindowSample, after: WindowSample): boolean {
  if (before.resetsAtMs === null || after.resetsAtMs === null) return after.usedPercent >= before.usedPercent;
  return Math.abs(after.resetsAtMs - before.resetsAtMs) < SAME_RESET_MS;
}
