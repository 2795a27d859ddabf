/**
 * The simulator's own wall clock: the given clock plus an offset that the control API moves, so that a weekly window
 * resets without a week. Pacing and stalls stay on the real timers: moving the wall clock never ends a sleep.
 */
import type { Clock } from "../base/clock.ts";

export interface SimClock {
  nowMs(): number;
  /** Moves the wall clock forward. */
  advance(byMs: number): void;
  /** Sets the wall clock; it runs on from there. */
  set(atMs: number): void;
  offsetMs(): number;
  /** Real time, for pacing. Resolves false when the signal ended it first. */
  pause(delayMs: number, signal: AbortSignal): Promise<boolean>;
}

export function createSimClock(clock: Clock): SimClock {
  let offsetMs = 0;
  return {
    nowMs: () => clock.nowMs() + offsetMs,
    advance(byMs) {
      offsetMs += byMs;
    },
    set(atMs) {
      offsetMs = atMs - clock.nowMs();
    },
    offsetMs: () => offsetMs,
    async pause(delayMs, signal) {
      if (signal.aborted) return false;
      if (delayMs <= 0) return true;
      try {
        await clock.sleep(delayMs, signal);
        return true;
      } catch {
        return false;
      }
    },
  };
}
