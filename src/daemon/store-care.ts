/**
 * What is done to the store's files while nobody has them open: setting a broken one aside, recovering, bringing an old one up to date.
 * Never deletes a broken store, and never touches one that a newer rotor wrote.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import { VERSION } from "../base/version.ts";
import { type BackupReason, instantStamp } from "../domain/backup.ts";
import {
  findBackup,
  freeBackupName,
  listBackups,
  makeBackupFolder,
  type StoredBackup,
} from "../store/backup-folder.ts";
import { type KeyRing, migrationsAhead } from "../store/backup-key.ts";
import type { RestorePlan } from "../store/backup-merge.ts";
import { finishSwap, swapIn, sweepDrafts, syncFolder } from "../store/database.ts";
import type { OpenKey } from "../store/seal.ts";
import type { RunJob } from "./worker.ts";

/** What happened to a broken store; kept beside it. */
export interface RecoveryReport {
  readonly at: string;
  readonly folder: string;
  /** What is said until somebody has acknowledged it. */
  readonly words: string;
  readonly acknowledged: boolean;
}

export class StoreCare {
  readonly #paths: Paths;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #run: RunJob;
  readonly keys: KeyRing;

  constructor(given: { paths: Paths; clock: Clock; log: Log; run: RunJob; keys: KeyRing }) {
    this.#paths = given.paths;
    this.#clock = given.clock;
    this.#log = given.log;
    this.#run = given.run;
    this.keys = given.keys;
  }

  /** Once, at the start: nobody works beside the store yet. */
  sweep(): void {
    const swept = sweepDrafts(this.#paths.database);
    if (swept.length > 0) this.#log.warn("store.drafts_swept", { files: swept.join(" ") });
  }

  /** Before the store is opened: ends a swap that was cut short, and migrates with a backup of what was before. */
  async prepare(): Promise<void> {
    const { database } = this.#paths;
    finishSwap(database);
    if (migrationsAhead(database) === 0) return;
    const { name } = await this.backup("before-migration", null);
    this.#log.info("store.migrating", { backup: name });
    await this.#run("migrate", database);
  }

  /** `given` is the store's key where the caller has it open. */
  async backup(reason: BackupReason, passphrase: string | null, given: OpenKey | null = null): Promise<StoredBackup> {
    const { backupDir: folder, database } = this.#paths;
    makeBackupFolder(folder);
    const key = given ?? (await this.keys.ofStore(database));
    if (key === null)
      throw new AppError("seal_key_missing", "the store has no data key yet: there is nothing to back up");
    const nowMs = this.#clock.nowMs();
    const name = freeBackupName(folder, nowMs, reason);
    await this.#run("makeBackup", { database, folder, name, reason, nowMs, rotorVersion: VERSION, key, passphrase });
    this.#log.info("backup.made", { name, reason });
    return findBackup(folder, name);
  }

  /** A way back before a change that can be made without one: that it could not be made is said, and keeps nobody from it. Its name, or null. */
  async safeguard(reason: BackupReason): Promise<string | null> {
    try {
      return (await this.backup(reason, null)).name;
    } catch (error) {
      this.#log.error("backup.failed", { reason, error });
      return null;
    }
  }

  /**
   * A store that cannot be read gives way to the last good backup, with every login that can still be read and is newer. `partial` takes
   * what can be read when there is no backup at all. What it did, in words; null when nothing can be done without losing something.
   */
  async recover(partial: boolean): Promise<RecoveryReport | null> {
    const { database, backupDir } = this.#paths;
    const draft = `${database}.draft`;
    const present = { path: database, broken: true };
    for (const backup of listBackups(backupDir).filter(({ lock }) => lock?.kind === "data_key")) {
      try {
        const fileKey = await this.keys.ofBackup(backup.lock!, null);
        const key = backup.lock?.kind === "data_key" ? { dataKey: fileKey, wrapped: backup.lock.key } : null;
        const order = { file: backup.path, fileKey, draft, present, key: key!, exact: false };
        return this.#replaceBroken(draft, await this.#run("prepareRestore", order), backup);
      } catch (thrown) {
        const error = fromUnknown(thrown);
        this.#log.error("backup.unusable", { name: backup.name, error });
        // Another backup will not find room either.
        if (error.code === "disk_full") throw error;
      }
    }
    const key = await this.#keyOfBroken();
    if (key === null) return null;
    const order = { file: null, fileKey: key.dataKey, draft, present, key, exact: false };
    const plan = await this.#run("prepareRestore", order);
    return plan.readWhole || (partial && plan.accountCount > 0) ? this.#replaceBroken(draft, plan, null) : null;
  }

  async #keyOfBroken(): Promise<OpenKey | null> {
    try {
      return await this.keys.ofStore(this.#paths.database);
    } catch (error) {
      this.#log.warn("store.key_unreadable", { error });
      return null;
    }
  }

  #replaceBroken(draft: string, plan: RestorePlan, backup: StoredBackup | null): RecoveryReport {
    const folder = this.setAside();
    swapIn(draft, this.#paths.database);
    const report = { ...reportOf(plan, backup, folder, this.#paths.database), at: instantStamp(this.#clock.nowMs()) };
    this.#write(report);
    this.#log.error("store.recovered", { message: report.words, folder, backup: backup?.name ?? null });
    return report;
  }

  /** Copies the store's files into a folder of their own, from where nothing takes them away. The folder. */
  setAside(): string {
    const { database, damagedDir } = this.#paths;
    const stamp = instantStamp(this.#clock.nowMs());
    let folder = join(damagedDir, stamp);
    for (let number = 2; existsSync(folder); number++) folder = join(damagedDir, `${stamp}-${number}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const end of ["", "-wal"])
      if (existsSync(database + end)) copyFileSync(database + end, join(folder, `rotor.db${end}`));
    syncFolder(folder);
    syncFolder(damagedDir);
    return folder;
  }

  /** Recoveries that nobody has acknowledged, oldest first. */
  reports(): RecoveryReport[] {
    const { damagedDir } = this.#paths;
    if (!existsSync(damagedDir)) return [];
    return readdirSync(damagedDir)
      .toSorted()
      .map((name) => readReport(join(damagedDir, name)))
      .filter((report) => report !== null && !report.acknowledged) as RecoveryReport[];
  }

  acknowledge(report: RecoveryReport): void {
    this.#write({ ...report, acknowledged: true });
  }

  #write(report: RecoveryReport): void {
    writeFileSync(join(report.folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
  }
}

function reportOf(plan: RestorePlan, backup: StoredBackup | null, folder: string, database: string) {
  const accounts = `${plan.accountCount} ${plan.accountCount === 1 ? "account" : "accounts"}`;
  const aside = `the broken file is kept in ${folder}`;
  const words = plan.readWhole
    ? `${database} was damaged; all of its ${accounts} and keys could be read and are here again; ${aside}`
    : backup === null
      ? `${database} was damaged and had no backup; ${accounts} could be read and are here again, the rest is lost; ${aside}`
      : `${database} was damaged; it was put back as in the backup ${backup.name}, with newer logins that could still be read (${accounts}); ${aside}`;
  return { folder, words, acknowledged: false };
}

function readReport(folder: string): RecoveryReport | null {
  try {
    const report = JSON.parse(readFileSync(join(folder, "report.json"), "utf8")) as RecoveryReport;
    return typeof report.words === "string" ? { ...report, folder } : null;
  } catch {
    // Set aside by an order, or cut short: there is nothing to say about it.
    return null;
  }
}
