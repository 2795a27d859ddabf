/** Schedules keep to the clock on the wall, also on the days on which that is put forward and back. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createCalendar, EVERY_DAY, type When, type ZoneOffset } from "../../src/domain/schedule.ts";

const at = (text: string) => Date.parse(text);

/** Central Europe in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC. */
const BERLIN: ZoneOffset = (atMs) =>
  atMs >= at("2026-03-29T01:00:00Z") && atMs < at("2026-10-25T01:00:00Z") ? 120 : 60;
/** Half an hour of summer time (Lord Howe Island), ended on 5 April 2026 at 15:00 UTC of the day before. */
const LORD_HOWE: ZoneOffset = (atMs) => (atMs < at("2026-04-04T15:00:00Z") ? 660 : 630);
const UTC: ZoneOffset = () => 0;

const NIGHT: When = { days: EVERY_DAY, times: [{ from: 22 * 60, to: 6 * 60 }] };
const phase = (when: When, zone: ZoneOffset, text: string) => {
  const { isActive, untilMs } = createCalendar(when, zone)(at(text));
  return [isActive, untilMs === null ? null : new Date(untilMs).toISOString().slice(0, 16)];
};

describe("a calendar", () => {
  test("a night is an hour shorter in spring and an hour longer in autumn", () => {
    expect(phase(NIGHT, BERLIN, "2026-03-28T21:00:00Z")).toEqual([true, "2026-03-29T04:00"]);
    expect(phase(NIGHT, BERLIN, "2026-10-24T20:00:00Z")).toEqual([true, "2026-10-25T05:00"]);
    expect(phase(NIGHT, BERLIN, "2026-10-26T05:00:00Z")).toEqual([false, "2026-10-26T21:00"]);
  });

  test("a time that the spring leaves out does not come, and its end is the jump", () => {
    const skipped: When = { days: EVERY_DAY, times: [{ from: 60, to: 150 }] };
    expect(phase(skipped, BERLIN, "2026-03-29T00:30:00Z")).toEqual([true, "2026-03-29T01:00"]);
    const wholly: When = { days: 0b1000000, times: [{ from: 125, to: 175 }] };
    expect(phase(wholly, BERLIN, "2026-03-29T00:00:00Z")).toEqual([false, "2026-04-05T00:05"]);
  });

  test("a time that the autumn repeats comes twice", () => {
    const repeated: When = { days: EVERY_DAY, times: [{ from: 150, to: 170 }] };
    expect(phase(repeated, BERLIN, "2026-10-25T00:35:00Z")).toEqual([true, "2026-10-25T00:50"]);
    expect(phase(repeated, BERLIN, "2026-10-25T00:50:00Z")).toEqual([false, "2026-10-25T01:30"]);
    const howe: When = { days: EVERY_DAY, times: [{ from: 105, to: 119 }] };
    expect(phase(howe, LORD_HOWE, "2026-04-04T14:59:00Z")).toEqual([false, "2026-04-04T15:15"]);
  });

  test("a night belongs to the day on which it begins", () => {
    const friday: When = { days: 0b0010000, times: [{ from: 22 * 60, to: 6 * 60 }] };
    expect(phase(friday, UTC, "2026-11-21T05:59:00Z")).toEqual([true, "2026-11-21T06:00"]);
    expect(phase(friday, UTC, "2026-11-21T23:00:00Z")).toEqual([false, "2026-11-27T22:00"]);
  });

  test("days alone last from midnight to midnight; every day never ends", () => {
    expect(phase({ days: 0b1100000, times: [] }, UTC, "2026-11-21T12:00:00Z")).toEqual([true, "2026-11-23T00:00"]);
    expect(phase({ days: EVERY_DAY, times: [] }, UTC, "2026-11-21T12:00:00Z")).toEqual([true, null]);
    expect(createCalendar(null, UTC)(0)).toEqual({ isActive: true, untilMs: null });
  });

  test("what it remembers is what it would work out anew, whatever the clock does, and its end is the first change", () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    const times = fc.array(
      fc.tuple(minute, minute).filter(([a, b]) => a !== b),
      { maxLength: 2 },
    );
    const start = at("2026-03-27T00:00:00Z");
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 127 }),
        times,
        fc.array(fc.integer({ min: 0, max: 6 * 1_440 }), { minLength: 1, maxLength: 20 }),
        (days, ranges, minutes) => {
          const when = { days, times: ranges.map(([from, to]) => ({ from, to })) };
          const calendar = createCalendar(when, BERLIN);
          for (const offset of minutes) {
            const nowMs = start + offset * 60_000 + 17;
            const { isActive, untilMs } = calendar(nowMs);
            expect(isActive).toBe(createCalendar(when, BERLIN)(nowMs).isActive);
            if (untilMs === null) continue;
            expect(createCalendar(when, BERLIN)(untilMs).isActive).toBe(!isActive);
            expect(createCalendar(when, BERLIN)(untilMs - 1).isActive).toBe(isActive);
          }
        },
      ),
    );
  });
});
