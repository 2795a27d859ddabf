/** The scheduler, the memory of conversations, and what may be stripped from a body. */
import { describe, expect, test } from "bun:test";
import { createAffinityTable } from "../../src/pool/affinity-table.ts";
import { createScheduler } from "../../src/pool/scheduler.ts";
import { createSealMemory } from "../../src/pool/seal-memory.ts";
import { canStrip, stripForeign } from "../../src/pool/strip-foreign.ts";
import { accountId } from "../support/builders.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { createPoolRoom } from "../support/pool-room.ts";

describe("the scheduler", () => {
  test("runs each job when it is due, in order, with one timer", async () => {
    const clock = createManualClock();
    const scheduler = createScheduler(clock);
    const ran: string[] = [];
    scheduler.at("b", T0 + 200, () => ran.push("b"));
    scheduler.at("a", T0 + 100, () => ran.push("a"));
    scheduler.at("late", T0 + 900_000, () => ran.push("late"));
    await clock.advance(199);
    expect(ran).toEqual(["a"]);
    await clock.advance(1);
    expect([ran, clock.pending()]).toEqual([["a", "b"], 1]);
    await clock.advance(900_000);
    expect(ran).toEqual(["a", "b", "late"]);
  });

  test("a job under the same key replaces the one before, and a dropped one does not run", async () => {
    const clock = createManualClock();
    const scheduler = createScheduler(clock);
    const ran: number[] = [];
    scheduler.at("x", T0 + 10, () => ran.push(1));
    scheduler.at("x", T0 + 50, () => ran.push(2));
    scheduler.at("y", T0 + 20, () => ran.push(3));
    scheduler.drop("y");
    await clock.advance(100);
    expect(ran).toEqual([2]);
  });

  test("a job may plan itself anew, and a clock that jumps ahead is noticed within a minute", async () => {
    const clock = createManualClock();
    const scheduler = createScheduler(clock);
    let runs = 0;
    const again = () => {
      runs++;
      scheduler.at("x", clock.nowMs() + 3_600_000, again);
    };
    scheduler.at("x", T0 + 3_600_000, again);
    clock.jumpTo(T0 + 7_200_000);
    await clock.advance(60_000);
    expect(runs).toBe(1);
  });

  test("closed, it runs nothing any more", async () => {
    const clock = createManualClock();
    const scheduler = createScheduler(clock);
    scheduler.at("x", T0 + 1, () => expect.unreachable());
    scheduler.close();
    await clock.advance(1_000);
    expect(clock.pending()).toBe(0);
  });
});

describe("conversations", () => {
  test("are remembered until they were silent for too long", () => {
    const table = createAffinityTable();
    table.settle("a", accountId(1), T0);
    expect(table.home("a", T0 + 1_000, 1_000)).toBe(accountId(1));
    expect(table.home("a", T0 + 1_001, 1_000)).toBeNull();
  });

  test("never more than the bound, the least recently used forgotten first", () => {
    const table = createAffinityTable(3);
    for (const name of ["a", "b", "c"]) table.settle(name, accountId(1), T0);
    table.settle("a", accountId(1), T0);
    table.settle("d", accountId(1), T0);
    expect(["a", "b", "c", "d"].map((name) => table.home(name, T0, 1))).toEqual([
      accountId(1),
      null,
      accountId(1),
      accountId(1),
    ]);
  });

  test("leave an account that is gone", () => {
    const table = createAffinityTable();
    table.settle("a", accountId(1), T0);
    table.settle("b", accountId(2), T0);
    table.forget(accountId(1));
    expect([table.home("a", T0, 1), table.home("b", T0, 1)]).toEqual([null, accountId(2)]);
  });
});

describe("stripping", () => {
  const body = (input: unknown) => new TextEncoder().encode(JSON.stringify({ model: "m", input }));
  const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "theirs" };
  const message = { type: "message", role: "user", content: 'say "encrypted_content"' };

  test("takes encrypted reasoning and nothing else", () => {
    expect(JSON.parse(new TextDecoder().decode(stripForeign(body([message, reasoning, message]))!.body))).toEqual({
      model: "m",
      input: [message, message],
    });
    expect(canStrip(body([reasoning]))).toBe(true);
  });

  test("takes those that are named, and says which they were", () => {
    const other = { ...reasoning, encrypted_content: "another" };
    const all = stripForeign(body([reasoning, message, other]))!;
    expect(new Set(all.digests).size).toBe(2);
    const some = stripForeign(body([reasoning, message, other]), new Set([all.digests[1]!]))!;
    expect(JSON.parse(new TextDecoder().decode(some.body))).toEqual({ model: "m", input: [reasoning, message] });
    expect(some.digests).toEqual([all.digests[1]!]);
    expect(stripForeign(body([message, other]), new Set([all.digests[0]!]))).toBeNull();
  });

  test("what a workspace cannot read of a conversation is remembered, and bounded", () => {
    const seals = createSealMemory();
    seals.note("talk", "w-1", ["a", "b"]);
    seals.note("talk", "w-1", ["c"]);
    seals.note("talk", "w-2", []);
    expect([...seals.unreadable("talk", "w-1")!]).toEqual(["a", "b", "c"]);
    expect([seals.unreadable("talk", "w-2"), seals.unreadable("other", "w-1")]).toEqual([null, null]);
    for (let n = 0; n < 1_000; n++) seals.note(`talk-${n}`, "w-1", ["x"]);
    expect(seals.unreadable("talk", "w-1")).toBeNull();
    expect(seals.unreadable("talk-0", "w-1")).not.toBeNull();
  });

  test("is refused where something encrypted is the history itself, and where there is nothing to take", () => {
    for (const type of ["compaction", "compaction_summary", "context_compaction"]) {
      expect(canStrip(body([reasoning, { type, encrypted_content: "x" }]))).toBe(false);
    }
    expect([canStrip(body([{ type: "message" }])), canStrip(null)]).toEqual([false, false]);
    expect(stripForeign(new TextEncoder().encode("{"))).toBeNull();
    expect(stripForeign(new TextEncoder().encode('{"input":"text"}'))).toBeNull();
  });
});

describe("what is written behind", () => {
  test("a pool that is never quiet is written all the same", async () => {
    const { clock, store, ask } = await createPoolRoom();
    for (let i = 0; i < 5; i++) {
      await ask();
      await clock.advance(300);
    }
    const { accounts } = await store.loadPool();
    expect(accounts.some((account) => account.use.lastLeasedAtMs !== null)).toBe(true);
  });

  test("a record grows; what somebody was shown of it does not", async () => {
    const { engine, ask, seen } = await createPoolRoom({ upstream: () => "open" });
    const watched: (number | null)[] = [];
    engine.exchanges.watch((exchange) => watched.push(exchange.endedAtMs, exchange.attempts.length));
    await ask();
    const [listed] = engine.exchanges.open();
    const found = await engine.exchanges.get(listed!.id);
    seen[0]!.finish();
    await Bun.sleep(0);
    expect([listed!.endedAtMs, found.endedAtMs, listed!.attempts.length]).toEqual([null, null, 0]);
    expect(watched).toEqual([null, 0, null, 0, T0, 1]);
    expect((await engine.exchanges.get(listed!.id)).endedAtMs).toBe(T0);
  });
});
