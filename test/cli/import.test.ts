/** `rotor import` and `rotor export` at the ctl: what is found, asked and refused. The daemon behind it is a fake. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { accountOf } from "../support/fake-engine.ts";
import { type Desk, openDesk } from "./harness.ts";

let desk: Desk;
let where: { env: Record<string, string> };
beforeEach(async () => {
  desk = await openDesk();
  where = {
    env: {
      CODEX_HOME: join(desk.home, "codex"),
      XDG_DATA_HOME: join(desk.home, "share"),
      OPENCODE_MULTI_AUTH_STORE_DIR: join(desk.home, "oma"),
    },
  };
});
afterEach(() => desk.close());

const put = (...path: string[]) => {
  const file = join(desk.home, ...path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "{}");
  return file;
};
const actions = (out: string) => out.split("\n").filter((line) => /^(would )?add/.test(line)).length;

test("what is found is offered, and one, several or all are taken", async () => {
  put("codex/auth.json");
  put("share/opencode/auth.json");
  put("oma/accounts.json");
  const ask = (answer: string) => desk.runWith({ ...where, columns: 100, answer: [answer] }, "import", "--take");
  const one = await ask("3");
  expect([one.exit, actions(one.out)]).toEqual([0, 1]);
  expect(one.err).toContain("set by OPENCODE_MULTI_AUTH_STORE_DIR");
  expect(actions((await ask("1, 2")).out)).toBe(2);
  expect(actions((await ask("")).out)).toBe(3);
  expect((await ask("7")).exit).toBe(2);
  const silent = await desk.runWith(where, "import");
  expect([silent.exit, silent.err.includes("codex, opencode, opencode-multi-auth")]).toEqual([5, true]);
  expect(actions((await desk.runWith(where, "import", "auto")).out)).toBe(3);
  expect(actions((await desk.runWith(where, "import", "--dry-run")).out)).toBe(3);
  const lines = (await desk.runWith(where, "import", "auto", "--json")).out.trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { format: string }).format)).toHaveLength(3);
});

test("nothing here, nothing of a product, a folder of nobody: each says what to do", async () => {
  const none = await desk.runWith(where, "import");
  expect([none.exit, none.err.includes("rotor login")]).toEqual([2, true]);
  expect((await desk.runWith(where, "import", "opencode-multi-auth")).err).toContain("OPENCODE_MULTI_AUTH_STORE_DIR");
  mkdirSync(join(desk.home, "empty"));
  expect((await desk.runWith(where, "import", join(desk.home, "empty"))).err).toContain("rotor help moving");
});

test("a folder is read as the product whose files lie in it, with its fallbacks", async () => {
  put("copy/accounts.json.lkg");
  const { out, exit } = await desk.runWith(where, "import", join(desk.home, "copy"), "--dry-run");
  expect([exit, actions(out)]).toEqual([0, 1]);
});

test("leftovers that are not what they seem are named and left", async () => {
  put("oma/accounts.json");
  const real = put("oma/accounts.json.bak");
  const linked = put("elsewhere");
  symlinkSync(linked, join(desk.home, "oma/accounts.json.lkg"));
  linkSync(put("kept"), join(desk.home, "oma/accounts.json.tmp-1"));
  const { out, exit } = await desk.runWith(where, "import", "leftovers", "--wipe", "--yes");
  expect(exit).toBe(0);
  expect(out).toContain("is left: it is a link");
  expect(out).toContain("is left: it has another name somewhere");
  expect(existsSync(real)).toBe(false);
  for (const file of ["elsewhere", "kept", "oma/accounts.json"])
    expect(readFileSync(join(desk.home, file), "utf8")).toBe("{}");
});

test("an export asks for a typed yes, and writes for its owner alone", async () => {
  desk.door.engine.put(accountOf("work"));
  const out = join(desk.home, "auth.json");
  const order = ["export", "work", "--to", "codex", "--out", out];
  const typed = (answer: string) => desk.runWith({ columns: 100, answer: [answer] }, ...order);
  expect((await typed("y")).exit).not.toBe(0);
  expect(existsSync(out)).toBe(false);
  expect((await typed("yes")).exit).toBe(0);
  expect(statSync(out).mode & 0o777).toBe(0o600);
  const link = join(desk.home, "link.json");
  symlinkSync(out, link);
  const risky = await desk.run("export", "work", "--to", "codex", "--out", link, "--yes", "--plain-text");
  expect([risky.exit, risky.err.includes("it is a link")]).toEqual([5, true]);
  expect((await desk.run("export", "work", "--to", "nobody")).exit).toBe(2);
  expect((await desk.run("export", "--tag", "none", "--to", "codex", "--out", out)).exit).toBe(4);
});
