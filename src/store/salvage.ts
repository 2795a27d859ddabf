/**
 * What can still be read of a broken store, as a store of its own: row by row from both ends of each table, as far as the damage. A login
 * counts only when its seal opens, so nothing half-read is ever taken for one. Works on a copy; the broken file is not touched.
 */
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { fromUnknown } from "../base/errors.ts";
import type { AccountId } from "../domain/account.ts";
import { type Connection, openAside, openBeside, type SqlRow, type SqlValue } from "./database.ts";
import { migrate, schemaVersion } from "./migrations.ts";
import { bytesOf, textOf } from "./row.ts";
import type { Seal } from "./seal.ts";
import { ALL_TABLES, DERIVED_TABLES, PASSING_TABLES, VITAL_TABLES } from "./tables.ts";

export interface Salvage {
  /** Everything that serving needs was read, and every login opens. */
  readonly whole: boolean;
  readonly accountCount: number;
}

/** The data key is the caller's business. */
const TABLES = ALL_TABLES.filter(
  (table) => table !== "data_key" && !PASSING_TABLES.includes(table) && !DERIVED_TABLES.includes(table),
);

export function salvageStore(path: string, target: string, seal: Seal): Salvage {
  const copy = `${target}.copy`;
  const remove = () => {
    for (const end of ["", "-wal", "-shm"]) rmSync(copy + end, { force: true });
  };
  remove();
  for (const end of ["", "-wal"]) if (existsSync(path + end)) copyFileSync(path + end, copy + end);
  const db = openAside(target);
  try {
    migrate(db, target);
    const read = readTables(copy, schemaVersion(db));
    let whole = read !== null;
    db.transaction(() => {
      for (const table of TABLES) {
        const found = read?.get(table);
        const vital = VITAL_TABLES.includes(table);
        if (vital && !found?.whole) whole = false;
        for (const row of found?.rows ?? []) if (!insert(db, table, row, seal) && vital) whole = false;
      }
      // An account without its login is of no use, and a broken one would stand in the way of the backup's.
      const bare = db.run("DELETE FROM account WHERE id NOT IN (SELECT account_id FROM credential)");
      if (bare > 0) whole = false;
    });
    return { whole, accountCount: Number(db.first("SELECT count(*) AS count FROM account")?.count ?? 0) };
  } finally {
    db.close();
    remove();
  }
}

type Found = ReadonlyMap<string, { readonly rows: readonly SqlRow[]; readonly whole: boolean }>;

/** null when it does not even open, or is of another schema: then its columns would be guesses. */
function readTables(path: string, version: number): Found | null {
  let db: Connection | null = null;
  try {
    db = openBeside(path);
    if (schemaVersion(db) !== version) return null;
    return new Map(TABLES.map((table) => [table, readTable(db!, table)]));
  } catch (thrown) {
    if (isDamage(thrown)) return null;
    throw thrown;
  } finally {
    db?.close();
  }
}

function readTable(db: Connection, table: string): { rows: SqlRow[]; whole: boolean } {
  try {
    const verdict = db.all(`PRAGMA quick_check('${table}')`).map((row) => String(Object.values(row)[0]));
    // A broken index may hide rows: without one, SQLite walks the table itself.
    return { rows: db.all(`SELECT * FROM ${table} NOT INDEXED`), whole: verdict.join() === "ok" };
  } catch (thrown) {
    if (!isDamage(thrown)) throw thrown;
  }
  // History may be long, and the backup has most of it.
  if (!VITAL_TABLES.includes(table)) return { rows: [], whole: false };
  const rows = new Map<string, SqlRow>();
  for (const direction of ["ASC", "DESC"]) {
    for (const row of readUntilDamage(db, `SELECT * FROM ${table} NOT INDEXED ORDER BY rowid ${direction}`))
      rows.set(JSON.stringify(Object.values(row)), row);
  }
  return { rows: [...rows.values()], whole: false };
}

function* readUntilDamage(db: Connection, sql: string): Generator<SqlRow> {
  for (let offset = 0; ; offset++) {
    let row: SqlRow | null;
    try {
      row = db.first(`${sql} LIMIT 1 OFFSET ?`, offset);
    } catch (thrown) {
      if (isDamage(thrown)) return;
      throw thrown;
    }
    if (row === null) return;
    yield row;
  }
}

/** Any word of SQLite about a file that is known to be broken is about that. */
function isDamage(thrown: unknown): boolean {
  const { code } = fromUnknown(thrown);
  return code === "store_damaged" || code === "internal" || code === "start_failed";
}

/** False for a row that breaks a rule of the schema, or a login that does not open. */
function insert(db: Connection, table: string, row: SqlRow, seal: Seal): boolean {
  const columns = Object.keys(row);
  const marks = columns.map(() => "?").join(", ");
  try {
    if (table === "credential") seal.open(textOf(row, "account_id") as AccountId, bytesOf(row, "envelope"));
    const values = Object.values(row) as SqlValue[];
    return db.run(`INSERT OR IGNORE INTO ${table} (${columns.join(", ")}) VALUES (${marks})`, ...values) === 1;
  } catch {
    return false;
  }
}
