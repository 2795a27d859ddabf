/**
 * The ledger in SQL: the turns, packed as they were written (packed.ts), and sums (usage-sums.ts) that grow in the same transaction, so that
 * one never says anything else than the other. Reports read the sums (usage-report.ts); the turns are what sums that were lost are made of
 * again, and tell which turns are known. A value holds turns of one UTC day, so that they go by whole days.
 */
import { ulidAt } from "../base/id.ts";
import type { ExchangeId } from "../domain/exchange.ts";
import type { LedgerRow } from "../domain/ledger.ts";
import { DAY_MS, type Spend } from "../domain/limit.ts";
import type { Connection, SqlRow } from "./database.ts";
import { type PackKey, pack, packsAround, readPack, unpack } from "./packed.ts";
import { numberOf, textOf, wholeMs } from "./row.ts";
import type { LedgerKept, Spent, SpentRow } from "./store.ts";
import { BUDGET_SIDE, keptRowsSinceMs, removeOldSums, SumBatch } from "./usage-sums.ts";

/** When the time was lowered far, the rest goes with the next batches: one call must not hold up the streams. */
const REMOVED_AT_ONCE = 256;

/** Turns that are in it already are the caller's business. */
export function appendLedger(db: Connection, batch: readonly LedgerRow[], kept: LedgerKept): void {
  db.transaction(() => {
    const sums = new SumBatch();
    for (const row of batch) sums.add(row);
    for (const day of byDay(batch))
      for (const { firstId, lastId, packed } of pack(day)) insert(db, firstId, lastId, packed);
    sums.write(db);
    db.run(
      "DELETE FROM ledger_batch WHERE rowid IN (SELECT rowid FROM ledger_batch WHERE last_id < ? ORDER BY last_id LIMIT ?)",
      ulidAt(keptRowsSinceMs(kept)),
      REMOVED_AT_ONCE,
    );
    removeOldSums(db, kept);
  });
}

function insert(db: Connection, firstId: string, lastId: string, packed: Uint8Array): void {
  db.run("INSERT INTO ledger_batch (last_id, first_id, packed) VALUES (?, ?, ?)", lastId, firstId, packed);
}

function byDay(batch: readonly LedgerRow[]): Iterable<readonly LedgerRow[]> {
  const first = dayOf(batch[0]);
  return batch.every((row) => dayOf(row) === first) ? [batch] : Map.groupBy(batch, dayOf).values();
}

function dayOf(row: LedgerRow | undefined): number {
  return row === undefined ? -1 : Math.floor(wholeMs(row.atMs) / DAY_MS);
}

/** As {@link appendLedger}, of what is not in it yet. */
export function adoptTurns(db: Connection, batch: readonly LedgerRow[], kept: LedgerKept): void {
  const byId = new Map(batch.map((row) => [row.id, row]));
  for (const id of knownTurns(db, [...byId.keys()])) byId.delete(id);
  appendLedger(db, [...byId.values()], kept);
}

export function knownTurns(db: Connection, ids: readonly ExchangeId[]): ReadonlySet<ExchangeId> {
  const asked = new Set(ids);
  const known = new Set<ExchangeId>();
  for (const key of packsAround(db, "ledger_batch", ids))
    for (const { id } of readTurns(db, key)) if (asked.has(id)) known.add(id);
  return known;
}

/** All of the turns, each once, some at a time. */
export function* allTurns(db: Connection): Generator<readonly LedgerRow[]> {
  // Stores that were put together may have packed the same turns differently; never those of two days.
  let dayMs = -1;
  const met = new Set<ExchangeId>();
  for (const key of db.all("SELECT last_id, first_id FROM ledger_batch ORDER BY last_id, first_id")) {
    const turns = readTurns(db, { lastId: textOf(key, "last_id"), firstId: textOf(key, "first_id") });
    const ofMs = dayOf(turns[0]);
    if (ofMs !== dayMs) met.clear();
    dayMs = ofMs;
    yield turns.filter(({ id }) => !met.has(id));
    for (const { id } of turns) met.add(id);
  }
}

/** What cannot be unpacked is passed over: the sums by the hour have it. */
function readTurns(db: Connection, key: PackKey): LedgerRow[] {
  const packed = readPack(db, "ledger_batch", key);
  try {
    return packed === null ? [] : unpack<LedgerRow>(packed);
  } catch {
    return [];
  }
}

/** What was used since the beginning of an hour, by key and project: what limits count. */
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
