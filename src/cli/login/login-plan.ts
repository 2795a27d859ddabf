/**
 * What `rotor login --from` has to do for each line of the list, from what the pool holds now. Pure, and the reason why the command can
 * be broken off and run again: whatever is done already is planned as done.
 */
import { type Account, HoldKind } from "../../gen/rotor/v1/account_pb.ts";
import type { ListEntry } from "./login-list.ts";

export type PlannedAction = "add" | "renew" | "skip" | "refuse";

export interface PlannedLogin {
  readonly entry: ListEntry;
  readonly action: PlannedAction;
  /** Why, in words; empty for a plain `add`. */
  readonly reason: string;
  /** The one account to renew; null when the sign-in itself tells which. */
  readonly account: Account | null;
}

export function planLogins(entries: readonly ListEntry[], accounts: readonly Account[]): PlannedLogin[] {
  return entries.map((entry) => planOne(entry, entries, accounts));
}

/** Entries that the name means: an alias or an e-mail address of the list, whatever its case. */
export function onlyEntries(entries: readonly ListEntry[], name: string): ListEntry[] {
  const wanted = name.trim().toLowerCase();
  const byAlias = entries.filter((entry) => entry.alias === wanted);
  return byAlias.length > 0 ? byAlias : entries.filter((entry) => entry.email === wanted);
}

function planOne(entry: ListEntry, entries: readonly ListEntry[], accounts: readonly Account[]): PlannedLogin {
  const plan = (action: PlannedAction, reason: string, account: Account | null = null): PlannedLogin => ({
    entry,
    action,
    reason,
    account,
  });
  if (entry.disabled) return plan("skip", "marked disabled in the list");
  const named = entry.alias === null ? undefined : accounts.find((account) => account.alias === entry.alias);
  if (named && named.email.toLowerCase() !== entry.email) {
    return plan("refuse", `the alias ${named.alias} belongs to another e-mail address`);
  }
  if (named) return loginWorks(named) ? plan("skip", "its login works") : plan("renew", "its login is lost", named);
  // Several lines of one address are several workspaces: only the alias tells which of them is there already.
  const alone = entries.filter((other) => other.email === entry.email).length === 1;
  const known = alone ? accounts.filter((account) => account.email.toLowerCase() === entry.email) : [];
  const working = known.find(loginWorks);
  if (working) return plan("skip", `${working.alias} has this address and its login works`);
  if (known.length === 0) return plan("add", "");
  const names = known.map((account) => account.alias).join(", ");
  return plan("renew", `the login of ${names} is lost`, known.length === 1 ? known[0]! : null);
}

function loginWorks(account: Account): boolean {
  return account.holds.every((hold) => hold.kind !== HoldKind.NEEDS_LOGIN);
}
