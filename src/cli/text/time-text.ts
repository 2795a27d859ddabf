/**
 * Durations and instants as people write and read them. Pure but for the time zone of the process; "now" is always passed in.
 */
import { parseInstant } from "../../base/clock.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
};

/** `2h`, `90m`, `1h30m`, `1h 30m`, `2d`, `1w`, `45s`; null when it is none of these or not above zero. */
export function parseDuration(text: string): number | null {
  const compact = text.trim().toLowerCase().replace(/\s+/g, "");
  if (!/^(\d+(\.\d+)?[wdhms])+$/.test(compact)) return null;
  let totalMs = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)([wdhms])/g)) {
    totalMs += Number(amount) * UNIT_MS[unit!]!;
  }
  return totalMs > 0 && Number.isFinite(totalMs) ? Math.round(totalMs) : null;
}

/** The two largest units: `3d 4h`, `2h 10m`, `45s`, `120ms`. Minutes and above are rounded, so that a countdown reads calmly. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1).replace(/\.0$/, "")}s`;
  if (ms < 60_000) return `${Math.floor(ms / 1_000)}s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes}m`;
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "m");
  const hours = Math.round(minutes / 60);
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`;
}

/** Length of a window as its name: `5h`, `7d`, `30d`, `45m`. */
export function formatLength(minutes: number): string {
  if (minutes % 1_440 === 0) return `${minutes / 1_440}d`;
  if (minutes % 60 === 0) return `${minutes / 60}h`;
  return `${minutes}m`;
}

/** Local time of day; with the weekday within six days, with the date beyond: `14:05`, `Tue 14:05`, `Nov 24 14:05`. */
export function formatClock(atMs: number, nowMs: number): string {
  const time = part(atMs, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (localDay(atMs) === localDay(nowMs)) return time;
  if (Math.abs(atMs - nowMs) < 6 * UNIT_MS.d!) return `${part(atMs, { weekday: "short" })} ${time}`;
  const year = part(atMs, { year: "numeric" });
  const date = part(atMs, { month: "short", day: "numeric" });
  return year === part(nowMs, { year: "numeric" }) ? `${date} ${time}` : `${date} ${year} ${time}`;
}

/** Local time of day with seconds, for lines that follow each other. */
export function formatSeconds(atMs: number): string {
  return part(atMs, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

/** `in 2h 10m (14:05)`, or `now` when it has passed. */
export function formatEnd(atMs: number, nowMs: number): string {
  return atMs <= nowMs ? "now" : `in ${formatDuration(atMs - nowMs)} (${formatClock(atMs, nowMs)})`;
}

/** `3m ago`, `now` for anything under a second. */
export function formatAgo(atMs: number, nowMs: number): string {
  const ms = nowMs - atMs;
  return ms < 1_000 ? "now" : `${formatDuration(ms < 60_000 ? Math.floor(ms / 1_000) * 1_000 : ms)} ago`;
}

/**
 * An instant in the future as typed: `14:30` (the next one, local), `2026-11-24 08:00` (local), RFC 3339, or a duration from now.
 * null when it is none of these or not after now.
 */
export function parseUntil(text: string, nowMs: number): number | null {
  const trimmed = text.trim();
  const timeOfDay = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(trimmed);
  if (timeOfDay) {
    const time = `${timeOfDay[1]!.padStart(2, "0")}:${timeOfDay[2]}`;
    for (const dayMs of [nowMs, nowMs + UNIT_MS.d!]) {
      const atMs = parseInstant(`${localDay(dayMs)}T${time}:00`);
      if (atMs !== null && atMs > nowMs) return atMs;
    }
    return null;
  }
  const durationMs = parseDuration(trimmed);
  if (durationMs !== null) return nowMs + durationMs;
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return null;
  const atMs = parseLocal(trimmed);
  return atMs !== null && atMs > nowMs ? atMs : null;
}

/** An instant in the past as typed: a duration before now, a local date or time, or RFC 3339. null when it is none of these or to come. */
export function parseSince(text: string, nowMs: number): number | null {
  const durationMs = parseDuration(text);
  if (durationMs !== null) return nowMs - durationMs;
  const trimmed = text.trim();
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return null;
  const atMs = parseLocal(trimmed);
  return atMs !== null && atMs <= nowMs ? atMs : null;
}

/** A bare date would be read as midnight UTC; people mean their own midnight. */
function parseLocal(text: string): number | null {
  return parseInstant(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text.replace(" ", "T"));
}

/** `2026-11-21` in local time. */
function localDay(atMs: number): string {
  const of = (options: Intl.DateTimeFormatOptions) => part(atMs, options);
  return `${of({ year: "numeric" })}-${of({ month: "2-digit" })}-${of({ day: "2-digit" })}`;
}

function part(atMs: number, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat("en-US", options).format(atMs);
}
