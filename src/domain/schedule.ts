/**
 * When a rule holds: days of the week and times of the day, on the clock of wherever the daemon is. The zone comes in as data, so that a
 * year of summer times can be tried on any machine. Pure; reads no clock.
 */

/** Minutes that local time is ahead of UTC at an instant. */
export type ZoneOffset = (atMs: number) => number;

/** Minutes since midnight, from ≠ to. A range that ends before it begins goes on into the next day. `to` may be 1440. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

export interface When {
  /** One bit a day, Monday first; all seven = every day. */
  readonly days: number;
  /** None = all day. */
  readonly times: readonly TimeRange[];
}

export const EVERY_DAY = 0b1111111;

/** What a schedule says now, and until when it goes on saying so; null = it never changes. */
export interface Phase {
  readonly isActive: boolean;
  readonly untilMs: number | null;
}

export type Calendar = (nowMs: number) => Phase;

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
/** 1 January 1970 was a Thursday. */
const EPOCH_WEEKDAY = 3;
/** Clocks are put forward and back at whole quarters of an hour of UTC (tz database; the half hour of Lord Howe Island too). */
const QUARTER_MS = 15 * MINUTE_MS;
/** A week, and a day for what reaches into the next one: after that everything has been seen. */
const LOOK_AHEAD_MS = 8 * DAY_MINUTES * MINUTE_MS;

const ALWAYS: Phase = { isActive: true, untilMs: null };
const NO_SCHEDULE: Calendar = () => ALWAYS;

/** Remembers the phase that it is in, so that nothing is worked out twice within it. */
export function createCalendar(when: When | null, zone: ZoneOffset): Calendar {
  if (when === null) return NO_SCHEDULE;
  let sinceMs = Number.POSITIVE_INFINITY;
  let phase: Phase = ALWAYS;
  return (nowMs) => {
    if (nowMs >= sinceMs && (phase.untilMs === null || nowMs < phase.untilMs)) return phase;
    sinceMs = nowMs;
    phase = phaseAt(when, zone, nowMs);
    return phase;
  };
}

function phaseAt(when: When, zone: ZoneOffset, nowMs: number): Phase {
  const isActive = isActiveAt(when, zone, nowMs);
  for (let atMs = nowMs; atMs < nowMs + LOOK_AHEAD_MS; ) {
    atMs = nextLook(when, zone, atMs);
    if (isActiveAt(when, zone, atMs) !== isActive) return { isActive, untilMs: atMs };
  }
  return { isActive, untilMs: null };
}

/** The next instant at which the answer may differ: an end of a range, midnight, or clocks that are changed. */
function nextLook({ times }: When, zone: ZoneOffset, atMs: number): number {
  let nextMs = (Math.floor(atMs / QUARTER_MS) + 1) * QUARTER_MS;
  const wholeMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  const minute = mod(wholeMs / MINUTE_MS + zone(atMs), DAY_MINUTES);
  for (const { from, to } of times) {
    for (const end of [from, to]) {
      const aheadMs = (mod(end - minute - 1, DAY_MINUTES) + 1) * MINUTE_MS;
      nextMs = Math.min(nextMs, wholeMs + aheadMs);
    }
  }
  return nextMs;
}

function isActiveAt({ days, times }: When, zone: ZoneOffset, atMs: number): boolean {
  const local = Math.floor(atMs / MINUTE_MS) + zone(atMs);
  const today = mod(Math.floor(local / DAY_MINUTES) + EPOCH_WEEKDAY, 7);
  const isDay = (day: number) => (days & (1 << mod(day, 7))) !== 0;
  if (times.length === 0) return isDay(today);
  const minute = mod(local, DAY_MINUTES);
  return times.some(({ from, to }) =>
    from < to
      ? isDay(today) && minute >= from && minute < to
      : (isDay(today) && minute >= from) || (isDay(today - 1) && minute < to),
  );
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
