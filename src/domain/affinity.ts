/**
 * Which conversation a request belongs to, as far as the client says so. Pure: where a conversation lives is pool's business.
 *
 * Nothing is derived from the text of a request: equal first messages are common in scripts, and gluing them to one account would
 * defeat every strategy. A client that says nothing has no conversation.
 */

/** Names in the order of trust, first found wins (wire §7). Values share one name space: a child names its parent's own id. */
const CONVERSATION_HEADERS: readonly string[] = [
  // A sub-agent belongs where its parent is: same files, same prompt cache.
  "x-codex-parent-thread-id",
  "x-parent-session-id",
  // Codex; older versions wrote an underscore.
  "session-id",
  "session_id",
  "x-codex-session-id",
  "conversation_id",
  "conversation-id",
  "x-codex-conversation-id",
  "thread-id",
  // OpenCode sends both.
  "x-session-id",
  "x-session-affinity",
];

/** Ids are UUIDs and the like. Something much longer is not an id, and would be kept in memory for every conversation. */
const ID_MAX_CHARS = 256;

export interface ConversationHints {
  /** Value of a request header by its lower-case name, null when absent. */
  readonly header: (name: string) => string | null;
  /** `prompt_cache_key` of the body. */
  readonly promptCacheKey: string | null;
  /** Client key id: one client never lands in another one's conversation by naming it. */
  readonly keyId: string | null;
}

/** A stable key of the conversation, null when the client names none. */
export function conversationKeyOf(hints: ConversationHints): string | null {
  const id = firstId(hints);
  return id === null ? null : `${hints.keyId ?? ""}/${id}`;
}

function firstId({ header, promptCacheKey }: ConversationHints): string | null {
  for (const name of CONVERSATION_HEADERS) {
    const value = header(name);
    if (isId(value)) return value;
  }
  return isId(promptCacheKey) ? promptCacheKey : null;
}

function isId(value: string | null): value is string {
  return value !== null && value !== "" && value.length <= ID_MAX_CHARS;
}
