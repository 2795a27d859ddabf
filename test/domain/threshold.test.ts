/** What is done about accounts of which little is left: shown, set behind the others, or kept back. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { holdText } from "../../src/domain/explain.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import { rank } from "../../src/domain/rank.ts";
import { THRESHOLD_ACTIONS } from "../../src/domain/setting.ts";
import { scarcityOf } from "../../src/domain/threshold.ts";
import { anAccount, anAsk, aWindow, SETTINGS_NOW, selectionArb } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const thresholds = {
  ...SETTINGS_NOW,
  low_action: "prefer-others",
  low_short_percent: 20,
  low_long_percent: 10,
  critical_action: "hold",
  critical_short_percent: 5,
  critical_long_percent: 2,
} as const;
const short = (leftPercent: number) => aWindow({ usedPercent: 100 - leftPercent });
const long = (leftPercent: number) =>
  aWindow({ slot: "secondary", lengthMinutes: 10_080, usedPercent: 100 - leftPercent });

describe("how scarce a window is", () => {
  test("goes by its length", () => {
    expect(scarcityOf(short(15), thresholds, T0)).toEqual({ level: "low", action: "prefer-others", belowPercent: 20 });
    expect(scarcityOf(long(15), thresholds, T0)).toEqual({ level: "ok", action: "off", belowPercent: 0 });
    expect(scarcityOf(long(1), thresholds, T0)).toEqual({ level: "critical", action: "hold", belowPercent: 2 });
    expect(scarcityOf({ ...short(15), lengthMinutes: null }, thresholds, T0).level).toBe("ok");
  });

  test("the stronger of both actions counts", () => {
    const warned = { ...thresholds, critical_action: "warn" } as const;
    expect(scarcityOf(short(1), warned, T0)).toEqual({ level: "critical", action: "prefer-others", belowPercent: 20 });
  });

  test("a level that is off is not shown", () => {
    const off = { ...thresholds, low_action: "off", critical_action: "off" } as const;
    expect(scarcityOf(short(1), off, T0).level).toBe("ok");
  });

  test("a window that has started again is not scarce", () => {
    expect(scarcityOf({ ...short(1), resetsAtMs: T0 }, thresholds, T0).level).toBe("ok");
  });
});

describe("prefer-others", () => {
  const little = anAccount({ n: 1, windows: [short(15)] });
  const busy = anAccount({ n: 2, use: { ...anAccount().use, lastLeaseOrder: 99 } });
  const ask = anAsk({ strategy: "round-robin", thresholds });

  test("a new conversation goes to others first, under every strategy, and the plan says why", () => {
    const plan = rank([little, busy], ask);
    expect(plan.order).toEqual([busy.id, little.id]);
    expect(plan.deferred).toEqual([{ accountId: little.id, limit: "codex", lengthMinutes: 300, leftPercent: 15 }]);
  });

  test("a conversation that lives there stays", () => {
    const plan = rank([little, busy], { ...ask, affinity: little.id });
    expect([plan.order[0], plan.deferred]).toEqual([little.id, []]);
  });

  test("is never a wall: with nobody else, it serves", () => {
    expect(rank([little], ask).order).toEqual([little.id]);
  });

  test("a window of another model does not matter", () => {
    const luna = anAccount({ n: 1, windows: [{ ...short(1), models: ["gpt-6-luna"] }] });
    expect(rank([luna, busy], { ...ask, model: "gpt-5.5" }).deferred).toEqual([]);
  });

  test("changes only who comes first, never who may serve", () => {
    fc.assert(
      fc.property(selectionArb, ({ accounts, ask }) => {
        const off = { ...SETTINGS_NOW, low_action: "off", critical_action: "off" } as const;
        const without = rank(accounts, { ...ask, thresholds: off });
        const plan = rank(accounts, { ...ask, thresholds: { ...thresholds, critical_action: "prefer-others" } });
        expect(plan.order.toSorted()).toEqual(without.order.toSorted());
        expect([plan.held, plan.passedOver]).toEqual([without.held, without.passedOver]);
        const deferred = new Set(plan.deferred.map((one) => one.accountId));
        const order = plan.order.map((id) => deferred.has(id));
        expect(order).toEqual(order.toSorted());
      }),
      { numRuns: 500 },
    );
  });
});

describe("hold", () => {
  const kept = anAccount({ n: 1, windows: [short(3)] });
  const ask = anAsk({ thresholds });

  test("keeps the rest back until the window starts again", () => {
    const [hold] = holdsOn(kept, ask);
    expect(hold).toEqual({
      kind: "reserved",
      untilMs: kept.windows[0]!.resetsAtMs,
      limit: "codex",
      lengthMinutes: 300,
      rule: null,
      keptPercent: 5,
    });
    expect(holdText(hold!)).toBe("the last 5 % of its codex limit of 5 hours are kept back");
    expect(rank([kept], ask).nextUsableAtMs).toBe(kept.windows[0]!.resetsAtMs);
  });

  test("holds for a conversation that lives there too: it would eat what is kept", () => {
    expect(rank([kept], { ...ask, affinity: kept.id }).order).toEqual([]);
  });

  test("is lifted by a pin on the account, which lifts nothing else", () => {
    const pin = { accountId: kept.id, sinceMs: T0, untilMs: null };
    expect(rank([kept], { ...ask, pin }).order).toEqual([kept.id]);
    expect(rank([{ ...kept, enabled: false }], { ...ask, pin }).order).toEqual([]);
    expect(holdsOn(kept, { ...ask, pin: { ...pin, untilMs: T0 } }).map((hold) => hold.kind)).toEqual(["reserved"]);
  });

  test("a used-up window is used up, not kept back", () => {
    expect(holdsOn(anAccount({ windows: [short(0)] }), ask).map((hold) => hold.kind)).toEqual(["window_exhausted"]);
  });
});

test("every action does what the weaker ones do", () => {
  expect(THRESHOLD_ACTIONS).toEqual(["off", "warn", "prefer-others", "hold"]);
});
