/**
 * Accounts of codex-multi-auth and of its OpenCode sibling: pools of version 1 and 3, quarantined accounts, the write-ahead file, and the
 * marker of a cleared pool. What the product keeps beside them is read in codex-multi-facts.ts. Never shows a token.
 */
import { sha256Hex } from "../base/id.ts";
import { cleanTags, foreignAccount } from "./foreign-account.ts";
import type { ForeignAccount, ForeignWorkspace } from "./foreign-store.ts";
import {
  anyText,
  fields,
  flag,
  instantMs,
  JsonNode,
  list,
  number,
  optional,
  parseJson,
  soft,
  text,
} from "./json-node.ts";

/** A pool with version 1 or 3; a version 2 never left the workshop and is refused with words. */
export function isCodexMultiPool(doc: JsonNode): boolean {
  return Array.isArray(doc.get("accounts").value) && doc.has("version") && !isCodexMultiFlagged(doc);
}

export function isCodexMultiFlagged(doc: JsonNode): boolean {
  const { value } = doc.get("accounts");
  if (!Array.isArray(value)) return false;
  // Every pool says which of its accounts is the active one; a quarantine has none, and its oldest form has no reasons either.
  if (doc.get("version").value === 1 && !doc.has("activeIndex")) return true;
  return doc
    .get("accounts")
    .items()
    .some((at) => at.has("flaggedAt"));
}

export function isCodexMultiWal(doc: JsonNode): boolean {
  return typeof doc.get("checksum").value === "string" && typeof doc.get("content").value === "string";
}

/** `{"version":1,"createdAt":…}` and nothing else: somebody emptied the pool on purpose. */
export function isCodexMultiCleared(doc: JsonNode): boolean {
  return (
    doc.isObject &&
    Object.keys(doc.value as object)
      .sort()
      .join() === "createdAt,version"
  );
}

/** The pool inside a write-ahead file, which the product believes only with its checksum. */
export function poolInWal(doc: JsonNode): JsonNode {
  const content = doc.read("content", anyText);
  if (sha256Hex(content) !== doc.read("checksum", text).toLowerCase()) {
    throw doc.get("content").wrong("does not match its checksum; the file was cut short");
  }
  const parsed = parseJson(content);
  if (!parsed.ok) throw doc.get("content").wrong(`is broken: ${parsed.reason}`);
  return new JsonNode(doc.file, "content", parsed.value, doc.remarks);
}

const SIBLING_FIELDS = [
  "accountUserId",
  "organizationId",
  "accountTags",
  "accountNote",
  "oauthScope",
  "tokenRotatedAt",
];
const OWN_FIELDS = ["recordId", "workspaces", "currentWorkspaceIndex", "accountLabel"];

/** Whether oc-codex-multi-auth wrote this pool: fields that only it has, and none that it never had. */
export function isSiblingPool(doc: JsonNode): boolean {
  if (doc.has("pinnedAccountIndex") || doc.has("affinityGeneration")) return false;
  const nodes = doc.get("accounts").items();
  return (
    nodes.some((at) => SIBLING_FIELDS.some((key) => at.has(key))) &&
    !nodes.some((at) => OWN_FIELDS.some((key) => at.has(key)))
  );
}

export interface PoolAccounts {
  readonly accounts: readonly ForeignAccount[];
  /** Index into `accounts`; null when nobody is pinned. */
  readonly pinned: number | null;
}

export function readPool(doc: JsonNode): PoolAccounts {
  const version = doc.read("version", number);
  if (version === 2) {
    throw doc
      .get("version")
      .wrong("is 2, which no release reads; start the newest oc-codex-multi-auth once and import again");
  }
  if (version !== 1 && version !== 3) throw doc.get("version").wrong("is not one that Rotor knows");
  const active = doc.read("activeIndex", soft(number));
  const pinnedAt = doc.read("pinnedAccountIndex", soft(number));
  const read = doc
    .get("accounts")
    .items()
    .map((at, index) => poolAccount(at, { isCurrent: index === active, flagged: false }));
  const accounts = read.filter((account) => account !== null);
  const pinned = pinnedAt === null ? null : (read[pinnedAt] ?? null);
  if (pinnedAt !== null && pinned === null) doc.get("pinnedAccountIndex").note("names nobody; nothing is pinned");
  return { accounts, pinned: pinned === null ? null : accounts.indexOf(pinned) };
}

