/** Limits: periods of the calendar, and whether there is room. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  amountText,
  hasRoom,
  type Limit,
  limitProblem,
  limitText,
  PERIODS,
  periodEndMs,
  periodStartMs,
  type Spend,
} from "../../src/domain/limit.ts";

const at = (text: string) => Date.parse(text);
const spend = (requests: number, tokens = 0, costMicroUsd = 0): Spend => ({ requests, tokens, costMicroUsd });
const instantArb = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2100, 0, 1) });

describe("periods", () => {
  test("are those of the calendar in UTC, weeks from Monday", () => {
    const now = at("2026-11-21T16:22:41Z"); // a Saturday
    const bounds = PERIODS.map((period) => [periodStartMs(period, now), periodEndMs(period, now)]);
    expect(bounds).toEqual([
      [at("2026-11-21T16:00:00Z"), at("2026-11-21T17:00:00Z")],
      [at("2026-11-21T00:00:00Z"), at("2026-11-22T00:00:00Z")],
      [at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")],
      [at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")],
    ]);
    expect(periodEndMs("month", at("2026-12-31T23:59:59Z"))).toBe(at("2027-01-01T00:00:00Z"));
    expect(periodStartMs("month", at("2028-02-29T12:00:00Z"))).toBe(at("2028-02-01T00:00:00Z"));
  });

  test("every instant lies in exactly one, and they follow each other without a gap", () => {
    fc.assert(
      fc.property(fc.constantFrom(...PERIODS), instantArb, (period, nowMs) => {
        const [startMs, endMs] = [periodStartMs(period, nowMs), periodEndMs(period, nowMs)];
        expect(startMs <= nowMs && nowMs < endMs).toBe(true);
        expect(periodStartMs(period, startMs)).toBe(startMs);
        expect(periodEndMs(period, endMs - 1)).toBe(endMs);
        expect(periodStartMs(period, endMs)).toBe(endMs);
        // Hourly sums add up to each of them.
        expect(startMs % 3_600_000).toBe(0);
      }),
    );
  });
});

describe("room", () => {
  const requests: Limit = { measure: "requests", amount: 3, period: "hour" };
  const tokens: Limit = { measure: "tokens", amount: 100, period: "day" };

  test("a limit of requests counts those under way and is never passed", () => {
    expect(hasRoom(requests, spend(2), spend(0))).toBe(true);
    expect(hasRoom(requests, spend(2), spend(1))).toBe(false);
    expect(hasRoom(requests, spend(0), spend(3))).toBe(false);
  });

  test("a limit of tokens or cost has room while something is left beyond what is held back", () => {
    expect(hasRoom(tokens, spend(9, 99), spend(0))).toBe(true);
    expect(hasRoom(tokens, spend(0, 100), spend(0))).toBe(false);
    expect(hasRoom(tokens, spend(0, 40), spend(1, 60))).toBe(false);
    const cost: Limit = { measure: "cost", amount: 1_000_000, period: "week" };
    expect(hasRoom(cost, spend(0, 0, 999_999), spend(0))).toBe(true);
    expect(hasRoom(cost, spend(0, 0, 999_999), spend(0, 0, 1))).toBe(false);
  });

  test("more that is used never makes room", () => {
    const spendArb = fc.record({ requests: fc.nat(20), tokens: fc.nat(500), costMicroUsd: fc.nat(500) });
    const limitArb = fc.record({
      measure: fc.constantFrom("requests" as const, "tokens" as const, "cost" as const),
      amount: fc.integer({ min: 1, max: 300 }),
      period: fc.constantFrom(...PERIODS),
    });
    fc.assert(
      fc.property(limitArb, spendArb, spendArb, spendArb, (limit, used, more, reserved) => {
        const sum = spend(
          used.requests + more.requests,
          used.tokens + more.tokens,
          used.costMicroUsd + more.costMicroUsd,
        );
        if (hasRoom(limit, sum, reserved)) expect(hasRoom(limit, used, reserved)).toBe(true);
      }),
    );
  });
});

test("limits read as people write them", () => {
  expect(limitText({ measure: "requests", amount: 1, period: "hour" })).toBe("1 request an hour");
  expect(limitText({ measure: "tokens", amount: 2_000_000, period: "day" })).toBe("2,000,000 tokens a day");
  expect(limitText({ measure: "cost", amount: 20_000_000, period: "week" })).toBe("20 USD a week");
  expect(amountText("cost", 20_450_000)).toBe("20.45 USD");
  expect(amountText("cost", 123)).toBe("0.00012 USD");
});

test("a limit is a whole number above zero", () => {
  for (const amount of [0, -1, 0.5, Number.NaN, 2 ** 60])
    expect(limitProblem({ measure: "tokens", amount, period: "day" })).not.toBeNull();
  expect(limitProblem({ measure: "tokens", amount: 1, period: "day" })).toBeNull();
});
