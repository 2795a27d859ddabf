/** One daemon per data folder, told by the operating system. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { AppError } from "../../src/base/errors.ts";
import { acquireLock } from "../../src/store/lock.ts";

let folder: string;
let path: string;
const started: Subprocess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotor-lock-"));
  path = join(folder, "data", "rotor.lock");
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown.code;
    throw thrown;
  }
  return "none";
}

/** A process that takes the lock and holds it, or says why it could not. */
async function startHolder() {
  const script = `import { acquireLock } from ${JSON.stringify(join(import.meta.dir, "../../src/store/lock.ts"))};
    import { writeSync } from "node:fs";
    try { acquireLock(process.argv[1]); writeSync(1, "held"); setInterval(() => {}, 1_000_000); }
    catch (thrown) { writeSync(1, thrown.code); }`;
  const child = Bun.spawn([process.execPath, "-e", script, path], { stdout: "pipe", stderr: "pipe" });
  started.push(child);
  const { value } = await child.stdout.getReader().read();
  return { child, said: new TextDecoder().decode(value) };
}

test("a second claim is refused, in the same process too, and does not loosen the first", async () => {
  const lock = acquireLock(path);
  expect(codeOf(() => acquireLock(path))).toBe("already_running");
  const other = await startHolder();
  await other.child.exited;
  expect(other.said).toBe("already_running");
  lock.release();
  lock.release();
  acquireLock(path).release();
});

test("a caller who drops the answer keeps the lock: collecting garbage does not free it", async () => {
  const take = () => void acquireLock(path);
  take();
  for (let i = 0; i < 5; i++) {
    Bun.gc(true);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  expect(codeOf(() => acquireLock(path))).toBe("already_running");
});

test("a process that is killed loses its lock; the next one has it", async () => {
  const holder = await startHolder();
  expect(holder.said).toBe("held");
  expect(codeOf(() => acquireLock(path))).toBe("already_running");
  holder.child.kill("SIGKILL");
  await holder.child.exited;
  acquireLock(path).release();
});

test("the file is ours alone and nothing is written to it", () => {
  const lock = acquireLock(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  lock.release();
  expect(readFileSync(path).length).toBe(0);
});

test("a file that is no lock is told, not overwritten", () => {
  acquireLock(path).release();
  writeFileSync(path, "something else that is long enough to have a header of its own".repeat(50));
  expect(codeOf(() => acquireLock(path))).toBe("start_failed");
  expect(readFileSync(path, "utf8")).toStartWith("something else");
});
