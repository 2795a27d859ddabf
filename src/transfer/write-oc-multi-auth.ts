/**
 * Merges accounts into a store of oc-codex-multi-auth. Accounts that only the destination has stay as they are; where it cannot be told
 * whether two are the same login, nothing is written and every such case is named. Its bytes hold live tokens in plain text.
 */
import { AppError } from "../base/errors.ts";
import { poolAccount } from "./codex-multi-accounts.ts";
import { isSameLogin } from "./foreign-account.ts";
import type { ForeignAccount } from "./foreign-store.ts";
import { decodeUtf8, JsonNode, number, parseJson } from "./json-node.ts";

type Json = Readonly<Record<string, unknown>>;

/** The product loads no more (codex-multi-auth reference §4.2). */
const ACCOUNTS_MAX = 20;

export interface ExportRow {
  /** Index into the accounts that were given. */
  readonly account: number;
  readonly action: "add" | "update" | "keep";
  readonly reason: string;
}

export type OcExport =
  | {
      readonly ok: true;
      readonly bytes: Uint8Array;
      /** What happens to each account that was given. */
      readonly rows: readonly ExportRow[];
      /** Accounts that only the destination has. */
      readonly destinationOnly: number;
    }
  | { readonly ok: false; readonly collisions: readonly { readonly account: number; readonly reason: string }[] };

/** `existing`: the store as it is now; null = there is none. What it would do can be looked at before the bytes are written. */
export function writeOcMultiAuth(
  existing: Uint8Array | null,
  accounts: readonly ForeignAccount[],
  nowMs: number,
): OcExport {
  const doc = existing === null ? null : destination(existing);
  const raw = doc === null ? [] : (doc.get("accounts").value as readonly Json[]);
  const there =
    doc === null
      ? []
      : doc
          .get("accounts")
          .items()
          .map((at) => poolAccount(at, { isCurrent: false, flagged: false }));
  const matches = accounts.map((account) =>
    there.flatMap((one, index) => (one !== null && isSameLogin(one, account) ? [index] : [])),
  );
  const collisions = accounts.flatMap((account, index) => {
    const reason = collisionOf(account, there, matches, index);
    return reason === null ? [] : [{ account: index, reason }];
  });
  if (collisions.length > 0) return { ok: false, collisions };
  const added = accounts.filter((_, index) => matches[index]!.length === 0);
  const total = raw.length + added.length;
  if (total > ACCOUNTS_MAX) {
    throw new AppError(
      "export_refused",
      `${total} accounts would be in the store, and oc-codex-multi-auth reads ${ACCOUNTS_MAX} at most`,
    );
  }
  const rows = accounts.map(
    (account, index): ExportRow => ({ account: index, ...judge(account, there[matches[index]![0] ?? -1] ?? null) }),
  );
  const updates = new Map(
    rows.flatMap((row) => (row.action === "update" ? [[matches[row.account]![0]!, accounts[row.account]!]] : [])) as [
      number,
      ForeignAccount,
    ][],
  );
  const store = {
    activeIndex: 0,
    activeIndexByFamily: {},
    ...(doc?.value as Json | undefined),
    version: 3,
    accounts: [
      ...raw.map((entry, index) => (updates.has(index) ? { ...entry, ...loginFields(updates.get(index)!) } : entry)),
      ...added.map((account) => newEntry(account, nowMs)),
    ],
  };
  const bytes = new TextEncoder().encode(`${JSON.stringify(store, null, 2)}\n`);
  return { ok: true, bytes, rows, destinationOnly: raw.length - matches.filter((found) => found.length > 0).length };
}

