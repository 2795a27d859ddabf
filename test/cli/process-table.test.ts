/** Alive, ended, and ended but not collected. */
import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { isAlive } from "../../src/cli/process-table.ts";

test("we live, process 1 lives although it is not ours, an ended one does not", async () => {
  expect(isAlive(process.pid)).toBe(true);
  expect(isAlive(1)).toBe(true);
  const child = spawn("/bin/sh", ["-c", "exit 0"]);
  await new Promise((resolve) => child.once("exit", resolve));
  expect(isAlive(child.pid!)).toBe(false);
});

test("a process that nobody collected yet has ended", async () => {
  if (process.platform !== "linux") return;
  // The inner shell ends at once; the outer one becomes a sleep, which never collects it.
  const outer = spawn("/bin/sh", ["-c", "sh -c 'echo $$' & exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
  const text = await new Promise<string>((resolve) => outer.stdout.once("data", (chunk) => resolve(String(chunk))));
  const inner = Number(text.trim());
  while (isAlive(inner)) await new Promise((resolve) => setImmediate(resolve));
  expect(process.kill(inner, 0)).toBe(true);
  outer.kill();
});
