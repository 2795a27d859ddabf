/** What is used and what may be used, as a part of the store: ledger, budgets, prices. Begins and ends their transactions. */
import type { Log } from "../base/log.ts";
import type { Aside } from "./aside.ts";
import { deleteBudget, deletePrice, readBudgets, readPrices, writeBudget, writePrice } from "./budget-table.ts";
import type { Connection, StoreDatabase } from "./database.ts";
import { adoptTurns, appendLedger, knownTurns, readSpent } from "./ledger-table.ts";
import type { Store } from "./store.ts";
import { readUsage } from "./usage-report.ts";

export function createSpendTables({ path, durable, relaxed }: StoreDatabase, aside?: Aside) {
  return {
    async saveBudget(budget) {
      durable.transaction(() => writeBudget(durable, budget));
    },
    async removeBudget(name) {
      durable.transaction(() => deleteBudget(durable, name));
    },
    async savePrice(price) {
      durable.transaction(() => writePrice(durable, price));
    },
    async removePrice(model) {
      durable.transaction(() => deletePrice(durable, model));
    },
    async appendLedger(batch, kept) {
      appendLedger(relaxed, batch, kept);
    },
    async adoptTurns(batch, kept) {
      adoptTurns(relaxed, batch, kept);
    },
    knownTurns: async (ids) => knownTurns(relaxed, ids),
    spentSince: async (sinceMs) => readSpent(relaxed, sinceMs),
    queryUsage: async (query) => (aside === undefined ? readUsage(relaxed, query) : aside.report(path, query)),
  } satisfies Partial<Store>;
}

/** What the pool wants to know of them at its start. */
export function readSpendPlans(db: Connection, log: Log) {
  return { budgets: readBudgets(db, log), prices: readPrices(db) };
}
