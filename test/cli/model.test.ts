/** `rotor model …`: the table and its warnings, one model and what its name is sent as, aliases and how to take them back. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { accountOf } from "../support/fake-engine.ts";
import { type Desk, openDesk } from "./harness.ts";

let desk: Desk;
beforeEach(async () => {
  desk = await openDesk();
  for (const alias of ["one", "two"]) desk.door.engine.put(accountOf(alias));
});
afterEach(() => desk.close());

const rowsOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));

test("list: who has what, aliases behind it, and whose list is missing", async () => {
  await desk.run("model", "alias", "set", "quick", "gpt-5.5-low");
  const { out, err, exit } = await desk.run("model", "list");
  expect(exit).toBe(0);
  expect(rowsOf(out)).toEqual([
    ["MODEL", "CONTEXT", "EFFORTS", "TIERS", "ACCOUNTS"],
    ["gpt-5.5", "272k", "low [medium] high xhigh", "priority", "all"],
    ["gpt-6-sol", "272k", "[low] medium high xhigh", "priority", "one"],
    ["quick stands for gpt-5.5-low"],
  ]);
  expect(err).toContain("no new list for two (timed out); there is none");
  const json = JSON.parse((await desk.run("model", "list", "--json")).out);
  expect(json.models.map(({ name }: { name: string }) => name)).toEqual(["gpt-5.5", "gpt-6-sol"]);
  expect(json.aliases).toMatchObject([{ name: "quick", target: "gpt-5.5-low" }]);
});

test("show: the model, and what the name is sent as when that is something else", async () => {
  const plain = await desk.run("model", "show", "gpt-5.5");
  expect(plain.out).not.toContain("sent as");
  const mapped = rowsOf((await desk.run("model", "show", "gpt-5.5-high-fast")).out);
  expect(mapped.slice(0, 2)).toEqual([
    ["sent as", "gpt-5.5-high-fast → gpt-5.5, effort high, service tier priority"],
    ["model", "gpt-5.5"],
  ]);
  const json = JSON.parse((await desk.run("model", "show", "gpt-5.5-high", "--json")).out);
  expect(json).toMatchObject({ model: { name: "gpt-5.5" }, mapping: { sent: "gpt-5.5", effort: "high" } });
  expect(await desk.run("model", "show", "gpt-9")).toMatchObject({ out: "", exit: 4 });
});

test("alias: set, listed, removed with the way back; none says how one is made", async () => {
  expect((await desk.run("model", "alias")).err).toContain("rotor model alias set NAME MODEL");
  expect((await desk.run("model", "alias", "set", "quick", "gpt-5.5-low")).err).toBe("quick stands for gpt-5.5-low\n");
  expect(rowsOf((await desk.run("model", "alias", "list")).out)).toEqual([
    ["NAME", "STANDS FOR"],
    ["quick", "gpt-5.5-low"],
  ]);
  const removed = await desk.run("model", "alias", "remove", "quick", "--json");
  expect(JSON.parse(removed.out)).toMatchObject({ alias: { name: "quick", target: "gpt-5.5-low" } });
  await desk.run("model", "alias", "set", "quick", "gpt-5.5");
  const { err } = await desk.run("model", "alias", "remove", "quick");
  expect(err).toContain("back: rotor model alias set quick gpt-5.5");
  expect(desk.door.engine.catalogue.aliases()).toEqual([]);
});

test.each([
  [["set", "quick"], 2, "set takes other arguments"],
  [["remove"], 2, "remove takes other arguments"],
  [["sett", "quick", "gpt-5.5"], 2, "set"],
  [["set", "gpt-5.5", "gpt-5.5-low"], 2, "would stand for itself"],
  [["remove", "nobody"], 4, "there is no alias nobody"],
] as const)("alias %j is refused in words", async (args, exit, words) => {
  const run = await desk.run("model", "alias", ...args);
  expect([run.exit, run.out]).toEqual([exit, ""]);
  expect(run.err).toContain(words);
});
