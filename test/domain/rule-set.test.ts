/** What rules do to a plan: they narrow and order, and never free what is held. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account } from "../../src/domain/account.ts";
import type { Ask } from "../../src/domain/ask.ts";
import { holdText } from "../../src/domain/explain.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import { chooseProfile } from "../../src/domain/profile.ts";
import { rank } from "../../src/domain/rank.ts";
import { refusalOf } from "../../src/domain/refusal.ts";
import { findGap, modelsNamed, unknownNames } from "../../src/domain/rule-check.ts";
import { compileRules } from "../../src/domain/rule-set.ts";
import { parseRules } from "../../src/domain/rule-syntax.ts";
import { accountId, anAccount, anAsk, aWindow, SETTINGS_NOW, selectionArb } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;
const compile = (...lines: string[]) => {
  const { rules, problems } = parseRules(lines);
  expect(problems).toEqual([]);
  return compileRules([{ profile: null, rules }], () => 0);
};
const tagged = (n: number, ...tags: string[]) =>
  anAccount({ n, orders: { ...anAccount().orders, tags }, use: { ...anAccount().use, lastLeaseOrder: n } });
const withLeft = (n: number, leftPercent: number, lengthMinutes = 300): Account =>
  anAccount({ n, windows: [aWindow({ usedPercent: 100 - leftPercent, lengthMinutes, resetsAtMs: T0 + HOUR_MS })] });
const under = (rules: string[], change: Partial<Ask> = {}) =>
  anAsk({ strategy: "round-robin", rules: compile(...rules), ...change });
const order = (accounts: Account[], ask: Ask) =>
  rank(accounts, ask).order.map((id) => accounts.findIndex((one) => one.id === id) + 1);

const ruleTexts = fc.subarray([
  "keep 20% of all",
  "keep 95% of tier:pro weekly",
  "prefer plus-1, plus-3",
  "avoid tier:plus",
  "only tier:plus, tier:pro for gpt-6*",
  "only tier:team on mon-sun",
  "off plus-2 00:00-23:59",
  "off tier:free on weekends",
]);

describe("whatever the rules", () => {
  test("they never free an account that is held without them, and never add one to the order", () => {
    fc.assert(
      fc.property(selectionArb, ruleTexts, ({ accounts, ask }, texts) => {
        const ruled = { ...ask, rules: compile(...texts) };
        const free = rank(accounts, ask);
        for (const id of rank(accounts, ruled).order) expect(free.order).toContain(id);
        for (const account of accounts) {
          const before = holdsOn(account, ask);
          const unruled = holdsOn(account, ruled).filter((hold) => !("rule" in hold) || hold.rule === null);
          expect(unruled).toEqual([...before]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("a plan still puts everybody in one place and begins the same whatever its limit is", () => {
    fc.assert(
      fc.property(selectionArb, ruleTexts, ({ accounts, ask }, texts) => {
        const ruled = { ...ask, rules: compile(...texts) };
        const plan = rank(accounts, ruled);
        const places = [
          ...plan.order,
          ...plan.held.map((h) => h.accountId),
          ...plan.passedOver.map((p) => p.accountId),
        ];
        expect(places.toSorted()).toEqual(accounts.map(({ id }) => id).toSorted());
        for (const limit of [1, 2, 4]) expect(rank(accounts, ruled, limit).order).toEqual(plan.order.slice(0, limit));
      }),
      { numRuns: 500 },
    );
  });

  test("without any there is nothing to look at", () => {
    expect(compile()).toBeNull();
    expect(compile("# only a remark", "")).toBeNull();
  });
});

describe("keep", () => {
  test("holds at its share until the window starts again, with the rule's text and line", () => {
    const [hold] = holdsOn(withLeft(1, 20), under(["", "keep 20% of plus-1"]));
    expect(hold).toMatchObject({ kind: "reserved", keptPercent: 20, untilMs: T0 + HOUR_MS, rule: { line: 2 } });
    expect(holdText(hold!)).toBe(
      "the last 20 % of its codex limit of 5 hours are kept back, by rule 2: keep 20% of plus-1",
    );
    expect(holdsOn(withLeft(1, 21), under(["keep 20% of plus-1"]))).toEqual([]);
  });

  test("speaks of windows of its length alone, and the largest of several counts", () => {
    const ask = under(["keep 20% of all weekly", "keep 10% of all", "keep 30% of all weekly"]);
    expect(holdsOn(withLeft(1, 15), ask)).toEqual([]);
    expect(holdsOn(withLeft(1, 15, 10_080), ask)).toMatchObject([{ keptPercent: 30, rule: { line: 3 } }]);
  });

  test("for models: kept for these, from all others", () => {
    const rules = ["keep 50% of all for gpt-5*"];
    expect(holdsOn(withLeft(1, 40), under(rules, { model: "gpt-5-pro" }))).toEqual([]);
    expect(holdsOn(withLeft(1, 40), under(rules, { model: "o4" }))).toHaveLength(1);
    expect(holdsOn(withLeft(1, 40), under(rules))).toHaveLength(1);
  });

  test("a pin lifts it", () => {
    const pin = { accountId: accountId(1), sinceMs: T0, untilMs: null };
    expect(holdsOn(withLeft(1, 5), under(["keep 20% of all"], { pin }))).toEqual([]);
  });

  test("whatever is asked in whatever order, no account is taken below its floor", () => {
    const asks = fc.array(
      fc.record({ cost: fc.integer({ min: 1, max: 3 }), dice: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
      {
        maxLength: 200,
      },
    );
    const floors = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }));
    fc.assert(
      fc.property(asks, floors, fc.constantFrom("random", "balanced", "round-robin"), (asked, [all, one], strategy) => {
        const rules = compile(`keep ${all}% of all`, `keep ${one}% of plus-2 5h`);
        let accounts = [withLeft(1, 100), withLeft(2, 100), withLeft(3, 100)];
        const floor = (account: Account) => (account.alias === "plus-2" ? Math.max(all, one) : all);
        for (const { cost, dice } of asked) {
          const first = rank(accounts, anAsk({ rules, dice, strategy: strategy as Ask["strategy"] }), 1).order[0];
          accounts = accounts.map((account) => {
            if (account.id !== first) return account;
            const used = account.windows[0]!.usedPercent;
            // It is above its floor when it is taken, and only what one request costs can lead below.
            expect(100 - used).toBeGreaterThan(floor(account));
            return { ...account, windows: [{ ...account.windows[0]!, usedPercent: used + cost }] };
          });
          for (const account of accounts)
            expect(100 - account.windows[0]!.usedPercent).toBeGreaterThan(floor(account) - 3);
        }
      }),
    );
  });
});

describe("prefer, avoid, only, off", () => {
  const accounts = [tagged(1, "work"), tagged(2), tagged(3, "home")];

  test("prefer and avoid come before the strategy and after a conversation's home; the first that names an account decides", () => {
    expect(order(accounts, under([]))).toEqual([1, 2, 3]);
    expect(order(accounts, under(["prefer tag:home", "avoid tag:work"]))).toEqual([3, 2, 1]);
    expect(order(accounts, under(["prefer plus-2", "prefer tag:home"]))).toEqual([2, 3, 1]);
    expect(order(accounts, under(["avoid tag:home", "prefer tag:home"]))).toEqual([1, 2, 3]);
    expect(order(accounts, under(["avoid all"], { affinity: accountId(3) }))[0]).toBe(3);
    expect(rank(accounts, under(["prefer tag:home"]))).toMatchObject({ reason: "rule", rules: [{ line: 1 }] });
    expect(rank(accounts, under(["avoid tag:home"])).reason).toBe("strategy");
  });

  test("only leaves the others out for its models, and a timed one gives them back at its end", () => {
    const rules = ["only tag:work for gpt-5*"];
    expect(order(accounts, under(rules, { model: "gpt-5.5" }))).toEqual([1]);
    expect(order(accounts, under(rules, { model: "o4" }))).toEqual([1, 2, 3]);
    expect(order(accounts, under(rules))).toEqual([1, 2, 3]);
    const out = { ...accounts[0]!, enabled: false };
    const plan = rank(
      [out, accounts[1]!],
      under(["only tag:work mon-sun 00:00-23:00"], { nowMs: Date.parse("2026-11-21T20:00:00Z") }),
    );
    expect(plan).toMatchObject({ usableCount: 0, passedOver: [{ because: "ruled_out", rule: { line: 1 } }] });
    expect(plan.nextUsableAtMs).toBe(Date.parse("2026-11-21T23:00:00Z"));
  });

  test("off holds until its time is over; a pin does not lift it", () => {
    const ask = under(["off plus-2 sat 10:00-12:30"], { nowMs: Date.parse("2026-11-21T11:00:00Z") });
    expect(holdsOn(accounts[1]!, ask)).toMatchObject([
      { kind: "off_schedule", untilMs: Date.parse("2026-11-21T12:30:00Z") },
    ]);
    const pin = { accountId: accountId(2), sinceMs: 0, untilMs: null };
    expect(holdsOn(accounts[1]!, { ...ask, pin })).toHaveLength(1);
  });

  test("a pin overrides only; whom a profile may use it does not widen", () => {
    const pin = { accountId: accountId(2), sinceMs: T0, untilMs: null };
    expect(order(accounts, under(["only tag:work"], { pin }))).toEqual([2]);
    const profile = { name: "p", accounts: [{ kind: "tag" as const, name: "work" }] };
    expect(order(accounts, under([], { pin, profile }))).toEqual([]);
  });

  test("when they leave nobody the refusal names them", () => {
    const ask = under(["only tag:nobody"]);
    const plan = rank(accounts, ask);
    expect(refusalOf(plan, ask)).toMatchObject({ kind: "nobody_allowed", rules: [{ text: "only tag:nobody" }] });
    const profile = { name: "p", accounts: [{ kind: "alias" as const, name: "plus-1" }] };
    const held = [{ ...accounts[0]!, enabled: false }, accounts[1]!];
    const narrow = anAsk({ profile });
    expect(refusalOf(rank(held, narrow), narrow)).toEqual({ kind: "no_usable_account", kinds: ["disabled"] });
  });
});

describe("what is odd", () => {
  test("names that nobody has", () => {
    const { rules } = parseRules(["avoid plus-1, tag:nope, spare, tier:plus, tier:team"]);
    expect(unknownNames(rules[0]!.rule.who, [anAccount()])).toEqual([
      "no account has the tag nope",
      "no account is called spare",
      "no account has the tier team",
    ]);
  });

  test("a time of the week at which nobody is left, for a model too", () => {
    const nowMs = Date.parse("2026-11-21T12:00:00Z");
    const given = { nowMs, profile: null, thresholds: SETTINGS_NOW };
    const gap = (...lines: string[]) =>
      findGap([anAccount()], { ...given, rules: compile(...lines), models: modelsNamed(parseRules(lines).rules) });
    expect(gap("off all mon 09:00-17:00")).toEqual({ atMs: Date.parse("2026-11-23T09:00:00Z"), model: null });
    expect(gap("only spare for gpt-5*")).toEqual({ atMs: nowMs, model: "gpt-5" });
    expect(gap("prefer spare")).toBeNull();
  });
});

test("a key's profile cannot be left; then the header's name, then the project", () => {
  const plain = { accounts: [], strategy: null, models: [], rules: [], keyIds: [], projects: [] };
  const bound = { ...plain, name: "bound", keyIds: ["K1"] };
  const mine = { ...plain, name: "mine", projects: [{ key: "demo-000000000000", path: "/demo" }] };
  const chosen = (keyId: string | null, profile: string | null, project: string | null) => {
    const choice = chooseProfile([bound, mine], { keyId, profile, project });
    return choice.kind === "chosen" ? choice.profile.name : choice.kind;
  };
  expect(chosen("K1", "mine", "demo-000000000000")).toBe("bound");
  expect(chosen("K2", "mine", null)).toBe("mine");
  expect(chosen("K2", "bound", "demo-000000000000")).toBe("bound");
  expect(chosen("K2", null, "demo-000000000000")).toBe("mine");
  expect(chosen("K2", null, "other-000000000000")).toBe("none");
  expect(chosen(null, "gone", "demo-000000000000")).toBe("unknown");
});
