/**
 * The slow work of backups, each with its own connections, so that a worker can do it: copying a store into a backup, and turning a
 * backup into a store that is ready to take the place of the present one. Never touches the file that the daemon serves from.
 */
import { closeSync, openSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { AppError, fromUnknown } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import { openWithPassphrase, sealWithPassphrase } from "../base/passphrase-box.ts";
import type { BackupReason } from "../domain/backup.ts";
import {
  BACKUP_SALT_BYTES,
  type BackupLock,
  type BackupManifest,
  damaged,
  unpackBackupFile,
  verifyBackupFile,
  writeBackupFile,
} from "./backup-file.ts";
import { mergeStores, type RestorePlan, resealAll } from "./backup-merge.ts";
import { replaceWrappedKey } from "./data-key-table.ts";
import { type Connection, openAside, openBeside, syncFolder } from "./database.ts";
import { fingerprintOf, KEY_BYTES } from "./key-guard.ts";
import { allTurns } from "./ledger-table.ts";
import { migrate, schemaVersion } from "./migrations.ts";
import { salvageStore } from "./salvage.ts";
import { createSeal, type OpenKey } from "./seal.ts";
import { DERIVED_TABLES, PASSING_TABLES, VITAL_TABLES } from "./tables.ts";
import { deriveSums } from "./usage-sums.ts";

export interface MakeBackup {
  readonly database: string;
  /** Where it gets its name. */
  readonly folder: string;
  readonly name: string;
  readonly reason: BackupReason;
  readonly nowMs: number;
  readonly rotorVersion: string;
  readonly key: OpenKey;
  /** Opens it elsewhere, instead of the store's own key. */
  readonly passphrase: string | null;
}

const BOX_CONTEXT = "rotor/backup/v1";
/** What else may want to grow on that disk meanwhile: the log, the store itself. */
const DISK_MARGIN_BYTES = 16 * 1024 * 1024;

/** Copies the store as it is at one instant. The file has its name only once it is whole, read again and on the disk. */
export async function makeBackup(job: MakeBackup, dice: Dice): Promise<BackupManifest> {
  const { folder, name, nowMs, reason, rotorVersion } = job;
  refuseFullDisk(job);
  const [copy, draft] = [join(folder, `.${name}.copy`), join(folder, `.${name}.draft`)];
  try {
    removeDrafts(copy, draft);
    closeSync(openSync(copy, "wx", 0o600));
    copyStore(job.database, copy);
    const { dataKey, lock } = await lockFor(job, copy, dice);
    const counts = withAside(copy, countsOf);
    const payloadBytes = statSync(copy).size;
    const salt = Uint8Array.from(dice.bytes(BACKUP_SALT_BYTES));
    const manifest = { rotorVersion, createdAtMs: nowMs, reason, ...counts, payloadBytes, salt, lock };
    writeBackupFile(draft, manifest, dataKey, copy);
    verifyBackupFile(draft);
    renameSync(draft, join(folder, name));
    syncFolder(folder);
    return manifest;
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === "ENOSPC"
      ? new AppError("disk_full", `the disk of ${folder} is full`, { cause })
      : cause;
  } finally {
    removeDrafts(copy, draft);
  }
}

function refuseFullDisk({ folder, database }: MakeBackup): void {
  const { bavail, bsize } = statfsSync(folder);
  const size = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const wanted = 2 * (size(database) + size(`${database}-wal`)) + DISK_MARGIN_BYTES;
  if (bavail * bsize >= wanted) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const message = `a backup needs ${megabytes(wanted)} on the disk of ${folder}, and ${megabytes(bavail * bsize)} are free`;
  throw new AppError("disk_full", message);
}

/** SQLite's own copy: one read transaction, no free pages, and every page was read for it. */
function copyStore(from: string, to: string): void {
  const source = openBeside(from);
  try {
    source.run("VACUUM INTO ?", to);
  } finally {
    source.close();
  }
  withAside(to, (db) => {
    refuseBroken(db);
    for (const table of [...PASSING_TABLES, ...DERIVED_TABLES]) db.run(`DELETE FROM ${table}`);
  });
}

/** Under a passphrase it gets a data key of its own: the store's key never leaves this machine. */
async function lockFor(
  { key, passphrase }: MakeBackup,
  copy: string,
  dice: Dice,
): Promise<{ dataKey: Uint8Array; lock: BackupLock }> {
  if (passphrase === null)
    return { dataKey: key.dataKey, lock: { kind: "data_key", key: key.wrapped, print: fingerprintOf(key.dataKey) } };
  const dataKey = Uint8Array.from(dice.bytes(KEY_BYTES));
  const box = await sealWithPassphrase(dataKey, passphrase, BOX_CONTEXT, dice);
  withAside(copy, (db) => {
    const { id } = key.wrapped;
    resealAll(db, createSeal(id, key.dataKey, dice), createSeal(id, dataKey, dice), copy);
    // The box stands in for it; what wrapped the old one says nothing about the new one.
    db.run("DELETE FROM data_key");
    db.script("VACUUM");
  });
  return { dataKey, lock: { kind: "passphrase", box } };
}

/** The data key of a backup that a passphrase opens. Rejects with `passphrase_required` or `passphrase_wrong`. */
export async function openBackupBox(box: Uint8Array, passphrase: string | null): Promise<Uint8Array> {
  if (passphrase === null) throw new AppError("passphrase_required", "a passphrase opens this backup");
  const opened = await openWithPassphrase(box, passphrase, BOX_CONTEXT);
  if (opened.ok) return opened.plain;
  if (opened.reason === "damaged") throw damaged("the backup", "the box of its key was altered");
  throw new AppError("passphrase_wrong", "this passphrase does not open the backup");
}

export interface PrepareRestore {
  /** The backup; null = from what `present` still holds alone. */
  readonly file: string | null;
  /** The open data key of the backup. */
  readonly fileKey: Uint8Array;
  /** Where the store that would take over is built. */
  readonly draft: string;
  /** The store that is there: null when there is none; `broken` = only what can still be read of it. */
  readonly present: { readonly path: string; readonly broken: boolean } | null;
  /** What the new store's logins are sealed with. */
  readonly key: OpenKey;
  /** The backup and nothing else, older logins too. */
  readonly exact: boolean;
}

/** Builds the store that a restore would put in place, whole and tested, and says what that changes. */
export async function prepareRestore(job: PrepareRestore, dice: Dice): Promise<RestorePlan> {
  const { file, draft, present, key } = job;
  const rest = join(dirname(draft), `${draft.slice(dirname(draft).length + 1)}.rest`);
  removeDrafts(draft, rest);
  const seal = createSeal(key.wrapped.id, key.dataKey, dice);
  try {
    let readWhole = true;
    if (present?.broken) readWhole = salvageStore(present.path, rest, seal).whole;
    if (file === null || (present?.broken && readWhole && !job.exact)) {
      if (present === null) throw new AppError("internal", "there is nothing to restore from");
      renameSync(rest, draft);
      withAside(draft, (db) => replaceWrappedKey(db, key.wrapped));
      return { ...withAside(draft, finishDraft), changes: [], readWhole, keysKeptRevoked: 0 };
    }
    const { manifest } = verifyBackupFile(file);
    unpackBackupFile(file, job.fileKey, draft);
    const other = present === null ? null : present.broken ? rest : present.path;
    const outcome = withAside(draft, (db) => {
      migrate(db, file);
      const id = manifest.lock.kind === "data_key" ? manifest.lock.key.id : key.wrapped.id;
      resealAll(db, createSeal(sealIdOf(db) ?? id, job.fileKey, dice), seal, file);
      replaceWrappedKey(db, key.wrapped);
      const merged = mergeStores({ db, other, seal, exact: job.exact, adopt: present?.broken ?? false });
      return { ...finishDraft(db), ...merged };
    });
    return { ...outcome, readWhole };
  } catch (cause) {
    removeDrafts(draft);
    const error = fromUnknown(cause);
    throw error.code === "store_damaged" && file !== null ? damaged(file, error.message) : cause;
  } finally {
    removeDrafts(rest);
  }
}

/** Which key the envelopes inside name; null when there are none. */
function sealIdOf(db: Connection): number | null {
  const row = db.first("SELECT envelope FROM credential LIMIT 1");
  return row?.envelope instanceof Uint8Array ? Buffer.from(row.envelope).readUInt32BE(1) : null;
}

function finishDraft(db: Connection) {
  db.transaction(() => deriveSums(db, allTurns(db)));
  refuseBroken(db);
  return countsOf(db);
}

function countsOf(db: Connection) {
  const count = (sql: string) => Number(db.first(sql)?.count ?? 0);
  return {
    schemaVersion: schemaVersion(db),
    accountCount: count("SELECT count(*) AS count FROM account"),
    keyCount: count("SELECT count(*) AS count FROM client_key WHERE revoked_at_ms IS NULL"),
  };
}

function refuseBroken(db: Connection): void {
  const tables = db.all("SELECT name FROM sqlite_schema WHERE type = 'table'").map(({ name }) => name);
  const missing = VITAL_TABLES.filter((table) => !tables.includes(table));
  if (missing.length > 0) throw new AppError("store_damaged", `tables are missing: ${missing.join(", ")}`);
  const verdict = db.all("PRAGMA quick_check").map((row) => String(Object.values(row)[0]));
  if (verdict.join() !== "ok") throw new AppError("store_damaged", "its pages do not fit together");
  if (db.all("PRAGMA foreign_key_check").length > 0)
    throw new AppError("store_damaged", "rows in it belong to nothing");
}

function withAside<T>(path: string, work: (db: Connection) => T): T {
  const db = openAside(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

function removeDrafts(...paths: string[]): void {
  for (const path of paths) for (const end of ["", "-journal", "-wal", "-shm"]) rmSync(path + end, { force: true });
}
