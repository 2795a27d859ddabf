/**
 * Records packed together: JSON under zstd, one value for as many as were written at once. What records of one time have in common is most
 * of each, so that together they take a tenth of the bytes, and bytes and rows are what writing costs: every record is written once, copied
 * from the log once, and seldom read. Knows nothing of what a record is.
 */
import { AppError } from "../base/errors.ts";
import type { Connection } from "./database.ts";
import { textOf } from "./row.ts";

/** What is written at once is kept in values of at most so many records: one of them is unpacked within two milliseconds. */
const RECORDS_AT_MOST = 512;
/** Level 1 packs as small as 3 does here and costs the least. */
const LEVEL = { level: 1 };

interface Packable {
  readonly id: string;
}

/** Some records as one value, and what stands beside it in its row. */
export interface Pack<T> {
  readonly records: readonly T[];
  readonly firstId: string;
  readonly lastId: string;
  readonly packed: Uint8Array;
}

export function pack<T extends Packable>(batch: readonly T[]): Pack<T>[] {
  if (batch.length === 0) return [];
  if (batch.length <= RECORDS_AT_MOST) return [packOne(batch)];
  // In their order, so that each value holds a short time.
  const sorted = batch.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const parts: Pack<T>[] = [];
  for (let at = 0; at < sorted.length; at += RECORDS_AT_MOST)
    parts.push(packOne(sorted.slice(at, at + RECORDS_AT_MOST)));
  return parts;
}

function packOne<T extends Packable>(records: readonly T[]): Pack<T> {
  let [firstId, lastId] = [records[0]!.id, records[0]!.id];
  for (const { id } of records) {
    if (id < firstId) firstId = id;
    if (id > lastId) lastId = id;
  }
  return { records, firstId, lastId, packed: Bun.zstdCompressSync(JSON.stringify(records), LEVEL) };
}

/** Throws `store_damaged` for what is no packed list of records with ids. */
export function unpack<T extends Packable>(packed: unknown): T[] {
  try {
    const records: unknown = JSON.parse(new TextDecoder().decode(Bun.zstdDecompressSync(packed as Uint8Array)));
    if (Array.isArray(records) && records.every((record) => typeof record?.id === "string")) return records;
  } catch (cause) {
    throw new AppError("store_damaged", "packed records cannot be unpacked", { cause });
  }
  throw new AppError("store_damaged", "what was packed is no list of records");
}

/** Tables of packed records. Each has `first_id`, `last_id` (together the key), `packed`. */
type PackedTable = "exchange_batch" | "ledger_batch";

/**
 * Where records with some of these ids may lie, the oldest first. A record is written at its end and named at its beginning, so that values
 * reach into each other's time.
 */
export function packsAround(db: Connection, table: PackedTable, ids: readonly string[]): PackKey[] {
  const sorted = ids.toSorted();
  if (sorted.length === 0) return [];
  const rows = db.all(
    `SELECT last_id, first_id FROM ${table} WHERE last_id >= ? AND first_id <= ? ORDER BY last_id, first_id`,
    sorted[0]!,
    sorted.at(-1)!,
  );
  const keys = rows.map((row) => ({ firstId: textOf(row, "first_id"), lastId: textOf(row, "last_id") }));
  return keys.filter(({ firstId, lastId }) => {
    const next = sorted[lowerBound(sorted, firstId)];
    return next !== undefined && next <= lastId;
  });
}

export interface PackKey {
  readonly firstId: string;
  readonly lastId: string;
}

/** null when it was removed meanwhile. */
export function readPack(db: Connection, table: PackedTable, { firstId, lastId }: PackKey): unknown {
  return db.first(`SELECT packed FROM ${table} WHERE last_id = ? AND first_id = ?`, lastId, firstId)?.packed ?? null;
}

/** The place of the first that is not below `least`. */
function lowerBound(sorted: readonly string[], least: string): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! < least) from = middle + 1;
    else to = middle;
  }
  return from;
}
