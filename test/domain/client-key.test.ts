/** What a client key may ask for. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { isProject } from "../../src/domain/budget.ts";
import { lostTokens } from "../../src/domain/cache-move.ts";
import { type KeyTerms, NO_TERMS, scopeRefusal, termsProblem } from "../../src/domain/client-key.ts";

const terms = (change: Partial<KeyTerms>): KeyTerms => ({ ...NO_TERMS, ...change });
const asked = (change: object = {}) => ({ model: "gpt-5.5", effort: null, tier: null, ...change });

test("a key without terms may ask for everything", () => {
  fc.assert(
    fc.property(fc.option(fc.string()), fc.option(fc.string()), fc.option(fc.string()), (model, effort, tier) => {
      expect(scopeRefusal(NO_TERMS, { model, effort, tier })).toBeNull();
    }),
  );
});

test("models are whole names, or beginnings with a star", () => {
  const key = terms({ models: ["gpt-5.4*", "o3"] });
  for (const model of ["gpt-5.4", "gpt-5.4-mini", "o3"]) expect(scopeRefusal(key, asked({ model }))).toBeNull();
  for (const model of ["gpt-5.5", "o3-mini", "GPT-5.4", "x-gpt-5.4"])
    expect(scopeRefusal(key, asked({ model }))).toBe(`the model ${model}`);
  expect(scopeRefusal(key, asked({ model: null }))).toBe("a request without a model");
});

test("an effort or a tier that is not asked for is the model's own, and let through", () => {
  const key = terms({ efforts: ["low"], tiers: ["flex"] });
  expect(scopeRefusal(key, asked())).toBeNull();
  expect(scopeRefusal(key, asked({ effort: "low", tier: "flex" }))).toBeNull();
  expect(scopeRefusal(key, asked({ effort: "high" }))).toBe("the effort high");
  for (const tier of ["auto", "default"]) expect(scopeRefusal(key, asked({ tier }))).toBeNull();
  expect(scopeRefusal(key, asked({ tier: "priority" }))).toBe("the service tier priority");
});

test("fast is priority by another name", () => {
  expect(scopeRefusal(terms({ tiers: ["priority"] }), asked({ tier: "fast" }))).toBeNull();
  expect(scopeRefusal(terms({ tiers: ["default"] }), asked({ tier: "fast" }))).toBe("the service tier priority");
});

test("terms that nobody could mean are refused", () => {
  const limit = { measure: "requests", amount: 1, period: "hour" } as const;
  expect(termsProblem(terms({ models: ["gpt-5.4*", "*"], efforts: ["low"], limits: [limit] }))).toBeNull();
  for (const bad of ["", "a b", "*x", "x\n", "ä"]) expect(termsProblem(terms({ models: [bad] }))).not.toBeNull();
  expect(termsProblem(terms({ limits: [limit, { ...limit, amount: 2 }] }))).toContain("requests by the hour");
});

test("projects are names and digests, nothing longer or stranger", () => {
  for (const good of ["a", "demo-1a2b3c4d5e6f", "org/x".replace("/", ":"), "a".repeat(64)])
    expect(isProject(good)).toBe(true);
  for (const bad of ["", "a b", "../x", "a".repeat(65), "=1+1", "ä", "a\n"]) expect(isProject(bad)).toBe(false);
});

test("a move loses what was cached and is not any more, and never more than was sent", () => {
  const usage = (inputTokens: number, cachedInputTokens: number) => ({
    inputTokens,
    cachedInputTokens,
    outputTokens: 0,
    reasoningTokens: 0,
  });
  expect(lostTokens(900, usage(1_000, 0))).toBe(900);
  expect(lostTokens(900, usage(1_000, 950))).toBe(0);
  expect(lostTokens(900, usage(100, 20))).toBe(80);
});
