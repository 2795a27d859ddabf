/**
 * The file that OpenCode loads, as it is written: in the runtimes that OpenCode has (its Bun: test/clients), here in this Bun and in Node, with
 * nothing beside it. A program of a few lines loads it and plays one request, one restart and one end of the daemon.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPENCODE_PLUGIN_TEXT, OPENCODE_TUI_TEXT } from "../../src/cli/plugin-text.ts";
import { playPlugin } from "../support/plugin-play.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rotor-runtimes-"));
  // Node takes a file for what the package.json near it says.
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "rotor.js"), OPENCODE_PLUGIN_TEXT);
  writeFileSync(join(folder, "rotor-tui.js"), OPENCODE_TUI_TEXT);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["this Bun", [process.execPath]],
  ["Node", ["node"]],
])("in %s it routes, follows a restart, and fails closed", async (_name, command) => {
  expect(await playPlugin(command, folder)).toEqual({
    shape: ["id", "server", "setup"],
    tui: ["id", "tui"],
    served: 200,
    afterRestart: 200,
    down: 400,
    tool: expect.stringContaining("rotor up"),
  });
});

test("it imports nothing but Node's own modules, and exports one default", () => {
  for (const text of [OPENCODE_PLUGIN_TEXT, OPENCODE_TUI_TEXT]) {
    const imported = [...text.matchAll(/^import .* from "(.*)";$/gm)].map(([, from]) => from);
    expect(imported.length).toBeGreaterThan(2);
    expect(imported.filter((from) => !from!.startsWith("node:"))).toEqual([]);
    expect(text).not.toMatch(/\brequire\(|\bBun\./);
    expect(text.match(/^export\b/gm)).toHaveLength(1);
    expect(text).toMatch(/^\/\/ Rotor's plugin for OpenCode, version \d/);
  }
});
