/**
 * The line for an account: whoever came first is served first by what both may use, whoever can be served is, everybody is woken once, and
 * what operators see of the line is the line.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { AccountId } from "../../src/domain/account.ts";
import { NO_ORDERS } from "../../src/domain/account.ts";
import type { ExchangeId } from "../../src/domain/exchange.ts";
import type { Lease } from "../../src/pool/lease.ts";
import { createWaitLine, type Look } from "../../src/pool/wait-line.ts";
import { anAccount } from "../support/builders.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { createPoolRoom, seededDice } from "../support/pool-room.ts";

const PATIENCE_MS = 20_000;

type Event =
  | { readonly kind: "comes"; readonly wants: readonly string[] }
  | { readonly kind: "frees"; readonly what: string }
  | { readonly kind: "hangs_up"; readonly nth: number }
  | { readonly kind: "passes"; readonly ms: number };

const what = fc.constantFrom("a", "b", "c");
const eventArb: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("comes" as const), wants: fc.uniqueArray(what, { minLength: 1 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("frees" as const), what }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("hangs_up" as const), nth: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("passes" as const), ms: fc.integer({ min: 1, max: 9_000 }) }) },
);

/** What must happen, by the plainest reckoning there is: at every change everybody looks, in order. */
class Expected {
  readonly free = new Map<string, number>();
  readonly line: { id: string; wants: readonly string[]; untilMs: number }[] = [];
  readonly ends: string[] = [];
  look(nowMs: number): void {
    for (const one of [...this.line]) {
      const found = one.wants.find((name) => (this.free.get(name) ?? 0) > 0);
      if (found !== undefined) this.free.set(found, this.free.get(found)! - 1);
      if (found === undefined && nowMs < one.untilMs) continue;
      this.line.splice(this.line.indexOf(one), 1);
      this.ends.push(`${one.id} ${found === undefined ? "gave up" : `got ${found}`}`);
    }
  }
}

describe("the line", () => {
  test("nobody is overtaken, nobody starves, everybody is woken exactly once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(eventArb, { maxLength: 40 }), async (events) => {
        const clock = createManualClock();
        const line = createWaitLine(clock);
        const expected = new Expected();
        const free = new Map<string, number>();
        const ends: string[] = [];
        const clients: { id: string; abort: AbortController }[] = [];
        const take = (wants: readonly string[], sinceMs: number): Look => {
          const found = wants.find((name) => (free.get(name) ?? 0) > 0);
          if (found === undefined)
            return clock.nowMs() < sinceMs + PATIENCE_MS
              ? { kind: "wait", untilMs: sinceMs + PATIENCE_MS }
              : { kind: "leave" };
          free.set(found, free.get(found)! - 1);
          return { kind: "go", lease: { accountId: found as AccountId, release() {} } satisfies Lease };
        };
        const comes = (wants: readonly string[]) => {
          const id = `e${clients.length}`;
          const abort = new AbortController();
          const sinceMs = clock.nowMs();
          clients.push({ id, abort });
          expected.line.push({ id, wants, untilMs: sinceMs + PATIENCE_MS });
          const got = line.enter({
            id: id as ExchangeId,
            signal: abort.signal,
            sinceMs: () => sinceMs,
            givesUpAtMs: () => sinceMs + PATIENCE_MS,
            likeness: () => wants.join(),
            look: () => take(wants, sinceMs),
            expectedAtMs: () => null,
            moved() {},
          });
          void Promise.resolve(got)
            .then((lease) => ends.push(`${id} ${lease === null ? "gave up" : `got ${lease.accountId}`}`))
            .catch(() => ends.push(`${id} hung up`));
        };
        for (const event of events) {
          if (event.kind === "comes") comes(event.wants);
          if (event.kind === "frees") {
            for (const one of [free, expected.free]) one.set(event.what, (one.get(event.what) ?? 0) + 1);
            line.wake();
          }
          const gone = event.kind === "hangs_up" ? clients[event.nth] : undefined;
          if (gone !== undefined) {
            const place = expected.line.findIndex(({ id }) => id === gone.id);
            if (place >= 0) expected.ends.push(`${expected.line.splice(place, 1)[0]!.id} hung up`);
            gone.abort.abort();
          }
          // Second by second, so that the reckoning gives up in the order of the ends.
          for (let left = event.kind === "passes" ? event.ms : 0; left > 0; left -= 100) {
            await clock.advance(Math.min(left, 100));
            expected.look(clock.nowMs());
          }
          await clock.advance(0);
          expected.look(clock.nowMs());
          expect(line.count()).toBe(expected.line.length);
          expect(expected.line.map(({ id }) => line.waitingOf(id as ExchangeId)?.position)).toEqual(
            expected.line.map((_, i) => i + 1),
          );
        }
        await clock.advance(PATIENCE_MS);
        expected.look(clock.nowMs());
        expect(ends).toEqual(expected.ends);
        expect([line.count(), clock.pending()]).toEqual([0, 0]);
      }),
    );
  });
});

