/** How long it lasts: windows, accounts and the pool, at the pace of the recent past. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account, AccountId } from "../../src/domain/account.ts";
import { type ForecastAsk, forecastPool } from "../../src/domain/forecast.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import { seriesFrom, type WindowSample } from "../../src/domain/window-history.ts";
import { anAccount, anAsk, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const week = (usedPercent: number, resetDays: number) =>
  aWindow({ slot: "secondary", lengthMinutes: 10_080, usedPercent, resetsAtMs: T0 + resetDays * DAY_MS });

/** A window that was used `percentPerHour` for the look-back until now. */
function steady(account: Account, percentPerHour: number): WindowSample[] {
  return account.windows.flatMap((window) => {
    const hours = window.lengthMinutes! <= 1_440 ? 2 : 24;
    const { limit, slot, lengthMinutes, resetsAtMs, usedPercent } = window;
    const shared = { accountId: account.id, limit, slot, lengthMinutes, resetsAtMs };
    const before = { ...shared, usedPercent: usedPercent - percentPerHour * hours, atMs: T0 - hours * HOUR_MS };
    return [before, { ...shared, usedPercent, atMs: T0 }];
  });
}

function forecast(pool: readonly (readonly [Account, number])[], change: Partial<ForecastAsk> = {}) {
  return forecastPool(
    pool.map(([account]) => account),
    {
      nowMs: T0,
      model: null,
      holdsOn: (account) => holdsOn(account, anAsk()),
      series: seriesFrom(pool.flatMap(([account, rate]) => steady(account, rate))),
      without: new Set(),
      extraTiers: [],
      ...change,
    },
  );
}

const hours = (atMs: number | null) => (atMs === null ? null : Math.round((atMs - T0) / HOUR_MS));

describe("a window", () => {
  test("runs out at its pace, or lasts to its reset", () => {
    const account = anAccount({ windows: [week(50, 3)] });
    expect(hours(forecast([[account, 1]]).accounts[0]!.runsOutAtMs)).toBe(50);
    expect(forecast([[account, 0.5]]).accounts[0]!.runsOutAtMs).toBeNull();
    expect(forecast([[account, 0]]).accounts[0]!.windows[0]!.pace).toEqual({ percentPerHour: 0, overMs: DAY_MS });
  });

  test("that is used up has run out, and one that was never watched has no pace", () => {
    const spent = anAccount({ windows: [week(100, 3)] });
    expect(forecast([[spent, 0]]).accounts[0]!.runsOutAtMs).toBe(T0);
    const unseen = forecast([[anAccount({ windows: [week(10, 3)] }), 0]], { series: [] });
    expect(unseen.accounts[0]!.windows[0]).toMatchObject({ pace: null, runsOutAtMs: null });
  });

  test("the earliest of an account's windows counts, and only those of the model", () => {
    const short = aWindow({ usedPercent: 60, resetsAtMs: T0 + 5 * HOUR_MS });
    const luna = { ...short, limit: "luna", models: ["gpt-6-luna"], usedPercent: 80 };
    const account = anAccount({ windows: [short, week(50, 6), luna] });
    expect(hours(forecast([[account, 10]]).accounts[0]!.runsOutAtMs)).toBe(4);
    const ofModel = forecast([[account, 10]], { model: "gpt-6-luna" }).accounts[0]!;
    expect([ofModel.windows.length, hours(ofModel.runsOutAtMs)]).toEqual([3, 2]);
  });
});

