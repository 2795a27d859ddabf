/**
 * Paces re-sends: a client whose answer was cut sends the whole conversation again by itself, some of them five times a second
 * (OpenCode, wire §4.4). The first re-send goes at once; those after it wait longer each time, until one is served.
 */

export interface ResendPacer {
  /** How long this conversation's next request should wait. */
  delayMs(conversation: string, nowMs: number): number;
  /** An answer was cut after its output began. */
  cut(conversation: string, nowMs: number): void;
  served(conversation: string): void;
}

/** 0.5 s, 1 s, 2 s … 8 s from the second cut on: nobody notices the first wait, and a broken upstream is spared the rest. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8_000;
/** A conversation that was quiet for this long starts anew. */
const FORGET_AFTER_MS = 60_000;
/** Only conversations in trouble are kept; more of them at once than this is an outage, and pacing the latest is enough. */
const MAX_CONVERSATIONS = 1_000;

export function createResendPacer(): ResendPacer {
  const troubled = new Map<string, { cuts: number; atMs: number }>();
  return {
    delayMs(conversation, nowMs) {
      const trouble = troubled.get(conversation);
      if (trouble === undefined || trouble.cuts < 2) return 0;
      if (nowMs - trouble.atMs > FORGET_AFTER_MS) return 0;
      return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (trouble.cuts - 2));
    },
    cut(conversation, nowMs) {
      const before = troubled.get(conversation);
      const cuts = before !== undefined && nowMs - before.atMs <= FORGET_AFTER_MS ? before.cuts + 1 : 1;
      troubled.delete(conversation);
      troubled.set(conversation, { cuts, atMs: nowMs });
      if (troubled.size > MAX_CONVERSATIONS) troubled.delete(troubled.keys().next().value!);
    },
    served: (conversation) => void troubled.delete(conversation),
  };
}
