/** Prices: what counts once, what is not known, and whose word counts. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allPrices, costMicroUsd, priceOf, priceProblem, type SavedPrice } from "../../src/domain/price.ts";

const NONE: ReadonlyMap<string, SavedPrice> = new Map();
const own = (model: string): ReadonlyMap<string, SavedPrice> =>
  new Map([[model, { model, input: 1, cachedInput: 0.5, output: 2, setAtMs: 0 }]]);
const usage = (inputTokens: number, cachedInputTokens: number, outputTokens: number, reasoningTokens = 0) => ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
  reasoningTokens,
});

describe("cost", () => {
  const price = { input: 2, cachedInput: 0.2, output: 12 };

  test("counts cached input and reasoning once", () => {
    expect(costMicroUsd(usage(1_000_000, 0, 0), price, null)).toBe(2_000_000);
    expect(costMicroUsd(usage(1_000_000, 1_000_000, 0), price, null)).toBe(200_000);
    expect(costMicroUsd(usage(0, 0, 1_000_000, 900_000), price, null)).toBe(12_000_000);
  });

  test("goes by the service tier", () => {
    for (const [tier, expected] of [
      ["priority", 4],
      ["fast", 4],
      ["flex", 1],
      ["default", 2],
      ["constructor", 2],
    ] as const)
      expect(costMicroUsd(usage(1, 0, 0), price, tier)).toBe(expected);
  });

  test("is whole, never below zero, and never less for more tokens", () => {
    const tokens = fc.nat(1_000_000);
    fc.assert(
      fc.property(tokens, tokens, tokens, tokens, (input, cached, output, more) => {
        const cost = costMicroUsd(usage(input, cached, output), price, null);
        expect(Number.isSafeInteger(cost) && cost >= 0).toBe(true);
        expect(costMicroUsd(usage(input + more, cached, output), price, null)).toBeGreaterThanOrEqual(cost);
        expect(costMicroUsd(usage(input, cached, output + more), price, null)).toBeGreaterThanOrEqual(cost);
      }),
    );
  });
});

describe("prices", () => {
  test("a model that nobody knows has none, and names of the language are no models", () => {
    for (const model of ["gpt-unheard-of", "toString", "constructor", "", "gpt-5.5-nonsense"])
      expect(priceOf(model, NONE)).toBeNull();
  });

  test("a dated snapshot costs what its model does", () => {
    expect(priceOf("gpt-5.5-2026-04-23", NONE)).toEqual(priceOf("gpt-5.5", NONE));
    expect(priceOf("mine-2026-04-23", own("mine"))).toMatchObject({ input: 1 });
  });

  test("the operator's word counts, with its day", () => {
    expect(priceOf("gpt-5.5", own("gpt-5.5"))).toMatchObject({ input: 1, output: 2 });
    const listed = allPrices(own("mine"), () => "2026-11-21");
    expect(listed.find(({ model }) => model === "mine")).toMatchObject({ asOf: "2026-11-21", source: "operator" });
    const table = listed.filter(({ source }) => source === "table");
    expect(table.length).toBeGreaterThan(10);
    for (const price of table) {
      expect(price.asOf).toMatch(/^\d{4}-\d{2}-\d{2}$/);
      expect(priceProblem(price)).toBeNull();
      expect(price.cachedInput).toBeLessThan(price.input);
      expect(price.input).toBeLessThan(price.output);
    }
  });

  test("nonsense is no price", () => {
    for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1_001])
      expect(priceProblem({ input: bad, cachedInput: 0, output: 0 })).not.toBeNull();
  });
});
