/** `rotor audit list`: orders of this and other programs, for people and for programs. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { accountOf } from "../support/fake-engine.ts";
import { type Desk, openDesk } from "./harness.ts";

let desk: Desk;
const WORK = accountOf("work");
beforeAll(async () => {
  desk = await openDesk();
  desk.door.engine.put(WORK);
  await desk.run("account", "refresh", "work");
  await desk.run("key", "create", "laptop");
  await desk.run("account", "rename", "work", "Not Good");
  desk.door.engine.audit.own({
    action: "account.needs_login",
    subjects: [{ id: WORK.id, name: "work" }],
    text: "revoked",
  });
});
afterAll(() => desk.close());

const rows = (out: string) =>
  out
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split(/\s{2,}/));

test("newest first, with who, what, on what and how", async () => {
  const { out, exit } = await desk.run("audit", "list");
  expect(exit).toBe(0);
  expect(rows(out).map(([, who, ...rest]) => [who?.replace(/\d+/, "PID"), ...rest])).toEqual([
    ["rotor", "account.needs_login", "work", "revoked"],
    ["ctl PID", "account.update", "–", "refused: invalid_alias"],
    ["ctl PID", "key.create", "–", "–"],
    ["ctl PID", "account.refresh", "–", "–"],
  ]);
});

test("filters: by account, by its old name, action, actor, refusal, time, number", async () => {
  const actions = async (...words: string[]) => {
    const { out } = await desk.run("audit", "list", "--json", ...words);
    return (JSON.parse(out) as { entries: { action: string }[] }).entries.map(({ action }) => action);
  };
  expect(await actions("--account", "work")).toEqual(["account.needs_login"]);
  expect(await actions("--account", "gone")).toEqual([]);
  expect(await actions("--action", "key")).toEqual(["key.create"]);
  expect(await actions("--by", "rotor")).toEqual(["account.needs_login"]);
  expect(await actions("--failed")).toEqual(["account.update"]);
  expect(await actions("--since", "1h", "-n", "1")).toEqual(["account.needs_login"]);
});

test("nonsense is refused with what would do", async () => {
  for (const words of [
    ["--since", "soon"],
    ["--since", "2099-01-01"],
    ["--by", "nobody"],
    ["-n", "0"],
  ]) {
    const { err, exit } = await desk.run("audit", "list", ...words);
    expect([words, exit]).toEqual([words, 2]);
    expect(err).toContain("rotor help audit list");
  }
  const { out, err } = await desk.run("audit", "list", "--action", "nothing");
  expect([out, err]).toEqual(["", "no entries\n"]);
});
