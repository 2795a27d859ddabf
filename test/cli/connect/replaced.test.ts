/** What replaced products left in other programs: found, taken out, and put back byte for byte. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Desk, openDesk } from "../harness.ts";

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
});
afterAll(() => desk.close());

const BEFORE: Readonly<Record<string, string>> = {
  ".codex/config.toml": `model_provider = "codex-multi-auth-runtime-proxy" # bound
model = "gpt-5.5"

[model_providers.codex-multi-auth-runtime-proxy]
name = "codex-multi-auth"
base_url = "http://127.0.0.1:4141"

[tui]
a = 1
`,
  ".config/opencode/opencode.jsonc": `{
  // mine
  "plugin": [
    "opencode-multi-auth-codex@1.4.3", // accounts
    "file:///home/me/oc-codex-multi-auth/dist/index.js",
    ["@guard22/opencode-multi-auth-codex", { "x": 1 }],
    "another-plugin"
  ]
}
`,
  ".config/opencode/tui.json": '{ "plugin": ["oc-codex-multi-auth/tui"] }\n',
  ".config/opencode/package.json": `{
  "dependencies": {
    "@opencode-ai/plugin": "1.18.33",
    "opencode-multi-auth-codex": "^1.4.0"
  }
}
`,
  ".config/opencode/plugins/opencode-multi-auth.js": "export default 1;\n",
  ".config/opencode/plugins/mine.js": "export default 2;\n",
  ".config/systemd/user/codex-soft.service": "[Unit]\n",
  ".local/share/applications/codex-multi-auth.desktop": "[Desktop Entry]\n",
};

const at = (path: string) => join(desk.home, path);
const read = (path: string) => (existsSync(at(path)) ? readFileSync(at(path), "utf8") : null);

function layOut(): void {
  for (const [path, text] of Object.entries(BEFORE)) {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  }
}

function expectAsBefore(): void {
  for (const [path, text] of Object.entries(BEFORE)) expect([path, read(path)]).toEqual([path, text]);
}

test("nothing is left: nothing is done", async () => {
  const { err, exit } = await desk.run("connect", "--clean");
  expect([exit, err]).toEqual([0, "there is nothing to change\n"]);
});

test("it is listed, shown, taken out for whoever means it, and put back", async () => {
  layOut();
  expect((await desk.run("connect")).err).toContain("replaced products have left something in 7 files");
  expect((await desk.run("connect", "--clean", "--dry-run")).out).toContain(
    '-    "opencode-multi-auth-codex@1.4.3", // accounts',
  );
  expect((await desk.run("connect", "--clean")).exit).toBe(5);
  expectAsBefore();

  const done = await desk.run("connect", "--clean", "--yes");
  expect(done.exit).toBe(0);
  expect(done.err).toContain("systemctl --user stop codex-soft");
  expect(read(".codex/config.toml")).toBe('model = "gpt-5.5"\n\n\n[tui]\na = 1\n');
  const config = read(".config/opencode/opencode.jsonc")!;
  expect(JSON.parse(config.replace(/\/\/.*/g, ""))).toEqual({ plugin: ["another-plugin"] });
  expect(config).toContain("// mine");
  expect(JSON.parse(read(".config/opencode/tui.json")!)).toEqual({ plugin: [] });
  expect(JSON.parse(read(".config/opencode/package.json")!)).toEqual({
    dependencies: { "@opencode-ai/plugin": "1.18.33" },
  });
  for (const gone of [
    ".config/opencode/plugins/opencode-multi-auth.js",
    ".config/systemd/user/codex-soft.service",
    ".local/share/applications/codex-multi-auth.desktop",
  ])
    expect(read(gone)).toBeNull();
  expect(read(".config/opencode/plugins/mine.js")).toBe("export default 2;\n");
  expect((await desk.run("key", "list")).err).toContain("no client keys");
  expect((await desk.run("connect", "--clean")).err).toContain("there is nothing to change");
  expect((await desk.run("connect")).err).not.toContain("have left something");

  expect((await desk.run("disconnect", "replaced", "--yes")).exit).toBe(0);
  expectAsBefore();
});

test("connecting Codex takes codex-multi-auth out of its configuration; in any order all comes back", async () => {
  layOut();
  await desk.run("connect", "codex", "--yes");
  const bound = read(".codex/config.toml")!;
  expect(bound).not.toContain("codex-multi-auth");
  expect(bound).toContain("openai_base_url");
  await desk.run("connect", "--clean", "--yes");
  expect(read(".codex/config.toml")).toBe(bound);
  await desk.run("disconnect", "--all", "--yes");
  expectAsBefore();

  await desk.run("connect", "--clean", "--yes");
  await desk.run("connect", "codex", "--yes");
  await desk.run("disconnect", "--all", "--yes");
  expectAsBefore();
});

test("what somebody added since stays, and what was taken out comes back beside it", async () => {
  layOut();
  await desk.run("connect", "--clean", "--yes");
  const path = at(".config/opencode/opencode.jsonc");
  writeFileSync(path, readFileSync(path, "utf8").replace('"another-plugin"', '"another-plugin", "newer"'));
  await desk.run("disconnect", "replaced", "--yes");
  const { plugin } = JSON.parse(readFileSync(path, "utf8").replace(/\/\/ .*/g, "")) as { plugin: unknown[] };
  expect(plugin).toHaveLength(5);
  expect(plugin).toContainEqual("newer");
  expect(plugin).toContainEqual(["@guard22/opencode-multi-auth-codex", { x: 1 }]);
});