describe("exchanges in line", () => {
  const one = { accounts: [anAccount({ n: 1 })], settings: { account_max_leases: "1" } };

  test("are served in the order in which they came, one for each that ends", async () => {
    const room = await createPoolRoom({ ...one, upstream: () => "open" });
    await room.ask();
    const names = ["first", "second", "third"];
    for (const name of names) {
      void room.ask({ project: name, headers: [["x-name", name]] });
      await room.clock.advance(1_000);
    }
    const asked = () => room.seen.map(({ request }) => request.headers.find(([name]) => name === "x-name")?.[1]);
    expect(room.engine.selection.view()).toMatchObject({ waitingCount: 3, firstWaiting: { position: 1, sinceMs: T0 } });
    for (let n = 0; n < 3; n++) {
      room.seen[n]!.finish();
      await room.clock.advance(0);
      expect(asked().slice(1)).toEqual(names.slice(0, n + 1));
    }
    expect(room.engine.selection.view()).toMatchObject({ waitingCount: 0, firstWaiting: null });
  });

  test("show their place, since when, what they can expect and when they give up; watchers see them move up", async () => {
    const room = await createPoolRoom({ ...one, upstream: () => "open" });
    const seenPlaces: (number | undefined)[] = [];
    await room.ask();
    await room.clock.advance(4_000);
    // One that took four seconds: what the next ones can expect.
    room.seen[0]!.finish();
    await room.ask();
    for (const project of ["second", "third"]) void room.ask({ project });
    await room.clock.advance(1_000);
    const atMs = T0 + 4_000;
    const waiting = () => room.engine.exchanges.open().flatMap((exchange) => exchange.waiting ?? []);
    expect(waiting()).toEqual([
      { position: 1, sinceMs: atMs, expectedAtMs: atMs + 4_000, givesUpAtMs: atMs + 20_000 },
      { position: 2, sinceMs: atMs, expectedAtMs: atMs + 8_000, givesUpAtMs: atMs + 20_000 },
    ]);
    room.engine.exchanges.watch((exchange) => {
      if (exchange.endedAtMs === null && exchange.servedBy === null) seenPlaces.push(exchange.waiting?.position);
    });
    room.seen[1]!.finish();
    await room.clock.advance(0);
    expect(seenPlaces).toContain(1);
    expect(waiting().map(({ position }) => position)).toEqual([1]);
    const [first] = await room.engine.exchanges.list({ limit: 1 });
    expect((await room.engine.exchanges.get(first!.id)).waiting).toMatchObject({ position: 1 });
  });

  test("a newcomer that may use what those before it may not is served at once", async () => {
    const refused = [{ model: "gpt-6-luna", untilMs: T0 + 3_600_000 }];
    const room = await createPoolRoom({
      accounts: [anAccount({ n: 1, unsupportedModels: refused }), anAccount({ n: 2 })],
      settings: { account_max_leases: "1" },
      upstream: ({ workspaceId }) => (workspaceId === "workspace-2" ? "open" : "serve"),
    });
    await room.ask({ model: "gpt-6-luna" });
    void room.ask({ model: "gpt-6-luna" });
    await room.clock.advance(0);
    expect(room.engine.selection.view().waitingCount).toBe(1);
    expect((await room.ask()).kind).toBe("opened");
    expect(room.engine.selection.view().waitingCount).toBe(1);
  });

  test("what several waiters would like is leased once: the cap holds however they are woken", async () => {
    const room = await createPoolRoom({
      accounts: [anAccount({ n: 1 }), anAccount({ n: 2 })],
      settings: { account_max_leases: "2" },
      upstream: () => "open",
    });
    const dice = seededDice(7);
    const open = new Set<number>();
    for (let n = 0; n < 60; n++) {
      void room.ask();
      if (dice.fraction() < 0.6) {
        const running = room.seen.map((_, i) => i).filter((i) => !open.has(i));
        for (const i of running.slice(0, 1 + Math.floor(dice.fraction() * 3))) {
          open.add(i);
          room.seen[i]!.finish();
        }
      }
      await room.clock.advance(Math.floor(dice.fraction() * 300));
      for (const account of room.engine.accounts.list())
        expect(room.engine.accounts.openLeases(account.id)).toBeLessThanOrEqual(2);
    }
    expect(room.seen.length).toBeGreaterThan(30);
  });
});

