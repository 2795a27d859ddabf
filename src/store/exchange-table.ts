/**
 * Recent exchanges in SQL: columns for what lists filter by, one document for the record (exchange-record.ts). Ids are ULIDs, so their order is
 * the order of time. Held to a number of rows; removing the oldest costs what is removed, not what is kept.
 *
 * Every exchange is written and some day removed again, and each index is paid for both times: the account of an exchange is a column, and
 * only one that had to move on has rows in `exchange_tried`, for the accounts that could not serve it.
 */
import type { Log } from "../base/log.ts";
import type { Exchange, ExchangeId } from "../domain/exchange.ts";
import type { Connection, SqlRow, SqlValue } from "./database.ts";
import { EXCHANGE_COLUMNS, packExchange, unpackExchange } from "./exchange-record.ts";
import { numberOf, textOf, wholeMs, wholeMsOrNull } from "./row.ts";
import type { ExchangeQuery } from "./store.ts";

/** When the bound was lowered far, the rest goes with the next batches: one call must not hold up the streams. */
const REMOVED_AT_ONCE = 2_000;

export interface ExchangeTable {
  append(batch: readonly Exchange[], keep: number): void;
  list(query: ExchangeQuery): Exchange[];
  get(id: ExchangeId): Exchange | null;
}

export function createExchangeTable(db: Connection, log: Log): ExchangeTable {
  // Counted once, then kept in step: counting a million rows with every batch would cost more than writing it.
  let kept: number | null = null;
  const countAll = () => numberOf(db.first("SELECT count(*) AS rows FROM exchange")!, "rows");
  return {
    append(batch, keep) {
      const before = kept ?? countAll();
      // Unknown until the transaction has ended well.
      kept = null;
      kept = db.transaction(() => {
        let rows = before;
        for (const exchange of batch) if (upsert(db, exchange)) rows++;
        const excess = Math.min(rows - keep, Math.max(REMOVED_AT_ONCE, 2 * batch.length));
        if (excess <= 0) return rows;
        db.run("DELETE FROM exchange WHERE id IN (SELECT id FROM exchange ORDER BY id LIMIT ?)", excess);
        return rows - excess;
      });
    },
    list: (query) => readExchanges(db, query, log),
    get(id) {
      const row = db.first(`SELECT ${EXCHANGE_COLUMNS} FROM exchange WHERE id = ?`, id);
      return row === null ? null : readRecord(row, log);
    },
  };
}

/** Newest first. */
export function readExchanges(db: Connection, query: ExchangeQuery, log: Log): Exchange[] {
  return list(db, query).flatMap((row) => readRecord(row, log) ?? []);
}

/** true when the row is new. */
function upsert(db: Connection, exchange: Exchange): boolean {
  const accountId = exchange.servedBy ?? exchange.attempts.at(-1)?.accountId ?? null;
  const columns: SqlValue[] = [
    wholeMs(exchange.startedAtMs),
    wholeMsOrNull(exchange.endedAtMs),
    exchange.keyId,
    accountId,
    exchange.status,
    exchange.errorCode,
    packExchange(exchange),
    exchange.id,
  ];
  // An exchange is written once, at its end: the insert nearly always succeeds.
  const isNew =
    db.run(
      `INSERT INTO exchange (started_at_ms, ended_at_ms, key_id, account_id, status, error_code, record, id)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
      ...columns,
    ) > 0;
  if (!isNew) {
    db.run(
      `UPDATE exchange SET started_at_ms = ?, ended_at_ms = ?, key_id = ?, account_id = ?, status = ?, error_code = ?,
       record = ? WHERE id = ?`,
      ...columns,
    );
    db.run("DELETE FROM exchange_tried WHERE exchange_id = ?", exchange.id);
  }
  for (const tried of exchange.attempts) {
    if (tried.accountId === accountId) continue;
    db.run(
      "INSERT OR IGNORE INTO exchange_tried (account_id, exchange_id) VALUES (?, ?)",
      tried.accountId,
      exchange.id,
    );
  }
  return isNew;
}

/** Where a list is read from: an index holds each in the order of `id`. */
interface Source {
  readonly from: string;
  readonly id: string;
  readonly account: string;
}

const EXCHANGES: Source = { from: "exchange", id: "id", account: "account_id" };
const TRIED: Source = {
  // CROSS JOIN fixes the order: by account first, newest first; the planner's own choice sorts the whole history of a key.
  from: "exchange_tried AS tried CROSS JOIN exchange ON id = exchange_id",
  id: "exchange_id",
  account: "tried.account_id",
};

function list(db: Connection, query: ExchangeQuery): SqlRow[] {
  const own = listFrom(db, EXCHANGES, query);
  if (query.accountId === undefined) return own;
  // Two short lists: one statement for both would sort the account's whole history.
  const tried = listFrom(db, TRIED, query);
  if (tried.length === 0) return own;
  return [...own, ...tried].sort((a, b) => (textOf(a, "id") < textOf(b, "id") ? 1 : -1)).slice(0, query.limit);
}

function listFrom(db: Connection, { from, id, account }: Source, query: ExchangeQuery): SqlRow[] {
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  const require = (condition: string, ...bound: SqlValue[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (query.accountId !== undefined) require(`${account} = ?`, query.accountId);
  if (query.before !== undefined) require(`${id} < ?`, query.before);
  if (query.keyId !== undefined) require("key_id = ?", query.keyId);
  // Word for word the condition of the partial index exchange_failed, or SQLite would not use it.
  if (query.failed === true) require("(error_code IS NOT NULL OR status >= 400)");
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  return db.all(`SELECT ${EXCHANGE_COLUMNS} FROM ${from} ${where} ORDER BY ${id} DESC LIMIT ?`, ...values, query.limit);
}

/** A record that cannot be read back is passed over: history must not stand in the way of serving. */
function readRecord(row: SqlRow, log: Log): Exchange | null {
  try {
    const exchange = unpackExchange(row);
    if (exchange !== null) return exchange;
  } catch {
    // Not JSON; told below with the records that are JSON of another thing.
  }
  log.warn("exchange.record_dropped", { exchange_id: row.id });
  return null;
}
