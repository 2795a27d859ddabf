/**
 * Hands out leases: one in-flight claim on an account each, taken before an attempt and given back after it. Ranks, takes the first, counts.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Dice } from "../base/id.ts";
import type { AccountId } from "../domain/account.ts";
import type { Ask } from "../domain/ask.ts";
import type { Plan } from "../domain/plan.ts";
import { rank } from "../domain/rank.ts";
import type { Settings } from "../domain/setting.ts";
import { Standings } from "../domain/standing.ts";
import { presentTurn } from "../domain/turn.ts";
import type { Keeper } from "./keeper.ts";
import type { ReadyProfile, Rulebook } from "./rulebook.ts";

export interface Lease {
  readonly accountId: AccountId;
  /** Gives it back; only the first call counts. */
  release(): void;
}

export interface LeaseAsk {
  readonly model: string | null;
  readonly affinity: AccountId | null;
  readonly tried: ReadonlySet<AccountId>;
  /** Absent: the whole pool. */
  readonly profile?: ReadyProfile | null;
}

export interface LeaseDesk {
  /** The ask as selection sees it now: state, clock and dice filled in. */
  askFor(wanted: LeaseAsk): Ask;
  plan(ask: Ask, limit?: number): Plan;
  /** Claims `accountId` for an attempt. `isTurn`: selection was free to choose, so that it counts as a turn of this account. */
  take(accountId: AccountId, isTurn: boolean): Lease;
  open(accountId: AccountId): number;
  openTotal(): number;
  lastAccountId(): AccountId | null;
  /** Resolves when something may have changed for a waiting ask, at `untilMs` at the latest; rejects when aborted. */
  changed(untilMs: number, signal: AbortSignal): Promise<void>;
}

export function createLeaseDesk(deps: {
  keeper: Keeper;
  clock: Clock;
  dice: Dice;
  settings: () => Settings;
  book: Pick<Rulebook, "rules">;
}): LeaseDesk {
  const { keeper, clock, dice } = deps;
  const openLeases = new Map<AccountId, number>();
  const waiters = new Set<() => void>();
  const standings = new Standings();
  let total = 0;
  let last: AccountId | null = null;
  let present = presentTurn(keeper.accounts());
  let order = keeper.accounts().reduce((highest, account) => Math.max(highest, account.use.lastLeaseOrder), 0);
  const wake = () => {
    if (waiters.size === 0) return;
    for (const waiter of [...waiters]) waiter();
  };
  keeper.watch(wake);

  return {
    askFor: ({ model, affinity, tried, profile = null }) => ({
      model,
      affinity,
      tried,
      profile,
      rules: profile === null ? deps.book.rules() : profile.ready,
      nowMs: clock.nowMs(),
      strategy: profile?.strategy ?? keeper.strategy(),
      pin: keeper.pin(),
      openLeases,
      maxLeases: deps.settings().account_max_leases,
      thresholds: deps.settings(),
      dice: dice.fraction(),
    }),
    plan: (ask, limit) => rank(keeper.accounts(), ask, limit, standings),
    take(accountId, isTurn) {
      openLeases.set(accountId, (openLeases.get(accountId) ?? 0) + 1);
      total++;
      last = accountId;
      const turn = isTurn ? present : null;
      const leased = keeper.apply(accountId, { kind: "leased", atMs: clock.nowMs(), order: ++order, turn });
      if (leased !== null) present = Math.max(present, leased.use.turn);
      let held = true;
      return {
        accountId,
        release() {
          if (!held) return;
          held = false;
          total--;
          const left = (openLeases.get(accountId) ?? 1) - 1;
          if (left === 0) openLeases.delete(accountId);
          else openLeases.set(accountId, left);
          wake();
        },
      };
    },
    open: (accountId) => openLeases.get(accountId) ?? 0,
    openTotal: () => total,
    lastAccountId: () => last,
    changed(untilMs, signal) {
      return new Promise((resolve, reject) => {
        let timer: Timer | null = null;
        const finish = (settle: () => void) => {
          timer?.cancel();
          waiters.delete(onChange);
          signal.removeEventListener("abort", onAbort);
          settle();
        };
        const onChange = () => finish(resolve);
        const onAbort = () => finish(() => reject(signal.reason));
        if (signal.aborted) return reject(signal.reason);
        signal.addEventListener("abort", onAbort);
        waiters.add(onChange);
        timer = clock.after(untilMs - clock.nowMs(), onChange);
      });
    },
  };
}
