/** The pool as one account: never used up while anybody can serve, and one account alone is what it is. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Account, NO_ORDERS } from "../../src/domain/account.ts";
import type { HoldAsk } from "../../src/domain/hold.ts";
import { type PooledUsage, UsageMemory } from "../../src/domain/pooled-usage.ts";
import { rank } from "../../src/domain/rank.ts";
import { usedPercentNow } from "../../src/domain/window.ts";
import { anAccount, anAsk, aWindow, selectionArb } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { storyArb, tell } from "../support/pool-story.ts";

const HOUR_MS = 3_600_000;
const anew = (accounts: readonly Account[], ask: HoldAsk): PooledUsage => new UsageMemory().usage(accounts, ask);
const pool = (accounts: readonly Account[], only: Account["id"] | null = null): PooledUsage =>
  anew(accounts, anAsk({ pin: only === null ? null : { accountId: only, untilMs: null, sinceMs: T0 } }));
const week = (usedPercent: number, resetsAtMs = T0 + 90 * HOUR_MS) =>
  aWindow({ slot: "secondary", lengthMinutes: 10_080, usedPercent, resetsAtMs });
const plus = (n: number, short: number, long: number, change: Partial<Account> = {}) =>
  anAccount({ n, windows: [aWindow({ usedPercent: short, resetsAtMs: T0 + n * HOUR_MS }), week(long)], ...change });
const windowsOf = ({ main, others }: PooledUsage) =>
  [main, ...others].flatMap(({ primary, secondary }) => [primary, secondary]).filter((window) => window !== null);

describe("properties", () => {
  test("never 100 %, and never reached, while any account can serve", () => {
    fc.assert(
      fc.property(selectionArb, ({ accounts, ask }) => {
        const plain = { ...ask, model: null, affinity: null, pin: null, tried: new Set<never>() };
        const usage = anew(accounts, plain);
        if (rank(accounts, plain, 1).usableCount === 0) return;
        expect(usage.main.isReached).toBe(false);
        for (const window of [usage.main.primary, usage.main.secondary])
          if (window !== null) expect(Math.round(window.usedPercent)).toBeLessThan(100);
      }),
    );
  });

  test("every figure is a percentage and every reset is to come", () => {
    fc.assert(
      fc.property(selectionArb, ({ accounts }) => {
        for (const { usedPercent, resetsAtMs } of windowsOf(pool(accounts))) {
          expect(usedPercent).toBeGreaterThanOrEqual(0);
          expect(usedPercent).toBeLessThanOrEqual(100);
          if (resetsAtMs !== null) expect(resetsAtMs).toBeGreaterThan(T0);
        }
      }),
    );
  });

  test("the mean lies between the figures that it is of", () => {
    const percents = fc.array(fc.double({ min: 0, max: 98, noNaN: true }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(percents, (used) => {
        const accounts = used.map((percent, n) => plus(n + 1, percent, percent / 2));
        const { primary, secondary } = pool(accounts).main;
        expect(primary!.usedPercent).toBeGreaterThanOrEqual(Math.min(...used) - 1e-6);
        expect(primary!.usedPercent).toBeLessThanOrEqual(Math.max(...used) + 1e-6);
        expect(secondary!.usedPercent).toBeLessThanOrEqual(Math.max(...used) / 2 + 1e-6);
      }),
    );
  });

  test("one account alone is told as it is, until it is as good as used up", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 99, noNaN: true }), fc.integer({ min: 1, max: 100_000 }), (used, length) => {
        const window = aWindow({ usedPercent: used, lengthMinutes: length });
        const { main } = pool([anAccount({ windows: [window] })]);
        expect(main.primary).toEqual({
          usedPercent: usedPercentNow(window, T0),
          lengthMinutes: length,
          resetsAtMs: window.resetsAtMs,
        });
        expect(main.secondary).toBeNull();
      }),
    );
  });

  test("what is kept from answer to answer is what is reckoned anew, whatever happened in between", () => {
    fc.assert(
      fc.property(storyArb, ({ accounts, steps }) => {
        const memory = new UsageMemory();
        for (const { list, ask } of tell(accounts, steps)) {
          const plain = { ...ask, model: null, affinity: null, tried: new Set<never>() };
          expect(memory.usage(list, plain)).toEqual(anew(list, plain));
          expect(memory.usage(list, plain)).toBe(memory.usage(list, plain));
        }
      }),
      { numRuns: 1_500 },
    );
  });

  test("a lease, a cooldown, and the milliseconds of a reset change no figure: it is the same object", () => {
    const memory = new UsageMemory();
    const before = memory.usage([plus(1, 10, 20), plus(2, 30, 40)], anAsk());
    const leased = plus(1, 10, 20, {
      cooldown: { untilMs: T0 + 5_000, sinceMs: T0, reason: "rate_limited", failures: 1 },
    });
    const [short, long] = leased.windows;
    const later = { ...short!, resetsAtMs: short!.resetsAtMs! - 300, observedAtMs: T0 + 700 };
    const ask = anAsk({ nowMs: T0 + 700, openLeases: new Map([[leased.id, 1]]) });
    expect(memory.usage([{ ...leased, windows: [later, long!] }, plus(2, 30, 40)], ask)).toBe(before);
  });
});

describe("the pool", () => {
  test("of one used up and one fresh account is half used, and starts again when the first of them does", () => {
    const { main } = pool([plus(2, 100, 40), plus(1, 0, 20)]);
    expect(main).toMatchObject({ isReached: false, limit: "codex", models: null });
    expect(main.primary).toEqual({ usedPercent: 50, lengthMinutes: 300, resetsAtMs: T0 + HOUR_MS });
    expect(main.secondary).toMatchObject({ usedPercent: 30, lengthMinutes: 10_080 });
  });

  test("is reached when all are used up, each by another window, until the first is back", () => {
    const { main } = pool([plus(1, 100, 40), plus(2, 0, 100)]);
    expect(main.isReached).toBe(true);
    expect(main.primary).toMatchObject({ usedPercent: 100, resetsAtMs: T0 + HOUR_MS });
    expect(main.secondary!.usedPercent).toBe(70);
  });

  test("is not reached for want of logins, nor for a cooldown: those are not allowances", () => {
    const lost = anAccount({ login: { kind: "needs_login", reason: "x", sinceMs: T0 } });
    expect(pool([lost]).main).toMatchObject({ isReached: false, primary: null });
    expect(pool([]).main).toMatchObject({ isReached: false, primary: null, secondary: null });
    const cooling = plus(1, 10, 10, {
      cooldown: { untilMs: T0 + 1_000, sinceMs: T0, reason: "rate_limited", failures: 1 },
    });
    expect(pool([cooling]).main.isReached).toBe(false);
  });

  test("leaves out whom a person keeps away, and is its pin where there is one", () => {
    const paused = plus(1, 100, 100, { orders: { ...NO_ORDERS, pause: { sinceMs: T0, untilMs: null } } });
    expect(pool([paused, plus(2, 10, 10)]).main.primary!.usedPercent).toBe(10);
    const [full, fresh] = [plus(1, 100, 0), plus(2, 0, 0)];
    expect(pool([full, fresh], full.id).main.isReached).toBe(true);
    expect(pool([full, fresh], fresh.id).main.primary!.usedPercent).toBe(0);
  });

  test("weighs accounts by what their plans allow", () => {
    const { main, tier } = pool([plus(1, 80, 0), plus(2, 0, 0, { tier: "pro" })]);
    expect(main.primary!.usedPercent).toBeCloseTo(80 / 7.7, 5);
    expect(tier).toBe("pro");
  });

  test("with only long windows tells those first, as upstream does", () => {
    const month = (n: number, usedPercent: number) =>
      anAccount({ n, tier: "free", windows: [aWindow({ lengthMinutes: 43_200, usedPercent })] });
    expect(pool([month(1, 20), month(2, 40)]).main).toMatchObject({
      primary: { usedPercent: 30, lengthMinutes: 43_200 },
      secondary: null,
    });
  });

  test("knows the limits of single models", () => {
    const spark = (usedPercent: number) =>
      aWindow({ limit: "codex_bengalfox", models: ["gpt-x-spark"], usedPercent, resetsAtMs: T0 + HOUR_MS });
    const used = anAccount({ n: 1, windows: [aWindow(), spark(100)] });
    const half = pool([used, anAccount({ n: 2, windows: [aWindow(), spark(0)] })]);
    expect(half.main.isReached).toBe(false);
    expect(half.others).toMatchObject([{ limit: "codex_bengalfox", isReached: false, primary: { usedPercent: 50 } }]);
    expect(pool([used]).others[0]).toMatchObject({ isReached: true, primary: { usedPercent: 100 } });
  });

  test("adds credits", () => {
    const seen = { observedAtMs: T0, observedFrom: "header" as const };
    const rich = anAccount({ n: 1, credits: { hasCredits: true, unlimited: false, balance: "2.50", ...seen } });
    const poor = anAccount({ n: 2, credits: { hasCredits: false, unlimited: false, balance: "0", ...seen } });
    expect(pool([rich, poor, anAccount({ n: 3 })]).credits).toEqual({
      hasCredits: true,
      unlimited: false,
      balance: "2.5",
    });
  });
});
