/** Sums that are derived of others say the same whether they grew row by row or were made anew. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { LedgerRow } from "../../src/domain/ledger.ts";
import { type Connection, openDatabase } from "../../src/store/database.ts";
import { allTurns, appendLedger } from "../../src/store/ledger-table.ts";
import { migrate } from "../../src/store/migrations.ts";
import { DERIVED_TABLES } from "../../src/store/tables.ts";
import { deriveSums } from "../../src/store/usage-sums.ts";
import { ledgerRowArb } from "../contract/ledger.suite.ts";

test("made anew, they are what they were", () => {
  withStore((db) => {
    const whole = () => DERIVED_TABLES.map((table) => db.all(`SELECT * FROM ${table}`));
    fc.assert(
      fc.property(fc.array(ledgerRowArb, { minLength: 1, maxLength: 30 }), (rows) => {
        appendLedger(db, rows, EVER);
        const grown = whole();
        expect(
          grown.every((table) => table.length > 0 || rows.every(({ conversation }) => conversation === null)),
        ).toBe(true);
        deriveSums(db, allTurns(db));
        expect(whole()).toEqual(grown);
      }),
      { numRuns: 30 },
    );
  });
});

test("turns that two stores have packed differently are met once", () => {
  fc.assert(
    fc.property(fc.array(ledgerRowArb, { minLength: 1, maxLength: 30 }), fc.nat(30), (rows, cut) => {
      withStore((db) => {
        appendLedger(db, rows, EVER);
        db.script("CREATE TEMP TABLE theirs AS SELECT * FROM ledger_batch; DELETE FROM ledger_batch");
        appendLedger(db, rows.slice(0, cut), EVER);
        appendLedger(db, rows.slice(cut), EVER);
        // As a restore adds up history.
        db.run("INSERT OR IGNORE INTO ledger_batch SELECT * FROM theirs");
        const met = [...allTurns(db)].flat();
        const byId = (a: LedgerRow, b: LedgerRow) => (a.id < b.id ? -1 : 1);
        expect(met.toSorted(byId)).toEqual(rows.toSorted(byId));
      });
    }),
    { numRuns: 20 },
  );
});

const EVER = { rowsSinceMs: 0, sumsSinceMs: 0 };

function withStore(work: (db: Connection) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "rotor-sums-"));
  const { durable, path, close } = openDatabase(join(folder, "rotor.db"));
  try {
    migrate(durable, path);
    work(durable);
  } finally {
    close();
    rmSync(folder, { recursive: true, force: true });
  }
}
