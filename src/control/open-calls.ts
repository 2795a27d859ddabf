/**
 * How many single calls are under way at the control door, so that who stops the daemon can let them finish before what they work on is
 * closed. Watches and other streams are not counted: they end when they are told to.
 */
import type { Clock } from "../base/clock.ts";

export class OpenCalls {
  readonly #clock: Clock;
  #count = 0;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One more; what is returned is called when it has ended. */
  began(): () => void {
    this.#count++;
    return () => {
      if (--this.#count > 0) return;
      for (const tell of this.#waiting.splice(0)) tell();
    };
  }

  /** Resolves once none is under way, or after `graceMs`. */
  none(graceMs: number): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(graceMs, resolve);
      this.#waiting.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