export function readFlagged(doc: JsonNode): readonly ForeignAccount[] {
  const read = doc
    .get("accounts")
    .items()
    .map((at) => poolAccount(at, { isCurrent: false, flagged: true }));
  return read.filter((account) => account !== null);
}

/** null, with a remark, for an entry that the product itself would drop. */
export function poolAccount(at: JsonNode, known: { isCurrent: boolean; flagged: boolean }): ForeignAccount | null {
  if (!at.isObject) throw at.wrong("must be an object");
  const refreshToken = at.read("refreshToken", optional(text));
  if (refreshToken === null) {
    at.note("has no refresh token and is left out, as its product does");
    return null;
  }
  const workspaces = workspacesOf(at);
  return foreignAccount(at, {
    refreshToken,
    accessToken: at.read("accessToken", optional(text)),
    workspaceId: at.read("accountId", optional(text)) ?? at.read("organizationId", optional(text)),
    userId: at.read("accountUserId", optional(text))?.split("__")[0] ?? null,
    email: at.read("email", optional(text)),
    expiresAtMs: at.read("expiresAt", soft(instantMs)),
    refreshedAtMs: at.read("tokenRotatedAt", soft(instantMs)),
    alias: at.read("accountLabel", soft(text)),
    enabled: at.read("enabled", optional(flag)) ?? true,
    tags: cleanTags(at.read("accountTags", soft(list(text))) ?? []),
    note: at.read("accountNote", soft(anyText)) ?? "",
    workspaces,
    workspaceName: workspaces.find((one) => one.isCurrent)?.name ?? null,
    needsLogin: known.flagged ? flagReason(at) : invalidation(at),
    limitedUntilMs: limitedUntil(at),
    createdAtMs: at.read("addedAt", soft(instantMs)),
    lastUsedAtMs: at.read("lastUsed", soft(instantMs)),
    isCurrent: known.isCurrent,
  });
}

const workspace = fields({
  id: text,
  name: soft(text),
  enabled: (at) => soft(flag)(at) ?? true,
});

function workspacesOf(at: JsonNode): readonly ForeignWorkspace[] {
  const current = at.read("currentWorkspaceIndex", soft(number)) ?? 0;
  const found = at.read("workspaces", soft(list(workspace))) ?? [];
  return found.map((one, index) => ({ ...one, isCurrent: index === current }));
}

/** Their codes are upstream's; anything longer than a code may quote an answer and is not carried. */
const codeOnly = (reason: string | null): string | null =>
  reason !== null && /^[\w.-]{1,60}$/.test(reason) ? reason : null;

function flagReason(at: JsonNode): string {
  const [error, reason] = [at.read("lastError", soft(text)), at.read("flaggedReason", soft(text))];
  return codeOnly(error) ?? codeOnly(reason) ?? "flagged";
}

function invalidation(at: JsonNode): string | null {
  if (at.read("authInvalidatedAt", soft(instantMs)) === null) return null;
  return codeOnly(at.read("authInvalidationErrorCode", soft(text))) ?? "token_invalidated";
}

/**
 * The limits are kept by family of prompts, which says nothing of the window that ran out: the latest end is the bound. Its cool-downs are
 * seconds long and over before anybody imports.
 */
function limitedUntil(at: JsonNode): number | null {
  const table = at.get("rateLimitResetTimes");
  const ends = table.isObject ? table.entries().map(([, end]) => soft(instantMs)(end) ?? 0) : [];
  if (!table.isNothing && !table.isObject) table.note("must be an object; it is left out");
  const end = Math.max(0, at.read("rateLimitResetTime", soft(instantMs)) ?? 0, ...ends);
  return end === 0 ? null : end;
}
