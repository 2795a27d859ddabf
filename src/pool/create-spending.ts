/**
 * Puts together what says who may use how much, and what was used: keys, prices, budgets and the ledger.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Settings } from "../domain/setting.ts";
import type { Store, StoredPool } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import { createBudgetDesk } from "./budget-desk.ts";
import { createKeyDesk } from "./key-desk.ts";
import { createLedger } from "./ledger.ts";
import { createPriceDesk } from "./price-desk.ts";
import type { Scheduler } from "./scheduler.ts";

export async function createSpending(deps: {
  stored: Pick<StoredPool, "keys" | "prices" | "budgets">;
  store: Store;
  settings: () => Settings;
  clock: Clock;
  dice: Dice;
  scheduler: Scheduler;
  audit: AuditNotes;
  log: Log;
}) {
  const { stored } = deps;
  const keys = createKeyDesk({ ...deps, stored: stored.keys });
  const prices = createPriceDesk({ ...deps, stored: stored.prices });
  const budgets = await createBudgetDesk({ ...deps, stored: stored.budgets, keyOf: keys.get, prices });
  return { keys, prices, budgets, ledger: createLedger({ ...deps, prices }) };
}
