/** The pace at which a window is used up, whatever the figures go through on the way. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  HISTORY_STEPS,
  lookBackMs,
  paceOver,
  seriesFrom,
  stepFor,
  type WindowSample,
} from "../../src/domain/window-history.ts";
import { accountId } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `hours` before T0; the window starts again `resetHours` after T0. */
function at(hours: number, usedPercent: number, resetHours: number | null = 24): WindowSample {
  const resetsAtMs = resetHours === null ? null : T0 + resetHours * HOUR_MS;
  const shared = { accountId: accountId(1), limit: "codex", slot: "secondary" as const, lengthMinutes: 10_080 };
  return { ...shared, usedPercent, resetsAtMs, atMs: T0 - hours * HOUR_MS };
}

const pace = (samples: WindowSample[], hours = 24) => paceOver(samples, T0, hours * HOUR_MS);

describe("the pace", () => {
  test("is what was used in the look-back, by its time", () => {
    expect(pace([at(30, 5), at(24, 10), at(12, 30), at(0, 34)])).toEqual({ percentPerHour: 1, overMs: DAY_MS });
  });

  test("begins with the last figure before the look-back", () => {
    expect(pace([at(40, 10), at(12, 34)])?.percentPerHour).toBe(1);
  });

  test("of what was seen for a shorter time is by that time", () => {
    expect(pace([at(2, 10), at(1, 16)])).toEqual({ percentPerHour: 3, overMs: 2 * HOUR_MS });
  });

  test("is not known when nothing, or only a moment, was seen", () => {
    expect([pace([]), pace([at(0.1, 5)])]).toEqual([null, null]);
  });

  test("is none when nothing happened: silence is a pace too", () => {
    expect(pace([at(20, 10), at(19, 10)])?.percentPerHour).toBe(0);
  });

  test("goes on over a reset: what the new run holds was used since", () => {
    expect(pace([at(24, 90, -10), at(11, 95, -10), at(5, 7, 150), at(0, 12, 150)])?.percentPerHour).toBeCloseTo(
      17 / 24,
      9,
    );
  });

  test("is not fooled by a figure that was wrong for a moment", () => {
    const steady = [at(24, 10), at(12, 20), at(0, 34)];
    const spiked = [at(24, 10), at(13, 100), at(12, 20), at(6, 0), at(0, 34)];
    expect(pace(spiked)).toEqual(pace(steady));
  });

  test("is never below zero, whatever is observed", () => {
    const sample = fc.record({
      hours: fc.double({ min: 0, max: 48, noNaN: true }),
      used: fc.integer({ min: 0, max: 100 }),
    });
    const reset = fc.option(fc.integer({ min: -48, max: 160 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(sample, reset), { maxLength: 20 }), (list) => {
        const samples = list
          .map(([{ hours, used }, resets]) => at(hours, used, resets))
          .sort((a, b) => a.atMs - b.atMs);
        const found = pace(samples);
        if (found !== null) expect(found.percentPerHour).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });

  test("of steady work is that work, however it is sampled and through any resets", () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 20, maxLength: 60 }),
      (perHour, gaps) => {
        // A five-hour window that starts again on time, seen at odd minutes; the same work in every hour.
        const samples: WindowSample[] = [];
        let minutes = gaps.reduce((sum, gap) => sum + gap, 0);
        const whole = minutes;
        for (const gap of gaps) {
          minutes -= gap;
          const done = whole - minutes;
          const run = Math.floor(done / 300);
          samples.push({
            ...at(minutes / 60, (perHour * (done % 300)) / 60, null),
            resetsAtMs: T0 - whole * MINUTE_MS + (run + 1) * 300 * MINUTE_MS,
          });
        }
        const found = paceOver(samples, T0, 365 * DAY_MS);
        if (found === null) return;
        // What was used between the last look at a run and its end was seen by nobody: at most two hours of five.
        expect(found.percentPerHour).toBeLessThanOrEqual(perHour * 1.01);
        expect(found.percentPerHour).toBeGreaterThan(perHour * 0.45);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});

test("a short window looks back two hours, a longer one a day, an unknown one too", () => {
  expect([300, 1_440, 10_080, null].map((lengthMinutes) => lookBackMs({ lengthMinutes }) / HOUR_MS)).toEqual([
    2, 2, 24, 24,
  ]);
});

test("the step is the finest one that reaches back so far", () => {
  expect([1, 2, 3, 35, 36, 900].map((days) => stepFor(T0 - days * DAY_MS, T0))).toEqual([
    "fine",
    "fine",
    "hour",
    "hour",
    "day",
    "day",
  ]);
  for (const { everyMs, keptMs } of Object.values(HISTORY_STEPS)) expect(keptMs / everyMs).toBeLessThan(1_000);
});

test("samples are sorted into their windows, by time", () => {
  const other = { ...at(3, 1), slot: "primary" as const, lengthMinutes: 300 };
  const series = seriesFrom([at(1, 9), other, at(2, 8)]);
  expect(
    series.map(({ slot, lengthMinutes, samples }) => [slot, lengthMinutes, samples.map((one) => one.usedPercent)]),
  ).toEqual([
    ["primary", 300, [1]],
    ["secondary", 10_080, [8, 9]],
  ]);
});
