/**
 * The wrapped data key in SQL, and the keys of guards that are to be taken away: those that guarded it before, and those that were made
 * for a change which never came about. Sees wrapped bytes and fingerprints, never a key.
 */
import { AppError } from "../base/errors.ts";
import type { Connection, SqlRow } from "./database.ts";
import { GUARD_KINDS, type GuardKind } from "./key-guard.ts";
import { bytesOf, numberOf, textOf, wholeMs } from "./row.ts";
import type { WrappedKey } from "./seal.ts";

export interface SpareKey {
  readonly guard: GuardKind;
  readonly fingerprint: string;
}

export function readWrappedKey(db: Connection): WrappedKey | null {
  const row = db.first("SELECT * FROM data_key ORDER BY id DESC LIMIT 1");
  if (row === null) return null;
  return {
    id: numberOf(row, "id"),
    guard: guardOf(row),
    fingerprint: textOf(row, "fingerprint"),
    recipe: textOf(row, "recipe"),
    wrapped: bytesOf(row, "wrapped"),
    createdAtMs: numberOf(row, "created_at_ms"),
    guardedAtMs: numberOf(row, "guarded_at_ms"),
  };
}

/** Takes the place of every other one. Call it in one transaction with whatever follows from it. */
export function replaceWrappedKey(db: Connection, key: WrappedKey): void {
  db.run("DELETE FROM data_key");
  db.run(
    `INSERT INTO data_key (id, guard, fingerprint, recipe, wrapped, created_at_ms, guarded_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    key.id,
    key.guard,
    key.fingerprint,
    key.recipe,
    key.wrapped,
    wholeMs(key.createdAtMs),
    wholeMs(key.guardedAtMs),
  );
}

export function readSpareKeys(db: Connection): SpareKey[] {
  return db
    .all("SELECT guard, fingerprint FROM spare_key ORDER BY fingerprint")
    .map((row) => ({ guard: guardOf(row), fingerprint: textOf(row, "fingerprint") }));
}

export function insertSpareKey(db: Connection, { guard, fingerprint }: SpareKey): void {
  db.run("INSERT OR IGNORE INTO spare_key (guard, fingerprint) VALUES (?, ?)", guard, fingerprint);
}

export function deleteSpareKey(db: Connection, { guard, fingerprint }: SpareKey): void {
  db.run("DELETE FROM spare_key WHERE guard = ? AND fingerprint = ?", guard, fingerprint);
}

function guardOf(row: SqlRow): GuardKind {
  const name = textOf(row, "guard");
  const guard = GUARD_KINDS.find((kind) => kind === name);
  if (guard === undefined)
    throw new AppError("store_damaged", `the data key is guarded by "${name}", which is nothing`);
  return guard;
}
