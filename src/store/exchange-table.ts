/**
 * Recent exchanges in SQL. A row holds all that were written at once, packed (packed.ts), and beside them what tells whether a filter can find
 * something in it: one row and one short index for a few hundred exchanges, where a row and four indexes for each used to be most of what an
 * exchange cost. Ids are ULIDs, so their order is the order of time; who asks for some of them unpacks the newest rows first.
 *
 * Held to a number of exchanges by whole rows: what was written at once goes at once, when as many as are wanted remain without it.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Exchange, ExchangeId } from "../domain/exchange.ts";
import type { Connection, SqlRow, SqlValue } from "./database.ts";
import { type Pack, pack, packsAround, readPack, unpack } from "./packed.ts";
import { numberOf, textOf } from "./row.ts";
import type { ExchangeQuery } from "./store.ts";

/** When the bound was lowered far, the rest goes with the next batches: one call must not hold up the streams. */
const ROWS_REMOVED_AT_ONCE = 256;
/** A filter that finds little unpacks much: after so long the streams have their turn. */
const REST_AFTER_MS = 5;

export interface ExchangeTable {
  append(batch: readonly Exchange[], keep: number): void;
  list(query: ExchangeQuery): Promise<Exchange[]>;
  get(id: ExchangeId): Exchange | null;
}

export function createExchangeTable(db: Connection, clock: Clock, log: Log): ExchangeTable {
  // Counted once, then kept in step.
  let kept: number | null = null;
  const countAll = () => numberOf(db.first("SELECT ifnull(sum(count), 0) AS count FROM exchange_batch")!, "count");
  return {
    append(batch, keep) {
      const before = kept ?? countAll();
      // Unknown until the transaction has ended well.
      kept = null;
      kept = db.transaction(() => {
        for (const part of pack(batch)) insert(db, part);
        return removeOldest(db, before + batch.length, keep);
      });
    },
    async list(query) {
      const found: Exchange[] = [];
      let sinceMs = clock.monotonicMs();
      for (const some of exchangesNewestFirst(db, query, log)) {
        found.push(...some);
        if (found.length >= query.limit) break;
        if (clock.monotonicMs() - sinceMs < REST_AFTER_MS) continue;
        await clock.sleep(0);
        sinceMs = clock.monotonicMs();
      }
      return found.slice(0, query.limit);
    },
    get(id) {
      for (const key of packsAround(db, "exchange_batch", [id])) {
        const exchange = unpacked(readPack(db, "exchange_batch", key), key.lastId, log).find((one) => one.id === id);
        if (exchange !== undefined) return exchange;
      }
      return null;
    },
  };
}

function insert(db: Connection, { records, firstId, lastId, packed }: Pack<Exchange>): void {
  const names = new Set<string>();
  let failed = 0;
  for (const exchange of records) {
    if (isFailed(exchange)) failed++;
    if (exchange.keyId !== null) names.add(exchange.keyId);
    if (exchange.servedBy !== null) names.add(exchange.servedBy);
    for (const { accountId } of exchange.attempts) names.add(accountId);
  }
  db.run(
    // The same once more, as when what was there is restored, takes its own place.
    `INSERT OR REPLACE INTO exchange_batch (last_id, first_id, count, failed, names, packed) VALUES (?, ?, ?, ?, ?, ?)`,
    lastId,
    firstId,
    records.length,
    failed,
    `\n${[...names].join("\n")}\n`,
    packed,
  );
}

/** How many are left. */
function removeOldest(db: Connection, count: number, keep: number): number {
  let left = count;
  for (let removed = 0; removed < ROWS_REMOVED_AT_ONCE && left > keep; removed++) {
    const oldest = db.first("SELECT last_id, first_id, count FROM exchange_batch ORDER BY last_id, first_id LIMIT 1");
    if (oldest === null || left - numberOf(oldest, "count") < keep) break;
    const [lastId, firstId] = [textOf(oldest, "last_id"), textOf(oldest, "first_id")];
    db.run("DELETE FROM exchange_batch WHERE last_id = ? AND first_id = ?", lastId, firstId);
    left -= numberOf(oldest, "count");
  }
  return left;
}

type Filter = Omit<ExchangeQuery, "limit">;

/** All that the filter finds, newest first, as far as they are asked for: some of them with every row that is unpacked. */
export function* exchangesNewestFirst(db: Connection, filter: Filter, log: Log): Generator<readonly Exchange[]> {
  /** Found, but older ones may still lie between them. */
  const waiting = new Map<ExchangeId, Exchange>();
  for (let row = nextRow(db, filter, null); ; row = nextRow(db, filter, row)) {
    const reachesTo = row === null ? "" : textOf(row, "last_id");
    const sure = [...waiting.values()].filter(({ id }) => id > reachesTo).sort((a, b) => (a.id < b.id ? 1 : -1));
    for (const { id } of sure) waiting.delete(id);
    yield sure;
    if (row === null) return;
    for (const exchange of unpacked(row.packed, reachesTo, log))
      if (matches(exchange, filter)) waiting.set(exchange.id, exchange);
  }
}

/** The row that reaches the furthest behind `after`, of those that something may be found in. */
function nextRow(db: Connection, { before, accountId, keyId, failed }: Filter, after: SqlRow | null): SqlRow | null {
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  const require = (condition: string, ...bound: SqlValue[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (after !== null) require("(last_id, first_id) < (?, ?)", textOf(after, "last_id"), textOf(after, "first_id"));
  if (before !== undefined) require("first_id < ?", before);
  if (accountId !== undefined) require("instr(names, ?) > 0", `\n${accountId}\n`);
  if (keyId !== undefined) require("instr(names, ?) > 0", `\n${keyId}\n`);
  if (failed === true) require("failed > 0");
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const order = "ORDER BY last_id DESC, first_id DESC LIMIT 1";
  return db.first(`SELECT last_id, first_id, packed FROM exchange_batch ${where} ${order}`, ...values);
}

function matches(exchange: Exchange, { before, accountId, keyId, failed }: Filter): boolean {
  if (before !== undefined && exchange.id >= before) return false;
  if (keyId !== undefined && exchange.keyId !== keyId) return false;
  if (failed === true && !isFailed(exchange)) return false;
  if (accountId === undefined || exchange.servedBy === accountId) return true;
  return exchange.attempts.some((attempt) => attempt.accountId === accountId);
}

function isFailed({ errorCode, status }: Exchange): boolean {
  return errorCode !== null || (status ?? 0) >= 400;
}

/** What cannot be read back is passed over: history must not stand in the way of serving. */
function unpacked(packed: unknown, lastId: string, log: Log): Exchange[] {
  if (packed === null) return [];
  try {
    return unpack<Exchange>(packed);
  } catch (error) {
    log.warn("exchange.batch_dropped", { last_id: lastId, error });
    return [];
  }
}
