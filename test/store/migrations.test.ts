/** The schema's steps: frozen, whole or not at all, and the same end from every beginning. */

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../src/base/errors.ts";
import { sha256Hex } from "../../src/base/id.ts";
import { openDatabase, type StoreDatabase } from "../../src/store/database.ts";
import { MIGRATIONS, migrate, schemaVersion } from "../../src/store/migrations.ts";

/** One digest a released step. A step whose digest changed must be put back; what it should have done is a new step. */
const FROZEN = ["da5fe41da8ba60d5"];

let folder: string;
let db: StoreDatabase;
const path = () => join(folder, "rotor.db");
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotor-migrations-"));
  db = openDatabase(path());
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const schemaOf = (database: StoreDatabase) =>
  database.durable.all("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    return thrown instanceof AppError ? thrown.code : String(thrown);
  }
  return "none";
}

test("released steps never change", () => {
  expect(MIGRATIONS.map(({ sql }) => sha256Hex(sql).slice(0, 16))).toEqual(FROZEN);
});

test("from every earlier version the same schema is reached, and its rows are kept", () => {
  migrate(db.durable, path());
  const newest = schemaOf(db);
  expect(newest.length).toBeGreaterThan(8);
  for (let from = 0; from < MIGRATIONS.length; from++) {
    const older = openDatabase(join(folder, `from-${from}.db`));
    migrate(older.durable, older.path, MIGRATIONS.slice(0, from));
    if (from > 0) older.durable.run("INSERT INTO setting (key, value) VALUES ('wait_seconds', '7')");
    migrate(older.durable, older.path);
    expect(schemaVersion(older.durable)).toBe(MIGRATIONS.length);
    expect(schemaOf(older)).toEqual(newest);
    if (from > 0) expect(older.durable.first("SELECT value FROM setting")).toEqual({ value: "7" });
    older.close();
  }
});

test("steps that were taken are not taken again", () => {
  expect(migrate(db.durable, path())).toHaveLength(MIGRATIONS.length);
  expect(migrate(db.durable, path())).toEqual([]);
});

test("a step added later runs alone, over what is there", () => {
  migrate(db.durable, path());
  db.durable.run("INSERT INTO setting (key, value) VALUES ('wait_seconds', '7')");
  const later = { name: "a later step", sql: "ALTER TABLE setting ADD COLUMN note TEXT NOT NULL DEFAULT 'none'" };
  expect(migrate(db.durable, path(), [...MIGRATIONS, later])).toEqual(["a later step"]);
  expect(schemaVersion(db.durable)).toBe(MIGRATIONS.length + 1);
  expect(db.durable.first("SELECT * FROM setting")).toEqual({ key: "wait_seconds", value: "7", note: "none" });
});

test("a step that fails leaves no trace, nor do the steps before it: the older rotor can go on", () => {
  const good = { name: "good", sql: "CREATE TABLE one (a) STRICT".replace(" STRICT", "") };
  const bad = { name: "bad", sql: "CREATE TABLE two (a); INSERT INTO nowhere VALUES (1)" };
  expect(() => migrate(db.durable, path(), [good, bad])).toThrow("nowhere");
  expect(schemaVersion(db.durable)).toBe(0);
  expect(schemaOf(db)).toEqual([]);
});

test("a file of a newer rotor is left alone", () => {
  migrate(db.durable, path(), [...MIGRATIONS, { name: "future", sql: "CREATE TABLE future (a)" }]);
  const before = schemaOf(db);
  expect(codeOf(() => migrate(db.durable, path()))).toBe("store_newer");
  expect(schemaOf(db)).toEqual(before);
});

test("a database of another program is left alone", () => {
  const file = join(folder, "other.db");
  const foreign = new Database(file, { create: true });
  foreign.run("CREATE TABLE theirs (a)");
  foreign.close();
  const opened = openDatabase(file);
  expect(codeOf(() => migrate(opened.durable, file))).toBe("store_damaged");
  expect(schemaOf(opened).map((row) => row.name)).toEqual(["theirs"]);
  opened.close();
});
