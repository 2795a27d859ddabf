/** Every table of the schema has its part in backups and restores said: a table that is forgotten would be lost without a word. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrations.ts";
import { ALL_TABLES, DERIVED_TABLES, HISTORY_TABLES, PASSING_TABLES, VITAL_TABLES } from "../../src/store/tables.ts";

function withSchema<T>(look: (db: ReturnType<typeof openDatabase>) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "rotor-tables-"));
  const db = openDatabase(join(folder, "rotor.db"));
  try {
    migrate(db.durable, db.path);
    return look(db);
  } finally {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the list names the tables of the schema, each once", () => {
  const inSchema = withSchema((db) =>
    db.durable.all("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"),
  ).map(({ name }) => String(name));
  expect(ALL_TABLES.toSorted()).toEqual(inSchema.toSorted());
  expect(VITAL_TABLES.length + HISTORY_TABLES.length + DERIVED_TABLES.length + PASSING_TABLES.length).toBe(
    ALL_TABLES.length,
  );
});

test("what others belong to comes first, and history that goes with an account says so", () => {
  withSchema((db) => {
    for (const [place, table] of ALL_TABLES.entries()) {
      for (const key of db.durable.all(`PRAGMA foreign_key_list('${table}')`)) {
        expect(ALL_TABLES.slice(0, place)).toContain(String(key.table));
        const history = HISTORY_TABLES.find(({ name }) => name === table);
        if (history && key.table === "account") expect(history.owner).toBe(String(key.from));
      }
    }
  });
});
