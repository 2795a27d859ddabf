/**
 * From what a store says of a login to a foreign account: claims from the tokens first, then from the store's own fields; names and tags in
 * our form. Pure; never puts a token or an e-mail address into an alias, a tag or a remark.
 */
import { type Account, isAlias, NO_ORDERS } from "../domain/account.ts";
import type { Credentials } from "../domain/credentials.ts";
import { readLoginClaims } from "../domain/token-claims.ts";
import type { FoundLogin } from "./codex-auth.ts";
import type { ForeignAccount } from "./foreign-store.ts";
import type { JsonNode } from "./json-node.ts";

/** What a store may say of a login. Everything that is left out is not known. */
export interface Found extends Partial<Omit<ForeignAccount, "credentials" | "claims" | "place" | "isIdentified">> {
  readonly accessToken?: string | null;
  readonly refreshToken: string;
  readonly idToken?: string | null;
  readonly workspaceId?: string | null;
  readonly userId?: string | null;
  readonly email?: string | null;
  readonly tier?: string | null;
  readonly expiresAtMs?: number | null;
}

export function foreignAccount(at: JsonNode, found: Found): ForeignAccount {
  const { accessToken = null, refreshToken, idToken: kept, workspaceId, userId, email, tier, ...rest } = found;
  const { expiresAtMs, ...facts } = rest;
  // codex-multi-auth writes the access token into the place of an id token that it does not have.
  const idToken = kept && kept !== accessToken ? kept : null;
  const said = readLoginClaims(idToken, accessToken ?? "");
  // The store's own word on the workspace stands: a person may have chosen another one than the token's default.
  const workspace = workspaceId || said?.workspaceId || "";
  const account: ForeignAccount = {
    ...BLANK,
    ...facts,
    place: at.place,
    credentials: { accessToken: accessToken ?? "", refreshToken, idToken },
    claims: {
      userId: said?.userId ?? userId ?? null,
      workspaceId: workspace,
      email: said?.email ?? email ?? null,
      tier: said?.tier ?? tier ?? null,
      expiresAtMs: said?.expiresAtMs ?? expiresAtMs ?? null,
    },
    isIdentified: workspace !== "",
  };
  if (!account.isIdentified) at.note("names no ChatGPT account; only its first refresh can tell whose it is");
  const others = account.workspaces.filter((one) => one.id !== workspace);
  if (others.length > 0) {
    at.note(
      `reaches ${others.length} more ${others.length === 1 ? "workspace" : "workspaces"} with the same login; each needs a login of its own here`,
    );
  }
  return { ...account, alias: cleanAlias(account.alias, account.claims.email), workspaces: others };
}

const BLANK: Omit<ForeignAccount, "credentials" | "claims" | "place" | "isIdentified"> = {
  ...NO_ORDERS,
  issuer: null,
  refreshedAtMs: null,
  alias: null,
  enabled: true,
  workspaceName: null,
  workspaces: [],
  needsLogin: null,
  windows: [],
  limitedUntilMs: null,
  unsupportedModels: [],
  lastUsedAtMs: null,
  createdAtMs: null,
  isCurrent: false,
};

/** A login of a Codex `auth.json`, which says nothing but the login. */
export function accountOfLogin(login: FoundLogin): ForeignAccount {
  const { idToken, accessToken } = login.credentials;
  const credentials = { ...login.credentials, idToken: idToken === accessToken ? null : idToken };
  return { ...BLANK, ...login, credentials, isIdentified: true };
}

/** An account of ours as the writers take it: all that another machine or program can use. */
export function accountToCarry(account: Account, credentials: Credentials): ForeignAccount {
  const { alias, email, userId, workspaceId, tier, login, cooldown } = account;
  return {
    ...BLANK,
    ...account.orders,
    place: alias,
    credentials,
    claims: { userId, workspaceId, email, tier, expiresAtMs: account.credentials.accessExpiresAtMs },
    issuer: account.issuer,
    refreshedAtMs: account.credentials.refreshedAtMs,
    isIdentified: true,
    alias,
    enabled: account.enabled,
    workspaceName: account.workspaceName,
    needsLogin: login.kind === "needs_login" ? login.reason : null,
    windows: account.windows,
    limitedUntilMs: cooldown?.reason === "rate_limited" ? cooldown.untilMs : null,
    unsupportedModels: account.unsupportedModels,
    lastUsedAtMs: account.use.lastLeasedAtMs,
    createdAtMs: account.createdAtMs,
  };
}

/** What is left of a wish when it is made an alias; null when nothing is, or when it is (a part of) the e-mail address. */
function cleanAlias(wish: string | null, email: string | null): string | null {
  if (wish === null || wish.includes("@")) return null;
  const cleaned = dashed(wish.replace(/\[[^\]]*\]/g, " ")).slice(0, 40);
  const local = email === null ? null : dashed(email.split("@")[0]!);
  // The products number aliases that they made from addresses: ada, ada-2.
  if (local !== null && cleaned.replace(/-\d+$/, "") === local.replace(/-\d+$/, "").slice(0, 40)) return null;
  return isAlias(cleaned) ? cleaned : null;
}

