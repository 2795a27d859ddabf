/**
 * How a login becomes an account, or renews one: the same for a login, whatever way it came. Every change is on disk before it is shown.
 */
import type { Clock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { createUlid, type Dice } from "../base/id.ts";
import {
  type Account,
  type AccountId,
  defaultAlias,
  isAlias,
  isSameIdentity,
  NO_ORDERS,
  type RefreshOwner,
} from "../domain/account.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { CredentialKeeper } from "./credential-keeper.ts";
import { type IncomingLogin, withLogin } from "./incoming-login.ts";
import type { Keeper } from "./keeper.ts";

export interface IntakeDeps {
  readonly keeper: Keeper;
  readonly credentials: CredentialKeeper;
  readonly store: Store;
  readonly issuerUrl: string;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly audit: AuditNotes;
}

export interface IntakeWish {
  /** For a new account; a default takes its place when somebody else took it meanwhile. */
  readonly alias: string | null;
  /** Renew this account and no other. */
  readonly accountId: AccountId | null;
  /** Whoever renews this login from now on. */
  readonly owner: RefreshOwner;
  /** This workspace and no other; absent: whichever it is. */
  readonly workspaceId?: string | undefined;
}

export function checkAlias(keeper: Keeper, alias: string, id: AccountId | null): void {
  if (!isAlias(alias)) {
    throw new AppError(
      "invalid_alias",
      `"${alias}" cannot be an alias: 1 to 40 of a-z 0-9 . _ -, starting with a letter or digit, not only digits`,
    );
  }
  if (keeper.accounts().some((account) => account.alias === alias && account.id !== id)) {
    throw new AppError("alias_taken", `there is another account called ${alias}`);
  }
}

/** An import or another login may take the same identity or alias while ours is being written; then we look again. */
const ADD_TRIES = 4;
/** A refresh that ends at the same moment moves the generation on by one. */
export const REPLACE_TRIES = 4;

/** A login of this moment: newer than anything that is stored, and it heals an account that needs one. The operator's switch stays. */
export async function adoptLogin(
  deps: IntakeDeps,
  login: IncomingLogin,
  wish: IntakeWish,
): Promise<{ account: Account; added: boolean }> {
  const { keeper, store, credentials } = deps;
  checkWorkspace(wish, login.claims.workspaceId);
  if (wish.accountId !== null) {
    checkIdentity(keeper.require(wish.accountId), login);
    return { account: await replaceLogin(deps, wish.accountId, login, wish.owner, REPLACE_TRIES), added: false };
  }
  for (let tries = 1; ; tries++) {
    const known = findKnown(deps, login);
    if (known) return { account: await replaceLogin(deps, known.id, login, wish.owner, REPLACE_TRIES), added: false };
    const account = newAccount(deps, login, freeAlias(keeper, login, wish.alias), wish.owner);
    try {
      await store.addAccounts([{ account, credentials: login.credentials }]);
    } catch (thrown) {
      const { code } = fromUnknown(thrown);
      if (tries >= ADD_TRIES || (code !== "account_exists" && code !== "alias_taken")) throw thrown;
      continue;
    }
    keeper.adopt([account]);
    credentials.replaced(account.id);
    deps.audit.say({ action: "account.add", subjects: [{ id: account.id, name: account.alias }], text: "signed in" });
    return { account, added: true };
  }
}

/** Puts new credentials in the place of old ones. Tries again when the old ones were renewed at that moment. */
export async function replaceLogin(
  deps: IntakeDeps,
  id: AccountId,
  login: IncomingLogin,
  refreshOwner: RefreshOwner,
  tries: number,
): Promise<Account> {
  const { keeper, store, clock } = deps;
  for (let tried = 1; ; tried++) {
    const before = keeper.require(id);
    const generation = tried === 1 ? before.credentials.generation : (await store.loadCredentials(id)).generation;
    const after = withLogin({ ...before, refreshOwner }, login, generation + 1, clock.nowMs());
    if ((await store.replaceCredentials(after, generation, login.credentials)) === "committed") {
      // What was learnt or ordered while the disk was busy is not undone.
      const meanwhile = keeper.require(id);
      const account = withLogin({ ...meanwhile, refreshOwner }, login, generation + 1, clock.nowMs());
      keeper.adopt([account]);
      deps.credentials.replaced(id);
      if (meanwhile !== before) await store.saveAccount(account);
      deps.audit.say({ action: "account.renew", subjects: [{ id, name: account.alias }], text: "took a new login" });
      return account;
    }
    if (tried >= tries) throw new AppError("internal", `${before.alias} was renewed at the same moment; try again`);
  }
}

/** The page lets only that one be chosen, a device login cannot say so: judged here for both. */
function checkWorkspace({ workspaceId }: IntakeWish, signedInTo: string): void {
  if (workspaceId === undefined || workspaceId === signedInTo) return;
  const message = `this sign-in is to the workspace ${signedInTo}, not to ${workspaceId}; nothing was changed`;
  throw new AppError("wrong_identity", message, { hint: "choose that workspace on the sign-in page" });
}

function checkIdentity(account: Account, { claims }: IncomingLogin): void {
  // An account whose credentials never named a person has its workspace only, and the operator's word.
  const isPerson = account.userId === null || account.userId === claims.userId;
  if (account.workspaceId === claims.workspaceId && isPerson) return;
  const other = account.workspaceId === claims.workspaceId ? "another person" : "another workspace";
  throw new AppError("wrong_identity", `this login is of ${other} than ${account.alias}; nothing was changed`, {
    facts: { alias: account.alias },
  });
}

function findKnown({ keeper, issuerUrl }: IntakeDeps, { claims }: IncomingLogin): Account | null {
  const identity = { userId: claims.userId, workspaceId: claims.workspaceId, issuer: issuerUrl };
  return keeper.accounts().find((account) => isSameIdentity(account, identity)) ?? null;
}

function freeAlias(keeper: Keeper, { claims }: IncomingLogin, wanted: string | null): string {
  const taken = new Set(keeper.accounts().map((account) => account.alias));
  return wanted !== null && !taken.has(wanted) ? wanted : defaultAlias(claims.tier ?? "account", taken);
}

export function newAccount(deps: IntakeDeps, login: IncomingLogin, alias: string, refreshOwner: RefreshOwner): Account {
  const nowMs = deps.clock.nowMs();
  const blank: Account = {
    id: createUlid(nowMs, deps.dice) as AccountId,
    alias,
    email: null,
    userId: null,
    workspaceId: login.claims.workspaceId,
    workspaceName: null,
    issuer: deps.issuerUrl,
    tier: "unknown",
    createdAtMs: nowMs,
    enabled: true,
    orders: NO_ORDERS,
    refreshOwner,
    login: { kind: "ok" },
    credentials: { generation: 0, accessExpiresAtMs: null, refreshedAtMs: nowMs },
    windows: [],
    credits: null,
    resetCredits: null,
    cooldown: null,
    unsupportedModels: [],
    use: { lastLeaseOrder: 0, lastLeasedAtMs: null, lastServedAtMs: null, turn: 0, exchangesByDay: [] },
  };
  return withLogin(blank, login, 1, nowMs);
}
