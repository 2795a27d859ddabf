/** Each strategy keeps the promise that its help text makes. Days are simulated with a counter, not a clock. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account, AccountId } from "../../src/domain/account.ts";
import { countExchange } from "../../src/domain/account.ts";
import { rank } from "../../src/domain/rank.ts";
import { capacityOf, paceOf, type StrategyName } from "../../src/domain/strategy.ts";
import { accountId, anAccount, anAsk, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

/** Leases `turns` times; `isUp` says whether account n is there in turn t. Returns how often each was chosen. */
function serve(
  strategy: StrategyName,
  count: number,
  turns: number,
  isUp = (_n: number, _turn: number) => true,
): number[] {
  let accounts = Array.from({ length: count }, (_, n) => anAccount({ n }));
  const chosen = new Array<number>(count).fill(0);
  for (let turn = 0; turn < turns; turn++) {
    const present = accounts.map((account, n) => ({ ...account, enabled: isUp(n, turn) }));
    const first = rank(present, anAsk({ strategy, dice: ((turn * 2_654_435_761) % 2 ** 32) / 2 ** 32 })).order[0];
    if (first === undefined) continue;
    accounts = accounts.map((account, n) => {
      if (account.id !== first) return account;
      chosen[n]!++;
      const exchangesByDay = countExchange(account.use.exchangesByDay, T0);
      return { ...account, use: { ...account.use, lastLeaseOrder: turn + 1, exchangesByDay } };
    });
  }
  return chosen;
}

describe("round-robin", () => {
  test("takes everybody once before anybody twice", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (count) => {
        expect(serve("round-robin", count, count * 5)).toEqual(new Array(count).fill(5));
      }),
    );
  });

  test("an account that comes and goes is not passed over for ever", () => {
    const chosen = serve("round-robin", 3, 300, (n, turn) => n !== 2 || turn % 2 === 1);
    // There half of the time, it is due whenever it is there and the two others were served since: a quarter of all turns.
    expect(chosen[2]).toBeGreaterThanOrEqual(75);
  });
});

describe("least-used", () => {
  test("evens out what happened before", () => {
    const day = Math.floor(T0 / 86_400_000);
    const busy = anAccount({ n: 1, use: { ...anAccount().use, exchangesByDay: [[day, 10]] } });
    const idle = anAccount({ n: 2, use: { ...anAccount().use, exchangesByDay: [[day, 3]] } });
    expect(rank([busy, idle], anAsk({ strategy: "least-used" })).order[0]).toBe(idle.id);
  });

  test("forgets what lies more than seven days back", () => {
    const day = Math.floor(T0 / 86_400_000);
    const long = anAccount({ n: 1, use: { ...anAccount().use, exchangesByDay: [[day - 8, 1_000]] } });
    const now = anAccount({ n: 2, use: { ...anAccount().use, exchangesByDay: [[day, 1]] } });
    expect(rank([now, long], anAsk({ strategy: "least-used" })).order[0]).toBe(long.id);
  });

  test("uses everybody equally under any flapping that leaves them up equally often", () => {
    const chosen = serve("least-used", 4, 400, (n, turn) => (turn + n) % 4 !== 0);
    for (const count of chosen) expect(Math.abs(count - 100)).toBeLessThanOrEqual(1);
  });
});

test("random is uniform over all usable accounts", () => {
  const turns = 20_000;
  for (const count of [2, 3, 7]) {
    const expected = turns / count;
    const chi2 = serve("random", count, turns).reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // Far beyond the 99.99 % quantile for 6 degrees of freedom (27.9): the dice are fixed, so this cannot flicker.
    expect(chi2).toBeLessThan(28);
  }
});

describe("balanced", () => {
  const first = (accounts: Account[], openLeases = new Map<AccountId, number>()) =>
    rank(accounts, anAsk({ openLeases })).order[0];
  const week = (usedPercent: number, hoursToReset: number) =>
    aWindow({ lengthMinutes: 10_080, usedPercent, resetsAtMs: T0 + hoursToReset * 3_600_000 });

  test("spends first what would expire unused", () => {
    const soon = anAccount({ n: 1, windows: [week(50, 10)] });
    const later = anAccount({ n: 2, windows: [week(50, 100)] });
    expect(first([later, soon])).toBe(soon.id);
  });

  test("weighs by what the plan allows", () => {
    const pro = anAccount({ n: 1, tier: "pro", windows: [week(60, 80)] });
    const plus = anAccount({ n: 2, tier: "plus", windows: [week(30, 80)] });
    expect(first([plus, pro])).toBe(pro.id);
  });

  test("the tightest window decides: a fresh short window on a spent week is no bargain", () => {
    const fresh5h = aWindow({ lengthMinutes: 300, usedPercent: 0, resetsAtMs: T0 + 3_600_000 });
    const spent = anAccount({ n: 1, windows: [fresh5h, { ...week(97, 150), slot: "secondary" }] });
    const even = anAccount({
      n: 2,
      windows: [
        { ...fresh5h, usedPercent: 40 },
        { ...week(40, 100), slot: "secondary" },
      ],
    });
    expect(first([spent, even])).toBe(even.id);
  });

  test("spreads what is in flight over equal accounts", () => {
    const a = anAccount({ n: 1 });
    const b = anAccount({ n: 2 });
    expect(first([a, b], new Map([[a.id, 1]]))).toBe(b.id);
  });

  test("equal accounts take turns", () => {
    expect(serve("balanced", 4, 40)).toEqual([10, 10, 10, 10]);
  });

  test("accounts that are nearly alike take turns too", () => {
    const fresh = anAccount({ n: 1, use: { ...anAccount().use, lastLeaseOrder: 5 }, windows: [week(0.4, 167.5)] });
    const unknown = anAccount({ n: 2, use: { ...anAccount().use, lastLeaseOrder: 4 } });
    expect(first([fresh, unknown])).toBe(unknown.id);
  });

  test("an account with nothing left to spend is the last choice, not an error", () => {
    const spent = anAccount({ n: 1, windows: [aWindow({ usedPercent: 100, models: [] }), week(99.999, 100)] });
    expect(first([spent, anAccount({ n: 2, use: { ...anAccount().use, lastLeaseOrder: 9 } })])).toBe(accountId(2));
  });

  test("pace never falls as the reset comes nearer, and never rises as more is used", () => {
    const hours = fc.integer({ min: 1, max: 167 });
    const used = fc.integer({ min: 0, max: 99 });
    fc.assert(
      fc.property(hours, used, (h, u) => {
        expect(paceOf(week(u, h), T0)).toBeGreaterThanOrEqual(paceOf(week(u, h + 1), T0));
        expect(paceOf(week(u, h), T0)).toBeGreaterThan(paceOf(week(u + 1, h), T0));
      }),
    );
  });

  test("an unknown tier weighs as plus", () => {
    expect(capacityOf("something-new")).toBe(capacityOf("plus"));
  });
});

test("ids break the last tie, so that two daemons order alike", () => {
  const accounts = [3, 1, 2].map((n) => anAccount({ n }));
  expect(rank(accounts, anAsk()).order).toEqual([accountId(1), accountId(2), accountId(3)]);
});
