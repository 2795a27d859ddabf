/**
 * Law 7: nothing that looks like a credential lies in the tree, and nothing is put off with a note to oneself.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./house-tree.ts";
import { type Breach, expectKept } from "./law.ts";

/** Shapes with a secret part long enough to be one. Prose such as `rt_…` or `rtr_<id>_<secret>` does not match. */
const SHAPES: readonly (readonly [name: string, shape: RegExp])[] = [
  ["a JSON Web Token", /\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/],
  ["a refresh token", /\brt_[A-Za-z0-9][\w.-]{19,}/],
  ["an API key", /\bsk-[A-Za-z0-9][\w-]{19,}/],
  ["a client key of ours", /\brtr_[A-Za-z0-9]{4,}_[\w-]{20,}/],
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ["a GitHub or npm token", /\b(?:gh[opsu]|npm)_[A-Za-z0-9]{30,}/],
];

const NOTES = /\b(?:TODO|FIXME|XXX|HACK)\b/;

/** Files as a clone would have them: tracked, or new and not ignored. */
function committedFiles(): string[] {
  const git = Bun.spawnSync(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT });
  if (git.exitCode !== 0)
    return [...new Bun.Glob("{src,test,proto,build}/**/*").scanSync(ROOT)].filter(
      (path) => !path.includes("node_modules/"),
    );
  return git.stdout.toString().split("\0").filter(Boolean);
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(join(ROOT, path));
    return bytes.subarray(0, 8_000).includes(0) ? "" : bytes.toString("utf8");
  } catch {
    // Deleted but not yet committed: no text, no breach.
    return "";
  }
}

function breaches(path: string, text: string, rules: readonly (readonly [string, RegExp])[]): Breach[] {
  return text
    .split("\n")
    .flatMap((line, index) =>
      rules.flatMap(([name, shape]) =>
        shape.test(line) ? [`${path}:${index + 1} holds what looks like ${name}`] : [],
      ),
    );
}

test("no token shape in any file", () => {
  const files = committedFiles().filter((path) => path !== "bun.lock");
  expect(files.length).toBeGreaterThan(50);
  expectKept(
    "A fixture with a token in it is copied into bug reports and scanners cry wolf over it: build tokens at run time (test/support).",
    files.flatMap((path) => breaches(path, readText(path), SHAPES)),
  );
});

test("no notes to oneself", () => {
  const files = committedFiles().filter(
    (path) => /^(?:src|test|proto|build|README|\.ci)/.test(path) && !path.includes("test/house/"),
  );
  expectKept(
    "Work that is left over belongs in an issue, where somebody will find it.",
    files.flatMap((path) => breaches(path, readText(path), [["a note to oneself", NOTES]])),
  );
});

test("the law of tokens bites", () => {
  const secret = "a1B2".repeat(8);
  for (const text of [`eyJ${secret}.eyJ${secret}.${secret}`, `rt_${secret}`, `sk-${secret}`, `rtr_0k3y_${secret}`]) {
    expect(breaches("x", `const a = "${text}";`, SHAPES)).toHaveLength(1);
  }
  for (const text of [
    "rt_…",
    "`rtr_<id>_<secret>`",
    "sk-...",
    "eyJ…",
    "part_of_a_longer_identifier_name_here",
    "task-force-of-twenty-people",
  ])
    expect(breaches("x", text, SHAPES)).toEqual([]);
  expect(breaches("x", `// ${"TO"}DO later`, [["a note", NOTES]])).toHaveLength(1);
});
