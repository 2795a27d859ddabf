/** What an exchange leaves in the ledger, and what a move says of its cache. */
import { describe, expect, test } from "bun:test";
import type { Usage } from "../../src/domain/outcome.ts";
import type { ExchangeAnswer } from "../../src/pool/engine.ts";
import { anAccount } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { createPoolRoom, USAGE } from "../support/pool-room.ts";

const EVER = { sinceMs: 0, untilMs: T0 + 3_600_000 } as const;
const idOf = (answer: ExchangeAnswer) => answer.exchangeId;

describe("the ledger", () => {
  test("a turn leaves its tokens, its cost and what it was for, once", async () => {
    const room = await createPoolRoom();
    await room.engine.prices.set("gpt-5.5", { input: 2, cachedInput: 1, output: 3 });
    const answer = await room.ask({ keyId: "K", project: "site", effort: "low", tier: "priority" });
    await room.clock.advance(0);
    const { buckets } = await room.engine.ledger.query({ ...EVER, groupBy: "project" });
    const [sum, ...others] = buckets;
    expect(others).toEqual([]);
    const cost = 2 * (20 * 2 + 80 * 1 + 10 * 3);
    expect(sum).toMatchObject({ bucket: "site", totals: { requests: 1, served: 1, ...USAGE, costMicroUsd: cost } });
    const exchange = await room.engine.exchanges.get(idOf(answer));
    expect(exchange.spend).toEqual({
      project: "site",
      effort: "low",
      tier: "priority",
      costMicroUsd: cost,
      move: null,
    });
  });

  test("is written behind, and read up to what has just ended", async () => {
    const room = await createPoolRoom();
    await room.ask();
    await room.clock.advance(0);
    const sums = async () => (await room.store.queryUsage({ ...EVER, groupBy: "day" })).buckets;
    expect(await sums()).toEqual([]);
    expect((await room.engine.ledger.query({ ...EVER, groupBy: "day" })).buckets).toHaveLength(1);
    await room.ask();
    await room.clock.advance(1_000);
    expect((await sums())[0]!.totals.requests).toBe(2);
  });

  test("lists and status pages leave nothing", async () => {
    const room = await createPoolRoom();
    const answer = await room.ask({ method: "GET", stream: false, model: null });
    await room.clock.advance(0);
    expect((await room.engine.ledger.query({ ...EVER, groupBy: "day" })).buckets).toEqual([]);
    expect((await room.engine.exchanges.get(idOf(answer))).spend).toBeNull();
  });

  test("what Rotor refused is counted as a request, and used nothing", async () => {
    const room = await createPoolRoom({ accounts: [], settings: { wait_seconds: "0" } });
    await room.ask();
    const [sum] = (await room.engine.ledger.query({ ...EVER, groupBy: "account" })).buckets;
    expect(sum).toMatchObject({ bucket: "", totals: { requests: 1, served: 0, inputTokens: 0, unpriced: 0 } });
  });

  test("a store that cannot be written is an error in the log, and not of the request", async () => {
    const room = await createPoolRoom();
    room.store.appendLedger = () => Promise.reject(new Error("disk full"));
    expect((await room.ask()).kind).toBe("opened");
    await room.clock.advance(1_000);
    expect(room.logged.filter(({ event }) => event === "ledger.save_failed")).toHaveLength(1);
  });
});

describe("a move", () => {
  const usage = (cachedInputTokens: number): Usage => ({ ...USAGE, inputTokens: 1_000, cachedInputTokens });

  async function converse(cached: readonly number[], moveBefore: number, model = "gpt-5.5") {
    const accounts = [anAccount({ n: 1 }), anAccount({ n: 2 })];
    const room = await createPoolRoom({ accounts, upstream: () => "open" });
    await room.engine.prices.set("gpt-5.5", { input: 10, cachedInput: 1, output: 1 });
    let id: ExchangeAnswer["exchangeId"] | null = null;
    for (const [i, count] of cached.entries()) {
      if (i === moveBefore) {
        const served = (await room.engine.exchanges.get(id!)).servedBy!;
        await room.engine.accounts.update(served, { enabled: false, force: true });
      }
      id = idOf(await room.ask({ conversation: "thread", model }));
      room.seen.at(-1)!.finish({ kind: "served", usage: usage(count) });
      await room.clock.advance(0);
    }
    return (await room.engine.exchanges.get(id!)).spend!.move;
  }

  test("says how much cache it cost, in tokens and in money", async () => {
    expect(await converse([0, 800, 100], 2)).toMatchObject({
      fromAlias: expect.any(String),
      cachedBefore: 800,
      cachedAfter: 100,
      costMicroUsd: 700 * (10 - 1),
    });
  });

  test("without a price its cost is not known, and without a loss it is nothing", async () => {
    expect(await converse([800, 100], 1, "unheard-of")).toMatchObject({ cachedBefore: 800, costMicroUsd: null });
    expect(await converse([100, 900], 1)).toMatchObject({ cachedAfter: 900, costMicroUsd: 0 });
  });

  test("a conversation that stays has none", async () => {
    expect(await converse([0, 800, 900], 9)).toBeNull();
  });
});
