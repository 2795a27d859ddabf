/**
 * The ledger: what a row costs to write, how long a report over many takes, and what admit and settle add to a request. Prints figures and
 * asserts none. `npm run bench:ledger -- [ROWS]`, a million unless told.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createUlid, systemDice } from "../../src/base/id.ts";
import type { AccountId } from "../../src/domain/account.ts";
import type { ExchangeId } from "../../src/domain/exchange.ts";
import type { LedgerRow, UsageQuery } from "../../src/domain/ledger.ts";
import { DAY_MS } from "../../src/domain/limit.ts";
import { createBudgetDesk } from "../../src/pool/budget-desk.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { reportBeside } from "../../src/store/usage-report.ts";
import { rowLike } from "../contract/ledger.suite.ts";
import { recordingLog } from "../support/recording-log.ts";

const ROWS = Number(process.argv[2] ?? 1_000_000);
const DAYS = 90;
/** As many lines as the API answers with unless told. */
const SHOWN = 1_000;
const BATCH = 512;
const TURNS = 100_000;
const folder = mkdtempSync(join(tmpdir(), "rotor-bench-"));
const log = recordingLog([]);
const paths = { database: join(folder, "rotor.db"), keyFile: join(folder, "key") };
const store = await openSqliteStore({ paths, dice: systemDice, clock: systemClock, log });
const nowMs = systemClock.nowMs();
const since = (startMs: number) => systemClock.monotonicMs() - startMs;

/** A team: twelve projects with two models each, a key for each person, any of ten accounts; a conversation is twenty turns long. */
const CONVERSATION_TURNS = 20;
function turnAt(i: number): LedgerRow {
  const atMs = nowMs - Math.floor((1 - i / ROWS) * DAYS * DAY_MS);
  // Forty conversations go on at once.
  const talk = Math.floor(i / (40 * CONVERSATION_TURNS)) * 40 + (i % 40);
  const project = (talk * 7) % 12;
  return rowLike(atMs, {
    id: createUlid(atMs, systemDice) as ExchangeId,
    accountId: `A${(talk + Math.floor(i / 9_000)) % 10}` as AccountId,
    model: `m${(project % 4) + (i % 8 === 0 ? 1 : 0)}`,
    keyId: `K${project % 8}`,
    project: `project-${project}`,
    conversation: `c${talk}`,
  });
}

let startMs = systemClock.monotonicMs();
const startCpu = process.cpuUsage();
for (let i = 0; i < ROWS; i += BATCH) {
  const batch = Array.from({ length: Math.min(BATCH, ROWS - i) }, (_, k) => turnAt(i + k));
  await store.appendLedger(batch, { rowsSinceMs: 0, sumsSinceMs: 0 });
}
const cpu = process.cpuUsage(startCpu);
console.log(
  `${ROWS} turns over ${DAYS} days: ${((since(startMs) * 1_000) / ROWS).toFixed(1)} µs each, of which CPU ${((cpu.user + cpu.system) / ROWS).toFixed(1)}`,
);

const PERIODS = { [`${DAYS} days`]: DAYS, "30 days": 30, "7 days": 7, "1 day": 1 };
const ASKED: [string, Omit<UsageQuery, "sinceMs" | "untilMs">][] = [
  ...(["account", "model", "key", "project", "day", "hour", "conversation"] as const).map(
    (groupBy): [string, Omit<UsageQuery, "sinceMs" | "untilMs">] => [`by ${groupBy}`, { groupBy }],
  ),
  ["an account's by day", { groupBy: "day", accountId: "A3" as AccountId }],
  ["a project's by model", { groupBy: "model", project: "project-3" }],
  ["a key's by project, of one model", { groupBy: "project", keyId: "K3", model: "m3" }],
  ["an account's by conversation", { groupBy: "conversation", accountId: "A3" as AccountId }],
];
// As the worker does: on a connection of its own, opened for this report alone.
console.log(
  `| report, ms | ${Object.keys(PERIODS).join(" | ")} |\n| --- |${" --- |".repeat(Object.keys(PERIODS).length)}`,
);
for (const [name, asked] of ASKED) {
  const medians = Object.values(PERIODS).map((days) => {
    const taken = Array.from({ length: 5 }, () => {
      startMs = systemClock.monotonicMs();
      reportBeside(paths.database, { sinceMs: nowMs - days * DAY_MS, untilMs: nowMs, limit: SHOWN, ...asked });
      return since(startMs);
    });
    return taken.sort((a, b) => a - b)[2]!.toFixed(0);
  });
  console.log(`| ${name} | ${medians.join(" | ")} |`);
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
  budgets: [],
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
