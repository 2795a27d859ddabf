/** What operators see and say of selection: the pool as it is, strategy, pin, explain. Always from the ranking that chooses. */
import type { Log } from "../base/log.ts";
import type { PoolView, SelectionDesk } from "./engine.ts";
import type { Keeper } from "./keeper.ts";
import type { LeaseDesk } from "./lease-desk.ts";

export function createSelectionDesk(deps: {
  keeper: Keeper;
  leases: LeaseDesk;
  log: Log;
  nowMs: () => number;
}): SelectionDesk {
  const { keeper, leases, log } = deps;
  const explain = (model: string | null, limit?: number) =>
    leases.plan(leases.askFor({ model, affinity: null, tried: new Set() }), limit);
  return {
    view(): PoolView {
      const plan = explain(null, 1);
      return {
        revision: keeper.revision(),
        strategy: keeper.strategy(),
        pin: keeper.pin(),
        pauseUntilMs: keeper.pauseUntilMs(),
        accountCount: keeper.accounts().length,
        usableCount: plan.usableCount,
        nextUsableAtMs: plan.nextUsableAtMs,
        openLeases: leases.openTotal(),
        lastAccountId: leases.lastAccountId(),
        nextAccountId: plan.order[0] ?? null,
      };
    },
    async setStrategy(strategy) {
      await keeper.savePool({ strategy });
      log.info("pool.strategy_set", { strategy });
    },
    async pin(id, untilMs) {
      const { alias } = keeper.require(id);
      await keeper.savePool({ pin: { accountId: id, sinceMs: deps.nowMs(), untilMs } });
      log.info("pool.pinned", { account: alias, until_ms: untilMs });
    },
    async unpin() {
      if (keeper.pin() === null) return;
      await keeper.savePool({ pin: null });
      log.info("pool.unpinned");
    },
    explain: (model) => explain(model),
    watch: (onChange) => keeper.watch(onChange),
  };
}
