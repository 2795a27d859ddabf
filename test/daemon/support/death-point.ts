/**
 * The instants at which a daemon of the crash tests may end (die-at-write.ts). Counts in a file, so that the count holds over threads.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

const folder = process.env.ROTOR_TEST_DEATH!;
const left = join(folder, "left");

/** One more instant at which it may end. */
export function passPoint(what: string): boolean {
  let count: number;
  try {
    count = Number(readFileSync(left, "utf8"));
  } catch {
    return false;
  }
  writeFileSync(left, String(count - 1));
  if (count > 1) return false;
  writeFileSync(join(folder, "died"), `${what}${isMainThread ? "" : " in a worker"}`);
  return true;
}

export function die(): never {
  process.kill(process.pid, "SIGKILL");
  // It is on its way.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
}

export function dieAt(what: string): void {
  if (passPoint(what)) die();
}
