/** What observations do to an account's figures: the later one wins in whatever order they are told, and what is no more goes away. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { observe } from "../../src/domain/observe.ts";
import type { Observation } from "../../src/domain/outcome.ts";
import type { WindowReading } from "../../src/domain/window.ts";
import { anAccount, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const reading = (change: Partial<WindowReading> = {}): WindowReading => {
  const { observedAtMs: _at, observedFrom: _from, ...rest } = aWindow(change);
  return rest;
};
const seen = (change: Partial<Observation> = {}): Observation => ({
  windows: [],
  from: "header",
  tier: null,
  ...change,
});
const CREDITS = { hasCredits: true, unlimited: false, balance: "5" };

const readingArb = fc.record({
  limit: fc.constantFrom("codex", "codex_bengalfox"),
  slot: fc.constantFrom("primary" as const, "secondary" as const),
  models: fc.constant(null),
  lengthMinutes: fc.option(fc.integer({ min: 1, max: 50_000 })),
  usedPercent: fc.double({ min: 0, max: 100, noNaN: true }),
  resetsAtMs: fc.option(fc.integer({ min: T0, max: T0 + 9e8 })),
});
const observationArb = fc.record({
  windows: fc.uniqueArray(readingArb, { maxLength: 4, selector: ({ limit, slot }) => `${limit} ${slot}` }),
  from: fc.constantFrom("header" as const, "event" as const, "error" as const, "usage_endpoint" as const),
  tier: fc.option(fc.constantFrom("free", "plus", "pro")),
  atMs: fc.integer({ min: T0, max: T0 + 1_000 }),
  credits: fc.option(fc.record({ hasCredits: fc.boolean(), unlimited: fc.boolean(), balance: fc.constant(null) })),
  resetCredits: fc.option(fc.nat(9)),
});

describe("observations", () => {
  test("told in any order: an older one never undoes a newer one", () => {
    fc.assert(
      fc.property(fc.array(observationArb, { maxLength: 6 }), fc.boolean(), (observations, isRefusal) => {
        let account = anAccount({ tier: "plus" });
        for (const observation of observations) {
          const before = account;
          account = observe(before, observation, T0 + 5_000, isRefusal);
          for (const old of before.windows.filter(({ observedAtMs }) => observedAtMs > observation.atMs))
            expect(account.windows).toContain(old);
          if (before.windows.some(({ observedAtMs }) => observedAtMs > observation.atMs))
            expect(account.tier).toBe(before.tier);
          for (const key of ["credits", "resetCredits"] as const)
            if ((before[key]?.observedAtMs ?? 0) > observation.atMs) expect(account[key]).toBe(before[key]);
        }
      }),
    );
  });

  test("whatever they are, an account holds each window once, each with its source and age", () => {
    fc.assert(
      fc.property(fc.array(observationArb, { maxLength: 6 }), (observations) => {
        let account = anAccount();
        for (const observation of observations) account = observe(account, observation, T0, false);
        const places = account.windows.map(({ limit, slot }) => `${limit} ${slot}`);
        expect(new Set(places).size).toBe(places.length);
        for (const { observedAtMs, observedFrom } of account.windows) {
          const told = observations.filter(({ atMs, from }) => atMs === observedAtMs && from === observedFrom);
          expect(told.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  test("that say nothing new change nothing", () => {
    const account = anAccount({ windows: [aWindow()] });
    expect(observe(account, seen(), T0 + 1, false)).toBe(account);
    expect(observe(account, seen({ tier: "plus", credits: null, resetCredits: null }), T0 + 1, false)).toBe(account);
  });

  test("credits come with source and age", () => {
    const account = observe(anAccount(), seen({ credits: CREDITS, resetCredits: 0 }), T0 + 7, false);
    expect(account.credits).toEqual({ ...CREDITS, observedAtMs: T0 + 7, observedFrom: "header" });
    expect(account.resetCredits).toEqual({ available: 0, observedAtMs: T0 + 7, observedFrom: "header" });
  });
});

describe("a window goes", () => {
  const weekly = aWindow({ slot: "secondary", lengthMinutes: 10_080, usedPercent: 100 });
  const family = aWindow({ limit: "codex_bengalfox", models: ["gpt-x-spark"] });
  const known = anAccount({ windows: [aWindow(), weekly, family] });
  const places = (account: { windows: readonly { limit: string; slot: string }[] }) =>
    account.windows.map(({ limit, slot }) => `${limit} ${slot}`);

  test("when an answer states the others of its limit and not this one", () => {
    const after = observe(known, seen({ windows: [reading({ usedPercent: 3 })] }), T0 + 1, false);
    expect(places(after)).toEqual(["codex primary", "codex_bengalfox primary"]);
  });

  test("but not for a refusal, which may name one of several", () => {
    const after = observe(known, seen({ windows: [reading({ usedPercent: 100 })] }), T0 + 1, true);
    expect(places(after)).toEqual(places(known));
  });

  test("when the usage endpoint, which states all, leaves it out; not when it states none", () => {
    const all = seen({ from: "usage_endpoint", windows: [reading()] });
    expect(places(observe(known, all, T0 + 1, false))).toEqual(["codex primary"]);
    expect(places(observe(known, { ...all, windows: [] }, T0 + 1, false))).toEqual(places(known));
  });

  test("with the plan that it was of", () => {
    const paid = seen({ tier: "pro", windows: [reading({ limit: "codex", slot: "primary" })] });
    expect(places(observe(known, paid, T0 + 1, false))).toEqual(["codex primary"]);
    const unknown = anAccount({ tier: "unknown", windows: [family] });
    expect(places(observe(unknown, paid, T0 + 1, false))).toEqual(["codex_bengalfox primary", "codex primary"]);
  });
});
