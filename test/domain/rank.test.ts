/** What selection promises, whatever the pool looks like. A failure prints the smallest pool that breaks it. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account, AccountId } from "../../src/domain/account.ts";
import { holdsOn, lastEndMs } from "../../src/domain/hold.ts";
import { activePin } from "../../src/domain/pin.ts";
import { rank } from "../../src/domain/rank.ts";
import { accountId, anAccount, anAsk, aWindow, selectionArb } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const RUNS = { numRuns: 1_000 };
const check = (property: (s: { accounts: Account[]; ask: ReturnType<typeof anAsk> }) => void) =>
  fc.assert(fc.property(selectionArb, property), RUNS);

describe("a plan", () => {
  test("puts every account in exactly one place: in order, held, or passed over", () => {
    check(({ accounts, ask }) => {
      const plan = rank(accounts, ask);
      const places = [...plan.order, ...plan.held.map((h) => h.accountId), ...plan.passedOver.map((p) => p.accountId)];
      expect(places.toSorted()).toEqual(accounts.map((a) => a.id).toSorted());
    });
  });

  test("never offers a held account, nor one that was tried", () => {
    check(({ accounts, ask }) => {
      for (const id of rank(accounts, ask).order) {
        expect(holdsOn(accounts.find((a) => a.id === id)!, ask)).toEqual([]);
        expect(ask.tried.has(id)).toBe(false);
      }
    });
  });

  test("never lets a pin leak to another account", () => {
    check(({ accounts, ask }) => {
      const pin = activePin(ask.pin, ask.nowMs);
      if (pin !== null) expect(rank(accounts, ask).order.every((id) => id === pin.accountId)).toBe(true);
    });
  });

  test("does not depend on the order in which accounts are given", () => {
    check(({ accounts, ask }) => {
      // All but the one that goes by the list.
      if (ask.strategy === "drain-first") return;
      expect(rank(accounts.toReversed(), ask).order).toEqual(rank(accounts, ask).order);
    });
  });

  test("keeps a conversation where it lives while that account is usable", () => {
    check(({ accounts, ask }) => {
      const plan = rank(accounts, ask);
      if (ask.affinity !== null && plan.order.includes(ask.affinity)) expect(plan.order[0]).toBe(ask.affinity);
    });
  });

  test("begins the same whatever its limit is", () => {
    check(({ accounts, ask }) => {
      const whole = rank(accounts, ask);
      for (const limit of [1, 2, 4]) {
        const part = rank(accounts, ask, limit);
        expect(part.order).toEqual(whole.order.slice(0, limit));
        expect({ ...part, order: [] }).toEqual({ ...whole, order: [] });
      }
    });
  });

  test("keeps its word about when somebody becomes usable, and not a millisecond before", () => {
    check(({ accounts, ask }) => {
      const plan = rank(accounts, ask);
      if (plan.nextUsableAtMs === null) return;
      const pin = activePin(ask.pin, ask.nowMs);
      const free = { ...ask, tried: new Set<AccountId>(), pin: pin && { ...pin, untilMs: null } };
      expect(rank(accounts, { ...free, nowMs: plan.nextUsableAtMs }).order.length).toBeGreaterThan(0);
      if (plan.nextUsableAtMs <= ask.nowMs || plan.passedOver.some((account) => account.because === "tried")) return;
      expect(rank(accounts, { ...free, nowMs: plan.nextUsableAtMs - 1 }).order).toEqual([]);
    });
  });

  test("names a next time only when nobody is usable now", () => {
    check(({ accounts, ask }) => {
      const plan = rank(accounts, ask);
      if (plan.usableCount > 0) expect(plan.nextUsableAtMs).toBeNull();
      expect(plan.reason === "none").toBe(plan.usableCount === 0);
    });
  });
});

describe("holds", () => {
  test("an account with two holds is usable only after both", () => {
    const account = anAccount({
      cooldown: { untilMs: T0 + 1_000, sinceMs: T0, reason: "rate_limited", failures: 1 },
      windows: [aWindow({ usedPercent: 100, resetsAtMs: T0 + 9_000 })],
    });
    expect(lastEndMs(holdsOn(account, anAsk()))).toBe(T0 + 9_000);
    expect(rank([account], anAsk()).nextUsableAtMs).toBe(T0 + 9_000);
  });

  test("a window that counts another model does not hold", () => {
    const account = anAccount({ windows: [aWindow({ usedPercent: 100, models: ["gpt-6-luna"] })] });
    expect(holdsOn(account, anAsk({ model: "gpt-5.5" }))).toEqual([]);
    expect(holdsOn(account, anAsk({ model: "gpt-6-luna" })).map((hold) => hold.kind)).toEqual(["window_exhausted"]);
  });

  test("a window whose reset has passed does not hold", () => {
    const account = anAccount({ windows: [aWindow({ usedPercent: 100, resetsAtMs: T0 })] });
    expect(holdsOn(account, anAsk())).toEqual([]);
  });

  test("each kind shows, all of them at once", () => {
    const account = anAccount({
      enabled: false,
      login: { kind: "needs_login", reason: "refresh_token_reused", sinceMs: T0 },
      cooldown: { untilMs: T0 + 1, sinceMs: T0, reason: "refresh_failed", failures: 1 },
      windows: [aWindow({ usedPercent: 100 })],
      unsupportedModels: [{ model: "gpt-5.5", untilMs: T0 + 1 }],
    });
    const ask = anAsk({ model: "gpt-5.5", openLeases: new Map([[account.id, 3]]), maxLeases: 3 });
    expect(holdsOn(account, ask).map((hold) => hold.kind)).toEqual([
      "disabled",
      "needs_login",
      "cooling_down",
      "window_exhausted",
      "model_unsupported",
      "at_capacity",
    ]);
  });
});

test("a pin whose end has passed is none", () => {
  const pin = { accountId: accountId(2), sinceMs: T0 - 10, untilMs: T0 };
  expect(rank([anAccount({ n: 1 })], anAsk({ pin })).order).toEqual([accountId(1)]);
});
