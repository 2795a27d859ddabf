/** What operators see and say of selection: the pool as it is, strategy, pin, explain. Always from the ranking that chooses. */
import { formatInstant } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { AccountId } from "../domain/account.ts";
import { holdsOn } from "../domain/hold.ts";
import type { Settings } from "../domain/setting.ts";
import { scarcityOf } from "../domain/threshold.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { PoolView, SelectionDesk } from "./engine.ts";
import type { Keeper } from "./keeper.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { Rulebook } from "./rulebook.ts";

const NOBODY: ReadonlySet<AccountId> = new Set();

export function createSelectionDesk(deps: {
  keeper: Keeper;
  leases: LeaseDesk;
  rulebook: Pick<Rulebook, "choose">;
  audit: AuditNotes;
  log: Log;
  settings: () => Settings;
  nowMs: () => number;
}): SelectionDesk {
  const { keeper, leases, audit, log } = deps;
  return {
    view(): PoolView {
      const plan = leases.plan(leases.askFor({ model: null, affinity: null, tried: NOBODY }), 1);
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
        waitingCount: leases.line.count(),
        firstWaiting: leases.line.first(),
      };
    },
    async setStrategy(strategy) {
      const before = keeper.strategy();
      await keeper.savePool({ strategy });
      audit.say({ action: "pool.strategy", subjects: [], text: `${before} → ${strategy}` });
      log.info("pool.strategy_set", { strategy });
    },
    async pin(id, untilMs) {
      const { alias } = keeper.require(id);
      await keeper.savePool({ pin: { accountId: id, sinceMs: deps.nowMs(), untilMs } });
      const end = untilMs === null ? "until it is taken off" : `until ${formatInstant(untilMs)}`;
      audit.say({ action: "pool.pin", subjects: [{ id, name: alias }], text: end });
      log.info("pool.pinned", { account: alias, until_ms: untilMs });
    },
    async unpin() {
      const pin = keeper.pin();
      if (pin === null) return audit.say({ action: "pool.unpin", subjects: [], text: "there was no pin" });
      await keeper.savePool({ pin: null });
      const name = keeper.get(pin.accountId)?.alias ?? "";
      audit.say({ action: "pool.unpin", subjects: [{ id: pin.accountId, name }], text: "" });
      log.info("pool.unpinned");
    },
    holdsOn: (account) => holdsOn(account, leases.askFor({ model: null, affinity: null, tried: NOBODY })),
    scarcityOf: (window) => scarcityOf(window, deps.settings(), deps.nowMs()),
    explain({ model, from, atMs }) {
      const profile = deps.rulebook.choose(from);
      const ask = leases.askFor({ model, affinity: null, tried: NOBODY, profile });
      return leases.plan(atMs === null ? ask : { ...ask, nowMs: atMs });
    },
    watch: (onChange) => keeper.watch(onChange),
  };
}
