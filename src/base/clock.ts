/**
 * Time, passed in. The only file that may read the wall clock or set a timer.
 * Everything else receives a `Clock`, so that a test can own time.
 */

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump. */
  nowMs(): number;
  /** Monotonic milliseconds with a fraction, for durations only. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs` (bounded to the 32-bit range that runtimes accept). */
  after(delayMs: number, run: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout treats anything above 2^31-1 as "at once"; a far reset must not become a busy loop. */
const LONGEST_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS));
    return { cancel: () => clearTimeout(handle) };
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = systemClock.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/** Minutes that this machine's local time is ahead of UTC at an instant. */
export function localOffsetMinutes(atMs: number): number {
  return -new Date(atMs).getTimezoneOffset();
}

/** RFC 3339 text of an instant, for logs and file names. */
export function formatInstant(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** Milliseconds since the epoch of an RFC 3339 / ISO 8601 text, or null when it is not one. */
export function parseInstant(text: string): number | null {
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : atMs;
}
