/**
 * What operators do with accounts: edit, remove, import, refresh. Every change is durable before it is shown as done.
 */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { Secret } from "../base/secret.ts";
import { type Account, defaultAlias, isSameIdentity, OWNED_HERE, type RefreshOwner } from "../domain/account.ts";
import { type FoundLogin, readCodexAuth } from "../transfer/codex-auth.ts";
import type { Issuer } from "../upstream/upstream.ts";
import { editAccounts } from "./account-edits.ts";
import { checkAlias, type IntakeDeps, newAccount, replaceLogin } from "./account-intake.ts";
import type { AffinityTable } from "./affinity-table.ts";
import type { AccountDesk, ImportedLogin } from "./engine.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import { probeQueue, refreshQueue } from "./login-queue.ts";
import type { WatchDesk } from "./watch-desk.ts";

interface AccountDeskDeps extends IntakeDeps {
  /** Makes a way back before much is changed; a failure of it is said and changes nothing here. */
  readonly safeguard: () => Promise<void>;
  readonly leases: LeaseDesk;
  readonly affinity: AffinityTable;
  readonly files: Pick<WatchDesk, "accept" | "watch">;
  readonly issuer: Issuer;
  readonly log: Log;
}

export function createAccountDesk(deps: AccountDeskDeps): AccountDesk {
  const { keeper, leases, credentials, affinity, store, audit, log } = deps;
  return {
    list: () => keeper.accounts(),
    get: (id) => keeper.get(id),
    openLeases: (id) => leases.open(id),
    async update(id, { force, ...changes }) {
      return (await editAccounts(deps, [id], changes, { force, dryRun: false }))[0]!;
    },
    edit: (ids, edit, options) => editAccounts(deps, ids, edit, options),
    async remove(id, { revoke } = { revoke: false }) {
      const account = keeper.require(id);
      if (revoke) await revokeLogin(deps, account);
      if (keeper.pin()?.accountId === id) await keeper.savePool({ pin: null });
      await store.removeAccount(id);
      keeper.forget(id);
      credentials.replaced(id);
      affinity.forget(id);
      const text = revoke ? "its login was ended upstream" : "";
      audit.say({ action: "account.remove", subjects: [{ id, name: account.alias }], text });
      log.info("account.removed", { account: account.alias });
      return account;
    },
    async refresh(id) {
      const { alias, credentials: before } = keeper.require(id);
      audit.say({ action: "account.refresh", subjects: [{ id, name: alias }], text: "" });
      const end = await credentials.refresh(id, "forced", null);
      const now = keeper.require(id);
      if (now.refreshOwner.kind === "file" && now.credentials.generation === before.generation)
        throw leftToOwner(now, now.refreshOwner.path);
      if (end.kind === "rejected")
        throw new AppError("login_rejected", `${alias}: the issuer refuses this login (${end.reason})`);
      if (end.kind === "failed")
        throw new AppError("upstream_unreachable", `${alias}: the login could not be renewed now: ${end.message}`);
      return keeper.require(id);
    },
    refreshAll: (ids, options) => refreshQueue(deps, ids, options),
    probeAll: (ids, options) => probeQueue(deps, ids, options),
    async clearCooldown(id) {
      const account = await keeper.commit(id, { kind: "cooldown_cleared" });
      audit.say({ action: "account.clear_cooldown", subjects: [{ id, name: account.alias }], text: "" });
      return account;
    },
    async importLogins(data, options) {
      const { sourcePath, dryRun, alias } = options;
      const logins = readCodexAuth(data);
      const owner = sourcePath == null ? OWNED_HERE : await ownerOf(deps, sourcePath, dryRun);
      return importLogins(deps, logins, { dryRun, alias, owner });
    },
  };
}

/** The file is watched from the moment in which an account of ours depends on it. */
async function ownerOf({ files }: AccountDeskDeps, sourcePath: string, dryRun: boolean): Promise<RefreshOwner> {
  return { kind: "file", path: dryRun ? files.accept(sourcePath) : (await files.watch(sourcePath)).path };
}

function leftToOwner({ alias }: Account, path: string): AppError {
  const message = `${alias} is renewed by the program that uses ${path}; Rotor takes over what that program renews, and there is nothing newer yet`;
  return new AppError("owner_must_refresh", message, { hint: `rotor account take ${alias}` });
}

