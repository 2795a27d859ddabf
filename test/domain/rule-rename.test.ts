/** Names in rules and profiles: changed where they are meant, and nowhere else. */
import { describe, expect, test } from "bun:test";
import { mentionsOf, type Named, renamedIn } from "../../src/domain/rule-rename.ts";
import { profileLike } from "../contract/choice.suite.ts";

const WORK: Named = { kind: "alias", name: "work" };
const lineAs = (line: string, from: Named, to: string) =>
  renamedIn(from, to, { rules: [line], profiles: [] })?.rules[0] ?? line;

describe("a name in a rule", () => {
  test.each([
    ["keep 20% of work weekly", "keep 20% of office weekly"],
    ["  avoid  tag:work , work   # work is mine", "  avoid  tag:work , office   # work is mine"],
    ["only work for work, gpt-5*", "only office for work, gpt-5*"],
    ["prefer alias:work on mon-fri", "prefer office on mon-fri"],
    ["avoid workers, tier:work", "avoid workers, tier:work"],
    ["# avoid work", "# avoid work"],
    ["not a rule about work", "not a rule about work"],
  ])("%s", (line, expected) => {
    expect(lineAs(line, WORK, "office")).toBe(expected);
  });

  test("of a tag is its own, and a name that means something else is spelt out", () => {
    expect(lineAs("avoid tag:work, work", { kind: "tag", name: "work" }, "eu")).toBe("avoid tag:eu, work");
    expect(lineAs("avoid work", WORK, "all")).toBe("avoid alias:all");
  });
});

describe("rules and profiles together", () => {
  const profiles = [
    profileLike("night", {
      accounts: [
        { kind: "alias", name: "work" },
        { kind: "tag", name: "work" },
      ],
    }),
    profileLike("day", { rules: ["# mine", "avoid work"] }),
    profileLike("else", { rules: ["avoid spare"] }),
  ];
  const rules = ["avoid spare", "off work 22:00-06:00"];

  test("change all in one, those that name it alone", () => {
    const after = renamedIn(WORK, "office", { rules, profiles })!;
    expect(after.rules).toEqual(["avoid spare", "off office 22:00-06:00"]);
    expect(
      after.profiles.map(({ name, accounts, rules }) => [
        name,
        accounts.map((one) => "name" in one && one.name),
        rules,
      ]),
    ).toEqual([
      ["night", ["office", "work"], []],
      ["day", [], ["# mine", "avoid office"]],
    ]);
    expect(renamedIn({ kind: "alias", name: "nobody" }, "office", { rules, profiles })).toBeNull();
  });

  test("say where it is named", () => {
    expect(mentionsOf(WORK, { rules, profiles })).toEqual({
      rules: [
        { line: 2, text: "off work 22:00-06:00", profile: null },
        { line: 2, text: "avoid work", profile: "day" },
      ],
      profiles: ["night"],
    });
  });
});
