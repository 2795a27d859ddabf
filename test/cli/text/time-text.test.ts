/** Durations and instants, as typed and as shown. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseInstant } from "../../../src/base/clock.ts";
import {
  formatAgo,
  formatClock,
  formatDuration,
  formatEnd,
  formatLength,
  parseDuration,
  parseUntil,
} from "../../../src/cli/text/time-text.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** 12:00 local time, whatever the zone of the test is. */
const NOON = parseInstant("2026-11-21T12:00:00")!;

test("durations are read in every common spelling", () => {
  expect(parseDuration("2h")).toBe(2 * HOUR);
  expect(parseDuration("90m")).toBe(90 * MINUTE);
  expect(parseDuration("1h30m")).toBe(90 * MINUTE);
  expect(parseDuration(" 1H 30M ")).toBe(90 * MINUTE);
  expect(parseDuration("1.5h")).toBe(90 * MINUTE);
  expect(parseDuration("1w2d")).toBe(9 * DAY);
  expect(parseDuration("45s")).toBe(45_000);
});

test("what is no duration is refused, not guessed", () => {
  for (const text of ["", "2", "h", "2x", "-2h", "0m", "2h!", "two hours", "1:30"])
    expect(parseDuration(text)).toBeNull();
});

test("durations are shown in their two largest units", () => {
  expect(formatDuration(120)).toBe("120ms");
  expect(formatDuration(1_234)).toBe("1.2s");
  expect(formatDuration(45_000)).toBe("45s");
  expect(formatDuration(10 * MINUTE)).toBe("10m");
  expect(formatDuration(2 * HOUR + 10 * MINUTE)).toBe("2h 10m");
  expect(formatDuration(3 * HOUR)).toBe("3h");
  expect(formatDuration(3 * DAY + 4 * HOUR)).toBe("3d 4h");
  expect(formatDuration(-5)).toBe("0ms");
});

test("what formatDuration writes for a minute or more, parseDuration reads back to within its rounding", () => {
  fc.assert(
    fc.property(fc.integer({ min: MINUTE, max: 60 * DAY }), (ms) => {
      const back = parseDuration(formatDuration(ms));
      expect(back).not.toBeNull();
      expect(Math.abs(back! - ms)).toBeLessThanOrEqual(ms < DAY ? MINUTE : HOUR);
    }),
  );
});

test("windows are named by their length", () => {
  expect(formatLength(300)).toBe("5h");
  expect(formatLength(10_080)).toBe("7d");
  expect(formatLength(43_200)).toBe("30d");
  expect(formatLength(45)).toBe("45m");
  expect(formatLength(1_441)).toBe("1441m");
});

test("a time is as short as it can be without being unclear", () => {
  expect(formatClock(NOON + 2 * HOUR + 5 * MINUTE, NOON)).toBe("14:05");
  expect(formatClock(NOON + 3 * DAY, NOON)).toBe("Tue 12:00");
  expect(formatClock(NOON + 10 * DAY, NOON)).toBe("Dec 1 12:00");
  expect(formatClock(NOON + 60 * DAY, NOON)).toBe("Jan 20 2027 12:00");
});

test("ends and pasts", () => {
  expect(formatEnd(NOON + 2 * HOUR + 10 * MINUTE, NOON)).toBe("in 2h 10m (14:10)");
  expect(formatEnd(NOON - 1, NOON)).toBe("now");
  expect(formatAgo(NOON - 3 * MINUTE, NOON)).toBe("3m ago");
  expect(formatAgo(NOON - 4_700, NOON)).toBe("4s ago");
  expect(formatAgo(NOON + 5, NOON)).toBe("now");
});

test("until: the next such time of day, a local date, an instant, or a duration", () => {
  expect(parseUntil("18:00", NOON)).toBe(NOON + 6 * HOUR);
  expect(parseUntil("9:30", NOON)).toBe(NOON + 21 * HOUR + 30 * MINUTE);
  expect(parseUntil("2026-11-22", NOON)).toBe(NOON + 12 * HOUR);
  expect(parseUntil("2026-11-22 08:00", NOON)).toBe(NOON + 20 * HOUR);
  expect(parseUntil("2026-11-23T00:00:00Z", NOON)).toBe(parseInstant("2026-11-23T00:00:00Z"));
  expect(parseUntil("2h", NOON)).toBe(NOON + 2 * HOUR);
  for (const text of ["", "25:00", "yesterday", "2026-11-20", "12", "2026-13-01"])
    expect(parseUntil(text, NOON)).toBeNull();
});
