/** Which model a name stands for: a table of names, and what must hold of every name. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ModelFacts } from "../../src/domain/model.ts";
import { aliasProblem, chooseModel, type ModelBook, mappingText, needsBook } from "../../src/domain/model-choice.ts";
import { modelOf } from "../support/builders.ts";

const LISTED: readonly ModelFacts[] = [
  modelOf("gpt-5.5", { upgradeTo: "gpt-6-sol" }),
  modelOf("gpt-5.1-codex-max"),
  modelOf("gpt-5.4", { upgradeTo: "gpt-5.5", serviceTiers: [] }),
  modelOf("gpt-6-sol", { efforts: ["low", "medium", "high", "xhigh", "max", "ultra"] }),
  modelOf("gpt-6-luna", { efforts: ["low", "medium", "high", "xhigh", "max"] }),
  modelOf("gpt-ring-a", { upgradeTo: "gpt-ring-b" }),
  modelOf("gpt-ring-b", { upgradeTo: "gpt-ring-a" }),
  modelOf("gpt-lost", { upgradeTo: "gpt-of-nobody" }),
];

function book(aliases: Record<string, string> = {}, preferLatest = "off", models = LISTED): ModelBook {
  return {
    models: new Map(models.map((facts) => [facts.slug, facts])),
    aliases: new Map(Object.entries(aliases)),
    preferLatest,
  };
}

const textOf = (asked: string, of: ModelBook) => {
  const mapping = chooseModel(asked, of);
  return mapping === null ? null : mappingText(mapping).replace(`${asked} -> `, "");
};

describe("a name stands for", () => {
  test.each([
    // Itself, whatever it looks like.
    ["gpt-5.5", null],
    ["gpt-5.1-codex-max", null],
    ["gpt-unheard-of", null],
    ["", null],
    // A model with an effort, when the model has it.
    ["gpt-5.5-high", "gpt-5.5 (effort high)"],
    ["gpt-5.5-none", "gpt-5.5 (effort none)"],
    ["gpt-5.5-minimal", "gpt-5.5 (effort low)"],
    ["gpt-5.5-max", null],
    ["gpt-6-sol-max", "gpt-6-sol (effort max)"],
    ["gpt-6-sol-ultra", "gpt-6-sol (effort max)"],
    ["gpt-6-luna-ultra", null],
    ["gpt-5.1-codex-max-low", "gpt-5.1-codex-max (effort low)"],
    ["gpt-5.5-low-high", null],
    ["gpt-5.9-high", null],
    ["-high", null],
    ["high", null],
    // Faster, where upstream offers that.
    ["gpt-5.5-fast", "gpt-5.5 (service tier priority)"],
    ["gpt-5.5-high-fast", "gpt-5.5 (effort high, service tier priority)"],
    ["gpt-5.5-fast-high", "gpt-5.5 (effort high, service tier priority)"],
    ["gpt-5.5-fast-fast", null],
    ["gpt-5.4-fast", null],
    // Whose it is need not be said.
    ["openai/gpt-5.5", "gpt-5.5"],
    ["openai/gpt-5.5-low", "gpt-5.5 (effort low)"],
    ["acme/gpt-5.5", null],
    // The smallest is not served.
    ["gpt-5.4-nano", "gpt-6-luna"],
    // An alias.
    ["quick", "gpt-5.5 (effort low)"],
    ["quick-high", "gpt-5.5 (effort high)"],
    ["quick-fast", "gpt-5.5 (effort low, service tier priority)"],
    ["gpt-4o", "gpt-6-sol"],
    ["gpt-4o-xhigh", "gpt-6-sol (effort xhigh)"],
    ["strange", "gpt-of-tomorrow"],
  ])("%s: %p", (asked, expected) => {
    const aliases = { quick: "gpt-5.5-low", "gpt-4o": "gpt-6-sol", strange: "gpt-of-tomorrow" };
    expect(textOf(asked, book(aliases))).toBe(expected);
  });

  test.each([
    ["gpt-5.5", "gpt-6-sol"],
    ["gpt-5.4", "gpt-6-sol"],
    ["gpt-5.4-high", "gpt-6-sol (effort high)"],
    ["gpt-6-sol", null],
    ["gpt-ring-a", null],
    ["gpt-lost", null],
  ])("with upstream's own upgrades, %s: %p", (asked, expected) => {
    expect(textOf(asked, book({}, "upstream"))).toBe(expected);
  });

  test.each([
    ["gpt-5.5", "gpt-6-sol"],
    ["gpt-5-codex", "gpt-6-sol"],
    ["gpt-5.1-codex-max-low", "gpt-6-sol (effort low)"],
    ["gpt-5.1-codex-mini", null],
    ["gpt-6-luna", null],
    ["gpt-6-sol", null],
    ["codex-auto-review", null],
  ])("with gpt-6-sol preferred, %s: %p", (asked, expected) => {
    expect(textOf(asked, book({}, "gpt-6-sol"))).toBe(expected);
  });

  test("an effort that the preferred model lacks is the nearest below", () => {
    const models = [modelOf("gpt-5.5"), modelOf("gpt-7-sol", { efforts: ["low", "medium"] })];
    expect(textOf("gpt-5.5-xhigh", book({}, "gpt-7-sol", models))).toBe("gpt-7-sol (effort medium)");
  });

  test("without any list, names are judged by their looks", () => {
    const none = book({}, "off", []);
    expect(textOf("gpt-5.5-high", none)).toBe("gpt-5.5 (effort high)");
    expect(textOf("gpt-5.5-fast", none)).toBe("gpt-5.5 (service tier priority)");
    expect(textOf("gpt-5.1-codex-max", none)).toBeNull();
    expect(textOf("gpt-5.4-nano", none)).toBeNull();
    expect(textOf("llama-high", none)).toBeNull();
  });
});

test("only names that a list can change the meaning of wait for one", () => {
  const aliases = new Map([["quick", "gpt-5.5-low"]]);
  const waits = ["gpt-5.5-high", "gpt-5.5-fast", "quick", "openai/gpt-5.5", "gpt-5.4-nano"];
  expect(waits.filter((name) => needsBook(name, aliases))).toEqual(waits);
  expect(["gpt-5.5", "gpt-6-sol", "codex-auto-review", ""].filter((name) => needsBook(name, aliases))).toEqual([]);
});

test("an alias is refused when it would not end at a model", () => {
  const aliases = new Map([["quick", "gpt-5.5-low"]]);
  expect(aliasProblem("quick", "gpt-6-sol", aliases)).toBeNull();
  expect(aliasProblem("gpt-4o", "gpt-6-sol-high", aliases)).toBeNull();
  expect(aliasProblem("a b", "gpt-6-sol", aliases)).toContain("1–64");
  expect(aliasProblem("x", "gpt 6", aliases)).toContain("name of a model");
  expect(aliasProblem("x", "x-high", aliases)).toContain("itself");
  expect(aliasProblem("slow", "quick-high", aliases)).toContain("quick is an alias itself");
  expect(aliasProblem("gpt-5.5", "gpt-6-sol", aliases)).toContain("the alias quick stands for");
});

const NAMES = [
  "gpt-5.5",
  "gpt-5.4",
  "gpt-6-sol",
  "gpt-6-luna",
  "gpt-5.4-nano",
  "gpt-5.1-codex-max",
  "quick",
  "gpt-4o",
  "x",
];
const SUFFIXES = ["", "-fast", "-high", "-low", "-max", "-none", "-minimal", "-high-fast", "-fast-low", "-nano"];
const aName = fc
  .tuple(fc.constantFrom("", "openai/"), fc.constantFrom(...NAMES), fc.constantFrom(...SUFFIXES))
  .map((parts) => parts.join(""));
const aBook = fc
  .record({
    aliases: fc.array(fc.tuple(aName, aName), { maxLength: 5 }),
    listed: fc.subarray([...LISTED]),
    preferLatest: fc.constantFrom("off", "upstream", "gpt-6-sol", "gpt-5.5", "gpt-4o"),
  })
  .map(({ aliases, listed, preferLatest }) => {
    const kept = new Map<string, string>();
    for (const [name, target] of aliases) if (aliasProblem(name, target, kept) === null) kept.set(name, target);
    return book(Object.fromEntries(kept), preferLatest, listed);
  });

test("what a name stands for stands for itself", () => {
  fc.assert(
    fc.property(aName, aBook, (asked, of) => {
      const sent = chooseModel(asked, of)?.sent ?? asked;
      expect(chooseModel(sent, of)?.sent ?? sent).toBe(sent);
    }),
    { numRuns: 2_000 },
  );
});

test("an effort that is sent is one that the model has, and a name that is listed is sent as it is", () => {
  fc.assert(
    fc.property(aName, aBook, (asked, of) => {
      const mapping = chooseModel(asked, of);
      const facts = mapping === null ? undefined : of.models.get(mapping.sent);
      if (facts !== undefined && mapping!.effort !== null && mapping!.effort !== "none")
        expect([...facts.efforts, "max"]).toContain(mapping!.effort);
      if (of.models.has(asked) && !of.aliases.has(asked) && of.preferLatest === "off") expect(mapping).toBeNull();
    }),
    { numRuns: 2_000 },
  );
});