describe("the pool", () => {
  const a = anAccount({ n: 1, windows: [week(50, 6)] });
  const b = anAccount({ n: 2, windows: [week(0, 6.9)] });

  test("lasts as long as all of its accounts together", () => {
    // 150 % of a Plus week are left, 1 + 1 % an hour are asked: 75 hours.
    expect(
      hours(
        forecast(
          [
            [a, 1],
            [b, 0],
          ],
          {},
        ).runsOutAtMs,
      ),
    ).toBeNull();
    expect(
      hours(
        forecast([
          [a, 1],
          [{ ...b, windows: [week(24, 6.9)] }, 1],
        ]).runsOutAtMs,
      ),
    ).toBe((50 + 76) / 2);
  });

  test("takes from whoever starts again soonest, and what starts again is there again", () => {
    const soon = anAccount({ n: 1, windows: [week(50, 1)] });
    const late = anAccount({ n: 2, windows: [week(48, 6)] });
    // 24 hours at 2 an hour use 48 of the 50 that end then; then 100 + 52 are left: 76 hours more.
    expect(
      hours(
        forecast([
          [soon, 1],
          [late, 1],
        ]).runsOutAtMs,
      ),
    ).toBe(24 + 76);
  });

  test("counts plans by what they hold", () => {
    const pro = anAccount({ n: 3, tier: "pro", windows: [week(50, 6)] });
    // 2 % of a Plus an hour: 50 + 335 are left, and both start again before that is used.
    expect(
      forecast([
        [a, 2],
        [pro, 0],
      ]).runsOutAtMs,
    ).toBeNull();
    expect(
      forecast([
        [a, 0],
        [pro, 1],
      ]).supplies[0]!.demandPercentPerHour,
    ).toBeCloseTo(6.7, 6);
  });

  test("what if an account were not there: its work is asked of the others", () => {
    const pool = [
      [a, 0.4],
      [{ ...b, windows: [week(12, 6.9)] }, 0.4],
    ] as const;
    expect(forecast(pool).runsOutAtMs).toBeNull();
    const changed = forecast(pool, { without: new Set([b.id]) });
    expect(hours(changed.runsOutAtMs)).toBe(63);
    expect(changed.accounts.map((account) => account.counts)).toEqual([true, false]);
  });

  test("what if there were one more", () => {
    const pool = [[a, 1]] as const;
    expect(hours(forecast(pool).runsOutAtMs)).toBe(50);
    expect(hours(forecast(pool, { extraTiers: ["plus"] }).runsOutAtMs)).toBeNull();
    expect(hours(forecast([[{ ...a, windows: [week(48, 6)] }, 2]], { extraTiers: ["plus"] }).runsOutAtMs)).toBe(76);
  });

  test("who is held without an end is no supply; who is out until a reset is supply from then on", () => {
    const off = { ...b, enabled: false };
    expect(
      hours(
        forecast([
          [a, 1],
          [off, 0],
        ]).runsOutAtMs,
      ),
    ).toBe(50);
    const back = anAccount({ n: 2, windows: [week(100, 1)] });
    expect(
      forecast([
        [a, 1],
        [back, 0],
      ]).accounts[1]!.counts,
    ).toBe(true);
    expect(
      forecast([
        [a, 1],
        [back, 0],
      ]).runsOutAtMs,
    ).toBeNull();
  });

  test("nothing left is the end; nothing observed is no forecast", () => {
    expect(forecast([[anAccount({ windows: [week(100, 3)] }), 0]]).runsOutAtMs).toBe(T0);
    expect(forecast([[anAccount(), 0]]).supplies).toEqual([]);
    expect(forecast([])).toMatchObject({ accounts: [], supplies: [], runsOutAtMs: null });
  });

  test("short windows are a supply of their own", () => {
    const short = anAccount({ windows: [aWindow({ usedPercent: 40, resetsAtMs: T0 + 4 * HOUR_MS }), week(40, 6)] });
    const { supplies, runsOutAtMs } = forecast([[short, 20]]);
    expect(supplies.map(({ kind }) => kind)).toEqual(["short", "long"]);
    expect(hours(runsOutAtMs)).toBe(3);
  });

  test("more supply never ends sooner, more work never later", () => {
    const account = fc.record({
      used: fc.integer({ min: 0, max: 100 }),
      days: fc.double({ min: 0.1, max: 7, noNaN: true }),
      rate: fc.double({ min: 0, max: 1, noNaN: true }),
      tier: fc.constantFrom("plus", "pro", "free"),
    });
    const end = (atMs: number | null) => atMs ?? Number.POSITIVE_INFINITY;
    fc.assert(
      fc.property(fc.array(account, { minLength: 1, maxLength: 5 }), (specs) => {
        const pool = specs.map(
          ({ used, days, rate, tier }, n) =>
            [anAccount({ n, tier, windows: [week(used, days)] }), Math.min(rate, used / 24)] as const,
        );
        const now = end(forecast(pool).runsOutAtMs);
        expect(end(forecast(pool, { extraTiers: ["plus"] }).runsOutAtMs)).toBeGreaterThanOrEqual(now - 1);
        const first = new Set<AccountId>([pool[0]![0].id]);
        expect(end(forecast(pool, { without: first }).runsOutAtMs)).toBeLessThanOrEqual(now + 1);
        const more = pool.map(([one, rate]) => [one, rate / 2] as const);
        expect(end(forecast(more).runsOutAtMs)).toBeGreaterThanOrEqual(now - 1);
      }),
      { numRuns: 300 },
    );
  });
});
