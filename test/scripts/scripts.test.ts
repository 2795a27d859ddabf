/**
 * Sessions with the ctl, as people and scripts have them: real processes, a real daemon, the simulator as upstream.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/command-table.ts";
import { awayFromMidnight } from "../support/calendar.ts";
import { reserveCallbackPorts } from "../support/callback-ports.ts";
import { lineMatcher, matches, parseScript } from "./script-file.ts";
import { openStage } from "./stage.ts";

const FOLDER = import.meta.dir;
const SCRIPTS = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));
/** Long enough for a machine that builds something else meanwhile. */
const SCRIPT_LIMIT_MS = 300_000;

describe("scripts", () => {
  for (const name of SCRIPTS) {
    test(name, async () => runScript(name), SCRIPT_LIMIT_MS);
  }
});

async function runScript(name: string): Promise<void> {
  using _ports = name === "login.txt" ? await reserveCallbackPorts() : null;
  // It has limits by the month.
  if (name === "limits.txt") await awayFromMidnight();
  const stage = await openStage();
  try {
    for (const step of parseScript(readFileSync(join(FOLDER, name), "utf8"))) {
      const { lines, exit } = await stage.run(step.command);
      const where = `${name}:${step.line}  $ ${step.command}`;
      const asExpected = exit === step.exit && matches(step.expected, lines);
      // Printed side by side only when they differ: placeholders would show as differences otherwise.
      if (!asExpected) expect({ where, exit, lines }).toEqual({ where, exit: step.exit, lines: [...step.expected] });
      expect(asExpected).toBe(true);
    }
  } finally {
    await stage.close();
  }
}

test("every verb of the ctl is in a script", () => {
  const commands = SCRIPTS.flatMap((name) => parseScript(readFileSync(join(FOLDER, name), "utf8"))).map(
    (step) => step.command,
  );
  const missing = COMMANDS.filter((command) => !command.hidden)
    .map((command) => command.path.join(" "))
    .filter((path) => !commands.some((command) => new RegExp(`\\brotor(ctl)?( ctl)? ${path}\\b`).test(command)));
  expect(missing).toEqual([]);
});

test("the matcher: placeholders are narrow, columns may shift, dots stand for lines", () => {
  expect(lineMatcher("pid <pid>, <url>").test("pid 12, http://127.0.0.1:4747")).toBe(true);
  expect(lineMatcher("pid <pid>").test("pid none")).toBe(false);
  expect(matches(["a  b"], ["a     b"])).toBe(true);
  expect(matches(["a b"], ["ab"])).toBe(false);
  expect(matches(["a", "...", "z"], ["a", "b", "c", "z"])).toBe(true);
  expect(matches(["a", "...", "z"], ["a", "b", "c"])).toBe(false);
  expect(matches(["..."], [])).toBe(true);
  expect(matches([], ["more"])).toBe(false);
  expect(() => lineMatcher("<nonsense>")).toThrow();
});
