/**
 * One timer for everything that is due some day. Cooldowns and resets are ends, not timers; here is the only place that sleeps until one.
 */
import type { Clock, Timer } from "../base/clock.ts";

export interface Scheduler {
  /** Runs `job` at `atMs` (wall clock) or as soon as possible after it; replaces what stood under the same key. */
  at(key: string, atMs: number, job: () => void): void;
  drop(key: string): void;
  /** When the next job is due; null when none is. */
  nextAtMs(): number | null;
  close(): void;
}

/** Wakes at least this often, so that a wall clock that jumped forward is noticed. */
const LONGEST_SLEEP_MS = 60_000;

export function createScheduler(clock: Clock): Scheduler {
  const jobs = new Map<string, { atMs: number; run: () => void }>();
  let timer: Timer | null = null;
  let timerAtMs = Number.POSITIVE_INFINITY;
  let closed = false;

  const earliest = () => {
    let atMs = Number.POSITIVE_INFINITY;
    for (const job of jobs.values()) atMs = Math.min(atMs, job.atMs);
    return atMs;
  };
  const arm = () => {
    if (closed) return;
    const atMs = Math.min(earliest(), clock.nowMs() + LONGEST_SLEEP_MS);
    if (jobs.size === 0 || (timer !== null && timerAtMs <= atMs)) return;
    timer?.cancel();
    timerAtMs = atMs;
    timer = clock.after(atMs - clock.nowMs(), fire);
  };
  const fire = () => {
    timer = null;
    timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = clock.nowMs();
    const due = [...jobs].filter(([, job]) => job.atMs <= nowMs).sort(([, a], [, b]) => a.atMs - b.atMs);
    for (const [key, job] of due) {
      // A job that ran before this one may have replaced or dropped it.
      if (jobs.get(key) !== job) continue;
      jobs.delete(key);
      job.run();
    }
    arm();
  };

  return {
    at(key, atMs, run) {
      jobs.set(key, { atMs, run });
      arm();
    },
    drop: (key) => void jobs.delete(key),
    nextAtMs: () => (jobs.size === 0 ? null : earliest()),
    close() {
      closed = true;
      timer?.cancel();
      jobs.clear();
    },
  };
}
