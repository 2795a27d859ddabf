/**
 * Random stories of a pool, for what is kept from ask to ask: accounts change and go, orders, settings, rules and pins come and go, and time
 * moves, backwards too. A failure prints the smallest story.
 */
import fc from "fast-check";
import { type Account, NO_ORDERS } from "../../src/domain/account.ts";
import type { Ask } from "../../src/domain/ask.ts";
import { compileRules } from "../../src/domain/rule-set.ts";
import { parseRules } from "../../src/domain/rule-syntax.ts";
import { anAccount, askArb, aWindow, SETTINGS_NOW } from "./builders.ts";
import { T0 } from "./manual-clock.ts";

const RULES = [
  ["keep 40% of all short", "prefer tier:pro for gpt-5*", "off plus-2 08:00-18:00"],
  ["only tag:day, plus-1 on mon-fri 09:00-17:00", "avoid tag:day", "keep 20% of tag:day weekly for gpt-6-luna"],
  ["keep 70% of all short on mon-fri 09:00-17:00", "keep 30% of plus-1 22:00-06:00"],
].map((lines) => compileRules([{ profile: null, rules: parseRules(lines).rules }], () => 60));
export const THRESHOLDS = (["prefer-others", "hold"] as const).map((action) => ({
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
export const poolArb: fc.Arbitrary<Account[]> = fc
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
  /** Nothing was ordered since: only accounts and the time are others. */
  readonly asBefore: boolean;
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
    asBefore: fc.boolean(),
    isShorter: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  });
}

export const storyArb = poolArb.chain((accounts) =>
  fc.record({ accounts: fc.constant(accounts), steps: fc.array(stepArb(accounts), { maxLength: 30 }) }),
);

/** Step by step: who is there, and what is asked then. */
export function* tell(accounts: readonly Account[], steps: readonly Step[]): Generator<{ list: Account[]; ask: Ask }> {
  let list = [...accounts];
  let last: Ask | null = null;
  for (const { atMs, ask: asked, changed, isShorter, asBefore } of steps) {
    const ask: Ask = asBefore && last !== null ? last : asked;
    last = ask;
    if (isShorter) list = list.slice(1);
    const [place, like] = [changed?.place ?? -1, changed?.like ?? -1];
    if (list[place] && list[like]) {
      const { id, alias } = list[place];
      list[place] = { ...list[like], id, alias };
    }
    yield { list, ask: { ...ask, nowMs: T0 + atMs } };
  }
}
