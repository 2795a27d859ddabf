/**
 * Which sealed reasoning of a conversation an account cannot read: what was there before the conversation came to it. Clients send it along with
 * every turn, and each time upstream would refuse it first. Keeps digests, never content; in memory alone: what is forgotten costs one refusal.
 */

export interface SealMemory {
  /** In this workspace these of the conversation are of no use. */
  note(conversation: string, workspaceId: string, digests: readonly string[]): void;
  /** null when nothing is known. */
  unreadable(conversation: string, workspaceId: string): ReadonlySet<string> | null;
}

/** Conversations that moved, the latest of them. */
const MAX_CONVERSATIONS = 1_000;
/** Of each the latest; a turn makes one or a few. */
const MAX_DIGESTS = 4_000;

export function createSealMemory(): SealMemory {
  /** By conversation and workspace; the least recently noted first. */
  const known = new Map<string, Set<string>>();
  const nameOf = (conversation: string, workspaceId: string) => `${workspaceId} ${conversation}`;
  return {
    note(conversation, workspaceId, digests) {
      if (digests.length === 0) return;
      const name = nameOf(conversation, workspaceId);
      const all = [...(known.get(name) ?? []), ...digests].slice(-MAX_DIGESTS);
      known.delete(name);
      known.set(name, new Set(all));
      if (known.size > MAX_CONVERSATIONS) known.delete(known.keys().next().value!);
    },
    unreadable: (conversation, workspaceId) => known.get(nameOf(conversation, workspaceId)) ?? null,
  };
}
