/** Each strategy keeps the promise that its help text makes. Days are simulated with a counter, not a clock. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account, AccountId } from "../../src/domain/account.ts";
import { countExchange, NO_ORDERS } from "../../src/domain/account.ts";
import { capacityOf, paceOf } from "../../src/domain/balanced.ts";
import { rank } from "../../src/domain/rank.ts";
import { STRATEGY_NAMES, type StrategyName } from "../../src/domain/strategy.ts";
import { presentTurn, takeTurn } from "../../src/domain/turn.ts";
import { accountId, anAccount, anAsk, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

interface Served {
  readonly chosen: number[];
  /** Who was chosen, turn by turn; null when nobody was there. */
  readonly sequence: (number | null)[];
}

/** Leases `turns` times; `isUp` says whether account n is there in turn t. */
function serve(
  strategy: StrategyName,
  pool: number | readonly Account[],
  turns: number,
  isUp = (_n: number, _turn: number) => true,
): Served {
  const accounts = typeof pool === "number" ? Array.from({ length: pool }, (_, n) => anAccount({ n })) : [...pool];
  const numbers = new Map(accounts.map((account, n) => [account.id, n]));
  const chosen = new Array<number>(accounts.length).fill(0);
  const sequence: (number | null)[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const present = accounts.map((account, n) => ({ ...account, enabled: isUp(n, turn) }));
    const dice = ((turn * 2_654_435_761) % 2 ** 32) / 2 ** 32;
    const first = rank(present, anAsk({ strategy, dice }), 1).order[0];
    const n = first === undefined ? null : numbers.get(first)!;
    sequence.push(n);
    if (n === null) continue;
    chosen[n]!++;
    const account = accounts[n]!;
    const exchangesByDay = countExchange(account.use.exchangesByDay, T0);
    const use = { lastLeaseOrder: turn + 1, turn: takeTurn(account, presentTurn(accounts)), exchangesByDay };
    accounts[n] = { ...account, use: { ...account.use, ...use } };
  }
  return { chosen, sequence };
}

function weighing(...weights: number[]): Account[] {
  return weights.map((weight, n) => anAccount({ n, orders: { ...NO_ORDERS, weight } }));
}

describe("round-robin", () => {
  test("takes everybody once before anybody twice", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (count) => {
        expect(serve("round-robin", count, count * 5).chosen).toEqual(new Array(count).fill(5));
      }),
    );
  });

  test("an account that comes and goes is not passed over for ever", () => {
    const { chosen } = serve("round-robin", 3, 300, (n, turn) => n !== 2 || turn % 2 === 1);
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
    const { chosen } = serve("least-used", 4, 400, (n, turn) => (turn + n) % 4 !== 0);
    for (const count of chosen) expect(Math.abs(count - 100)).toBeLessThanOrEqual(1);
  });
});

