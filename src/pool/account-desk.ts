/**
 * What operators do with accounts: edit, remove, refresh. Every change is durable before it is shown as done.
 */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { Secret } from "../base/secret.ts";
import type { Account } from "../domain/account.ts";
import { mentionsOf } from "../domain/rule-rename.ts";
import type { Issuer } from "../upstream/upstream.ts";
import { type EditDeps, editAccounts, renameTag } from "./account-edits.ts";
import type { IntakeDeps } from "./account-intake.ts";
import type { AffinityTable } from "./affinity-table.ts";
import type { AccountDesk } from "./engine.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import { type ProbeDeps, probeQueue, refreshQueue } from "./login-queue.ts";
import type { ModelProbeDeps } from "./model-probe.ts";
import type { RedeemDesk } from "./redeem-desk.ts";
import { mentionsText, sayingsOf } from "./rulebook.ts";
import type { UsageReader } from "./usage-reader.ts";

interface AccountDeskDeps extends IntakeDeps, Pick<EditDeps, "rulebook"> {
  readonly leases: LeaseDesk;
  readonly affinity: AffinityTable;
  readonly issuer: Issuer;
  readonly log: Log;
  /** Asks upstream of one account. */
  readonly asking: { readonly reader: UsageReader; readonly redeems: RedeemDesk } & ModelProbeDeps &
    Pick<ProbeDeps, "counters">;
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
    renameTag: (from, to, { dryRun }) => renameTag(deps, from, to, dryRun),
    mentions: (id) => mentionsOf({ kind: "alias", name: keeper.require(id).alias }, sayingsOf(deps.rulebook)),
    async remove(id, { revoke } = { revoke: false }) {
      const account = keeper.require(id);
      if (revoke) await revokeLogin(deps, account);
      if (keeper.pin()?.accountId === id) await keeper.savePool({ pin: null });
      await store.removeAccount(id);
      keeper.forget(id);
      credentials.replaced(id);
      affinity.forget(id);
      const named = mentionsText(mentionsOf({ kind: "alias", name: account.alias }, sayingsOf(deps.rulebook)));
      const text = [revoke ? "its login was ended upstream" : "", named === "" ? "" : `still named by ${named}`]
        .filter((part) => part !== "")
        .join("; ");
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
    probeAll: (ids, options) => probeQueue({ ...deps, ...deps.asking }, ids, options),
    redeem: (id) => deps.asking.redeems.redeem(id),
    async clearCooldown(id) {
      const account = await keeper.commit(id, { kind: "cooldown_cleared" });
      audit.say({ action: "account.clear_cooldown", subjects: [{ id, name: account.alias }], text: "" });
      return account;
    },
  };
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
