/** The part of the contract of a store that keeps what was used and what may be used; a part of store.suite.ts. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createUlid } from "../../src/base/id.ts";
import type { AccountId } from "../../src/domain/account.ts";
import type { Budget } from "../../src/domain/budget.ts";
import type { ExchangeId } from "../../src/domain/exchange.ts";
import {
  addUsage,
  type LedgerRow,
  NO_USAGE,
  totalsOf,
  type UsageQuery,
  type UsageReport,
} from "../../src/domain/ledger.ts";
import { DAY_MS, HOUR_MS } from "../../src/domain/limit.ts";
import type { Store } from "../../src/store/store.ts";
import { T0 } from "../support/manual-clock.ts";
import { seededDice } from "../support/pool-room.ts";
import { accountLike, keyLike } from "../support/store-samples.ts";
import { reportOf } from "../support/usage-report.ts";
import { expectCode } from "./store.suite.ts";

const dice = seededDice(7);
const START = T0 - (T0 % DAY_MS);
const EVER = { rowsSinceMs: 0, sumsSinceMs: 0 };

export function rowLike(atMs: number, change: Partial<LedgerRow> = {}): LedgerRow {
  return {
    id: createUlid(atMs, dice) as ExchangeId,
    atMs,
    accountId: accountLike(1).id,
    model: "some-model",
    keyId: "KEY0000001",
    project: null,
    conversation: null,
    surface: "codex",
    effort: null,
    tier: null,
    budgets: [],
    status: 200,
    errorCode: null,
    isServed: true,
    inputTokens: 100,
    cachedInputTokens: 60,
    outputTokens: 10,
    reasoningTokens: 4,
    costMicroUsd: 1_000,
    latencyMs: 2_000,
    firstByteMs: 500,
    ...change,
  };
}

const budgetLike = (name: string, change: Partial<Budget> = {}): Budget => ({
  name,
  scope: { kind: "all" },
  limit: { measure: "cost", amount: 20_000_000, period: "week" },
  warnPercent: null,
  createdAtMs: T0,
  ...change,
});

/** Over three days, and at the edges of hours and days more often than chance would have it. */
const instantArb = fc.oneof(
  fc.integer({ min: START, max: START + 3 * DAY_MS }),
  fc.record({ hour: fc.integer({ min: 0, max: 72 }), by: fc.constantFrom(-1, 0, 1) }).map(({ hour, by }) => {
    return Math.max(START, START + hour * HOUR_MS + by);
  }),
);
const [someAccounts, someModels, someKeys] = [["A", "B"] as AccountId[], ["m1", "m2"], ["K1", "K2"]];

export const ledgerRowArb: fc.Arbitrary<LedgerRow> = fc
  .record({
    atMs: instantArb,
    accountId: fc.constantFrom(null, ...someAccounts),
    model: fc.constantFrom(null, ...someModels),
    keyId: fc.constantFrom(null, ...someKeys),
    project: fc.constantFrom(null, "p"),
    conversation: fc.constantFrom(null, "c1", "c2"),
    isServed: fc.boolean(),
    inputTokens: fc.nat(1_000),
    costMicroUsd: fc.option(fc.nat(1_000)),
    firstByteMs: fc.option(fc.nat(1_000)),
  })
  .map(({ atMs, ...change }) => rowLike(atMs, change));

const queryArb: fc.Arbitrary<Omit<UsageQuery, "groupBy">> = fc
  .record({
    limit: fc.option(fc.constantFrom(1, 2), { freq: 2, nil: undefined }),
    ends: fc.tuple(instantArb, instantArb),
    accountId: fc.option(fc.constantFrom(...someAccounts), { freq: 3, nil: undefined }),
    model: fc.option(fc.constantFrom(...someModels), { freq: 3, nil: undefined }),
    keyId: fc.option(fc.constantFrom(...someKeys), { freq: 2, nil: undefined }),
    project: fc.option(fc.constant("p"), { freq: 2, nil: undefined }),
  })
  .map(({ ends, ...asked }) => ({ sinceMs: Math.min(...ends), untilMs: Math.max(...ends), ...definedOf(asked) }));

