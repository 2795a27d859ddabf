/**
 * The only refresher of logins that are ours to refresh. One refresh per account at a time; new tokens are on disk before they are used;
 * an older reply never overwrites a newer one; a crash at any instant loses none that the upstream's grace window can save; what another
 * program renews is adopted, not renewed (contracts §15).
 * Keeps access tokens in memory, refresh tokens only while a refresh runs.
 */
import type { Clock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { sha256Hex } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { Secret } from "../base/secret.ts";
import { type Account, type AccountId, isProvisional } from "../domain/account.ts";
import type { Credentials } from "../domain/credentials.ts";
import type { Settings } from "../domain/setting.ts";
import { readLoginClaims } from "../domain/token-claims.ts";
import type { Store } from "../store/store.ts";
import type { FreshTokens, Issuer, RefreshReason } from "../upstream/upstream.ts";
import type { BorrowedLogins } from "./borrowed-login.ts";
import type { FirstIdentity } from "./first-identity.ts";
import type { Keeper } from "./keeper.ts";
import { createLoginTurns } from "./login-turns.ts";
import { createRefreshCalendar } from "./refresh-calendar.ts";
import { createRenewalDesk, type Renewal } from "./renewal-desk.ts";
import type { Scheduler } from "./scheduler.ts";

/** What an attempt needs of a login. */
export interface Access {
  readonly accessToken: Secret;
  readonly generation: number;
  readonly expiresAtMs: number | null;
}

export type RefreshEnd =
  | { readonly kind: "renewed"; readonly access: Access }
  /** The login is gone; the account needs a new one. */
  | { readonly kind: "rejected"; readonly reason: string }
  /** A passing reason; the login is kept and the account cools down. */
  | { readonly kind: "failed"; readonly message: string };

export interface CredentialKeeper {
  /** An access token that is not known to have expired; renews it first when it has. */
  access(id: AccountId): Promise<RefreshEnd>;
  /** The access token at hand when it is good for a request now, without waiting; null = ask `access`. */
  peek(id: AccountId): Access | null;
  /**
   * Renews the login, or joins a renewal under way. `usedGeneration` is the generation that was found wanting:
   * when a newer one is there already, that is the answer and nothing is sent.
   */
  refresh(id: AccountId, reason: RefreshReason, usedGeneration: number | null): Promise<RefreshEnd>;
  /** Runs `work` while nobody renews this login: for whoever moves it between the store and a file. Must not ask for a refresh itself. */
  alone<T>(id: AccountId, work: () => Promise<T>): Promise<T>;
  /** New credentials came from outside (an import); the ones in memory are void. */
  replaced(id: AccountId): void;
  /** Tries the old token once more for every refresh that a crash cut short, then plans the proactive ones. */
  start(): Promise<void>;
  counters(): { readonly refreshes: number; readonly failures: number };
  /** Lets refreshes under way end: their answer must reach the disk, and what it would not take before. Then forgets all tokens. */
  close(): Promise<void>;
}

export function createCredentialKeeper(deps: {
  keeper: Keeper;
  store: Store;
  borrowed: BorrowedLogins;
  identity: FirstIdentity;
  issuer: Issuer;
  issuerUrl: string;
  clock: Clock;
  scheduler: Scheduler;
  settings: () => Settings;
  log: Log;
}): CredentialKeeper {
  const { keeper, store, borrowed, identity, issuer, clock, scheduler, log } = deps;
  const held = new Map<AccountId, Access>();
  const turns = createLoginTurns<RefreshEnd>();
  const renewals = createRenewalDesk({ keeper, store, clock, log });
  const calendar = createRefreshCalendar({
    scheduler,
    clock,
    settings: deps.settings,
    refresh: async (account) => {
      const end = await refresh(account.id, "proactive_expiry", account.credentials.generation);
      return end.kind === "failed" ? keeper.get(account.id) : null;
    },
  });
  const stopping = new AbortController();
  const counters = { refreshes: 0, failures: 0 };

  const beforeExpiryMs = () => deps.settings().refresh_minutes_before_expiry * 60_000;
  const isDue = (access: Access) =>
    access.expiresAtMs !== null && access.expiresAtMs - beforeExpiryMs() <= clock.nowMs();
  const isExpired = (access: Access) => access.expiresAtMs !== null && access.expiresAtMs <= clock.nowMs();

  const hold = (account: Account, credentials: Credentials, generation: number): Access => {
    const access = accessOf(account, credentials, generation);
    held.set(account.id, access);
    return access;
  };

  const load = async (id: AccountId): Promise<Access> => {
    const account = checkIssuer(keeper.require(id), deps.issuerUrl);
    const { credentials, generation } = await store.loadCredentials(id);
    return hold(account, credentials, generation);
  };

  const refresh = (id: AccountId, reason: RefreshReason, usedGeneration: number | null): Promise<RefreshEnd> =>
    turns.join(id, () =>
      renew(id, reason, usedGeneration).catch((thrown): RefreshEnd => {
        const error = fromUnknown(thrown);
        log.error("credentials.refresh_broke", { account: keeper.get(id)?.alias, error });
        return { kind: "failed", message: error.message };
      }),
    );

  const renew = async (id: AccountId, reason: RefreshReason, usedGeneration: number | null): Promise<RefreshEnd> => {
    const account = checkIssuer(keeper.require(id), deps.issuerUrl);
    const waiting = renewals.unsaved(id);
    if (waiting !== null) return save(id, waiting);
    const { credentials, generation } = await store.loadCredentials(id);
    // A crash came between its first renewal and its name.
    if (isProvisional(account) && credentials.accessToken !== "") return name(id);
    if (usedGeneration !== null && generation > usedGeneration)
      return { kind: "renewed", access: hold(keeper.require(id), credentials, generation) };
    // Another program may have renewed it meanwhile: then ours is spent, and showing it again would be a replay.
    if (await borrowed.adoptRenewed(id, credentials)) return useAdopted(id);
    if (account.refreshOwner.kind === "file") return waitForOwner(id, reason);
    await store.beginRefresh({
      accountId: id,
      generation,
      tokenHash: sha256Hex(credentials.refreshToken),
      startedAtMs: clock.nowMs(),
    });
    const result = await issuer.refresh(new Secret(credentials.refreshToken), reason, stopping.signal);
    if (result.kind === "refreshed") return takeOver(id, generation, credentials, result.tokens);
    counters.failures++;
    await store.abandonRefresh(id);
    if (result.kind === "failed") {
      keeper.apply(id, { kind: "refresh_failed", atMs: clock.nowMs() });
      return { kind: "failed", message: result.message };
    }
    return reject(id, generation, result.code);
  };

  /** What was taken over, when it is good for a request now. */
  const useAdopted = async (id: AccountId): Promise<RefreshEnd> => {
    const access = await load(id);
    return isExpired(access) ? waitForOwner(id, "proactive_expiry") : { kind: "renewed", access };
  };

  /** Nothing is sent: renewing it here would cut off the program that it belongs to. */
  const waitForOwner = async (id: AccountId, reason: RefreshReason): Promise<RefreshEnd> => {
    const access = await load(id);
    if (reason !== "unauthorized_recovery" && !isExpired(access)) return { kind: "renewed", access };
    const owned = keeper.apply(id, { kind: "owner_late", atMs: clock.nowMs() });
    const path = owned?.refreshOwner.kind === "file" ? owned.refreshOwner.path : "its file";
    return { kind: "failed", message: `the program that uses ${path} renews this login and has not done so yet` };
  };

  /** Refused for good. First look again: another process may have renewed it meanwhile. */
  const reject = async (id: AccountId, generation: number, reason: string): Promise<RefreshEnd> => {
    const now = await store.loadCredentials(id);
    if (now.generation > generation)
      return { kind: "renewed", access: hold(keeper.require(id), now.credentials, now.generation) };
    if (await borrowed.adoptAfterRefusal(id, now.credentials)) return useAdopted(id);
    held.delete(id);
    calendar.drop(id);
    await keeper.commit(id, { kind: "login_rejected", atMs: clock.nowMs(), generation, reason });
    return { kind: "rejected", reason };
  };

  /** Disk first, memory second, use third. */
  const takeOver = async (
    id: AccountId,
    generation: number,
    old: Credentials,
    fresh: FreshTokens,
  ): Promise<RefreshEnd> => {
    const before = keeper.require(id);
    const credentials = filledUp(fresh, old);
    const claims = readLoginClaims(fresh.idToken, credentials.accessToken);
    if (claims && isStranger(before, claims)) {
      counters.failures++;
      await store.abandonRefresh(id);
      return reject(id, generation, "identity_changed");
    }
    const end = await save(id, { generation, credentials, claims, atMs: clock.nowMs() });
    if (fresh.accessToken !== null) return end;
    // The new refresh token is safe; what a request needs has not come.
    keeper.apply(id, { kind: "refresh_failed", atMs: clock.nowMs() });
    return { kind: "failed", message: "the issuer renewed the login without an access token" };
  };

  const save = async (id: AccountId, renewal: Renewal): Promise<RefreshEnd> => {
    const end = await renewals.save(id, renewal);
    if (end.kind === "account_removed") return { kind: "failed", message: "the account was removed meanwhile" };
    if (end.kind === "stale") {
      const now = await store.loadCredentials(id);
      return { kind: "renewed", access: hold(keeper.require(id), now.credentials, now.generation) };
    }
    counters.refreshes++;
    if (isProvisional(end.account) || end.account.userId === null) return name(id);
    calendar.plan(end.account);
    return { kind: "renewed", access: hold(end.account, renewal.credentials, renewal.generation + 1) };
  };

  const replaced = (id: AccountId): void => {
    held.delete(id);
    renewals.forget(id);
    const account = keeper.get(id);
    if (account === null) calendar.drop(id);
    else calendar.plan(account);
  };

  /** The first renewal says whose the login is; without that it cannot serve. Its new tokens are on the disk already. */
  const name = async (id: AccountId): Promise<RefreshEnd> => {
    const found = await identity.identify(id);
    if (found.kind === "unknown") return reject(id, keeper.require(id).credentials.generation, "identity_unknown");
    replaced(id);
    if (found.kind === "itself") return { kind: "renewed", access: await load(id) };
    replaced(found.twin.id);
    return { kind: "failed", message: `this login turned out to be ${found.twin.alias}, which has it now` };
  };

  return {
    peek(id) {
      const access = held.get(id);
      if (access === undefined || isExpired(access)) return null;
      // Due but still good: renew beside the request, not in its way.
      if (isDue(access) && !turns.isRenewed(id)) void refresh(id, "proactive_expiry", access.generation);
      return access;
    },
    async access(id) {
      const account = keeper.require(id);
      const { login } = account;
      if (login.kind === "needs_login") return { kind: "rejected", reason: login.reason };
      if (isProvisional(account)) return refresh(id, "proactive_expiry", null);
      const access = held.get(id) ?? (await load(id));
      if (!isExpired(access)) return { kind: "renewed", access };
      return refresh(id, "proactive_expiry", access.generation);
    },
    refresh,
    alone: turns.alone,
    replaced,
    async start() {
      const intents = await store.refreshIntents();
      for (const { accountId, generation } of intents)
        log.warn("credentials.refresh_resumed", { account: keeper.get(accountId)?.alias, generation });
      // The grace window of the old token is running: these go first and at once.
      void Promise.all(intents.map((intent) => refresh(intent.accountId, "forced", null)));
      for (const account of keeper.accounts()) calendar.plan(account);
    },
    counters: () => ({ ...counters }),
    async close() {
      await turns.idle();
      await renewals.saveAll();
      stopping.abort(new AppError("canceled", "the daemon is stopping"));
      held.clear();
    },
  };
}

function accessOf(account: Account, { accessToken }: Credentials, generation: number): Access {
  // A login without an access token is renewed before it serves.
  const expiresAtMs = accessToken === "" ? 0 : account.credentials.accessExpiresAtMs;
  return { accessToken: new Secret(accessToken), generation, expiresAtMs };
}

function checkIssuer(account: Account, issuerUrl: string): Account {
  if (account.issuer === issuerUrl) return account;
  const message = `${account.alias} belongs to the issuer ${account.issuer}, but ${issuerUrl} is configured`;
  throw new AppError("issuer_mismatch", message);
}

/** What an answer leaves out stays as it was. */
function filledUp(fresh: FreshTokens, old: Credentials): Credentials {
  return {
    accessToken: fresh.accessToken ?? old.accessToken,
    refreshToken: fresh.refreshToken ?? old.refreshToken,
    idToken: fresh.idToken ?? old.idToken,
  };
}

function isStranger(account: Account, claims: { userId: string | null; workspaceId: string | null }): boolean {
  const isNamed = !isProvisional(account);
  const otherWorkspace = isNamed && claims.workspaceId !== null && claims.workspaceId !== account.workspaceId;
  const otherPerson = claims.userId !== null && account.userId !== null && claims.userId !== account.userId;
  return otherWorkspace || otherPerson;
}
