/** What selection remembers from ask to ask must never show: with or without it, a plan is the same. A failure prints the smallest story that tells them apart. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Account, type AccountId, NO_ORDERS } from "../../src/domain/account.ts";
import type { Ask } from "../../src/domain/ask.ts";
import { rank } from "../../src/domain/rank.ts";
import { compileRules } from "../../src/domain/rule-set.ts";
import { parseRules } from "../../src/domain/rule-syntax.ts";
import { Standings } from "../../src/domain/standing.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import { anAccount, anAsk, askArb, aWindow, SETTINGS_NOW } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const RULES = [
  ["keep 40% of all short", "prefer tier:pro for gpt-5*", "off plus-2 08:00-18:00"],
  ["only tag:day, plus-1 on mon-fri 09:00-17:00", "avoid tag:day", "keep 20% of tag:day weekly for gpt-6-luna"],
].map((lines) => compileRules([{ profile: null, rules: parseRules(lines).rules }], () => 60));
const THRESHOLDS = (["prefer-others", "hold"] as const).map((action) => ({
  ...SETTINGS_NOW,
  critical_action: action,
  critical_short_percent: 30,
  critical_long_percent: 30,
}));
const PROFILES = [
  null,
  { name: "day", accounts: [{ kind: "tag" as const, name: "day" }] },
  { name: "pro", accounts: [{ kind: "tier" as const, name: "pro" }] },
];

const HOUR_MS = 3_600_000;
const aroundT0 = fc.integer({ min: -2 * HOUR_MS, max: 40 * HOUR_MS }).map((offset) => T0 + offset);
const rarely = <T>(arb: fc.Arbitrary<T>) =>
  fc.integer({ min: 0, max: 7 }).chain((n) => (n === 0 ? arb : fc.constant(null)));

const windowsArb = fc.tuple(
  fc.record({
    used: fc.integer({ min: 0, max: 110 }),
    resetsAtMs: fc.option(aroundT0, { freq: 6 }),
    isForLuna: rarely(fc.constant(true)),
  }),
  fc.record({
    used: fc.integer({ min: 0, max: 104 }),
    hours: fc.integer({ min: -1, max: 167 }),
    isThere: fc.boolean(),
  }),
);

/** Mostly usable, unlike those of the builders: it is in their order that something forgotten would show. */
const poolArb: fc.Arbitrary<Account[]> = fc
  .array(
    fc.record({
      windows: windowsArb,
      pauseUntilMs: rarely(aroundT0),
      cooldownUntilMs: rarely(aroundT0),
      refusedUntilMs: rarely(aroundT0),
      draining: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
      isDay: fc.boolean(),
      tier: fc.constantFrom("free", "plus", "pro"),
      weight: fc.constantFrom(1, 1, 0.2, 7),
      order: fc.integer({ min: 0, max: 5 }),
      uses: fc.integer({ min: 0, max: 50 }),
    }),
    { maxLength: 10 },
  )
  .map((specs) =>
    specs.map((spec, n) => {
      const [short, week] = spec.windows;
      const resetsAtMs = T0 + week.hours * HOUR_MS;
      const models = short.isForLuna ? ["gpt-6-luna"] : null;
      const windows = [
        aWindow({ usedPercent: Math.min(100, short.used), resetsAtMs: short.resetsAtMs, models }),
        aWindow({ slot: "secondary", lengthMinutes: 10_080, usedPercent: Math.min(100, week.used), resetsAtMs }),
      ];
      const { cooldownUntilMs, pauseUntilMs, refusedUntilMs, draining, isDay, weight, order } = spec;
      return anAccount({
        n,
        tier: spec.tier,
        windows: week.isThere ? windows : windows.slice(0, 1),
        orders: {
          ...NO_ORDERS,
          pause: pauseUntilMs === null ? null : { sinceMs: T0, untilMs: pauseUntilMs },
          draining,
          tags: isDay ? ["day"] : [],
          weight,
        },
        cooldown:
          cooldownUntilMs === null
            ? null
            : { untilMs: cooldownUntilMs, sinceMs: T0, reason: "rate_limited", failures: 1 },
        unsupportedModels: refusedUntilMs === null ? [] : [{ model: "gpt-5.5", untilMs: refusedUntilMs }],
        use: {
          ...anAccount().use,
          lastLeaseOrder: order,
          turn: order,
          exchangesByDay: [[Math.floor(T0 / 86_400_000), spec.uses]],
        },
      });
    }),
  );

interface Step {
  /** Since the beginning: time may go back too, as in `explain --at`. */
  readonly atMs: number;
  readonly ask: Ask;
  /** Somebody is now as another one was. */
  readonly changed: { readonly place: number; readonly like: number } | null;
  /** An account is gone. */
  readonly isShorter: boolean;
}

function stepArb(accounts: readonly Account[]): fc.Arbitrary<Step> {
  const place = fc.nat({ max: Math.max(0, accounts.length - 1) });
  const kind = fc.record({
    rules: fc.constantFrom(null, ...RULES),
    thresholds: fc.constantFrom(...THRESHOLDS),
    profile: fc.constantFrom(...PROFILES),
  });
  return fc.record({
    atMs: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 200 * 3_600_000 })),
    ask: fc.tuple(askArb(accounts), kind).map(([ask, given]) => ({ ...ask, ...given })),
    changed: fc.option(fc.record({ place, like: place })),
    isShorter: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  });
}

const storyArb = poolArb.chain((accounts) =>
  fc.record({ accounts: fc.constant(accounts), steps: fc.array(stepArb(accounts), { maxLength: 30 }) }),
);

test("a plan is the same with and without what is remembered", () => {
  fc.assert(
    fc.property(storyArb, ({ accounts, steps }) => {
      const standings = new Standings();
      let list = [...accounts];
      for (const { atMs, ask, changed, isShorter } of steps) {
        if (isShorter) list = list.slice(1);
        const [place, like] = [changed?.place ?? -1, changed?.like ?? -1];
        if (list[place] && list[like]) {
          const { id, alias } = list[place];
          list[place] = { ...list[like], id, alias };
        }
        const now = { ...ask, nowMs: T0 + atMs };
        expect(rank(list, now, 4, standings)).toEqual(rank(list, now, 4));
      }
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
