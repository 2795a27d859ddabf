/** Reserve and settle: limits under concurrency, over periods, and after a restart. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Budget } from "../../src/domain/budget.ts";
import { type KeyTerms, NO_TERMS } from "../../src/domain/client-key.ts";
import type { Limit } from "../../src/domain/limit.ts";
import type { ExchangeAnswer, ExchangeRequest } from "../../src/pool/engine.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createPoolRoom, type PoolRoom, type RoomOptions, seededDice, USAGE } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const requests = (amount: number, period: Limit["period"] = "hour"): Limit => ({ measure: "requests", amount, period });
const budget = (name: string, limit: Limit, scope: Budget["scope"] = { kind: "all" }) => ({
  name,
  limit,
  scope,
  warnPercent: null,
});

const codeOf = (answer: ExchangeAnswer) => (answer.kind === "refused" ? answer.error.code : answer.kind);
async function codes(room: PoolRoom, count: number, change?: Partial<ExchangeRequest>): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < count; i++) {
    found.push(codeOf(await room.ask(change)));
    await room.clock.advance(0);
  }
  return found;
}

async function roomWithKey(terms: Partial<KeyTerms>, options: RoomOptions = {}) {
  const room = await createPoolRoom(options);
  const { key } = await room.engine.keys.create("ci", { ...NO_TERMS, ...terms });
  return { room, key };
}

describe("a key's terms", () => {
  test("what it may not ask for never reaches an account", async () => {
    const { room, key } = await roomWithKey({ models: ["gpt-5.4*"], efforts: ["low"] });
    expect(await codes(room, 1, { keyId: key.id })).toEqual(["key_out_of_scope"]);
    expect(await codes(room, 1, { keyId: key.id, model: "gpt-5.4", effort: "high" })).toEqual(["key_out_of_scope"]);
    expect(room.seen).toHaveLength(0);
    expect(await codes(room, 1, { keyId: key.id, model: "gpt-5.4", effort: "low" })).toEqual(["opened"]);
  });

  test("a limit refuses with its name, its use and its reset, and ends with its period", async () => {
    const { room, key } = await roomWithKey({ limits: [requests(2)] });
    expect(await codes(room, 3, { keyId: key.id })).toEqual(["opened", "opened", "key_limit_reached"]);
    const answer = await room.ask({ keyId: key.id });
    if (answer.kind !== "refused") throw new Error("it was let through");
    const endMs = T0 - (T0 % HOUR_MS) + HOUR_MS;
    expect(answer.error.retryAtMs).toBe(endMs);
    expect(answer.error.message).toContain("the key ci has reached its limit of 2 requests an hour (2 requests used)");
    expect(answer.error.message).toContain(new Date(endMs).toISOString().slice(0, 16).replace("T", " "));
    expect(room.seen).toHaveLength(2);
    await room.clock.advance(endMs - T0);
    expect(await codes(room, 1, { keyId: key.id })).toEqual(["opened"]);
  });

  test("another key's requests do not count", async () => {
    const { room, key } = await roomWithKey({ limits: [requests(1)] });
    expect(await codes(room, 3, { keyId: "other" })).toEqual(["opened", "opened", "opened"]);
    expect(await codes(room, 2, { keyId: key.id })).toEqual(["opened", "key_limit_reached"]);
  });
});

describe("a budget", () => {
  test("counts its scope alone, from what was used before it was made", async () => {
    const room = await createPoolRoom();
    await codes(room, 2, { project: "site" });
    const { budgets } = room.engine;
    await budgets.set(budget("site", requests(3), { kind: "project", project: "site" }));
    expect(budgets.list()[0]!.use).toMatchObject({ used: 2, reserved: 0 });
    expect(await codes(room, 2, { project: "site" })).toEqual(["opened", "budget_exhausted"]);
    expect(await codes(room, 2, { project: "other" })).toEqual(["opened", "opened"]);
    expect(await codes(room, 1)).toEqual(["opened"]);
    await budgets.remove("site");
    expect(await codes(room, 1, { project: "site" })).toEqual(["opened"]);
  });

  test("of profiles counts what is asked through those that name it, together, however it got there, also after a restart", async () => {
    const first = await createPoolRoom();
    const { store } = first;
    await first.engine.budgets.set(budget("night", requests(3, "day"), { kind: "profiles" }));
    const wish = { accounts: "", strategy: null, models: [], rules: [], keyIds: [], budgets: ["night"] };
    for (const name of ["late", "later"]) await first.engine.profiles.set({ ...wish, name }, false);
    await first.engine.profiles.set({ ...wish, name: "day", budgets: [] }, false);
    const project = { key: "demo-1a2b3c4d5e6f", path: "/srv/demo" };
    await first.engine.profiles.bind("later", project);
    expect(await codes(first, 2, { profile: "late" })).toEqual(["opened", "opened"]);
    expect(await codes(first, 2, { profile: "day" })).toEqual(["opened", "opened"]);
    expect(first.engine.budgets.list()[0]!.use).toMatchObject({ used: 2, reserved: 0 });
    await first.engine.close();
    const again = await createPoolRoom({ store });
    expect(again.engine.budgets.list()[0]!.use).toMatchObject({ used: 2 });
    expect(await codes(again, 2, { project: project.key })).toEqual(["opened", "budget_exhausted"]);
    expect(await codes(again, 1, { profile: "late" })).toEqual(["budget_exhausted"]);
    expect(await codes(again, 1, { profile: "day" })).toEqual(["opened"]);
    expect(await codes(again, 1)).toEqual(["opened"]);
    const refused = await again.ask({ profile: "late" });
    expect(refused.kind === "refused" && refused.error.message).toContain(
      "the budget night of this profile is used up",
    );
  });

  test("that profiles name is one for them: any other is refused there", async () => {
    const room = await createPoolRoom();
    await room.engine.budgets.set(budget("all", requests(3)));
    const wish = { name: "late", accounts: "", strategy: null, models: [], rules: [], keyIds: [] };
    const failure = (budgets: readonly string[]) =>
      room.engine.profiles.set({ ...wish, budgets }, false).catch(({ code }: { code: string }) => code);
    expect(await failure(["all"])).toBe("invalid_request");
    expect(await failure(["none"])).toBe("budget_not_found");
  });

  test("of several that are used up the one that resets last is named", async () => {
    const room = await createPoolRoom();
    await room.engine.budgets.set(budget("hourly", requests(1, "hour")));
    await room.engine.budgets.set(budget("monthly", requests(1, "month")));
    await codes(room, 1);
    const answer = await room.ask();
    expect(answer.kind === "refused" && answer.error.facts.budget).toBe("monthly");
  });

  test("of tokens and of cost counts what upstream says, and what the model's price makes of it", async () => {
    const room = await createPoolRoom();
    const tokens = USAGE.inputTokens + USAGE.outputTokens;
    await room.engine.budgets.set(budget("t", { measure: "tokens", amount: 1e9, period: "day" }));
    await room.engine.budgets.set(budget("c", { measure: "cost", amount: 1e9, period: "day" }));
    await room.engine.prices.set("gpt-5.5", { input: 10, cachedInput: 1, output: 100 });
    await codes(room, 3);
    const use = Object.fromEntries(room.engine.budgets.list().map((view) => [view.budget.name, view.use.used]));
    expect(use).toEqual({ t: 3 * tokens, c: 3 * (20 * 10 + 80 * 1 + 10 * 100) });
  });

  test("of tokens holds back an estimate, so that many at once do not pass it together", async () => {
    const room = await createPoolRoom({ upstream: () => "open" });
    await room.engine.budgets.set(budget("t", { measure: "tokens", amount: 2_500, period: "day" }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => room.ask()));
    // Each holds some thousand tokens: the third is let in by what is left, the fourth is not.
    expect(answers.filter(({ kind }) => kind === "opened")).toHaveLength(3);
    for (const attempt of room.seen) attempt.finish();
    await room.clock.advance(0);
    expect(room.engine.budgets.list()[0]!.use).toMatchObject({ used: 330, reserved: 0 });
    expect(codeOf(await room.ask())).toBe("opened");
  });

  test("warns once a period", async () => {
    const room = await createPoolRoom();
    await room.engine.budgets.set({ ...budget("t", requests(4)), warnPercent: 50 });
    const warnings = () => room.logged.filter(({ event }) => event === "budget.running_low");
    await codes(room, 1);
    expect(warnings()).toHaveLength(0);
    await codes(room, 3);
    expect(warnings().map(({ fields }) => fields.used_percent)).toEqual([50]);
    await room.clock.advance(HOUR_MS);
    await codes(room, 2);
    expect(warnings()).toHaveLength(2);
  });

  test("that nobody could mean is refused", async () => {
    const room = await createPoolRoom();
    const code = async (wanted: ReturnType<typeof budget>) =>
      room.engine.budgets.set(wanted).then(
        () => "done",
        (thrown) => thrown.code,
      );
    expect(await code(budget("Not Good", requests(1)))).toBe("bad_usage");
    expect(await code(budget("x", requests(0)))).toBe("invalid_limit");
    expect(await code(budget("x", requests(1), { kind: "key", keyId: "nobody" }))).toBe("key_not_found");
    expect(await code(budget("x", requests(1), { kind: "project", project: "a b" }))).toBe("bad_usage");
    expect(room.engine.budgets.list()).toEqual([]);
  });
});

describe("what counts", () => {
  test("a request that upstream did not answer counts for nothing", async () => {
    const { room, key } = await roomWithKey(
      { limits: [requests(1)] },
      { upstream: () => ({ kind: "request_rejected", status: 404 }) },
    );
    expect(await codes(room, 3, { keyId: key.id })).toEqual(["rejected", "rejected", "rejected"]);
    expect(room.engine.budgets.usesOf(key)[0]).toMatchObject({ used: 0, reserved: 0 });
  });

  test("a client that hangs up before the answer gives back what it held; one that hangs up later has used it", async () => {
    const { room, key } = await roomWithKey(
      { limits: [requests(1)] },
      { upstream: (_, nth) => (nth === 1 ? { kind: "client_gone" } : "open") },
    );
    expect(await codes(room, 1, { keyId: key.id })).toEqual(["client_gone"]);
    const later = new AbortController();
    const answer = await room.ask({ keyId: key.id, signal: later.signal });
    later.abort();
    await room.clock.advance(0);
    expect(answer.kind).toBe("opened");
    expect(room.engine.budgets.usesOf(key)[0]!.reserved).toBe(0);
    expect(await codes(room, 1, { keyId: key.id })).toEqual(["key_limit_reached"]);
  });

  test("lists and status pages count for nothing", async () => {
    const { room, key } = await roomWithKey({ limits: [requests(1)] });
    const status = { keyId: key.id, method: "GET", stream: false, model: null };
    expect(await codes(room, 3, status)).toEqual(["opened", "opened", "opened"]);
    expect(await codes(room, 2, { keyId: key.id })).toEqual(["opened", "key_limit_reached"]);
  });

  test("what began in one period and ends in the next counts for the one in which it began", async () => {
    const { room, key } = await roomWithKey({ limits: [requests(1)] }, { upstream: () => "open" });
    await room.ask({ keyId: key.id });
    await room.clock.advance(HOUR_MS);
    expect(codeOf(await room.ask({ keyId: key.id }))).toBe("opened");
    for (const attempt of room.seen) attempt.finish();
    await room.clock.advance(0);
    expect(room.engine.budgets.usesOf(key)[0]).toMatchObject({ used: 1, reserved: 0 });
  });

  test("after a restart the counts are those of the ledger", async () => {
    const [store, clock] = [createMemoryStore(), createManualClock()];
    const first = await createPoolRoom({ clock });
    // A room of its own store has accounts; the second one starts on what the first has written.
    const { key } = await first.engine.keys.create("ci", { ...NO_TERMS, limits: [requests(3, "day")] });
    await codes(first, 2, { keyId: key.id, project: "site" });
    await first.engine.budgets.set(budget("site", requests(2, "week"), { kind: "project", project: "site" }));
    const before = [first.engine.budgets.usesOf(key), first.engine.budgets.list()];
    await first.engine.close();
    const second = await createPoolRoom({ clock, store: first.store });
    expect([second.engine.budgets.usesOf(key), second.engine.budgets.list()]).toEqual(before);
    expect(await codes(second, 1, { keyId: key.id, project: "site" })).toEqual(["budget_exhausted"]);
    expect(await codes(second, 2, { keyId: key.id })).toEqual(["opened", "key_limit_reached"]);
    await store.close();
  });
});

test("a thousand requests at once never pass a limit of requests, and nothing stays held back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 900 }), fc.nat(1_000_000), async (amount, seed) => {
      const dice = seededDice(seed);
      const outcomes = ["open", "serve", "open", "fail"] as const;
      const { room, key } = await roomWithKey(
        { limits: [requests(amount)] },
        {
          seed,
          settings: { account_max_leases: "1000" },
          upstream: () => {
            const next = outcomes[Math.floor(dice.fraction() * 4)]!;
            return next === "fail" ? { kind: "request_rejected", status: 404 } : next;
          },
        },
      );
      await room.engine.budgets.set(budget("all", requests(amount + 50, "day")));
      const asks = Array.from({ length: 1_000 }, () => room.ask({ keyId: key.id, project: "p" }));
      const heldAtOnce = room.engine.budgets.usesOf(key)[0]!;
      expect(heldAtOnce.used + heldAtOnce.reserved).toBeLessThanOrEqual(amount);
      const answers = await Promise.all(asks);
      const opened = answers.filter(({ kind }) => kind === "opened").length;
      expect(opened).toBeLessThanOrEqual(amount);
      for (const attempt of room.seen)
        attempt.finish(dice.fraction() < 0.5 ? undefined : { kind: "cut", message: "cut" });
      await room.clock.advance(0);
      expect(room.engine.budgets.usesOf(key)[0]).toMatchObject({ used: opened, reserved: 0 });
      expect(room.engine.budgets.list()[0]!.use).toMatchObject({ used: opened, reserved: 0 });
      await room.engine.close();
      const [all] = (await room.engine.ledger.query({ sinceMs: 0, untilMs: T0 + HOUR_MS, groupBy: "key" })).buckets;
      expect(all!.totals).toMatchObject({ requests: 1_000, served: opened });
    }),
    { numRuns: 6 },
  );
}, 60_000);
