/**
 * Every `rotor …` that a README, a help text or an error hint tells somebody to type is a command, with options that it has.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ERROR_TABLE } from "../../src/base/errors.ts";
import { COMMANDS } from "../../src/cli/command-table.ts";
import { commandAt } from "../../src/cli/program.ts";
import { ROOT } from "./house-tree.ts";
import { type Breach, expectKept } from "./law.ts";

const READMES = [
  "README.md",
  "src/README.md",
  "test/README.md",
  "build/README.md",
  "proto/README.md",
  "src/simulator/README.md",
];
const GLOBAL_OPTIONS = ["json", "no-start", "help", "version"];

/** Command lines with where they were said: in code blocks (indented or fenced), and between backticks or `$(…)` in prose. */
function commandLines(path: string, markdown: string): { place: string; line: string }[] {
  const found: { place: string; line: string }[] = [];
  let fenced = false;
  for (const [index, text] of markdown.split("\n").entries()) {
    const place = `${path}:${index + 1}`;
    if (text.startsWith("```")) fenced = !fenced;
    const typed = /^(?:\$ )?(rotor(?:ctl)? [a-z-].*)$/.exec(text.trim());
    if (typed && (fenced || text.startsWith("    "))) found.push({ place, line: typed[1]! });
    for (const inline of text.matchAll(/`(rotor(?:ctl)? [^`]+)`|\$\((rotor(?:ctl)? [^)]+)\)/g))
      found.push({ place, line: inline[1] ?? inline[2]! });
  }
  return found;
}

/** Why a line cannot be typed as it stands; null when it can. */
function refuse(line: string): string | null {
  const typed = line.split(/\s+#|\s{2,}|[|;<>&]|\s\(/)[0]!;
  const words = typed.trim().split(/\s+/).slice(1);
  if (words[0] === "ctl") words.shift();
  const command = commandAt(words, COMMANDS);
  if (!command) return words[0]?.startsWith("--") ? null : `"${typed.trim()}" is no command`;
  // What follows it is another program's.
  if (command.passesOn) return null;
  const own = (command.options ?? []).map((option) => option.name);
  const before = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  const options = before
    .filter((word) => word.startsWith("--") && word !== "--")
    .map((word) => word.slice(2).split("=")[0]!);
  const unknown = options.find((name) => !own.includes(name) && !GLOBAL_OPTIONS.includes(name));
  return unknown ? `"${typed.trim()}" has no option --${unknown}` : null;
}

function judge(lines: readonly { place: string; line: string }[]): Breach[] {
  return lines.flatMap(({ place, line }) => {
    // `rotor account list | show | …` and `rotor connect codex|opencode` describe several commands; the first stands for all.
    const refusal = refuse(line);
    return refusal ? [`${place} ${refusal}`] : [];
  });
}

const REASON = "Whoever types what we told them and gets an error trusts nothing else that we say.";

test("READMEs tell commands that exist", () => {
  const lines = READMES.flatMap((path) => {
    const file = join(ROOT, path);
    return existsSync(file) ? commandLines(path, readFileSync(file, "utf8")) : [];
  });
  expectKept(REASON, judge(lines));
});

test("hints of errors tell commands that exist", () => {
  const lines = Object.entries(ERROR_TABLE).flatMap(([code, { hint }]) => {
    const at = hint?.indexOf("rotor ") ?? -1;
    // A hint either is a command, or a sentence that ends with one after a colon.
    return hint && (at === 0 || hint[at - 2] === ":") ? [{ place: `error ${code}`, line: hint.slice(at) }] : [];
  });
  expect(lines.length).toBeGreaterThan(15);
  expectKept(REASON, judge(lines));
});

test("examples in the help are commands that exist", () => {
  const lines = COMMANDS.flatMap((command) =>
    (command.examples ?? []).map((line) => ({ place: `help of ${command.path.join(" ")}`, line })),
  );
  expectKept(REASON, judge(lines.filter(({ line }) => /^rotor(ctl)? /.test(line))));
});

test("the law of commands bites", () => {
  const text =
    "Text about rotor accounts.\n\n    rotor acount list\n    rotor pool explain --modle x\n    rotor pool explain --json   # why\n\nSee `rotor nothing`.\n";
  const places = judge(commandLines("x.md", text)).map((breach) => breach.split(" ")[0]);
  expect(places).toEqual(["x.md:3", "x.md:4", "x.md:7"]);
});