test("random is uniform over all usable accounts", () => {
  const turns = 20_000;
  for (const count of [2, 3, 7]) {
    const expected = turns / count;
    const chi2 = serve("random", count, turns).chosen.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
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
    const pro = anAccount({ n: 1, tier: "pro", windows: [week(40, 80)] });
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
    expect(serve("balanced", 4, 40).chosen).toEqual([10, 10, 10, 10]);
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

describe("balanced, further", () => {
  const window = (lengthMinutes: number, usedPercent: number, hoursToReset: number) =>
    aWindow({
      slot: lengthMinutes > 300 ? "secondary" : "primary",
      lengthMinutes,
      usedPercent,
      resetsAtMs: T0 + hoursToReset * 3_600_000,
    });
  const first = (...accounts: Account[]) => rank(accounts, anAsk()).order[0];

  test("an account that is nearly at its five-hour limit is no place for a conversation, whatever its week holds", () => {
    const spent = anAccount({ n: 1, windows: [window(300, 79, 1), window(10_080, 20, 80)] });
    const fresh = anAccount({ n: 2, windows: [window(300, 5, 3), window(10_080, 40, 80)] });
    expect(first(spent, fresh)).toBe(fresh.id);
  });

  test("a week that nobody began is begun before one that is on its pace", () => {
    const unbegun = anAccount({ n: 1, windows: [window(10_080, 70, -1)] });
    const onPace = anAccount({ n: 2, windows: [window(10_080, 50, 84)] });
    expect(first(onPace, unbegun)).toBe(unbegun.id);
  });

  test("a weight scales what an account is worth", () => {
    const [light, heavy] = weighing(1, 3);
    expect(first(light!, { ...heavy!, windows: [window(10_080, 60, 100)] })).toBe(heavy!.id);
  });

  test("windows of other models do not count", () => {
    const other = anAccount({ n: 1, windows: [{ ...window(10_080, 90, 100), models: ["gpt-6-luna"] }] });
    const used = anAccount({ n: 2, windows: [window(10_080, 50, 100)] });
    expect(rank([used, other], anAsk({ model: "gpt-5.5" })).order[0]).toBe(other.id);
    expect(rank([used, other], anAsk({ model: "gpt-6-luna" })).order[0]).toBe(used.id);
  });
});

describe("weighted-round-robin", () => {
  const share = (weights: readonly number[], n: number) => weights[n]! / weights.reduce((sum, one) => sum + one, 0);

  test("splits 10,000 turns by any positive weights to within 1 %", () => {
    const weight = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0.01, max: 5, noNaN: true }));
    const property = fc.property(fc.array(weight, { minLength: 1, maxLength: 6 }), (weights) => {
      const { chosen } = serve("weighted-round-robin", weighing(...weights), 10_000);
      for (const [n, count] of chosen.entries())
        expect(Math.abs(count / 10_000 - share(weights, n))).toBeLessThan(0.01);
    });
    fc.assert(property, { numRuns: 25 });
  });

  test("only ratios count", () => {
    const property = fc.property(fc.integer({ min: 1, max: 9 }), fc.constantFrom(2, 4, 1 / 8), (weight, factor) => {
      const one = serve("weighted-round-robin", weighing(weight, 3, 1), 200).sequence;
      expect(serve("weighted-round-robin", weighing(weight * factor, 3 * factor, factor), 200).sequence).toEqual(one);
    });
    fc.assert(property);
  });

  test("is smooth: at no time is anybody two turns off its share", () => {
    const property = fc.property(
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 5 }),
      (weights) => {
        const { sequence } = serve("weighted-round-robin", weighing(...weights), 300);
        const counts = weights.map(() => 0);
        for (const [turn, n] of sequence.entries()) {
          counts[n!]!++;
          for (const [m, count] of counts.entries())
            expect(Math.abs(count - (turn + 1) * share(weights, m))).toBeLessThan(2);
        }
      },
    );
    fc.assert(property);
  });

  test("is never a dead end: somebody is chosen in every turn in which anybody is there", () => {
    const property = fc.property(
      fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(31), { minLength: 1, maxLength: 60 }),
      (weights, masks) => {
        const isUp = (n: number, turn: number) => ((masks[turn % masks.length]! >> n) & 1) === 1;
        const { sequence } = serve("weighted-round-robin", weighing(...weights), masks.length * 2, isUp);
        for (const [turn, n] of sequence.entries()) {
          const anybody = weights.some((_, m) => isUp(m, turn));
          expect(n !== null).toBe(anybody);
          if (n !== null) expect(isUp(n, turn)).toBe(true);
        }
      },
    );
    fc.assert(property);
  });

  test("who was away is due at once, and is not made up for", () => {
    const { sequence } = serve("weighted-round-robin", weighing(1, 1, 1), 400, (n, turn) => n !== 2 || turn >= 300);
    expect(sequence.slice(300, 303)).toContain(2);
    expect(sequence.slice(300).filter((n) => n === 2).length).toBeLessThanOrEqual(35);
  });

  test("an account that flaps gets its share of the turns in which it is there", () => {
    const { chosen } = serve("weighted-round-robin", weighing(1, 1, 2), 4_000, (n, turn) => n !== 2 || turn % 2 === 0);
    // Half of the even turns would be its share; being there every other turn only, it is due in nearly each of them.
    expect(chosen[2]).toBeGreaterThan(950);
    expect(Math.abs(chosen[0]! - chosen[1]!)).toBeLessThanOrEqual(2);
  });
});

