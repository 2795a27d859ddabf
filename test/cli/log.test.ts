/** The log as people read it, from the file itself. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTail } from "../../src/cli/commands/log.ts";
import { runIn, tempHome } from "./harness.ts";

let home: string;
let file: string;
beforeEach(() => {
  home = tempHome();
  file = join(home, "rotor.log");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const line = (level: string, event: string, more = {}) =>
  `${JSON.stringify({ time: "2026-11-21T12:00:01.000Z", level, event, ...more })}\n`;
const run = (...argv: string[]) => runIn(home, { env: { ROTOR_HOME: home } }, ["log", ...argv]);

test("lines are made readable; --json leaves them as they are", async () => {
  writeFileSync(
    file,
    `${line("info", "daemon.started", { port: 4747 }) + line("warn", "account.held", { alias: "work" })}panic: no\n`,
  );
  expect((await run()).out).toMatch(
    /^\d\d:00:01 {2}info {3}daemon\.started {2}port=4747\n\d\d:00:01 {2}warn {3}account\.held {2}alias=work\npanic: no\n$/,
  );
  expect((await run("--json", "-n", "1", "--level", "info")).out).toBe("panic: no\n");
  expect((await run("--json", "-n", "2")).out).toBe(`${line("warn", "account.held", { alias: "work" })}panic: no\n`);
});

test("--level keeps that level and above; bare text counts as an error", async () => {
  writeFileSync(file, `${line("debug", "a.b")}${line("error", "c.d")}bare\n`);
  expect((await run("--level", "error", "--json")).out).toBe(`${line("error", "c.d")}bare\n`);
});

test("no log yet is no failure; a bad number is", async () => {
  expect(await run()).toEqual({ out: "", err: `no log yet at ${file}\n`, exit: 0 });
  expect((await run("-n", "many")).exit).toBe(2);
});

test("following goes on over a rotation and waits for whole lines", () => {
  writeFileSync(file, line("info", "one.done"));
  const tail = createTail(file);
  expect(tail.read()).toHaveLength(1);
  expect(tail.read()).toEqual([]);
  appendFileSync(file, "half");
  expect(tail.read()).toEqual([]);
  appendFileSync(file, " done\n");
  expect(tail.read()).toEqual(["half done"]);
  renameSync(file, `${file}.1`);
  expect(tail.read()).toEqual([]);
  writeFileSync(file, line("info", "two.done"));
  expect(tail.read()).toHaveLength(1);
  writeFileSync(file, "x\n");
  expect(tail.read()).toEqual(["x"]);
});

test("-f ends with 0 when stopped, and shows what was written meanwhile", async () => {
  writeFileSync(file, line("info", "one.done"));
  const interrupt = new AbortController();
  const followed = await runIn(
    home,
    {
      env: { ROTOR_HOME: home },
      interrupt,
      onOut(text) {
        if (text.includes("two.done")) interrupt.abort();
        else appendFileSync(file, line("info", "two.done"));
      },
    },
    ["log", "-f"],
  );
  expect(followed.exit).toBe(0);
  expect(followed.out).toContain("two.done");
});
