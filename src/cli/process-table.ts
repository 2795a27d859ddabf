/**
 * Whether a process lives. Never ends one.
 */
import { readFileSync } from "node:fs";

/** Signal 0 asks without disturbing; "not permitted" still means that it lives. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0) && !isZombie(pid);
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Ended, but not yet collected: in containers the first process may take seconds for that, and holds nothing meanwhile. Linux only. */
function isZombie(pid: number): boolean {
  try {
    // The name in brackets may hold anything; the state is the first letter after the last bracket.
    return /^.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
