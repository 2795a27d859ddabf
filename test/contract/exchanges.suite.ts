/** The part of the contract of a store that keeps exchanges; a part of store.suite.ts. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { AccountId } from "../../src/domain/account.ts";
import type { Exchange } from "../../src/domain/exchange.ts";
import { recordPlan } from "../../src/domain/plan.ts";
import { rank } from "../../src/domain/rank.ts";
import type { ExchangeQuery, Store } from "../../src/store/store.ts";
import { selectionArb } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { accountLike, credentialsLike, exchangeId, exchangeLike } from "../support/store-samples.ts";

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const count = fc.nat(1_000_000);
const instant = fc.integer({ min: T0 - 100_000, max: T0 + 100_000 });
const someId = fc.constantFrom("A", "B", "C").map((id) => id as AccountId);

const attemptArb = fc.record({
  accountId: someId,
  alias: text,
  startedAtMs: instant,
  endedAtMs: instant,
  outcome: fc.constantFrom("served" as const, "rate_limited" as const, "cut" as const),
  status: fc.option(fc.integer({ min: 100, max: 599 })),
  message: fc.option(text),
  next: fc.constantFrom("done" as const, "next" as const, "wait" as const),
});

const changeArb: fc.Arbitrary<Partial<Exchange>> = fc
  .record({
    startedAtMs: instant,
    endedAtMs: fc.option(instant),
    surface: fc.constantFrom("codex" as const, "sdk" as const),
    path: text,
    model: fc.option(text),
    mapping: fc.option(fc.record({ asked: text, sent: text, effort: fc.option(text), tier: fc.option(text) })),
    keyId: fc.option(fc.constantFrom("k1", "k2")),
    conversation: fc.option(text),
    attempts: fc.array(attemptArb, { maxLength: 4 }),
    servedBy: fc.option(someId),
    servedByAlias: fc.option(text),
    status: fc.option(fc.integer({ min: 100, max: 599 })),
    errorCode: fc.option(text),
    usage: fc.option(
      fc.record({ inputTokens: count, cachedInputTokens: count, outputTokens: count, reasoningTokens: count }),
    ),
    spend: fc.option(
      fc.record({
        project: fc.option(text),
        effort: fc.option(text),
        tier: fc.option(text),
        costMicroUsd: fc.option(count),
        move: fc.option(
          fc.record({
            fromAccountId: someId,
            fromAlias: text,
            cachedBefore: count,
            cachedAfter: count,
            costMicroUsd: fc.option(count),
          }),
        ),
      }),
    ),
    firstByteMs: fc.option(count),
    waitedMs: count,
    plan: fc.option(selectionArb.map(({ accounts, ask }) => recordPlan(rank(accounts, ask, 4)))),
  })
  .map((change) => change as unknown as Partial<Exchange>);

/** Exchanges in the order of their ends, which is not that of their beginnings, in batches of whatever size. */
const playArb = fc
  .record({
    changes: fc.array(changeArb, { minLength: 1, maxLength: 14 }),
    order: fc.infiniteStream(fc.nat(1_000)),
    cuts: fc.infiniteStream(fc.record({ size: fc.integer({ min: 1, max: 6 }), keep: fc.nat(12) })),
  })
  .map(({ changes, order, cuts }) => {
    const late = changes.map((change, n) => ({ one: exchangeLike(n + 1, change), at: n + (order.next().value % 5) }));
    const ended = late.sort((a, b) => a.at - b.at).map(({ one }) => one);
    const play: { batch: Exchange[]; keep: number }[] = [];
    while (ended.length > 0) {
      const { size, keep } = cuts.next().value;
      play.push({ batch: ended.splice(0, size), keep });
    }
    return play;
  });

const queryArb: fc.Arbitrary<ExchangeQuery> = fc.record(
  {
    limit: fc.integer({ min: 1, max: 16 }),
    before: fc.integer({ min: 1, max: 15 }).map(exchangeId),
    accountId: someId,
    keyId: fc.constantFrom("k1", "k2"),
    failed: fc.boolean(),
  },
  { requiredKeys: ["limit"] },
);

function found(all: readonly Exchange[], { limit, before, accountId, keyId, failed }: ExchangeQuery): Exchange[] {
  const isMeant = (one: Exchange) =>
    (before === undefined || one.id < before) &&
    (accountId === undefined ||
      one.servedBy === accountId ||
      one.attempts.some((attempt) => attempt.accountId === accountId)) &&
    (keyId === undefined || one.keyId === keyId) &&
    (failed !== true || one.errorCode !== null || (one.status ?? 0) >= 400);
  return all.filter(isMeant).slice(0, limit);
}

