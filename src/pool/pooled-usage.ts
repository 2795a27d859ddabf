/**
 * What clients are told of usage: the pool as it is now, or nothing of ours. The one owner of that answer; the figures are reckoned in
 * domain/pooled-usage.ts from the holds that selection goes by.
 */
import type { Account } from "../domain/account.ts";
import type { Hold } from "../domain/hold.ts";
import { type PooledUsage, poolUsage } from "../domain/pooled-usage.ts";
import type { Settings } from "../domain/setting.ts";
import type { Keeper } from "./keeper.ts";

export interface UsageDesk {
  /** Are clients told of the pool, by the setting `usage_answer`? */
  isPooled(): boolean;
  /** The pool as one account; null when clients are to see the account that served them. */
  told(): PooledUsage | null;
}

export function createUsageDesk(deps: {
  keeper: Keeper;
  /** For an ask without a model: what selection calls. */
  holdsOn: (account: Account) => readonly Hold[];
  settings: () => Settings;
  nowMs: () => number;
}): UsageDesk {
  const { keeper, holdsOn, settings, nowMs } = deps;
  const isPooled = () => settings().usage_answer === "pool";
  return {
    isPooled,
    told() {
      if (!isPooled()) return null;
      const only = keeper.pin()?.accountId ?? null;
      return poolUsage(keeper.accounts(), { nowMs: nowMs(), holdsOn, only });
    },
  };
}
