/**
 * One daemon per data folder. The lock lives in the operating system, not in the file: however a process ends, it is free again.
 * Never open an existing lock file by other means in this process: POSIX drops a process's locks on a file when any handle of it closes.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../base/errors.ts";

export interface Lock {
  /** Idempotent. */
  release(): void;
}

/** Takes the lock or throws `already_running`, at once. SQLite's file lock is the portable one that Bun brings. */
export function acquireLock(path: string): Lock {
  const file = openLockFile(path);
  try {
    file.run("PRAGMA busy_timeout = 0");
    // Held open for life and never committed: nothing is ever written to the file.
    file.run("BEGIN EXCLUSIVE");
  } catch (cause) {
    file.close();
    if (cause instanceof SQLiteError && cause.code?.startsWith("SQLITE_BUSY"))
      throw new AppError("already_running", "another daemon serves this data folder", { cause, facts: { lock: path } });
    throw new AppError("start_failed", `${path} cannot be locked`, { cause, hint: `look at ${path}, then remove it` });
  }
  // Referred to by the process itself: bun:sqlite closes a file that nobody refers to, and the lock of a caller who did not keep
  // our answer would be gone with the next garbage collection.
  const release = () => {
    process.off("exit", release);
    file.close();
  };
  process.on("exit", release);
  return { release };
}

function openLockFile(path: string): Database {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    return new Database(path, { readwrite: true, create: false });
  } catch (cause) {
    const hint = "check who owns that file and its folder, and the disk";
    throw new AppError("start_failed", `${path} cannot be read or written`, { cause, hint });
  }
}
