/**
 * Time as the house passes it: the system clock's promises, and the manual clock that every other test trusts.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatInstant, parseInstant, systemClock } from "../../src/base/clock.ts";
import { createManualClock, settle, T0 } from "../support/manual-clock.ts";

test("an instant survives being written and read", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 4e12 }), (atMs) => parseInstant(formatInstant(atMs)) === atMs));
});

test("text that is no instant reads as null, never as NaN", () => {
  for (const text of ["", "soon", "2026-13-01T00:00:00Z", "12:00"]) expect(parseInstant(text)).toBeNull();
});

test("a sleep that is aborted first rejects with the reason; one already aborted never starts", async () => {
  for (const clock of [systemClock, createManualClock()]) {
    const reason = new Error("enough");
    const abort = new AbortController();
    const sleep = clock.sleep(3_600_000, abort.signal);
    abort.abort(reason);
    expect(await sleep.catch((error) => error)).toBe(reason);
    expect(await clock.sleep(0, abort.signal).catch((error) => error)).toBe(reason);
  }
});

test("a cancelled timer does not run, and cancelling twice is fine", async () => {
  const clock = createManualClock();
  let runs = 0;
  const timer = clock.after(10, () => runs++);
  timer.cancel();
  timer.cancel();
  await clock.advance(100);
  expect([runs, clock.pending()]).toEqual([0, 0]);
});

test("a delay beyond the range of timers does not fire at once", async () => {
  let fired = false;
  const timer = systemClock.after(Number.MAX_SAFE_INTEGER, () => {
    fired = true;
  });
  // A timer that overflowed would be queued before this one.
  await new Promise<void>((resolve) => systemClock.after(2, resolve));
  timer.cancel();
  expect(fired).toBe(false);
});

test("the monotonic clock does not go back", () => {
  const first = systemClock.monotonicMs();
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(first);
});

test("the manual clock fires due timers in order and at their own instant, whatever the order of setting", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 20 }), async (delays) => {
      const clock = createManualClock();
      const seen: number[] = [];
      for (const delay of delays) clock.after(delay, () => seen.push(clock.nowMs() - T0));
      await clock.advance(1_000);
      expect(seen).toEqual([...delays].sort((a, b) => a - b));
      expect(clock.nowMs()).toBe(T0 + 1_000);
    }),
    { numRuns: 50 },
  );
});

test("the manual clock lets a sleeper set its next timer within one advance", async () => {
  const clock = createManualClock();
  const seen: number[] = [];
  const loop = (async () => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(100);
      seen.push(clock.monotonicMs());
    }
  })();
  await clock.advance(300);
  await loop;
  expect(seen).toEqual([100, 200, 300]);
});

test("a jump of the wall clock fires nothing and leaves durations alone", async () => {
  const clock = createManualClock();
  let fired = false;
  clock.after(10, () => {
    fired = true;
  });
  clock.jumpTo(T0 - 86_400_000);
  await settle();
  expect([fired, clock.monotonicMs(), clock.nowMs()]).toEqual([false, 0, T0 - 86_400_000]);
});
