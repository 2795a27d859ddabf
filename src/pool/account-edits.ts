/**
 * Operators' edits of any number of accounts: judged together, saved together, and never leaving nobody who can serve unless told to.
 */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { type AccountEdit, editAccount, editChanges } from "../domain/account-edit.ts";
import { holdsOn } from "../domain/hold.ts";
import { mentionsOf, type Named, renamedIn } from "../domain/rule-rename.ts";
import type { AccountEvent } from "../domain/transition.ts";
import { checkAlias, type IntakeDeps } from "./account-intake.ts";

import type { LeaseDesk } from "./lease-desk.ts";
import type { EditOptions } from "./login-step.ts";
import { adoptSayings, mentionsText, type Rulebook, sayingsOf } from "./rulebook.ts";

export type EditDeps = Pick<IntakeDeps, "keeper" | "clock" | "audit"> & {
  readonly leases: LeaseDesk;
  readonly rulebook: Rulebook;
  readonly log: Log;
};

export async function editAccounts(
  deps: EditDeps,
  ids: readonly AccountId[],
  edit: AccountEdit,
  options: EditOptions,
  renamed: Renamed | null = renamedBy(deps, ids, edit),
): Promise<readonly Account[]> {
  const before = [...new Set(ids)].map((id) => deps.keeper.require(id));
  if (before.length === 0) throw new AppError("invalid_request", "no account is named");
  if (edit.alias !== undefined && before.length > 1)
    throw new AppError("invalid_alias", `one alias cannot name ${before.length} accounts`);
  const after = before.map((account) => judge(deps, account, edit));
  if (!options.force) checkSomebodyServes(deps, after);
  if (options.dryRun) return after;
  const changed = after.flatMap((account, i) => {
    const changes = editChanges(before[i]!, account);
    return changes.length === 0 ? [] : [{ account, changes }];
  });
  if (changed.length > 0) {
    const events = changed.map(({ account }) => [account.id, eventOf(account)] as const);
    const said = sayingsOf(deps.rulebook);
    const along = renamed === null ? null : renamedIn(renamed.from, renamed.to, said);
    await deps.keeper.commitAll(new Map(events), along ?? undefined);
    if (along !== null) adoptSayings(deps.rulebook, along);
  }
  const where =
    renamed === null ? "" : mentionsText(mentionsOf({ ...renamed.from, name: renamed.to }, sayingsOf(deps.rulebook)));
  for (const { account, changes } of changed) {
    const subjects = [{ id: account.id, name: account.alias }];
    const action = changes.length === 1 ? `account.${changes[0]!.verb}` : "account.update";
    const text = changes.map((one) => (changes.length === 1 ? one.text : `${one.verb} ${one.text}`.trim())).join(", ");
    deps.audit.say({ action, subjects, text: where === "" ? text : `${text}; also in ${where}` });
    deps.log.info("account.edited", { account: account.alias, changes: changes.map(({ verb }) => verb) });
  }
  return before.map(({ id }) => deps.keeper.require(id));
}

interface Renamed {
  readonly from: Named;
  readonly to: string;
}

/** Rules and profiles go on naming whom they named. */
function renamedBy({ keeper }: EditDeps, ids: readonly AccountId[], { alias }: AccountEdit): Renamed | null {
  const [id] = ids;
  const before = id === undefined || alias === undefined ? null : keeper.get(id);
  if (before === null || alias === undefined || before.alias === alias) return null;
  return { from: { kind: "alias", name: before.alias }, to: alias };
}

/** A tag with another name, on every account that has it and wherever it is named. */
export async function renameTag(
  deps: EditDeps,
  from: string,
  to: string,
  dryRun: boolean,
): Promise<readonly Account[]> {
  const ids = deps.keeper.accounts().flatMap(({ id, orders }) => (orders.tags.includes(from) ? [id] : []));
  if (ids.length === 0) throw new AppError("invalid_request", `no account has the tag ${from}`);
  const renamed = { from: { kind: "tag", name: from }, to } as const;
  return editAccounts(deps, ids, { addTags: [to], removeTags: [from] }, { force: true, dryRun }, renamed);
}

function judge({ keeper, clock }: EditDeps, account: Account, edit: AccountEdit): Account {
  const end = editAccount(account, edit, clock.nowMs());
  if (!end.ok) throw new AppError(end.code, end.reason);
  if (edit.alias !== undefined) checkAlias(keeper, edit.alias, account.id);
  return end.account;
}

function eventOf({ alias, enabled, orders }: Account): AccountEvent {
  return { kind: "edited", alias, enabled, orders };
}

/** Taking the last accounts that can serve away is more often a slip than a wish. */
function checkSomebodyServes({ keeper, leases }: EditDeps, after: readonly Account[]): void {
  const ask = leases.askFor({ model: null, affinity: null, tried: new Set() });
  const isAble = (one: Account) =>
    holdsOn(one, ask).every((hold) => hold.untilMs !== null || hold.kind === "at_capacity");
  const lost = after.filter((one) => isAble(keeper.require(one.id)) && !isAble(one));
  const edited = new Map(after.map((one) => [one.id, one]));
  if (lost.length === 0 || keeper.accounts().some((one) => isAble(edited.get(one.id) ?? one))) return;
  const names = lost.map(({ alias }) => alias).join(", ");
  throw new AppError(
    "last_usable_account",
    lost.length === 1 ? `${names} is the last account that can serve` : `nobody else can serve than ${names}`,
  );
}