function destination(bytes: Uint8Array): JsonNode {
  const refuse = (why: string) =>
    new AppError("export_refused", `the store of oc-codex-multi-auth ${why}; it is left as it is`);
  const parsed = parseJson(decodeUtf8(bytes, refuse));
  if (!parsed.ok) throw refuse(`cannot be read (${parsed.reason})`);
  const doc = new JsonNode("", "", parsed.value, []);
  if (!Array.isArray(doc.get("accounts").value)) throw refuse("has no list of accounts");
  if (!doc.has("version") || number(doc.get("version")) !== 3)
    throw refuse("is not of version 3; start the newest oc-codex-multi-auth once");
  return doc;
}

/** Why `account` cannot be written without a guess; null when it can. */
function collisionOf(
  account: ForeignAccount,
  there: readonly (ForeignAccount | null)[],
  matches: readonly (readonly number[])[],
  index: number,
): string | null {
  if (!account.isIdentified) return "it names no ChatGPT account; refresh it first";
  if (account.credentials.refreshToken === "") return "it has no refresh token";
  const own = matches[index]!;
  if (own.length > 1) return "several accounts of the store are this login";
  if (matches.some((other, at) => at !== index && other.some((one) => own.includes(one))))
    return "another account goes to the same place";
  const others = there.filter((one, at): one is ForeignAccount => one !== null && !own.includes(at));
  if (others.some((one) => one.credentials.refreshToken === account.credentials.refreshToken)) {
    return "the store has its refresh token under another account";
  }
  return others.some((one) => mayBeSame(one, account))
    ? "the store has an account in the same workspace and does not say whose it is"
    : null;
}

/** The same workspace, and nothing that tells the two people apart. */
function mayBeSame(a: ForeignAccount, b: ForeignAccount): boolean {
  if (a.claims.workspaceId !== b.claims.workspaceId) return false;
  const areKnown = a.claims.userId !== null && b.claims.userId !== null;
  return !areKnown && (a.claims.email === null || b.claims.email === null);
}

function judge(account: ForeignAccount, known: ForeignAccount | null): Pick<ExportRow, "action" | "reason"> {
  if (known === null) return { action: "add", reason: "the store does not have it yet" };
  if (known.credentials.refreshToken === account.credentials.refreshToken) {
    const isFuller =
      known.credentials.accessToken !== account.credentials.accessToken && account.credentials.accessToken !== "";
    return isFuller
      ? { action: "update", reason: "its access token is newer" }
      : { action: "keep", reason: "the store has this login already" };
  }
  const [mine, theirs] = [account.claims.expiresAtMs ?? 0, known.claims.expiresAtMs ?? 0];
  return mine >= theirs
    ? { action: "update", reason: "its tokens are newer" }
    : { action: "keep", reason: "the tokens of the store are newer" };
}

/** What changes when a login is renewed. Tags, note and switch of an account that is there are the destination's own. */
function loginFields(account: ForeignAccount): Json {
  const { credentials, claims, refreshedAtMs } = account;
  return {
    refreshToken: credentials.refreshToken,
    ...(credentials.accessToken === "" ? {} : { accessToken: credentials.accessToken }),
    ...(claims.expiresAtMs === null ? {} : { expiresAt: claims.expiresAtMs }),
    ...(refreshedAtMs === null ? {} : { tokenRotatedAt: refreshedAtMs }),
  };
}

function newEntry(account: ForeignAccount, nowMs: number): Json {
  const { claims, tags, note } = account;
  return {
    accountId: claims.workspaceId,
    accountIdSource: "token",
    // Upstream spells a person in a workspace like this (wire reference §1.8).
    ...(claims.userId === null ? {} : { accountUserId: `${claims.userId}__${claims.workspaceId}` }),
    ...(claims.email === null ? {} : { email: claims.email }),
    ...loginFields(account),
    ...(account.enabled ? {} : { enabled: false }),
    ...(tags.length === 0 ? {} : { accountTags: tags }),
    ...(note === "" ? {} : { accountNote: note }),
    addedAt: account.createdAtMs ?? nowMs,
    lastUsed: account.lastUsedAtMs ?? 0,
  };
}