/** Ends the whole family of the login's tokens (wire §1.7): never for one that another program still uses. */
async function revokeLogin(deps: AccountDeskDeps, account: Account): Promise<void> {
  const { store, issuer } = deps;
  const hint = `rotor account remove ${account.alias}`;
  if (account.refreshOwner.kind === "file") {
    const message = `${account.alias} is a login that the program of ${account.refreshOwner.path} uses; revoking would end it there too`;
    throw new AppError("invalid_request", message, { hint });
  }
  // Not while a refresh is under way: the token that it brings would be forgotten alive.
  await deps.credentials.alone(account.id, async () => {
    const { credentials } = await store.loadCredentials(account.id);
    const end = await issuer.revoke(new Secret(credentials.refreshToken));
    if (end.kind === "revoked") return;
    const message = `${account.alias} was kept: its login could not be revoked: ${end.message}`;
    throw new AppError("upstream_unreachable", message, { hint });
  });
}

type Decision = ImportedLogin & { readonly login: FoundLogin; readonly known: Account | null };

async function importLogins(
  deps: AccountDeskDeps,
  logins: readonly FoundLogin[],
  options: { dryRun: boolean; alias: string | null; owner: RefreshOwner },
): Promise<readonly ImportedLogin[]> {
  const decisions = decide(deps, logins, options);
  if (!options.dryRun) {
    const isLarge = decisions.length > 1 || decisions.some(({ action }) => action === "replace");
    if (isLarge && deps.keeper.accounts().length > 0) await deps.safeguard();
    const added = decisions.filter((decision) => decision.action === "add");
    const subjects = added.map(({ account }) => ({ id: account!.id, name: account!.alias }));
    deps.audit.say({ action: "account.import", subjects, text: `${added.length} of ${decisions.length} added` });
    if (added.length > 0) {
      const batch = added.map(({ account, login }) => ({ account: account!, credentials: login.credentials }));
      await deps.store.addAccounts(batch);
      deps.keeper.adopt(batch.map((one) => one.account));
    }
    for (const { action, known, login } of decisions)
      if (action === "replace") await replaceLogin(deps, known!.id, login, options.owner, 1);
    for (const { account } of added) deps.credentials.replaced(account!.id);
    deps.log.info("accounts.imported", { added: added.length, of: decisions.length });
  }
  return decisions.map(({ action, reason, alias, account }) => ({
    action,
    reason,
    alias,
    account: options.dryRun && action === "add" ? null : account && (deps.keeper.get(account.id) ?? account),
  }));
}

function decide(
  deps: AccountDeskDeps,
  logins: readonly FoundLogin[],
  { alias, owner }: { alias: string | null; owner: RefreshOwner },
): readonly Decision[] {
  const { keeper } = deps;
  if (alias !== null) {
    if (logins.length !== 1) throw new AppError("invalid_import", `one alias cannot name ${logins.length} accounts`);
    checkAlias(keeper, alias, null);
  }
  const taken = new Set(keeper.accounts().map((account) => account.alias));
  const seen: Account[] = [];
  return logins.map((login): Decision => {
    const identity = {
      userId: login.claims.userId,
      workspaceId: login.claims.workspaceId,
      issuer: issuerOf(deps, login),
    };
    const twin = seen.find((account) => isSameIdentity(account, identity));
    if (twin)
      return {
        action: "skip",
        reason: "the same login stands earlier in the data",
        alias: twin.alias,
        account: twin,
        login,
        known: twin,
      };
    const known = keeper.accounts().find((account) => isSameIdentity(account, identity)) ?? null;
    if (known) {
      seen.push(known);
      return { ...judgeKnown(known, login), alias: known.alias, account: known, login, known };
    }
    const account = newAccount(deps, login, alias ?? defaultAlias(login.claims.tier ?? "account", taken), owner);
    taken.add(account.alias);
    seen.push(account);
    return { action: "add", reason: "not known yet", alias: account.alias, account, login, known: null };
  });
}

/** The fresher token wins, by expiry; a login that was lost takes anything that is not older than what was refused. */
function judgeKnown(known: Account, login: FoundLogin): { action: "replace" | "skip"; reason: string } {
  const mine = known.credentials.accessExpiresAtMs ?? known.credentials.refreshedAtMs;
  const theirs = login.claims.expiresAtMs ?? login.refreshedAtMs ?? 0;
  if (theirs > mine) return { action: "replace", reason: "its credentials are newer" };
  if (theirs === mine && known.login.kind === "needs_login")
    return { action: "replace", reason: "the account needs a login" };
  return { action: "skip", reason: "known already, with credentials at least as new" };
}

/** A file that names no issuer was written for the one in force, as the official client does. */
function issuerOf(deps: AccountDeskDeps, login: FoundLogin): string {
  const issuer = login.issuer ?? deps.issuerUrl;
  if (issuer !== deps.issuerUrl) {
    throw new AppError(
      "issuer_mismatch",
      `${login.place} belongs to the issuer ${issuer}, but ${deps.issuerUrl} is configured`,
    );
  }
  return issuer;
}
