/** Whether the file still says what was written into it. Looks; never mends. */
import { AppError } from "../base/errors.ts";
import * as accounts from "./account-table.ts";
import type { StoreDatabase } from "./database.ts";
import { VITAL_TABLES } from "./tables.ts";

/** What serving needs is looked through at every start; history, which may be large, only by {@link wholeIntegrityOf}. */
export function refuseDamage(db: StoreDatabase): void {
  for (const table of VITAL_TABLES) {
    const verdict = integrityOf(db, `quick_check('${table}')`);
    if (verdict !== "ok") {
      throw new AppError("store_damaged", `${db.path} is damaged`, { facts: { table, verdict } });
    }
  }
}

function integrityOf(db: StoreDatabase, pragma: string): string {
  const rows = db.durable.all(`PRAGMA ${pragma}`);
  return rows.map((row) => String(Object.values(row)[0])).join("; ");
}

/** Damage that stops SQLite from looking on is a finding of the check, not a failure of it. */
export function wholeIntegrityOf(db: StoreDatabase): string {
  try {
    const verdict = integrityOf(db, "quick_check");
    if (verdict !== "ok") return verdict;
    const orphans = db.durable.all("PRAGMA foreign_key_check").length;
    const bare = accounts.countWithoutCredentials(db.durable);
    return orphans + bare === 0 ? "ok" : `${orphans} rows belong to nothing, ${bare} accounts have no credentials`;
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "store_damaged") return String(thrown.cause);
    throw thrown;
  }
}
