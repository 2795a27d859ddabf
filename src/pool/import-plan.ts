/**
 * What an import does with each login that was found: adds it, renews a known account with it, or leaves it and says why. Looks at the
 * pool as it is and changes nothing.
 */
import { AppError } from "../base/errors.ts";
import { createUlid, sha256Hex } from "../base/id.ts";
import {
  type Account,
  type AccountId,
  defaultAlias,
  isSameIdentity,
  provisionalWorkspace,
  type RefreshOwner,
} from "../domain/account.ts";
import { isSameLogin } from "../transfer/foreign-account.ts";
import type { ForeignAccount } from "../transfer/foreign-store.ts";
import { checkAlias, type IntakeDeps, newAccount } from "./account-intake.ts";

export interface ImportDecision {
  readonly action: "add" | "replace" | "skip";
  readonly reason: string;
  readonly login: ForeignAccount;
  /** The account that it becomes or belongs to. */
  readonly account: Account;
}

/** In the order of the data. `spentBy`: by refresh token, the known account that has it now; for logins that say nothing else. */
export function decideLogins(
  deps: IntakeDeps,
  logins: readonly ForeignAccount[],
  options: { readonly alias: string | null; readonly owner: RefreshOwner; readonly holders: TokenHolders },
): readonly ImportDecision[] {
  const { keeper } = deps;
  const { alias, owner, holders } = options;
  if (alias !== null) {
    if (logins.length !== 1) throw new AppError("invalid_import", `one alias cannot name ${logins.length} accounts`);
    checkAlias(keeper, alias, null);
  }
  for (const login of logins) refuseForeignIssuer(deps, login);
  const taken = new Set(keeper.accounts().map((account) => account.alias));
  const winners = freshestOf(logins);
  const decided = new Map<ForeignAccount, ImportDecision>();
  for (const login of winners.values()) {
    if (decided.has(login)) continue;
    const known = knownFor(keeper.accounts(), login, deps.issuerUrl, holders);
    if (known !== null) {
      decided.set(login, { ...judgeKnown(known, login), login, account: known });
      continue;
    }
    const wish = login.alias !== null && !taken.has(login.alias) ? login.alias : null;
    const name = alias ?? wish ?? defaultAlias(login.claims.tier ?? "account", taken);
    taken.add(name);
    const reason = login.isIdentified ? "not known yet" : "its first refresh will tell whose it is";
    decided.set(login, { action: "add", reason, login, account: carried(deps, login, name, owner) });
  }
  return oneEach(
    logins.map((login) => {
      const winner = winners.get(login)!;
      const decision = decided.get(winner)!;
      if (winner === login) return decision;
      const isLater = logins.indexOf(winner) > logins.indexOf(login);
      const reason = isLater
        ? "a fresher copy of it stands later in the data"
        : "the same login stands earlier in the data";
      return { ...decision, action: "skip" as const, reason, login };
    }),
  );
}

/** Refresh tokens by which known accounts are told, as hashes. */
export type TokenHolders = ReadonlyMap<string, AccountId>;

/** Two logins that the data tells apart may still turn out to be of one account here; it takes the fresher. */
function oneEach(decisions: readonly ImportDecision[]): readonly ImportDecision[] {
  const best = new Map<AccountId, ImportDecision>();
  for (const decision of decisions) {
    const other = best.get(decision.account.id);
    if (decision.action === "replace" && (!other || freshnessOf(decision.login) > freshnessOf(other.login)))
      best.set(decision.account.id, decision);
  }
  return decisions.map((decision) =>
    decision.action !== "replace" || best.get(decision.account.id) === decision
      ? decision
      : { ...decision, action: "skip", reason: "a fresher login of this account stands in the data" },
  );
}

/** Each login → the freshest copy of it in the data; of equals the first. */
function freshestOf(logins: readonly ForeignAccount[]): ReadonlyMap<ForeignAccount, ForeignAccount> {
  const winners: ForeignAccount[] = [];
  for (const login of logins) {
    const place = winners.findIndex((one) => isSameLogin(one, login));
    if (place === -1) winners.push(login);
    else if (freshnessOf(login) > freshnessOf(winners[place]!)) winners[place] = login;
  }
  return new Map(logins.map((login) => [login, winners.find((one) => one === login || isSameLogin(one, login))!]));
}

