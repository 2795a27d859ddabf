/**
 * Turns: how `weighted-round-robin` shares out work without remembering an index. Pure.
 *
 * Virtual time passes by 1 / weight with every turn of an account, so an account of weight 7 is due seven times while one of weight 1
 * is due once; only ratios of weights count. Whoever is due earliest is next. An account that was away is due at once when it comes
 * back, and not more often than that: its turn is set to the present, which is the latest turn anybody had. All of that is read from
 * the accounts, so that two daemons and a restart agree.
 */
import type { Account, UseFacts } from "./account.ts";

type Turning = Pick<Account, "orders"> & { readonly use: Pick<UseFacts, "turn"> };

/** The first turn lies in the middle of its share: starting everybody at the same instant would serve the small ones in a heap. */
export function dueTurn({ use, orders }: Turning): number {
  return use.turn === 0 ? 0.5 / orders.weight : use.turn + 1 / orders.weight;
}

/** Where the account stands after a turn that it gets at `present`. */
export function takeTurn(account: Turning, present: number): number {
  return Math.max(dueTurn(account), present);
}

/** The virtual time: the latest turn that anybody had. */
export function presentTurn(accounts: readonly Turning[]): number {
  return accounts.reduce((latest, account) => Math.max(latest, account.use.turn), 0);
}