function definedOf<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** The answer by its definition: row by row, without any sum that somebody keeps. */
function summedUp(rows: readonly LedgerRow[], query: UsageQuery): UsageReport {
  const sinceMs = Math.floor(query.sinceMs / HOUR_MS) * HOUR_MS;
  const untilMs = Math.ceil(query.untilMs / HOUR_MS) * HOUR_MS;
  const bucketOf = (row: LedgerRow) =>
    ({
      account: row.accountId ?? "",
      model: row.model ?? "",
      key: row.keyId ?? "",
      project: row.project ?? "",
      conversation: row.conversation ?? "",
      hour: String(row.atMs - (row.atMs % HOUR_MS)),
      day: String(row.atMs - (row.atMs % DAY_MS)),
    })[query.groupBy];
  const meant = rows.filter(
    (row) =>
      row.atMs >= sinceMs &&
      row.atMs < untilMs &&
      (query.groupBy !== "conversation" || row.conversation !== null) &&
      (query.accountId === undefined || row.accountId === query.accountId) &&
      (query.model === undefined || row.model === query.model) &&
      (query.keyId === undefined || row.keyId === query.keyId) &&
      (query.project === undefined || row.project === query.project),
  );
  const found = [...Map.groupBy(meant, bucketOf)].map(([bucket, group]) => {
    return { bucket, totals: group.map(totalsOf).reduce(addUsage, NO_USAGE) };
  });
  return reportOf(found, query);
}

