/**
 * Backups by name: when and why one was made, which may go, when the next is due. Pure; knows nothing of files and what is in them.
 */
import { formatInstant, parseInstant } from "../base/clock.ts";

/** Why a backup was made; part of its name. */
export const BACKUP_REASONS = [
  "manual",
  "daily",
  "before-restore",
  "before-migration",
  "before-import",
  "before-seal",
  "received",
] as const;
export type BackupReason = (typeof BACKUP_REASONS)[number];

export const BACKUP_SUFFIX = ".rotor-backup";

/** `20261121T101500Z-daily.rotor-backup`; a second one of the same second gets a number. Names sort by second only. */
export function backupName(atMs: number, reason: BackupReason, taken: (name: string) => boolean): string {
  const stamp = instantStamp(atMs);
  for (let number = 1; ; number++) {
    const name = `${stamp}-${reason}${number === 1 ? "" : `-${number}`}${BACKUP_SUFFIX}`;
    if (!taken(name)) return name;
  }
}

/** `20261121T101500Z`: an instant that any file system takes. */
export function instantStamp(atMs: number): string {
  return formatInstant(atMs)
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(/[-:]/g, "");
}

const NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-([a-z-]+?)(?:-(\d+))?\.rotor-backup$/;

/** null for anything that is not the name of a backup; so no path can come in by this way. */
export function parseBackupName(name: string): { createdAtMs: number; reason: BackupReason } | null {
  const found = NAME.exec(name);
  if (found === null) return null;
  const [, year, month, day, hour, minute, second, reason] = found;
  const createdAtMs = parseInstant(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const known = BACKUP_REASONS.find((one) => one === reason);
  return createdAtMs === null || known === undefined ? null : { createdAtMs, reason: known };
}

/** What retention looks at. */
export interface KeptBackup {
  readonly name: string;
  readonly createdAtMs: number;
  readonly reason: BackupReason;
  /** Its head can be read. One whose head cannot be is never counted as a safety net, and never removed by itself. */
  readonly good: boolean;
  readonly accountCount: number;
}

export interface BackupRetention {
  readonly daily: number;
  readonly weekly: number;
}

const DAY_MS = 86_400_000;
/** Of the safety backups before changes, so many of each kind: enough to take back a bad afternoon. */
const SAFETY_KEPT = 5;

/**
 * The names that may go. Kept are: every backup that a person made, the newest daily ones, the newest one of each of the latest weeks,
 * some safety backups of each kind; and always the newest good one, and the newest good one that has accounts in it: a store that was
 * emptied by accident must not push out the last backup that was not.
 */
export function backupsToPrune(backups: readonly KeptBackup[], keep: BackupRetention): string[] {
  const newestFirst = backups
    .filter(({ good }) => good)
    .toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.name < b.name ? 1 : -1));
  const kept = new Set<string>();
  const keepFirst = (of: readonly KeptBackup[], count: number) => {
    for (const { name } of of.slice(0, count)) kept.add(name);
  };
  keepFirst(newestFirst, 1);
  keepFirst(
    newestFirst.filter(({ accountCount }) => accountCount > 0),
    1,
  );
  for (const reason of BACKUP_REASONS) {
    const own = newestFirst.filter((backup) => backup.reason === reason);
    if (reason === "manual") keepFirst(own, own.length);
    else if (reason === "received") keepFirst(own, 1);
    else if (reason !== "daily") keepFirst(own, SAFETY_KEPT);
    else {
      keepFirst(own, keep.daily);
      keepFirst(newestOfEachWeek(own), keep.weekly);
    }
  }
  return newestFirst.filter(({ name }) => !kept.has(name)).map(({ name }) => name);
}

function newestOfEachWeek(newestFirst: readonly KeptBackup[]): KeptBackup[] {
  const seen = new Set<number>();
  return newestFirst.filter(({ createdAtMs }) => {
    // The epoch was a Thursday; weeks begin on Monday, in UTC.
    const week = Math.floor((createdAtMs / DAY_MS + 3) / 7);
    return seen.size !== seen.add(week).size;
  });
}

/** When the next daily backup is due: a day after the last one, at once when there is none. A last one from the future does not count. */
export function dailyBackupDueAtMs(backups: readonly KeptBackup[], nowMs: number): number {
  const last = backups
    .filter(({ good, reason, createdAtMs }) => good && reason === "daily" && createdAtMs <= nowMs)
    .reduce((latest, { createdAtMs }) => Math.max(latest, createdAtMs), Number.NEGATIVE_INFINITY);
  return Math.max(last + DAY_MS, nowMs);
}

/** A day late is a laptop that slept; three days are worth a word. */
export const BACKUP_OVERDUE_MS = 3 * DAY_MS;
