/**
 * The folder of the backups: what lies there, what may go, what a dead process left. Touches only names that are backups or drafts of them.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { AppError, fromUnknown } from "../base/errors.ts";
import { BACKUP_SUFFIX, type BackupReason, backupName, type KeptBackup, parseBackupName } from "../domain/backup.ts";
import { type BackupLock, readBackupHead } from "./backup-file.ts";
import { isLoose, syncFolder, tighten } from "./database.ts";

export interface StoredBackup extends KeptBackup {
  readonly path: string;
  readonly sizeBytes: number;
  readonly rotorVersion: string;
  readonly schemaVersion: number;
  readonly keyCount: number;
  /** null when its head cannot be read. */
  readonly lock: BackupLock | null;
  readonly problem: string | null;
}

/** Newest first. Heads alone are read; a folder that is not there is an empty one. */
export function listBackups(folder: string): StoredBackup[] {
  return entriesOf(folder)
    .filter((name) => parseBackupName(name) !== null)
    .map((name) => storedBackup(folder, name))
    .filter((backup) => backup !== null)
    .toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.name < b.name ? 1 : -1));
}

/** Rejects with `backup_not_found`, also for what is not a name at all. */
export function findBackup(folder: string, name: string): StoredBackup {
  const found = parseBackupName(name) === null ? null : storedBackup(folder, name);
  if (found === null) throw new AppError("backup_not_found", `there is no backup ${name}`);
  return found;
}

function storedBackup(folder: string, name: string): StoredBackup | null {
  const path = join(folder, name);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) return null;
  const base = { name, path, sizeBytes: stat.size, ...parseBackupName(name)! };
  try {
    const { manifest } = readBackupHead(path);
    const { rotorVersion, schemaVersion, accountCount, keyCount, lock, createdAtMs } = manifest;
    return {
      ...base,
      createdAtMs,
      rotorVersion,
      schemaVersion,
      accountCount,
      keyCount,
      lock,
      good: true,
      problem: null,
    };
  } catch (thrown) {
    const problem = fromUnknown(thrown).message;
    return {
      ...base,
      rotorVersion: "",
      schemaVersion: 0,
      accountCount: 0,
      keyCount: 0,
      lock: null,
      good: false,
      problem,
    };
  }
}

export function makeBackupFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new AppError("start_failed", `the folder ${folder} cannot be made`, {
      cause,
      hint: "check who owns the folder above it",
    });
  }
}

export function freeBackupName(folder: string, atMs: number, reason: BackupReason): string {
  const taken = new Set(entriesOf(folder));
  return backupName(atMs, reason, (name) => taken.has(name));
}

/** Gives a draft that came from outside its name. */
export function keepReceived(folder: string, draft: string, name: string): StoredBackup {
  tighten(draft);
  renameSync(draft, join(folder, name));
  syncFolder(folder);
  return findBackup(folder, name);
}

export function removeBackup(folder: string, name: string): void {
  rmSync(findBackup(folder, name).path);
}

/** What was begun and never got its name; nobody works on them while nobody makes a backup. */
export function orphanedDrafts(folder: string): string[] {
  return entriesOf(folder)
    .filter((name) => name.startsWith(".") && name.includes(BACKUP_SUFFIX))
    .map((name) => join(folder, name));
}

export function looseBackups(folder: string): string[] {
  return [folder, ...entriesOf(folder).map((name) => join(folder, name))].filter(isLoose);
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new AppError("start_failed", `the folder ${folder} cannot be read`, { cause, hint: "check who owns it" });
  }
}
