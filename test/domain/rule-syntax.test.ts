/** Rules are read as they are written, written as they are read, and what is no rule is named with its place. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { printRule, printWho, type Rule, type Who } from "../../src/domain/rule.ts";
import { parseRules, parseWho } from "../../src/domain/rule-syntax.ts";
import type { When } from "../../src/domain/schedule.ts";

const canonical = (text: string) => {
  const { rules, problems } = parseRules([text]);
  expect(problems).toEqual([]);
  return printRule(rules[0]!.rule);
};

describe("what is read", () => {
  test.each([
    ["keep 20% of work-pro", "keep 20% of work-pro"],
    ["KEEP 20 % of tag:Work 7d", "keep 20% of tag:work weekly"],
    ["keep 5% of all for gpt-5-pro , o4 weekends", "keep 5% of all for gpt-5-pro, o4 on weekends"],
    ["prefer tag:personal on weekends", "prefer tag:personal on weekends"],
    ["avoid tag:work 18:00-08:00", "avoid tag:work 18:00-08:00"],
    ["only tag:pro, alias:all for gpt-5*", "only tag:pro, alias:all for gpt-5*"],
    ["off work-pro mon-fri 9:00–17:00  # at work", "off work-pro on mon-fri 09:00-17:00"],
    ["off spare Saturday, mon, tue 22:00-24:00, 00:00-02:30", "off spare on mon-tue, sat 22:00-24:00, 00:00-02:30"],
    ["off spare fri-mon", "off spare on mon, fri-sun"],
  ])("%s", (text, printed) => {
    expect(canonical(text)).toBe(printed);
  });

  test("empty lines and remarks are no rules, and lines keep their numbers", () => {
    const { rules, problems } = parseRules(["# mine", "", "avoid spare # slow"]);
    expect(problems).toEqual([]);
    expect(rules.map(({ line, text }) => [line, text])).toEqual([[3, "avoid spare # slow"]]);
  });
});

describe("what is refused, and where", () => {
  test.each([
    ["hold work", 1, "begins with keep"],
    ["keep work", 6, "a share"],
    ["keep 20 of work", 6, "wants a %"],
    ["keep 0% of work", 6, "1% to 100%"],
    ["keep 20% work", 10, '"of"'],
    ["keep 20% of", 12, "missing at the end"],
    ["prefer tag:", 8, "no account"],
    ["prefer work,", 13, "missing at the end"],
    ["avoid work 18:00", 12, "not expected"],
    ["avoid work 18:00-25:00", 18, "ends at no time"],
    ["avoid work 24:00-08:00", 12, "begins at no time"],
    ["avoid work 08:00-08:00", 12, "ends when it begins"],
    ["only work for gpt 5 09:00-10:00", 19, "not expected"],
    ["off work", 1, "needs a time"],
    ["off work mon-tue-wed", 10, "not expected"],
  ])("%s", (text, column, message) => {
    const { rules, problems } = parseRules(["", text]);
    expect(rules).toEqual([]);
    expect(problems).toEqual([{ line: 2, column, message: expect.stringContaining(message) }]);
  });

  test("no text at all makes it throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(keep|off|only)( [a-z0-9:%*,#-]+)*$/)), (text) => {
        const { rules, problems } = parseRules([text]);
        expect(rules.length + problems.length).toBeLessThanOrEqual(1);
        for (const { column } of problems) expect(column).toBeGreaterThanOrEqual(1);
      }),
    );
  });
});

const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,8}$/);
const whoArb: fc.Arbitrary<Who> = fc.oneof(
  fc.constant({ kind: "all" as const }),
  fc.record({
    kind: fc.constantFrom("alias" as const, "tag" as const, "tier" as const),
    name: fc.oneof(name, fc.constant("all")),
  }),
);
const minute = fc.integer({ min: 0, max: 1_439 });
const timeArb = fc
  .tuple(minute, fc.integer({ min: 0, max: 1_440 }))
  .filter(([from, to]) => from !== to)
  .map(([from, to]) => ({ from, to }));
const whenArb: fc.Arbitrary<When> = fc.record({
  days: fc.integer({ min: 1, max: 127 }),
  times: fc.array(timeArb, { maxLength: 3 }),
});
const common = {
  who: fc.array(whoArb, { minLength: 1, maxLength: 3 }),
  models: fc.array(fc.stringMatching(/^[a-z0-9*][a-z0-9.*-]{0,8}$/), { maxLength: 2 }),
  when: fc.option(whenArb),
};
const spanArb = fc.oneof(
  fc.constantFrom({ kind: "short" as const }, { kind: "long" as const }),
  fc.integer({ min: 1, max: 50_000 }).map((minutes) => ({ kind: "length" as const, minutes })),
);
const ruleArb: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({
    verb: fc.constant("keep" as const),
    percent: fc.integer({ min: 1, max: 100 }),
    span: fc.option(spanArb),
    ...common,
  }),
  fc.record({ verb: fc.constantFrom("prefer" as const, "avoid" as const, "only" as const), ...common }),
  fc.record({ verb: fc.constant("off" as const), ...common, when: whenArb }),
);

test("what is printed is read as the same rule", () => {
  fc.assert(
    fc.property(ruleArb, (rule) => {
      const { rules, problems } = parseRules([printRule(rule)]);
      expect(problems).toEqual([]);
      expect(rules[0]!.rule).toEqual(rule);
    }),
    { numRuns: 1_000 },
  );
});

test("accounts of a profile are read as they are printed", () => {
  fc.assert(
    fc.property(fc.array(whoArb, { minLength: 1, maxLength: 4 }), (who) => {
      expect(parseWho(printWho(who))).toEqual(who);
    }),
  );
  expect(parseWho("tag:work spare")).toEqual({ column: 10, message: '"spare" was not expected' });
});