function freshnessOf(login: ForeignAccount): number {
  return login.claims.expiresAtMs ?? login.refreshedAtMs ?? 0;
}

/** Written for the issuer in force when it names none, as the official client does. */
function refuseForeignIssuer({ issuerUrl }: IntakeDeps, { issuer, place }: ForeignAccount): void {
  if (issuer === null || issuer === issuerUrl) return;
  throw new AppError("issuer_mismatch", `${place} belongs to the issuer ${issuer}, but ${issuerUrl} is configured`);
}

function knownFor(
  accounts: readonly Account[],
  login: ForeignAccount,
  issuer: string,
  holders: TokenHolders,
): Account | null {
  if (!login.isIdentified) {
    const id = holders.get(sha256Hex(login.credentials.refreshToken));
    // The id of an account that came without a name was made from its token, which is spent by now (see `provisionalId`).
    const trace = provisionalId(0, login).slice(10);
    return accounts.find((account) => account.id === id || account.id.slice(10) === trace) ?? null;
  }
  const { userId, workspaceId } = login.claims;
  const exact = accounts.find((account) => isSameIdentity(account, { userId, workspaceId, issuer }));
  return exact ?? accounts.find((account) => account.issuer === issuer && isLikely(account, login)) ?? null;
}

/** The same workspace where one side does not name the person: then the e-mail address speaks for them. */
function isLikely(account: Account, { claims }: ForeignAccount): boolean {
  if (account.workspaceId !== claims.workspaceId) return false;
  if (account.userId !== null && claims.userId !== null) return false;
  return account.email !== null && claims.email !== null && account.email.toLowerCase() === claims.email.toLowerCase();
}

/** The fresher token wins, by expiry; a login that was lost takes anything that is not older than what was refused. */
function judgeKnown(known: Account, login: ForeignAccount): Pick<ImportDecision, "action" | "reason"> {
  if (!login.isIdentified) return { action: "skip", reason: "known already" };
  if (login.needsLogin !== null)
    return { action: "skip", reason: "known already, and this login does not work any more" };
  const mine = known.credentials.accessExpiresAtMs ?? known.credentials.refreshedAtMs;
  const theirs = freshnessOf(login);
  if (theirs > mine) return { action: "replace", reason: "its credentials are newer" };
  if (theirs === mine && known.login.kind === "needs_login")
    return { action: "replace", reason: "the account needs a login" };
  return { action: "skip", reason: "known already, with credentials at least as new" };
}

/** A ULID whose random half comes from the token, so that the same login is known again after its token was renewed. */
function provisionalId(nowMs: number, { credentials }: ForeignAccount): AccountId {
  const digest = Buffer.from(sha256Hex(`rotor/unidentified/v1:${credentials.refreshToken}`), "hex");
  return createUlid(nowMs, { bytes: (length) => digest.subarray(0, length), fraction: () => 0 }) as AccountId;
}

/** A new account with all that the other product knew of it. Ends that are over are carried as they were found. */
function carried(deps: IntakeDeps, login: ForeignAccount, alias: string, owner: RefreshOwner): Account {
  const nowMs = deps.clock.nowMs();
  const fresh = newAccount(deps, login, alias, owner);
  const { tags, note, weight, priority, pause, draining, limitedUntilMs, lastUsedAtMs, needsLogin } = login;
  const id = login.isIdentified ? fresh.id : provisionalId(nowMs, login);
  return {
    ...fresh,
    id,
    workspaceId: login.isIdentified ? fresh.workspaceId : provisionalWorkspace(id),
    workspaceName: login.workspaceName,
    createdAtMs: login.createdAtMs ?? fresh.createdAtMs,
    enabled: login.enabled,
    orders: { tags, note, weight, priority, pause, draining, pace: null },
    login: needsLogin === null ? fresh.login : { kind: "needs_login", reason: needsLogin, sinceMs: nowMs },
    // A clock that ran ahead elsewhere must not make our own answers look old.
    windows: login.windows.map((window) => ({ ...window, observedAtMs: Math.min(window.observedAtMs, nowMs) })),
    cooldown:
      limitedUntilMs === null
        ? null
        : { untilMs: limitedUntilMs, sinceMs: Math.min(limitedUntilMs, nowMs), reason: "rate_limited", failures: 1 },
    unsupportedModels: login.unsupportedModels,
    use: { ...fresh.use, lastLeasedAtMs: lastUsedAtMs },
  };
}
