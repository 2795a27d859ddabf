/** What a Tab offers, and that the three scripts are accepted by their shells. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { COMMANDS } from "../../../src/cli/command-table.ts";
import { candidates, completionScript, type Names, SHELLS } from "../../../src/cli/help/completion.ts";
import { accountOf } from "../../support/fake-engine.ts";
import { type Desk, openDesk } from "../harness.ts";

const names: Names = {
  accounts: async () => [
    { word: "work", about: "plus" },
    { word: "spare", about: "pro" },
  ],
  tags: async () => [{ word: "team", about: "tag" }],
  keys: async () => [{ word: "laptop", about: "" }],
  backups: async () => [{ word: "20261121T101500Z-daily.rotor-backup", about: "daily" }],
  profiles: async () => [{ word: "night", about: "every account" }],
  models: async () => [{ word: "gpt-5.5", about: "GPT-5.5" }],
  modelAliases: async () => [{ word: "quick", about: "gpt-5.5-low" }],
  settings: async () => [{ word: "wait_seconds", about: "20" }],
};
const at = async (...words: string[]) => (await candidates(words, COMMANDS, names)).map(({ word }) => word);

test("nouns, verbs, options, values and names, each where it belongs", async () => {
  expect(await at("")).toContain("account");
  expect(await at("")).not.toContain("complete");
  expect(await at("ctl", "ac")).toEqual(["account"]);
  expect(await at("account", "re")).toEqual([
    "redeem",
    "refresh",
    "relogin",
    "remove",
    "rename",
    "rename-tag",
    "resume",
  ]);
  expect(await at("login", "")).toEqual(["cancel", "list"]);
  expect(await at("login", "--d")).toEqual(["--device"]);
  expect(await at("login", "list", "")).toEqual([]);
  expect(await at("account", "show", "")).toEqual(["spare", "work"]);
  expect(await at("account", "show", "work", "")).toEqual([]);
  expect(await at("account", "rename", "w")).toEqual(["work"]);
  expect(await at("account", "rename", "work", "")).toEqual([]);
  expect(await at("pool", "strategy", "r")).toEqual(["random", "reset-soonest", "round-robin"]);
  expect(await at("pool", "pin", "--for", "")).toEqual([]);
  expect(await at("pool", "pin", "--for", "2h", "w")).toEqual(["work"]);
  expect(await at("pool", "pin", "--")).toEqual(["--for", "--help", "--json", "--no-start", "--until"]);
  expect(await at("exchange", "list", "--account", "s")).toEqual(["spare"]);
  expect(await at("key", "revoke", "")).toEqual(["laptop"]);
  expect(await at("setting", "set", "w")).toEqual(["wait_seconds"]);
  expect(await at("model", "show", "")).toEqual(["gpt-5.5", "quick"]);
  expect(await at("model", "alias", "remove", "")).toEqual(["quick"]);
  expect(await at("connect", "c")).toEqual(["cline", "codex", "codex-app", "continue"]);
  expect(await at("log", "--level", "w")).toEqual(["warn"]);
  expect(await at("import", "")).toEqual(["leftovers"]);
  expect(await at("nonsense", "")).toEqual([]);
});

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
  desk.door.engine.put(accountOf("work"));
});
afterAll(() => desk.close());

test("the hidden command asks the running daemon, and is silent without one", async () => {
  expect((await desk.run("complete", "--", "account", "show", "")).out).toBe("work\tplus\n");
  const none = await desk.runWith({ env: { ROTOR_SOCKET: "/nowhere.sock" } }, "complete", "--", "account", "show", "");
  expect(none).toEqual({ out: "", err: "", exit: 0 });
  expect((await desk.run("complete", "--", "pool", "pin", "--un")).out).toBe(
    "--until\tuntil when, e.g. 18:00, 2026-11-24 08:00\n",
  );
});

test("scripts print, and parse in the shells that are here", async () => {
  for (const shell of SHELLS) {
    const { out, exit } = await desk.run("completion", shell);
    expect(exit).toBe(0);
    expect(out).toBe(completionScript(shell));
    expect(out).toContain("complete --");
    const found = Bun.which(shell);
    if (found === null) continue;
    const check = spawnSync(found, ["-n"], { input: out });
    expect({ shell, status: check.status, err: String(check.stderr) }).toEqual({ shell, status: 0, err: "" });
  }
});

test("bash completes through the script", () => {
  const bash = Bun.which("bash");
  if (bash === null) return;
  const script = `${completionScript("bash")}
fake() { shift 2; printf 'list\\tabout\\nlast one\\n'; printf '%s\\n' "$*" >&2; }
COMP_WORDS=(fake account l); COMP_CWORD=2
_rotor_complete; printf '<%s>' "\${COMPREPLY[@]}"`;
  const run = spawnSync(bash, ["--norc", "-c", script]);
  expect(String(run.stdout)).toBe("<list><last one>");
});
