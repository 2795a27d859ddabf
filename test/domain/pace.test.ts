/** Pacing: never more than the burst and the rate allow, never less than a rested account may give, and an end that is true. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NO_ORDERS } from "../../src/domain/account.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import { gapMs, NO_PACING, nextStartMs, paceOf, spentAfter } from "../../src/domain/pace.ts";
import { homePaceEndMs, placeAtMs } from "../../src/domain/waiting.ts";
import { accountId, anAccount, anAsk } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const paceArb = fc.record({
  requestsPerMinute: fc.integer({ min: 1, max: 6_000 }),
  burst: fc.integer({ min: 1, max: 20 }),
});

describe("a pace", () => {
  test("is kept however requests come: in any stretch of time, at most the burst and what the rate gives", () => {
    fc.assert(
      fc.property(paceArb, fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 60 }), (pace, pauses) => {
        const starts: number[] = [];
        let spent = 0;
        let nowMs = T0;
        for (const pause of pauses) {
          nowMs += pause;
          if (nextStartMs(pace, spent) > nowMs) continue;
          spent = spentAfter(pace, spent, nowMs);
          starts.push(nowMs);
        }
        for (let a = 0; a < starts.length; a++)
          for (let b = a; b < starts.length; b++)
            expect(b - a + 1).toBeLessThanOrEqual(pace.burst + (starts[b]! - starts[a]!) / gapMs(pace) + 0.1);
      }),
    );
  });

  test("says when the next request may begin: not a millisecond before, and then it may", () => {
    fc.assert(
      fc.property(paceArb, fc.integer({ min: 1, max: 60 }), (pace, asked) => {
        const account = anAccount({ orders: { ...NO_ORDERS, pace } });
        let spent = 0;
        for (let n = 0; n < asked; n++) spent = spentAfter(pace, spent, T0);
        const pacing = { ...NO_PACING, spentUntilMs: new Map([[account.id, spent]]) };
        const [hold] = holdsOn(account, anAsk({ pacing }));
        if (asked < pace.burst) return expect(hold).toBeUndefined();
        if (hold === undefined) return expect(nextStartMs(pace, spent)).toBeLessThanOrEqual(T0);
        expect(hold).toMatchObject({ kind: "pacing", requestsPerMinute: pace.requestsPerMinute });
        expect(holdsOn(account, anAsk({ pacing, nowMs: hold.untilMs! - 1 }))).toHaveLength(1);
        expect(holdsOn(account, anAsk({ pacing, nowMs: hold.untilMs! }))).toEqual([]);
      }),
    );
  });

  test("of an account is its own before that of the settings, and 0 is none", () => {
    const usual = { usual: { requestsPerMinute: 10, burst: 5 } };
    const own = (requestsPerMinute: number) =>
      anAccount({ orders: { ...NO_ORDERS, pace: { requestsPerMinute, burst: 1 } } });
    expect(paceOf(anAccount(), usual)).toEqual({ requestsPerMinute: 10, burst: 5 });
    expect(paceOf(own(3), usual)).toEqual({ requestsPerMinute: 3, burst: 1 });
    expect(paceOf(own(0), usual)).toBeNull();
    expect(paceOf(anAccount(), NO_PACING)).toBeNull();
  });
});

describe("a conversation whose home is held", () => {
  const home = accountId(1);
  const plan = (holds: Parameters<typeof homePaceEndMs>[0]["held"][number]["holds"]) => ({
    atMs: T0,
    held: [{ accountId: home, holds }],
  });
  const paced = (inMs: number) => ({ kind: "pacing" as const, untilMs: T0 + inMs, requestsPerMinute: 6 });
  test("by its pace alone and shortly waits for it", () => {
    expect(homePaceEndMs(plan([paced(10_000)]), home)).toBe(T0 + 10_000);
    expect(homePaceEndMs(plan([paced(10_001)]), home)).toBeNull();
    expect(homePaceEndMs(plan([paced(5), { kind: "disabled", untilMs: null }]), home)).toBeNull();
    expect(homePaceEndMs(plan([paced(5)]), accountId(2))).toBeNull();
    expect(homePaceEndMs(plan([paced(5)]), null)).toBeNull();
  });
});

describe("the place of one in line", () => {
  const berth = { fromMs: T0, gapMs: 0, free: 0, endsAtMs: [] as number[], takesMs: null };
  test("comes from ends, paces and how long requests take, the soonest first", () => {
    const paced = { ...berth, fromMs: T0 + 1_000, gapMs: 6_000, free: 32 };
    const busy = { ...berth, endsAtMs: [T0 + 2_000, T0 + 9_000] };
    expect([0, 1, 2, 3, 4].map((ahead) => placeAtMs([paced, busy], ahead)! - T0)).toEqual([
      1_000, 2_000, 7_000, 9_000, 13_000,
    ]);
  });
  test("behind as many as there are places is when one of those has had its time", () => {
    const busy = { ...berth, endsAtMs: [T0 + 2_000], takesMs: 4_000 };
    expect([0, 1, 2].map((ahead) => placeAtMs([busy], ahead)! - T0)).toEqual([2_000, 6_000, 10_000]);
  });
  test("is unknown when nothing says", () => {
    expect(placeAtMs([], 0)).toBeNull();
    expect(placeAtMs([berth], 0)).toBeNull();
    expect(placeAtMs([{ ...berth, endsAtMs: [T0] }], 1)).toBeNull();
  });
  test("is never before that of those ahead", () => {
    const berthArb = fc.record({
      fromMs: fc.integer({ min: 0, max: 9_000 }),
      gapMs: fc.constantFrom(0, 250, 6_000),
      free: fc.integer({ min: 0, max: 4 }),
      endsAtMs: fc.array(fc.integer({ min: 0, max: 9_000 }), { maxLength: 4 }),
      takesMs: fc.constantFrom(null, 4_000),
    });
    fc.assert(
      fc.property(fc.array(berthArb, { maxLength: 4 }), fc.nat(8), (berths, ahead) => {
        const [mine, next] = [placeAtMs(berths, ahead), placeAtMs(berths, ahead + 1)];
        if (mine === null) expect(next).toBeNull();
        if (next !== null) expect(next).toBeGreaterThanOrEqual(mine!);
      }),
    );
  });
});
