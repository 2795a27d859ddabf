/**
 * The ledger in SQL: a row for each turn, and sums (usage-sums.ts) that grow in the same transaction, so that one never says anything else
 * than the other. Reports read the sums (usage-report.ts); the rows are for what the sums leave out. Ids are ULIDs: their order is that of time.
 */
import { ulidAt } from "../base/id.ts";
import type { ExchangeId } from "../domain/exchange.ts";
import type { LedgerRow } from "../domain/ledger.ts";
import type { Spend } from "../domain/limit.ts";
import type { Connection, SqlRow } from "./database.ts";
import { numberOf, textOf, wholeMs, wholeMsOrNull } from "./row.ts";
import type { LedgerKept, Spent, SpentRow } from "./store.ts";
import { BUDGET_SIDE, keptRowsSinceMs, removeOldSums, SumBatch } from "./usage-sums.ts";

/** When the time was lowered far, the rest goes with the next batches: one call must not hold up the streams. */
const REMOVED_AT_ONCE = 2_000;

/** A row that is there already, by its id, counts no second time. */
export function appendLedger(db: Connection, batch: readonly LedgerRow[], kept: LedgerKept): void {
  db.transaction(() => {
    const sums = new SumBatch();
    for (const row of batch) if (insertRow(db, row)) sums.add(row);
    sums.write(db);
    const first = ulidAt(keptRowsSinceMs(kept));
    db.run(
      "DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE id < ? ORDER BY id LIMIT ?)",
      first,
      REMOVED_AT_ONCE,
    );
    removeOldSums(db, kept);
  });
}

function insertRow(db: Connection, row: LedgerRow): boolean {
  const changed = db.run(
    `INSERT INTO ledger (id, at_ms, account_id, model, key_id, project, conversation, surface, effort, tier, budgets, status,
       error_code, served, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost_micro_usd, latency_ms,
       first_byte_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    row.id,
    wholeMs(row.atMs),
    row.accountId ?? "",
    row.model ?? "",
    row.keyId ?? "",
    row.project ?? "",
    row.conversation ?? "",
    row.surface,
    row.effort ?? "",
    row.tier ?? "",
    row.budgets.join(" "),
    row.status,
    row.errorCode,
    row.isServed ? 1 : 0,
    wholeMs(row.inputTokens),
    wholeMs(row.cachedInputTokens),
    wholeMs(row.outputTokens),
    wholeMs(row.reasoningTokens),
    wholeMsOrNull(row.costMicroUsd),
    wholeMs(row.latencyMs),
    wholeMsOrNull(row.firstByteMs),
  );
  return changed > 0;
}

/** What was used since the beginning of an hour, by key and project: what limits count. */
export function knownTurns(db: Connection, ids: readonly ExchangeId[]): ReadonlySet<ExchangeId> {
  return new Set(ids.filter((id) => db.first("SELECT 1 FROM ledger WHERE id = ?", id) !== null));
}

export function readSpent(db: Connection, sinceMs: number): Spent {
  return { turns: readTurnsSpent(db, sinceMs), budgets: readBudgetsSpent(db, sinceMs) };
}

function readBudgetsSpent(db: Connection, sinceMs: number): Spent["budgets"] {
  const sql = `SELECT value, sum(served) AS requests, sum(input_tokens + output_tokens) AS tokens,
    sum(cost_micro_usd) AS cost FROM usage_side WHERE side = ? AND hour_ms >= ? GROUP BY value`;
  return db
    .all(sql, BUDGET_SIDE, wholeMs(sinceMs))
    .map((row) => ({ budget: textOf(row, "value"), spend: spendOf(row) }));
}

function readTurnsSpent(db: Connection, sinceMs: number): SpentRow[] {
  const sql = `SELECT key_id, project, sum(served) AS requests, sum(input_tokens + output_tokens) AS tokens,
    sum(cost_micro_usd) AS cost FROM usage_hour WHERE hour_ms >= ? GROUP BY key_id, project`;
  return db.all(sql, wholeMs(sinceMs)).map((row) => ({
    keyId: textOf(row, "key_id") || null,
    project: textOf(row, "project") || null,
    spend: spendOf(row),
  }));
}

function spendOf(row: SqlRow): Spend {
  const [requests, tokens] = [numberOf(row, "requests"), numberOf(row, "tokens")];
  return { requests, tokens, costMicroUsd: numberOf(row, "cost") };
}