describe("a paced pool", () => {
  const paced = (requestsPerMinute: number, burst: number) => ({ ...NO_ORDERS, pace: { requestsPerMinute, burst } });

  test("asks each account no faster than it may, and everybody in the order in which they came", async () => {
    const room = await createPoolRoom({
      accounts: [anAccount({ n: 1, orders: paced(20, 2) }), anAccount({ n: 2 })],
      settings: { account_requests_per_minute: "60", account_burst: "1" },
      upstream: (request) => {
        const startMs = room.clock.nowMs() - T0;
        starts.push([request.workspaceId, startMs]);
        order.push(Number(request.headers.find(([name]) => name === "x-n")![1]));
        return "serve";
      },
    });
    const starts: [string, number][] = [];
    const order: number[] = [];
    for (let n = 0; n < 12; n++) void room.ask({ headers: [["x-n", String(n)]] });
    await room.clock.advance(19_000);
    const of = (workspace: string) => starts.filter(([name]) => name === workspace).map(([, ms]) => ms);
    expect(of("workspace-1")).toEqual([0, 0, 3_000, 6_000]);
    expect(of("workspace-2")).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000]);
    expect(order).toEqual(Array.from({ length: 12 }, (_, n) => n));
  });

  test("lets a conversation wait for its home", async () => {
    const room = await createPoolRoom({
      accounts: [anAccount({ n: 1, orders: paced(10, 1) }), anAccount({ n: 2 })],
      upstream: () => "serve",
    });
    const asked = () => room.seen.map(({ workspaceId }) => workspaceId);
    await room.ask({ conversation: "thread-a" });
    const second = room.ask({ conversation: "thread-a" });
    await room.clock.advance(0);
    const [open] = room.engine.exchanges.open();
    expect(open!.waiting).toMatchObject({ position: 1, expectedAtMs: T0 + 6_000 });
    await room.clock.advance(6_000);
    await second;
    expect(asked()).toEqual(["workspace-1", "workspace-1"]);
  });

  test("moves a conversation when its home would take too long", async () => {
    const room = await createPoolRoom({ accounts: [1, 2].map((n) => anAccount({ n, orders: paced(1, 1) })) });
    for (let n = 0; n < 2; n++) await room.ask({ conversation: "thread-a" });
    expect(new Set(room.seen.map(({ workspaceId }) => workspaceId)).size).toBe(2);
  });

  test("a second try on the same account is not paced: its lease is kept", async () => {
    const accounts = [anAccount({ n: 1, orders: paced(1, 1) })];
    const room = await createPoolRoom({
      accounts,
      settings: { wait_seconds: "0", account_max_leases: "1" },
      upstream: (_, nth) =>
        nth === 1 ? { kind: "upstream_failed", status: 503, message: "", retryAtMs: null } : "serve",
    });
    const answer = room.ask();
    await room.clock.advance(1_000);
    expect((await answer).kind).toBe("opened");
    expect(room.seen).toHaveLength(2);
    expect(room.engine.openLeases()).toBe(0);
  });

  test("answers 429 with the true end when that is beyond the wait", async () => {
    const room = await createPoolRoom({ accounts: [anAccount({ n: 1, orders: paced(2, 1) })] });
    await room.ask();
    const answer = await room.ask();
    expect(answer).toMatchObject({ kind: "refused", error: { code: "pool_exhausted", retryAtMs: T0 + 30_000 } });
  });
});
