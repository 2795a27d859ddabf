/** Sums that are derived of others say the same whether they grew row by row or were made anew. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { openDatabase } from "../../src/store/database.ts";
import { allTurns, appendLedger } from "../../src/store/ledger-table.ts";
import { migrate } from "../../src/store/migrations.ts";
import { DERIVED_TABLES } from "../../src/store/tables.ts";
import { deriveSums } from "../../src/store/usage-sums.ts";
import { ledgerRowArb } from "../contract/ledger.suite.ts";

test("made anew, they are what they were", () => {
  const folder = mkdtempSync(join(tmpdir(), "rotor-sums-"));
  const { durable: db, path, close } = openDatabase(join(folder, "rotor.db"));
  const whole = () => DERIVED_TABLES.map((table) => db.all(`SELECT * FROM ${table}`));
  try {
    migrate(db, path);
    fc.assert(
      fc.property(fc.array(ledgerRowArb, { minLength: 1, maxLength: 30 }), (rows) => {
        appendLedger(db, rows, { rowsSinceMs: 0, sumsSinceMs: 0 });
        const grown = whole();
        expect(
          grown.every((table) => table.length > 0 || rows.every(({ conversation }) => conversation === null)),
        ).toBe(true);
        deriveSums(db, allTurns(db));
        expect(whole()).toEqual(grown);
      }),
      { numRuns: 30 },
    );
  } finally {
    close();
    rmSync(folder, { recursive: true, force: true });
  }
});
