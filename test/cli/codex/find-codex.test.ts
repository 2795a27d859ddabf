/** Where the Codex CLI is found, and what is never taken for it. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { Host } from "../../../src/base/env.ts";
import { findCodex as find, pathFor } from "../../../src/cli/codex/find-codex.ts";

let home: string;
let self: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "rotor-find-"));
  self = program("opt/rotor", "\x7fELF of our own");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** This machine may have a Codex of its own. */
const findCodex = (where: Host, ours: string) => find(where, ours, []);

function program(path: string, text = "\x7fELF", mode = 0o755): string {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

function host(env: Record<string, string> = {}): Host {
  const path = ["a", "b"].map((name) => join(home, name)).join(delimiter);
  return { env: { PATH: path, ...env }, platform: "linux", homeDir: home, tempDir: tmpdir(), uid: 0 };
}

test("the first on the PATH that can be run", () => {
  program("a/codex", "text", 0o644);
  const file = program("b/codex");
  expect(findCodex(host(), self)).toEqual({ file, isHidden: false });
});

test("never Rotor itself, by whatever name, nor a script that starts it again", () => {
  mkdirSync(join(home, "a"));
  symlinkSync(self, join(home, "a/codex"));
  mkdirSync(join(home, "b"));
  linkSync(self, join(home, "b/codex"));
  expect(() => findCodex(host(), self)).toThrow(/would only start Rotor/);
  for (const script of [
    '#!/bin/sh\nexec rotor codex "$@"\n',
    '#!/bin/sh\n"/opt/rotor" codex "$@"\n',
    "#!/bin/sh\nrotorctl ctl codex\n",
    "#!/usr/bin/env node\nimport 'codex-multi-auth/scripts/codex.js'\n",
  ]) {
    rmSync(join(home, "b/codex"));
    program("b/codex", script);
    expect(() => findCodex(host(), self)).toThrow(/would only start Rotor/);
  }
  program("lib/node_modules/codex-multi-auth/scripts/codex.js");
  rmSync(join(home, "b/codex"));
  symlinkSync(join(home, "lib/node_modules/codex-multi-auth/scripts/codex.js"), join(home, "b/codex"));
  const file = program(".npm-global/bin/codex", "#!/usr/bin/env node\nimport '@openai/codex-linux-x64'\n");
  expect(findCodex(host(), self)).toEqual({ file, isHidden: true });
});

test("where package managers put it, when the PATH does not know", () => {
  const file = program("npm/bin/codex");
  writeFileSync(join(home, ".npmrc"), `prefix=${join(home, "npm")}\n`);
  const found = findCodex(host(), self);
  expect(found).toEqual({ file, isHidden: true });
  expect(pathFor(found, host())).toEndWith(`${delimiter}${dirname(file)}`);
  const newer = program(".nvm/versions/node/v22.10.0/bin/codex");
  program(".nvm/versions/node/v22.9.1/bin/codex");
  rmSync(file);
  expect(findCodex(host(), self).file).toBe(newer);
});

test("ROTOR_CODEX_BIN is an order: it is taken, or said to be wrong", () => {
  program("a/codex");
  const named = program("special/codex-nightly");
  expect(findCodex(host({ ROTOR_CODEX_BIN: named }), self)).toEqual({ file: named, isHidden: false });
  expect(findCodex(host({ ROTOR_CODEX_BIN: "~/special/codex-nightly" }), self).file).toBe(named);
  expect(() => findCodex(host({ ROTOR_CODEX_BIN: join(home, "nothing") }), self)).toThrow(/is not a program/);
  expect(() => findCodex(host({ ROTOR_CODEX_BIN: self }), self)).toThrow(/leads back to Rotor/);
});

test("npm's script for Windows is passed by for the program that it would start", () => {
  program("npm/codex.cmd");
  const arch = process.arch === "arm64" ? ["arm64", "aarch64"] : ["x64", "x86_64"];
  const place = `node_modules/@openai/codex/node_modules/@openai/codex-win32-${arch[0]}/vendor/${arch[1]}-pc-windows-msvc/bin/codex.exe`;
  const file = program(`npm/${place}`);
  const windows: Host = { ...host({ PATH: "", APPDATA: home }), platform: "win32" };
  expect(findCodex(windows, self).file).toBe(file);
});
