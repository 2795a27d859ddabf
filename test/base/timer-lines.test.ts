/** Lines of timers: nobody can tell them from timers of their own, but by their number. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Timer } from "../../src/base/clock.ts";
import { withTimerLines } from "../../src/base/timer-lines.ts";
import { createManualClock } from "../support/manual-clock.ts";

describe("lines of timers", () => {
  test("fire whoever was not cancelled, each at its time", async () => {
    const stepArb = fc.oneof(
      fc.record({ kind: fc.constant("set" as const), delayMs: fc.constantFrom(0, 5, 30, 30, 100, 1_000) }),
      fc.record({ kind: fc.constant("cancel" as const), which: fc.nat(40) }),
      fc.record({ kind: fc.constant("pass" as const), byMs: fc.integer({ min: 0, max: 60 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(stepArb, { maxLength: 60 }), async (steps) => {
        const clock = createManualClock();
        const lined = withTimerLines(clock);
        const told: [own: number[], lined: number[]] = [[], []];
        const timers: [own: Timer, lined: Timer][] = [];
        for (const step of steps) {
          if (step.kind === "pass") await clock.advance(step.byMs);
          else if (step.kind === "cancel") for (const timer of timers[step.which] ?? []) timer.cancel();
          else {
            const at = (list: number[], n: number) => () => void list.push(n, clock.monotonicMs());
            const n = timers.length;
            timers.push([clock.after(step.delayMs, at(told[0], n)), lined.after(step.delayMs, at(told[1], n))]);
          }
        }
        await clock.advance(2_000);
        const sorted = (list: number[]) =>
          Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i + 1]!, list[2 * i]!]).sort(
            ([a, n], [b, m]) => a! - b! || n! - m!,
          );
        expect(sorted(told[1])).toEqual(sorted(told[0]));
        expect(clock.pending()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test("a thousand of one length are one timer of the clock, and none when all have left", () => {
    const clock = createManualClock();
    const lined = withTimerLines(clock);
    const timers = Array.from({ length: 1_000 }, () => lined.after(30_000, () => {}));
    expect(clock.pending()).toBe(1);
    for (const timer of timers) timer.cancel();
    for (const timer of timers) timer.cancel();
    expect(clock.pending()).toBe(0);
  });

  test("whoever fires may set the next one", async () => {
    const clock = createManualClock();
    const lined = withTimerLines(clock);
    const told: number[] = [];
    const again = () => {
      told.push(clock.monotonicMs());
      if (told.length < 3) lined.after(10, again);
    };
    lined.after(10, again);
    await clock.advance(100);
    expect(told).toEqual([10, 20, 30]);
    expect(clock.pending()).toBe(0);
  });

  test("one that throws does not keep the others from firing", async () => {
    const clock = createManualClock();
    const lined = withTimerLines(clock);
    let fired = 0;
    lined.after(10, () => {
      throw new Error("of its own");
    });
    lined.after(10, () => fired++);
    await clock.advance(5).catch(() => {});
    await clock.advance(10).catch(() => {});
    await clock.advance(10).catch(() => {});
    expect(fired).toBe(1);
  });
});
