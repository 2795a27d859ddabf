/** The two connections: what each waits for, all or nothing, and SQLite's failures in Rotor's words. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../src/base/errors.ts";
import { isUniqueViolation, openDatabase, type StoreDatabase } from "../../src/store/database.ts";

let folder: string;
let db: StoreDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotor-database-"));
  db = openDatabase(join(folder, "rotor.db"));
  db.durable.script("CREATE TABLE thing (name TEXT PRIMARY KEY, size INTEGER) STRICT");
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (thrown) {
    return thrown;
  }
  return null;
}

const codeOf = (thrown: unknown) => (thrown instanceof AppError ? thrown.code : String(thrown));

test("the durable connection waits for the disk at each commit, the relaxed one at checkpoints", () => {
  const level = (connection: StoreDatabase["durable"]) => connection.first("PRAGMA synchronous")?.synchronous;
  expect([level(db.durable), level(db.relaxed)]).toEqual([2, 1]);
  for (const connection of [db.durable, db.relaxed]) {
    expect(connection.first("PRAGMA journal_mode")).toEqual({ journal_mode: "wal" });
    expect(connection.first("PRAGMA foreign_keys")).toEqual({ foreign_keys: 1 });
  }
  expect(db.durable.first("PRAGMA secure_delete")).toEqual({ secure_delete: 1 });
});

test("what one connection commits the other sees", () => {
  db.relaxed.run("INSERT INTO thing VALUES (?, ?)", "a", 1_700_000_000_123);
  expect(db.durable.all("SELECT * FROM thing")).toEqual([{ name: "a", size: 1_700_000_000_123 }]);
  expect(db.durable.run("UPDATE thing SET size = 2 WHERE name = ?", "nothing")).toBe(0);
});

test("a transaction that throws leaves nothing behind and passes its reason on", () => {
  const reason = new AppError("alias_taken", "x");
  const thrown = thrownBy(() =>
    db.durable.transaction(() => {
      db.durable.run("INSERT INTO thing VALUES ('a', 1)");
      throw reason;
    }),
  );
  expect(thrown).toBe(reason);
  expect(db.durable.all("SELECT * FROM thing")).toEqual([]);
});

test("a broken rule is left to the table to explain", () => {
  db.durable.run("INSERT INTO thing VALUES ('a', 1)");
  expect(isUniqueViolation(thrownBy(() => db.durable.run("INSERT INTO thing VALUES ('a', 2)")))).toBe(true);
  expect(isUniqueViolation(thrownBy(() => db.durable.run("INSERT INTO thing VALUES ('b', 1.5)")))).toBe(false);
});

test("a program that holds the file is told, and nothing half-done stays", () => {
  const other = new Database(db.path);
  other.run("BEGIN IMMEDIATE");
  expect(codeOf(thrownBy(() => db.durable.transaction(() => db.durable.run("DELETE FROM thing"))))).toBe("store_busy");
  other.run("ROLLBACK");
  other.close();
  db.durable.transaction(() => db.durable.run("INSERT INTO thing VALUES ('a', 1)"));
  expect(db.relaxed.all("SELECT name FROM thing")).toEqual([{ name: "a" }]);
});

test("after closing nothing works and nothing breaks", () => {
  db.close();
  db.close();
  expect(codeOf(thrownBy(() => db.durable.all("SELECT 1")))).toBe("internal");
  expect(codeOf(thrownBy(() => db.relaxed.transaction(() => 1)))).toBe("internal");
});

test("a creation that was broken off is begun anew", () => {
  const path = join(folder, "young.db");
  writeFileSync(`${path}.new`, "half a header");
  openDatabase(path).close();
  expect(readdirSync(folder).filter((name) => name.startsWith("young"))).toEqual(["young.db"]);
});
