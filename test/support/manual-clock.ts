/**
 * A clock that moves only when told to. `advance` fires due timers in order and lets promises settle between them,
 * so that code which sleeps runs as it would in real time.
 */
import type { Clock, Timer } from "../../src/base/clock.ts";

export interface ManualClock extends Clock {
  /** Moves time forward, firing every timer that becomes due, oldest first. */
  advance(byMs: number): Promise<void>;
  /** Sets the wall clock without firing timers: a clock that jumps. */
  jumpTo(atMs: number): void;
  /** How many timers wait. */
  pending(): number;
}

export const T0 = Date.UTC(2026, 10, 21, 12, 0, 0);

export function createManualClock(startMs = T0): ManualClock {
  let wallMs = startMs;
  let monoMs = 0;
  const timers = new Set<{ dueMs: number; run: () => void }>();
  const clock: ManualClock = {
    nowMs: () => wallMs,
    monotonicMs: () => monoMs,
    after(delayMs, run): Timer {
      const timer = { dueMs: monoMs + Math.max(0, delayMs), run };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const timer = clock.after(delayMs, resolve);
        signal?.addEventListener(
          "abort",
          () => {
            timer.cancel();
            reject(signal.reason);
          },
          { once: true },
        );
      });
    },
    async advance(byMs) {
      const targetMs = monoMs + byMs;
      await settle();
      for (;;) {
        const due = [...timers].filter((t) => t.dueMs <= targetMs).sort((a, b) => a.dueMs - b.dueMs)[0];
        if (!due) break;
        timers.delete(due);
        wallMs += due.dueMs - monoMs;
        monoMs = due.dueMs;
        due.run();
        await settle();
      }
      wallMs += targetMs - monoMs;
      monoMs = targetMs;
      await settle();
    },
    jumpTo: (atMs) => {
      wallMs = atMs;
    },
    pending: () => timers.size,
  };
  return clock;
}

/** Lets every promise that is already resolvable run to its end. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