/** Lower case, each once, in order. Tags that hold an e-mail address are left out. */
export function cleanTags(tags: readonly string[]): readonly string[] {
  const cleaned = tags.filter((tag) => !tag.includes("@")).map((tag) => dashed(tag).slice(0, 40));
  return [...new Set(cleaned)].filter((tag) => tag !== "").sort();
}

function dashed(words: string): string {
  return words
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "");
}

/** The accounts in their order, and where each of the given ones went. */
export interface Merged {
  readonly accounts: readonly ForeignAccount[];
  /** Index given → index in `accounts`. */
  readonly placeOf: readonly number[];
}

/**
 * Copies of one login become one account: the facts of the first, the tokens of the freshest (a refresh token works once, so the older
 * copy is dead). An alias that two accounts wish for goes to the first.
 */
export function mergeAccounts(found: readonly ForeignAccount[], remarks: string[]): Merged {
  const accounts: ForeignAccount[] = [];
  const placeOf: number[] = [];
  for (const account of found) {
    const place = accounts.findIndex((one) => isSameLogin(one, account));
    const known = accounts[place];
    if (known === undefined) {
      const sharer = accounts.find((one) => one.credentials.refreshToken === account.credentials.refreshToken);
      if (sharer)
        remarks.push(
          `${account.place} has the refresh token of ${sharer.place}, which works once: one of them will need a login`,
        );
      placeOf.push(accounts.push(account) - 1);
      continue;
    }
    placeOf.push(place);
    const isFresher = freshness(account) > freshness(known);
    remarks.push(
      `${account.place} is the same login as ${known.place}; ${isFresher ? "it" : "the other"} is the fresher one`,
    );
    accounts[place] = joined(known, account, isFresher);
  }
  const taken = new Set<string>();
  const named = accounts.map((account) => {
    if (account.alias === null || !taken.has(account.alias)) {
      if (account.alias !== null) taken.add(account.alias);
      return account;
    }
    remarks.push(`${account.place} wishes for an alias that another one has; it gets a default`);
    return { ...account, alias: null };
  });
  return { accounts: named, placeOf };
}

function joined(first: ForeignAccount, second: ForeignAccount, isFresher: boolean): ForeignAccount {
  const winner = isFresher ? second : first;
  const isSameToken = first.credentials.refreshToken === second.credentials.refreshToken;
  const { credentials, claims, issuer, refreshedAtMs } = winner;
  return {
    ...first,
    credentials: isSameToken ? fullest(first, second) : credentials,
    claims: {
      ...claims,
      userId: claims.userId ?? first.claims.userId ?? second.claims.userId,
      email: claims.email ?? first.claims.email ?? second.claims.email,
      tier: claims.tier ?? first.claims.tier ?? second.claims.tier,
      workspaceId: first.claims.workspaceId || second.claims.workspaceId,
    },
    isIdentified: first.isIdentified || second.isIdentified,
    issuer,
    refreshedAtMs,
    alias: first.alias ?? second.alias,
    // What was said of a token that is not used any more is no word on the one that is.
    needsLogin: isSameToken ? (first.needsLogin ?? second.needsLogin) : winner.needsLogin,
    windows: first.windows.length > 0 ? first.windows : second.windows,
    lastUsedAtMs: latest(first.lastUsedAtMs, second.lastUsedAtMs),
    isCurrent: first.isCurrent || second.isCurrent,
  };
}

function fullest(first: ForeignAccount, second: ForeignAccount): ForeignAccount["credentials"] {
  const [a, b] = freshness(second) > freshness(first) ? [second, first] : [first, second];
  return {
    accessToken: a.credentials.accessToken || b.credentials.accessToken,
    refreshToken: a.credentials.refreshToken,
    idToken: a.credentials.idToken ?? b.credentials.idToken,
  };
}

function freshness(account: ForeignAccount): number {
  return account.claims.expiresAtMs ?? account.refreshedAtMs ?? 0;
}

function latest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/**
 * The same person in the same workspace, or the very same refresh token. Where a store does not name the person, the e-mail address
 * speaks for them; two members of one workspace are never taken for one.
 */
export function isSameLogin(a: ForeignAccount, b: ForeignAccount): boolean {
  const [one, two] = [a.claims, b.claims];
  const isSameToken = a.credentials.refreshToken !== "" && a.credentials.refreshToken === b.credentials.refreshToken;
  if (!a.isIdentified || !b.isIdentified) return isSameToken;
  if (one.workspaceId !== two.workspaceId) return false;
  if (one.userId !== null && two.userId !== null) return one.userId === two.userId;
  if (isSameToken) return true;
  return one.email !== null && two.email !== null && one.email.toLowerCase() === two.email.toLowerCase();
}