export function ledger(store: () => Store): void {
  const ask = async (change: Partial<UsageQuery> = {}) => {
    const { buckets } = await store().queryUsage({
      sinceMs: START,
      untilMs: START + 10 * DAY_MS,
      groupBy: "model",
      ...change,
    });
    return buckets.toSorted((a, b) => (a.bucket < b.bucket ? -1 : 1));
  };
  const add = (...rows: LedgerRow[]) => store().appendLedger(rows, EVER);
  const adopt = (...rows: LedgerRow[]) => store().adoptTurns(rows, EVER);

  describe("the ledger", () => {
    test("says which turns it has, in whatever batches they came", async () => {
      const rows = Array.from({ length: 24 }, (_, n) => rowLike(START + (n % 7) * 5 * HOUR_MS));
      const gone = Array.from({ length: 24 }, (_, n) => rowLike(START + (n % 5) * 7 * HOUR_MS));
      for (const at of [0, 1, 9, 15]) await add(...rows.slice(at, { 0: 1, 1: 9, 9: 15 }[at] ?? 24));
      const ids = rows.map(({ id }) => id);
      expect(await store().knownTurns([...gone.map(({ id }) => id), ...ids])).toEqual(new Set(ids));
      expect(await store().knownTurns([gone[3]!.id])).toEqual(new Set());
      expect(await store().knownTurns([])).toEqual(new Set());
    });

    test("rows are summed up by whatever is asked for", async () => {
      const [a, b] = [accountLike(1).id, accountLike(2).id];
      await add(
        rowLike(START, { project: "site", conversation: "c1" }),
        rowLike(START + HOUR_MS, { accountId: b, model: "other", conversation: "c1" }),
        rowLike(START + DAY_MS, { accountId: null, isServed: false, keyId: null, firstByteMs: null }),
      );
      const sums = async (change: Partial<UsageQuery>) =>
        (await ask(change)).map(({ bucket, totals }) => [bucket, totals.requests, totals.served]);
      expect(await sums({ groupBy: "model" })).toEqual([
        ["other", 1, 1],
        ["some-model", 2, 1],
      ]);
      expect(await sums({ groupBy: "account" })).toEqual([
        ["", 1, 0],
        [a, 1, 1],
        [b, 1, 1],
      ]);
      expect(await sums({ groupBy: "project" })).toEqual([
        ["", 2, 1],
        ["site", 1, 1],
      ]);
      expect(await sums({ groupBy: "key" })).toEqual([
        ["", 1, 0],
        ["KEY0000001", 2, 2],
      ]);
      expect(await sums({ groupBy: "conversation" })).toEqual([["c1", 2, 2]]);
      expect(await sums({ groupBy: "hour" })).toHaveLength(3);
      expect(await sums({ groupBy: "day" })).toEqual([
        [String(START), 2, 2],
        [String(START + DAY_MS), 1, 0],
      ]);
      expect(await sums({ groupBy: "day", accountId: b })).toEqual([[String(START), 1, 1]]);
      expect(await sums({ project: "site" })).toEqual([["some-model", 1, 1]]);
      expect(await sums({ groupBy: "conversation", model: "other" })).toEqual([["c1", 1, 1]]);
    });

    test("begin and end are whole hours; the end is not in it", async () => {
      await add(rowLike(START + HOUR_MS), rowLike(START + 2 * HOUR_MS));
      const count = async (sinceMs: number, untilMs: number) =>
        (await ask({ sinceMs, untilMs })).reduce((sum, { totals }) => sum + totals.requests, 0);
      expect(await count(START + HOUR_MS + 5, START + 2 * HOUR_MS)).toBe(1);
      expect(await count(START + HOUR_MS + 5, START + 2 * HOUR_MS + 1)).toBe(2);
      expect(await count(START, START + HOUR_MS)).toBe(0);
    });

    test("a turn that was counted elsewhere and is here already counts no second time", async () => {
      const row = rowLike(START);
      await adopt(row, row);
      await adopt(row);
      expect((await ask())[0]!.totals).toEqual(totalsOf(row));
      expect((await ask({ groupBy: "hour" }))[0]!.totals.requests).toBe(1);
    });

    test("a cost that is not known is counted as missing, and a refusal without tokens is not", async () => {
      await add(
        rowLike(START, { costMicroUsd: null }),
        rowLike(START, { costMicroUsd: null, inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, isServed: false }),
      );
      expect((await ask())[0]!.totals).toMatchObject({ requests: 2, unpriced: 1, costMicroUsd: 0 });
    });

    test("sums stay when their rows grow old, and go in their turn", async () => {
      await add(rowLike(START, { conversation: "old" }));
      const kept = { rowsSinceMs: START + DAY_MS, sumsSinceMs: START };
      await store().appendLedger([rowLike(START + 2 * DAY_MS, { conversation: "new" })], kept);
      expect((await ask({ groupBy: "conversation" })).map(({ bucket }) => bucket)).toEqual(["new"]);
      expect((await ask())[0]!.totals.requests).toBe(2);
      await store().appendLedger([], { rowsSinceMs: START, sumsSinceMs: START + 2 * DAY_MS });
      expect((await ask())[0]!.totals.requests).toBe(1);
    });

    test("what is spent is what limits count: answered requests, by key and project", async () => {
      await add(
        rowLike(START, { costMicroUsd: 5 }),
        rowLike(START + HOUR_MS, { costMicroUsd: 7 }),
        rowLike(START + HOUR_MS, { project: "site", keyId: null }),
        rowLike(START + HOUR_MS, { isServed: false, inputTokens: 0, outputTokens: 0, costMicroUsd: null }),
      );
      const spent = async (sinceMs: number) => {
        const { turns } = await store().spentSince(sinceMs);
        return turns.toSorted((a, b) => (a.project ?? "").localeCompare(b.project ?? ""));
      };
      expect(await spent(START)).toEqual([
        { keyId: "KEY0000001", project: null, spend: { requests: 2, tokens: 220, costMicroUsd: 12 } },
        { keyId: null, project: "site", spend: { requests: 1, tokens: 110, costMicroUsd: 1_000 } },
      ]);
      expect((await spent(START + HOUR_MS))[0]!.spend).toEqual({ requests: 1, tokens: 110, costMicroUsd: 7 });
    });

    test("what counted to budgets of profiles is read back by the budget, beside what it counts to anyway", async () => {
      await add(
        rowLike(START, { budgets: ["night", "team"] }),
        rowLike(START + HOUR_MS, { budgets: ["team"], costMicroUsd: 7 }),
        rowLike(START + HOUR_MS),
      );
      const spent = async (sinceMs: number) => {
        const { budgets } = await store().spentSince(sinceMs);
        return budgets.toSorted((a, b) => a.budget.localeCompare(b.budget));
      };
      expect(await spent(START)).toEqual([
        { budget: "night", spend: { requests: 1, tokens: 110, costMicroUsd: 1_000 } },
        { budget: "team", spend: { requests: 2, tokens: 220, costMicroUsd: 1_007 } },
      ]);
      expect((await spent(START + HOUR_MS)).map(({ budget }) => budget)).toEqual(["team"]);
    });

    test("rows go by whole days, and the sums of their conversations with them", async () => {
      await add(
        rowLike(START + HOUR_MS, { conversation: "c" }),
        rowLike(START + 5 * HOUR_MS, { conversation: "c" }),
        rowLike(START + DAY_MS, { conversation: "c" }),
      );
      const turns = async () => (await ask({ groupBy: "conversation" })).map(({ totals }) => totals.requests);
      await store().appendLedger([], { rowsSinceMs: START + 3 * HOUR_MS, sumsSinceMs: 0 });
      expect(await turns()).toEqual([3]);
      await store().appendLedger([], { rowsSinceMs: START + DAY_MS, sumsSinceMs: 0 });
      expect(await turns()).toEqual([1]);
    });

    test("however rows arrive, and whatever is asked, the answer is the sum of the rows that are meant", async () => {
      const known: LedgerRow[] = [];
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(ledgerRowArb, { maxLength: 12 }), { maxLength: 4 }),
          fc.array(queryArb, { minLength: 4, maxLength: 4 }),
          async (batches, queries) => {
            for (const rows of batches) {
              known.push(...rows);
              await add(...rows);
              // Some come twice, as when the same file is imported again.
              const more = rows.slice(0, 2).map((row) => ({ ...row, id: createUlid(row.atMs, dice) as ExchangeId }));
              known.push(...more);
              await adopt(...rows.slice(0, 3), ...more, ...more);
            }
            for (const query of queries) {
              for (const groupBy of ["account", "model", "key", "project", "conversation", "hour", "day"] as const)
                expect(await store().queryUsage({ ...query, groupBy })).toEqual(summedUp(known, { ...query, groupBy }));
            }
          },
        ),
        { numRuns: 15 },
      );
    });
  });

  describe("budgets and prices", () => {
    test("come back whole, by name, and a second one of a name takes its place", async () => {
      await store().saveBudget(budgetLike("team", { warnPercent: 80 }));
      await store().saveBudget(budgetLike("ci", { scope: { kind: "key", keyId: "K" } }));
      await store().saveBudget(budgetLike("site", { scope: { kind: "project", project: "site" } }));
      await store().saveBudget(budgetLike("team", { limit: { measure: "requests", amount: 5, period: "hour" } }));
      const { budgets } = await store().loadPool();
      expect(budgets).toEqual([
        budgetLike("ci", { scope: { kind: "key", keyId: "K" } }),
        budgetLike("site", { scope: { kind: "project", project: "site" } }),
        budgetLike("team", { limit: { measure: "requests", amount: 5, period: "hour" } }),
      ]);
      await store().removeBudget("team");
      await expectCode(store().removeBudget("team"), "budget_not_found");
      expect((await store().loadPool()).budgets).toHaveLength(2);
    });

    test("a price is the last one said", async () => {
      const price = { model: "mine", input: 1.25, cachedInput: 0.125, output: 10, setAtMs: T0 };
      await store().savePrice({ ...price, input: 9 });
      await store().savePrice(price);
      expect((await store().loadPool()).prices).toEqual([price]);
      await store().removePrice("mine");
      await store().removePrice("mine");
      expect((await store().loadPool()).prices).toEqual([]);
    });

    test("a key comes back with its terms and its former secret", async () => {
      const hash = { algorithm: "sha256-text", hex: "ab".repeat(32) } as const;
      const key = keyLike(1, {
        hash,
        former: { hash: { algorithm: "sha256", hex: "cd".repeat(32) }, untilMs: T0 + 1 },
        terms: {
          models: ["gpt-5.4*"],
          efforts: ["low"],
          tiers: ["default"],
          limits: [{ measure: "tokens", amount: 10, period: "month" }],
          expiresAtMs: T0 + 5,
        },
      });
      await store().addKey(key);
      expect((await store().loadPool()).keys).toEqual([key]);
      await store().saveKey({ ...key, former: null });
      expect((await store().loadPool()).keys[0]!.former).toBeNull();
    });
  });
}
