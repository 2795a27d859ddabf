/**
 * Remembers which account a conversation lives on. In memory alone: after a restart a conversation finds a new home with its next request.
 */
import { AFFINITY_MAX_CONVERSATIONS } from "../base/bounds.ts";
import type { AccountId } from "../domain/account.ts";

export interface AffinityTable {
  /** Where `conversation` lives at `nowMs`; null when it is unknown or was silent for too long. */
  home(conversation: string, nowMs: number, ttlMs: number): AccountId | null;
  /** It was served there. */
  settle(conversation: string, accountId: AccountId, nowMs: number): void;
  forget(accountId: AccountId): void;
}

export function createAffinityTable(maxConversations = AFFINITY_MAX_CONVERSATIONS): AffinityTable {
  // A Map keeps insertion order; setting anew after deleting makes the first key the least recently used.
  const homes = new Map<string, { accountId: AccountId; atMs: number }>();
  return {
    home(conversation, nowMs, ttlMs) {
      const home = homes.get(conversation);
      if (home === undefined) return null;
      if (nowMs - home.atMs <= ttlMs) return home.accountId;
      homes.delete(conversation);
      return null;
    },
    settle(conversation, accountId, nowMs) {
      homes.delete(conversation);
      homes.set(conversation, { accountId, atMs: nowMs });
      if (homes.size > maxConversations) homes.delete(homes.keys().next().value!);
    },
    forget(accountId) {
      for (const [conversation, home] of homes) if (home.accountId === accountId) homes.delete(conversation);
    },
  };
}
