/**
 * The ledger in SQL: a row for each turn, and sums by the hour that grow in the same transaction, so that one never says anything else than
 * the other. Reports read the sums (usage-report.ts); the rows are for what the sums leave out. Ids are ULIDs: their order is that of time.
 */
import { ulidAt } from "../base/id.ts";
import type { ExchangeId } from "../domain/exchange.ts";
import type { LedgerRow } from "../domain/ledger.ts";
import { HOUR_MS } from "../domain/limit.ts";
import type { Connection } from "./database.ts";
import { numberOf, textOf, wholeMs, wholeMsOrNull } from "./row.ts";
import type { LedgerKept, SpentRow } from "./store.ts";

/** When the time was lowered far, the rest goes with the next batches: one call must not hold up the streams. */
const REMOVED_AT_ONCE = 2_000;

/** A row that is there already, by its id, counts no second time. */
export function appendLedger(db: Connection, batch: readonly LedgerRow[], kept: LedgerKept): void {
  db.transaction(() => {
    for (const row of batch) if (insertRow(db, row)) addToHour(db, row);
    const first = ulidAt(wholeMs(kept.rowsSinceMs));
    db.run(
      "DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE id < ? ORDER BY id LIMIT ?)",
      first,
      REMOVED_AT_ONCE,
    );
    db.run("DELETE FROM usage_hour WHERE hour_ms < ?", wholeMs(kept.sumsSinceMs) - HOUR_MS);
  });
}

function insertRow(db: Connection, row: LedgerRow): boolean {
  const changed = db.run(
    `INSERT INTO ledger (id, at_ms, account_id, model, key_id, project, conversation, surface, effort, tier, status,
       error_code, served, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost_micro_usd, latency_ms,
       first_byte_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
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
    row.status,
    row.errorCode,
    row.isServed ? 1 : 0,
    ...tokensOf(row),
    wholeMsOrNull(row.costMicroUsd),
    wholeMs(row.latencyMs),
    wholeMsOrNull(row.firstByteMs),
  );
  return changed > 0;
}

/** Whole numbers, whatever upstream said. */
function tokensOf(row: LedgerRow): [number, number, number, number] {
  return [
    wholeMs(row.inputTokens),
    wholeMs(row.cachedInputTokens),
    wholeMs(row.outputTokens),
    wholeMs(row.reasoningTokens),
  ];
}

function addToHour(db: Connection, row: LedgerRow): void {
  const atMs = wholeMs(row.atMs);
  const tokens = tokensOf(row);
  const isUnpriced = row.costMicroUsd === null && tokens[0] + tokens[2] > 0;
  const hasFirstByte = row.isServed && row.firstByteMs !== null;
  db.run(
    `INSERT INTO usage_hour (hour_ms, account_id, model, key_id, project, requests, served, input_tokens,
       cached_input_tokens, output_tokens, reasoning_tokens, cost_micro_usd, unpriced, latency_ms, first_byte_ms, first_bytes)
     VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (hour_ms, account_id, model, key_id, project) DO UPDATE SET
       requests = requests + 1, served = served + excluded.served, input_tokens = input_tokens + excluded.input_tokens,
       cached_input_tokens = cached_input_tokens + excluded.cached_input_tokens,
       output_tokens = output_tokens + excluded.output_tokens,
       reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
       cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd, unpriced = unpriced + excluded.unpriced,
       latency_ms = latency_ms + excluded.latency_ms, first_byte_ms = first_byte_ms + excluded.first_byte_ms,
       first_bytes = first_bytes + excluded.first_bytes`,
    atMs - (atMs % HOUR_MS),
    row.accountId ?? "",
    row.model ?? "",
    row.keyId ?? "",
    row.project ?? "",
    row.isServed ? 1 : 0,
    ...tokens,
    wholeMs(row.costMicroUsd ?? 0),
    isUnpriced ? 1 : 0,
    row.isServed ? wholeMs(row.latencyMs) : 0,
    hasFirstByte ? wholeMs(row.firstByteMs ?? 0) : 0,
    hasFirstByte ? 1 : 0,
  );
}

/** What was used since the beginning of an hour, by key and project: what limits count. */
export function knownTurns(db: Connection, ids: readonly ExchangeId[]): ReadonlySet<ExchangeId> {
  return new Set(ids.filter((id) => db.first("SELECT 1 FROM ledger WHERE id = ?", id) !== null));
}

export function readSpent(db: Connection, sinceMs: number): SpentRow[] {
  const sql = `SELECT key_id, project, sum(served) AS requests, sum(input_tokens + output_tokens) AS tokens,
    sum(cost_micro_usd) AS cost FROM usage_hour WHERE hour_ms >= ? GROUP BY key_id, project`;
  return db.all(sql, wholeMs(sinceMs)).map((row) => ({
    keyId: textOf(row, "key_id") || null,
    project: textOf(row, "project") || null,
    spend: {
      requests: numberOf(row, "requests"),
      tokens: numberOf(row, "tokens"),
      costMicroUsd: numberOf(row, "cost"),
    },
  }));
}
