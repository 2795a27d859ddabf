/** What selection remembers from ask to ask must never show: with or without it, a plan is the same. A failure prints the smallest story that tells them apart. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { AccountId } from "../../src/domain/account.ts";
import { rank } from "../../src/domain/rank.ts";
import { Standings } from "../../src/domain/standing.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import { anAsk } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { poolArb, storyArb, THRESHOLDS, tell } from "../support/pool-story.ts";

test("a plan is the same with and without what is remembered", () => {
  fc.assert(
    fc.property(storyArb, ({ accounts, steps }) => {
      const standings = new Standings();
      for (const { list, ask } of tell(accounts, steps))
        expect(rank(list, ask, 4, standings)).toEqual(rank(list, ask, 4));
    }),
    { numRuns: 1_500 },
  );
});

test("a score that creeps up is noticed when it steps up, and again when time goes back", () => {
  const gapArb = fc.oneof(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: -500_000, max: -1 }));
  const strategyArb = fc.constantFrom("balanced" as const, "reset-soonest" as const, "least-used" as const);
  fc.assert(
    fc.property(
      poolArb,
      fc.array(gapArb, { minLength: 50, maxLength: 200 }),
      strategyArb,
      (accounts, gapsMs, strategy) => {
        const standings = new Standings();
        const ask = anAsk({ strategy, model: "gpt-6.1-sol" });
        let nowMs = T0;
        for (const gapMs of gapsMs) {
          nowMs += gapMs;
          const now = { ...ask, nowMs };
          expect(rank(accounts, now, 12, standings).order).toEqual(rank(accounts, now, 12).order);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("what is open on an account counts at once, however it came to be so many, and while time goes on", () => {
  const stepsArb = fc.array(
    fc.record({
      gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: -500_000, max: -1 })),
      place: fc.nat({ max: 9 }),
      open: fc.integer({ min: 0, max: 3 }),
      isPinned: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
      isHome: fc.boolean(),
      isChanged: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
    }),
    { minLength: 30, maxLength: 120 },
  );
  fc.assert(
    fc.property(poolArb, stepsArb, fc.constantFrom(...STRATEGY_NAMES), (given, steps, strategy) => {
      const accounts = [...given];
      const standings = new Standings();
      const openLeases = new Map<AccountId, number>();
      let nowMs = T0;
      for (const { gapMs, place, open, isPinned, isHome, isChanged } of steps) {
        nowMs += gapMs;
        const account = accounts[place % Math.max(1, accounts.length)];
        if (account !== undefined && open === 0) openLeases.delete(account.id);
        else if (account !== undefined) openLeases.set(account.id, open);
        if (account !== undefined && isChanged) {
          const use = { ...account.use, lastLeaseOrder: account.use.lastLeaseOrder + 1 };
          accounts[place % accounts.length] = { ...account, use };
        }
        const id = account?.id ?? null;
        const pin = isPinned && id !== null ? { accountId: id, sinceMs: T0, untilMs: null } : null;
        const ask = { strategy, model: "gpt-5.5", openLeases, maxLeases: 3, pin, affinity: isHome ? id : null, nowMs };
        const now = anAsk({ ...ask, thresholds: THRESHOLDS[0]! });
        expect(rank(accounts, now, 4, standings)).toEqual(rank(accounts, now, 4));
      }
    }),
    { numRuns: 600 },
  );
});
