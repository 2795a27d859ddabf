/** The demo fails loudly when anything goes otherwise than told, and leaves nothing behind. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { runCli } from "../../../src/cli/main.ts";
import { isAlive } from "../../../src/cli/process-table.ts";
import { createIo, tempHome } from "../harness.ts";

const MAIN = resolve(import.meta.dir, "../../../src/main.ts");

let home: string;
beforeEach(() => {
  home = tempHome();
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Runs the demo with a program that is Rotor except for what `script` does first. */
async function demo(script: string, interrupt = new AbortController()) {
  const program = join(home, "program.sh");
  writeFileSync(program, `#!/bin/sh\n${script}\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });
  const temp = join(home, "tmp");
  mkdirSync(temp, { recursive: true });
  const { io, texts } = createIo(home, {
    env: { PATH: "/usr/bin:/bin", HOME: home },
    selfCommand: { command: program, args: [] },
    interrupt,
  });
  const exit = await runCli(["demo"], { ...io, clock: systemClock, host: { ...io.host, tempDir: temp } });
  return { ...texts, exit, left: readdirSync(temp) };
}

test("a simulator that does not start is a failure with its own words", async () => {
  const run = await demo('test "$1" = simulate && { echo "no room" >&2; exit 1; }');
  expect(run).toMatchObject({ exit: 1, out: "", left: [] });
  expect(run.err).toContain("rotor demo FAILED: the simulator did not start: no room");
});

test("a daemon that does not start is a failure too, and the simulator goes with it", async () => {
  const run = await demo('test "$1" = daemon && { echo "error: broken build"; exit 1; }');
  expect(run).toMatchObject({ exit: 1, left: [] });
  expect(run.err).toContain("rotor demo FAILED: the daemon did not start: error: broken build");
});

test("requests that come out otherwise than told fail the demo", async () => {
  const run = await demo(
    'test "$1" = daemon && export ROTOR_UPSTREAM_BASE_URL=http://127.0.0.1:9 ROTOR_SETTING_WAIT_SECONDS=0',
  );
  expect(run).toMatchObject({ exit: 1, left: [] });
  expect(run.err).toMatch(
    /rotor demo FAILED: this should have happened and did not: request \S+ is answered with a whole stream/,
  );
}, 30_000);

test("stopped while its daemon has not said anything yet, it leaves nothing behind", async () => {
  const interrupt = new AbortController();
  const trace = join(home, "pid");
  const started = (async () => {
    while (!existsSync(trace)) await Bun.sleep(5);
    interrupt.abort();
  })();
  const run = await demo(
    `test "$1" = daemon && { echo $$ > '${trace}.new'; mv '${trace}.new' '${trace}'; exec sleep 600; }`,
    interrupt,
  );
  await started;
  expect(run).toMatchObject({ exit: 130, left: [] });
  expect(run.err).toContain("rotor demo: stopped");
  expect(isAlive(Number(readFileSync(trace, "utf8")))).toBe(false);
});
