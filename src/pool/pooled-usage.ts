/**
 * What clients are told of usage: the pool as it is now, or nothing of ours. The one owner of that answer; the figures are reckoned in
 * domain/pooled-usage.ts from the holds that selection goes by.
 */
import type { AccountId } from "../domain/account.ts";
import { type PooledUsage, UsageMemory } from "../domain/pooled-usage.ts";
import type { Settings } from "../domain/setting.ts";
import type { Keeper } from "./keeper.ts";
import type { LeaseDesk } from "./lease-desk.ts";

export interface UsageDesk {
  /** Are clients told of the pool, by the setting `usage_answer`? */
  isPooled(): boolean;
  /** The pool as one account, now; null when clients are to see the account that served them. The same object for as long as nothing of it changed. */
  told(): PooledUsage | null;
}

const NOBODY: ReadonlySet<AccountId> = new Set();
/** As selection is asked without a model, for nobody in particular. */
const FOR_NOBODY = { model: null, affinity: null, tried: NOBODY } as const;

export function createUsageDesk(deps: {
  keeper: Pick<Keeper, "accounts">;
  leases: Pick<LeaseDesk, "askFor">;
  settings: () => Settings;
}): UsageDesk {
  const { keeper, leases, settings } = deps;
  const memory = new UsageMemory();
  const isPooled = () => settings().usage_answer === "pool";
  return {
    isPooled,
    told: () => (isPooled() ? memory.usage(keeper.accounts(), leases.askFor(FOR_NOBODY)) : null),
  };
}