export function exchanges(store: () => Store): void {
  const ids = async (query: Parameters<Store["listExchanges"]>[0]) =>
    (await store().listExchanges(query)).map((exchange) => exchange.id);

  test("an exchange comes back whole; there is no other", async () => {
    const one = exchangeLike(1, { status: null, conversation: "ü\u0000\u{1f980}" });
    await store().appendExchanges([one, exchangeLike(3)], 100);
    expect(await store().getExchange(one.id)).toEqual(one);
    expect(await store().listExchanges({ limit: 10 })).toEqual([exchangeLike(3), one]);
    expect(await store().getExchange(exchangeId(2))).toBeNull();
  });

  test("lists are newest first, limited, and page on by id", async () => {
    await store().appendExchanges(
      [2, 4, 1, 3].map((n) => exchangeLike(n)),
      100,
    );
    expect(await ids({ limit: 3 })).toEqual([4, 3, 2].map(exchangeId));
    expect(await ids({ limit: 3, before: exchangeId(2) })).toEqual([exchangeId(1)]);
    expect(await ids({ limit: 3, before: exchangeId(1) })).toEqual([]);
  });

  test("filters by account that served or was tried, by key, by failure, and by all of them", async () => {
    const [a, b] = ["A", "B"] as [AccountId, AccountId];
    await store().appendExchanges(
      [
        exchangeLike(1, { servedBy: a, attempts: [], keyId: "k1" }),
        exchangeLike(2, { servedBy: b, tried: [a, b], keyId: "k2", status: 429 }),
        exchangeLike(3, { servedBy: null, tried: [b], keyId: "k2", status: null, errorCode: "pool_exhausted" }),
        exchangeLike(4, { servedBy: null, tried: [], keyId: null, status: 399 }),
      ],
      100,
    );
    expect(await ids({ limit: 9, accountId: a })).toEqual([2, 1].map(exchangeId));
    expect(await ids({ limit: 1, accountId: b })).toEqual([exchangeId(3)]);
    expect(await ids({ limit: 9, accountId: b, before: exchangeId(3) })).toEqual([exchangeId(2)]);
    expect(await ids({ limit: 9, keyId: "k2" })).toEqual([3, 2].map(exchangeId));
    expect(await ids({ limit: 9, failed: true })).toEqual([3, 2].map(exchangeId));
    expect(await ids({ limit: 9, failed: false })).toHaveLength(4);
    expect(await ids({ limit: 9, failed: true, keyId: "k2", accountId: a })).toEqual([exchangeId(2)]);
  });

  test("the oldest beyond `keep` are dropped, whatever the order of arrival", async () => {
    for (const n of [5, 1, 3, 4]) await store().appendExchanges([exchangeLike(n)], 3);
    expect(await ids({ limit: 9 })).toEqual([5, 4, 3].map(exchangeId));
    await store().appendExchanges([exchangeLike(2)], 3);
    expect(await ids({ limit: 9 })).toEqual([5, 4, 3].map(exchangeId));
    await store().appendExchanges([exchangeLike(6)], 1);
    expect(await ids({ limit: 9 })).toEqual([exchangeId(6)]);
    expect(await ids({ limit: 9, accountId: exchangeLike(3).servedBy! })).toEqual([exchangeId(6)]);
    await store().appendExchanges([], 0);
    expect(await ids({ limit: 9 })).toEqual([]);
  });

  test("history outlives its account", async () => {
    const account = accountLike(1);
    await store().addAccounts([{ account, credentials: credentialsLike(1) }]);
    await store().appendExchanges([exchangeLike(1, { servedBy: account.id })], 100);
    await store().removeAccount(account.id);
    expect(await ids({ limit: 9, accountId: account.id })).toEqual([exchangeId(1)]);
  });

  test("however they come, what was put in comes out whole and in order, and no more goes than may go", async () => {
    await fc.assert(
      fc.asyncProperty(playArb, fc.array(queryArb, { minLength: 3, maxLength: 3 }), async (play, queries) => {
        await store().appendExchanges([], 0);
        let before: readonly Exchange[] = [];
        for (const { batch, keep } of play) {
          await store().appendExchanges(batch, keep);
          const there = [...before, ...batch].sort((a, b) => (a.id < b.id ? 1 : -1));
          const left = await store().listExchanges({ limit: 1_000 });
          const ids = new Set(left.map(({ id }) => id));
          expect(left).toEqual(there.filter(({ id }) => ids.has(id)));
          expect(left.length).toBeGreaterThanOrEqual(Math.min(keep, there.length));
          if (keep > 0) expect(left[0]).toEqual(there[0]!);
          before = left;
        }
        for (const one of before) expect(await store().getExchange(one.id)).toEqual(one);
        for (const query of queries) expect(await store().listExchanges(query)).toEqual(found(before, query));
      }),
      { numRuns: 40 },
    );
  });
}
