/**
 * The one loop behind every watch: a first message at once, then one whenever something changed, bursts merged, and a clean end.
 * Holds no history: whoever is slow gets the latest, and nothing is queued for it here.
 */
import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Clock, Timer } from "../base/clock.ts";

/** Aborted when the door begins to close: watches end then, single calls finish. */
export const closingKey = createContextKey<AbortSignal | null>(null, { description: "closing" });

/**
 * The shortest time between two messages of one watch. A busy pool changes hundreds of times a second; ten pictures a second are
 * what eyes can use, and 1,000 accounts cost a few milliseconds to put in words. The first change after a rest goes out at once.
 */
const MERGE_MS = 100;

/**
 * Yields when it is time to send: at once, then after changes. Ends when the call does (`context.signal`) or the door closes.
 * Unsubscribes on the signal too, not only in `finally`: a consumer that went away may never come back to the generator.
 */
export async function* changes(
  context: HandlerContext,
  clock: Clock,
  subscribe: (wake: () => void) => () => void,
): AsyncGenerator<void> {
  const ends = [context.signal, context.values.get(closingKey)].filter((signal) => signal !== null);
  let changed = true;
  let resting = false;
  let over = false;
  let resume: (() => void) | null = null;
  let timer: Timer | null = null;
  const look = () => {
    resume?.();
    resume = null;
  };
  const unsubscribe = subscribe(() => {
    changed = true;
    look();
  });
  const end = () => {
    if (over) return;
    over = true;
    unsubscribe();
    timer?.cancel();
    for (const signal of ends) signal.removeEventListener("abort", end);
    look();
  };
  for (const signal of ends) signal.addEventListener("abort", end);
  if (ends.some((signal) => signal.aborted)) end();
  try {
    while (!over) {
      if (!changed || resting) {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
        continue;
      }
      changed = false;
      yield;
      if (over) break;
      resting = true;
      timer = clock.after(MERGE_MS, () => {
        resting = false;
        look();
      });
    }
  } finally {
    end();
  }
}