describe("drain-first", () => {
  test("takes the highest priority, then the order of the list", () => {
    const orders = (priority: number) => ({ ...NO_ORDERS, priority });
    const pool = [anAccount({ n: 9 }), anAccount({ n: 4, orders: orders(2) }), anAccount({ n: 5 })];
    expect(rank(pool, anAsk({ strategy: "drain-first" })).order).toEqual([4, 9, 5].map(accountId));
  });

  test("stays with one until it is used up", () => {
    const { sequence } = serve("drain-first", 3, 30, (n, turn) => n > 0 || turn < 10);
    expect(sequence).toEqual([...new Array(10).fill(0), ...new Array(20).fill(1)]);
  });
});

describe("reset-soonest", () => {
  const at = (usedPercent: number, hours: number, lengthMinutes = 10_080) =>
    aWindow({ usedPercent, lengthMinutes, resetsAtMs: T0 + hours * 3_600_000 });
  const order = (...windows: ReturnType<typeof at>[][]) =>
    rank(
      windows.map((list, n) => anAccount({ n, windows: list.map((one, i) => ({ ...one, limit: `limit${i}` })) })),
      anAsk({ strategy: "reset-soonest" }),
    ).order;

  test("goes by the window with the least left, not by whichever ends first", () => {
    expect(order([at(80, 30), at(10, 2, 300)], [at(10, 90), at(50, 4, 300)])).toEqual([1, 0].map(accountId));
  });

  test("leaves out what is used up, and puts last what says nothing of a reset", () => {
    expect(order([at(100, 1)], [], [at(5, 60)])).toEqual([2, 1].map(accountId));
  });

  test("a window that has ended begins anew with the next request", () => {
    expect(order([at(90, -1)], [at(5, 160)])).toEqual([1, 0].map(accountId));
  });
});

describe("every strategy", () => {
  const spreading = STRATEGY_NAMES.filter((name) => !["drain-first", "reset-soonest"].includes(name));

  test("has a choice in every turn in which anybody is there, however accounts flap", () => {
    const property = fc.property(
      fc.constantFrom(...STRATEGY_NAMES),
      fc.array(fc.nat(15), { minLength: 1, maxLength: 40 }),
      (strategy, masks) => {
        const isUp = (n: number, turn: number) => ((masks[turn]! >> n) & 1) === 1;
        const { sequence } = serve(strategy, 4, masks.length, isUp);
        expect(sequence.map((n) => n !== null)).toEqual(masks.map((mask) => mask !== 0));
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  test("that spreads work uses everybody who is always there", () => {
    for (const strategy of spreading) {
      const { chosen } = serve(strategy, 5, 500, (n, turn) => n > 1 || turn % 3 === n);
      for (const count of chosen.slice(2)) expect(count).toBeGreaterThan(50);
    }
  });

  test("that spreads work does so also for what comes at once", () => {
    for (const strategy of spreading.filter((name) => name !== "random")) {
      let accounts = Array.from({ length: 4 }, (_, n) => anAccount({ n }));
      const openLeases = new Map<AccountId, number>();
      for (let n = 0; n < 12; n++) {
        const id = rank(accounts, anAsk({ strategy, openLeases })).order[0]!;
        openLeases.set(id, (openLeases.get(id) ?? 0) + 1);
        accounts = accounts.map((account) => {
          if (account.id !== id) return account;
          const exchangesByDay = countExchange(account.use.exchangesByDay, T0);
          const turn = takeTurn(account, presentTurn(accounts));
          return { ...account, use: { ...account.use, lastLeaseOrder: n + 1, turn, exchangesByDay } };
        });
      }
      expect({ strategy, open: [...openLeases.values()] }).toEqual({ strategy, open: [3, 3, 3, 3] });
    }
  });
});

test("ids break the last tie, so that two daemons order alike", () => {
  const accounts = [3, 1, 2].map((n) => anAccount({ n }));
  expect(rank(accounts, anAsk()).order).toEqual([accountId(1), accountId(2), accountId(3)]);
});
