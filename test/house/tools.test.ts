/**
 * Law 6 and the formatter: what other tools judge. One test a tool, so that `npm run check` says which one and what it said.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { PLUGIN_FILES, pluginText } from "../../build/plugin.ts";
import { ROOT } from "./house-tree.ts";
import { expectKept } from "./law.ts";

setDefaultTimeout(60_000);

const PROTO = join(ROOT, "proto");

/** Lines that a tool prints; empty when it is content. */
function complaints(tool: string, args: readonly string[], cwd: string): string[] {
  const bin = join(ROOT, "node_modules", ".bin");
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, NO_COLOR: "1" };
  const result = Bun.spawnSync([join(bin, tool), ...args], { cwd, env, stdout: "pipe", stderr: "pipe" });
  if (result.exitCode === 0) return [];
  const lines = `${result.stdout}${result.stderr}`.split("\n").filter((line) => line.trim() !== "");
  return lines.length > 0 ? lines : [`${tool} ended with ${result.exitCode}`];
}

test("biome: format and lint", () => {
  expectKept("One format, no debate: npm run fmt", complaints("biome", ["check", "--max-diagnostics=30", "."], ROOT));
});

test("buf lint: STANDARD and COMMENTS", () => {
  expectKept(
    "The comments in proto/ are the manual of the API, and its names follow one standard.",
    complaints("buf", ["lint"], PROTO),
  );
});

test("buf format", () => {
  expectKept(
    "One format for proto too: node_modules/.bin/buf format -w . --path rotor   (in proto/)",
    complaints("buf", ["format", "--exit-code", "--diff", ".", "--path", "rotor"], PROTO),
  );
});

/** Path below `folder` → content, of every file. */
function contents(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(names.sort().map((name) => [name.replaceAll("\\", "/"), readFileSync(join(folder, name), "utf8")]));
}

test("src/gen is what proto/ generates", () => {
  const work = mkdtempSync(join(tmpdir(), "rotor-gen-"));
  try {
    const template = readFileSync(join(PROTO, "buf.gen.yaml"), "utf8").replace("../src/gen", join(work, "gen"));
    writeFileSync(join(work, "buf.gen.yaml"), template);
    symlinkSync(join(ROOT, "node_modules"), join(work, "node_modules"));
    expectKept(
      "buf generate failed.",
      complaints("buf", ["generate", "--template", join(work, "buf.gen.yaml")], PROTO),
    );
    const wanted = contents(join(work, "gen"));
    const there = contents(join(ROOT, "src", "gen"));
    expect(wanted.size).toBeGreaterThan(5);
    const differing = [...new Set([...wanted.keys(), ...there.keys()])].filter(
      (name) => wanted.get(name) !== there.get(name),
    );
    expectKept(
      "Generated code is committed so that reading and building need no generator; it must be the generator's own: npm run gen",
      differing.map((name) => `src/gen/${name} differs from what proto/ generates`),
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

test("the plugin's text in the ctl is what src/plugin builds", async () => {
  const texts = await Promise.all(PLUGIN_FILES.map(async (file) => [file.asset, await pluginText(file)] as const));
  expect(texts).toHaveLength(2);
  const differing = texts.filter(([asset, text]) => readFileSync(join(ROOT, asset), "utf8") !== text);
  expectKept(
    "What rotor connect writes into OpenCode's folder is committed, and must be what its source says: npm run gen",
    differing.map(([asset]) => `${asset} differs from what src/plugin builds`),
  );
});

/** The newest version tag, if this clone has any. */
function lastTag(): string | null {
  const git = Bun.spawnSync(["git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"], {
    cwd: ROOT,
    stderr: "ignore",
  });
  return git.exitCode === 0 ? git.stdout.toString().trim() : null;
}

test.skipIf(lastTag() === null)("buf breaking: nothing that the last tagged version promised is gone", () => {
  const against = `../.git#tag=${lastTag()},subdir=proto`;
  expectKept(
    "Within v1 the API only grows (proto/README.md).",
    complaints("buf", ["breaking", "--against", against], PROTO),
  );
});
