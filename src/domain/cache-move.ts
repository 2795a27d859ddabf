/** What it cost a conversation to go on at another account: the prompt cache that upstream had built up for it stays behind. */
import type { AccountId } from "./account.ts";
import type { Usage } from "./outcome.ts";

/** What moving to another account did to a conversation's prompt cache. */
export interface CacheMove {
  readonly fromAccountId: AccountId;
  readonly fromAlias: string;
  /** Tokens read from the cache by the exchange before, and by this one. */
  readonly cachedBefore: number;
  readonly cachedAfter: number;
  /** What those that were not read from the cache cost more; null when the model has no price. */
  readonly costMicroUsd: number | null;
}

/** Cached tokens that a move has lost: those that were there and had to be read anew. A shorter request could not have had more. */
export function lostTokens(cachedBefore: number, usage: Usage): number {
  return Math.max(0, Math.min(cachedBefore, usage.inputTokens) - usage.cachedInputTokens);
}
