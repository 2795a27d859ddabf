/**
 * The ledger: what a row costs to write, how long a report over many takes, and what admit and settle add to a request. Prints figures and
 * asserts none. `node build/with-bun.mjs test/bench/ledger.ts [ROWS]`, a million unless told.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createUlid, systemDice } from "../../src/base/id.ts";
import type { AccountId } from "../../src/domain/account.ts";
import type { ExchangeId } from "../../src/domain/exchange.ts";
import { DAY_MS } from "../../src/domain/limit.ts";
import { createBudgetDesk } from "../../src/pool/budget-desk.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { rowLike } from "../contract/ledger.suite.ts";
import { recordingLog } from "../support/recording-log.ts";

const ROWS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 128;
const TURNS = 100_000;
const folder = mkdtempSync(join(tmpdir(), "rotor-bench-"));
const log = recordingLog([]);
const paths = { database: join(folder, "rotor.db"), keyFile: join(folder, "key") };
const store = await openSqliteStore({ paths, dice: systemDice, clock: systemClock, log });
const nowMs = systemClock.nowMs();
const since = (startMs: number) => systemClock.monotonicMs() - startMs;

let startMs = systemClock.monotonicMs();
for (let i = 0; i < ROWS; i += BATCH) {
  const batch = Array.from({ length: BATCH }, (_, k) => {
    const atMs = nowMs - Math.floor((1 - (i + k) / ROWS) * 90 * DAY_MS);
    const id = createUlid(atMs, systemDice) as ExchangeId;
    return rowLike(atMs, { id, accountId: `A${k % 10}` as AccountId, model: `m${k % 3}`, keyId: `K${k % 4}` });
  });
  await store.appendLedger(batch, { rowsSinceMs: 0, sumsSinceMs: 0 });
}
console.log(`${ROWS} rows, ${((since(startMs) * 1_000) / ROWS).toFixed(1)} µs a row`);
for (const groupBy of ["account", "day", "model", "account", "day", "model"] as const) {
  startMs = systemClock.monotonicMs();
  await store.queryUsage({ sinceMs: nowMs - 90 * DAY_MS, untilMs: nowMs, groupBy });
  console.log(`90 days by ${groupBy}: ${since(startMs).toFixed(1)} ms`);
}
const desk = await createBudgetDesk({
  stored: [
    {
      name: "all",
      scope: { kind: "all" },
      limit: { measure: "requests", amount: 1e12, period: "day" },
      warnPercent: 80,
      createdAtMs: 0,
    },
  ],
  keyOf: () => null,
  prices: { costOf: () => 5 },
  store,
  clock: systemClock,
  audit: { say() {}, own() {}, actor: () => ({ kind: "rotor" }) as never, as: (_, work) => work() },
  log,
});
const ask = {
  keyId: "K1",
  project: "p",
  model: "m",
  effort: null,
  tier: null,
  body: new Uint8Array(10),
  plainBody: null,
};
for (let round = 0; round < 3; round++) {
  startMs = systemClock.monotonicMs();
  for (let i = 0; i < TURNS; i++) desk.settle(desk.admit(ask, nowMs), { requests: 1, tokens: 5, costMicroUsd: 1 });
  console.log(`admit and settle: ${((since(startMs) * 1_000) / TURNS).toFixed(2)} µs`);
}
await store.close();
rmSync(folder, { recursive: true });
