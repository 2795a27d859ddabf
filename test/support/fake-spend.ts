/** Budgets, usage and prices for tests of the control door: budgets and prices really change, usage is what the test puts in. */
import { AppError } from "../../src/base/errors.ts";
import type { Budget } from "../../src/domain/budget.ts";
import type { UsageBucket, UsageQuery } from "../../src/domain/ledger.ts";
import { periodEndMs } from "../../src/domain/limit.ts";
import type { BudgetDesk, BudgetView } from "../../src/pool/budget-desk.ts";
import type { LedgerDesk } from "../../src/pool/ledger.ts";
import { createPriceDesk, type PriceDesk } from "../../src/pool/price-desk.ts";
import { createManualClock } from "./manual-clock.ts";
import { createMemoryStore } from "./memory-store.ts";
import { reportOf } from "./usage-report.ts";

export interface FakeSpend {
  readonly budgets: BudgetDesk;
  readonly ledger: LedgerDesk;
  readonly prices: PriceDesk;
  /** What the next report is made of, and what was asked for it. */
  readonly report: { buckets: readonly UsageBucket[]; asked: UsageQuery | null };
}

export function createFakeSpend(nowMs: () => number): FakeSpend {
  const budgets = new Map<string, Budget>();
  const report: FakeSpend["report"] = { buckets: [], asked: null };
  const viewOf = (budget: Budget): BudgetView => ({
    budget,
    use: { limit: budget.limit, used: 1, reserved: 0, resetsAtMs: periodEndMs(budget.limit.period, nowMs()) },
  });
  const audit = {
    say() {},
    own() {},
    actor: () => ({ kind: "rotor" }) as never,
    as: (_: unknown, work: () => never) => work(),
  };
  return {
    report,
    budgets: {
      list: () => [...budgets.values()].map(viewOf),
      async set(wanted) {
        const budget = { ...wanted, createdAtMs: nowMs() };
        budgets.set(budget.name, budget);
        return viewOf(budget);
      },
      async remove(name) {
        const budget = budgets.get(name);
        if (budget === undefined) throw new AppError("budget_not_found", `there is no budget ${name}`);
        budgets.delete(name);
        return budget;
      },
      usesOf: (key) => key.terms.limits.map((limit) => ({ limit, used: 0, reserved: 0, resetsAtMs: nowMs() })),
    },
    ledger: {
      async query(query) {
        report.asked = query;
        return reportOf(report.buckets, query);
      },
    },
    prices: createPriceDesk({ stored: [], store: createMemoryStore(), clock: createManualClock(), audit }),
  };
}
