/** A store on the disk with its folder of backups, and the work of the worker done in place: what tests of backups begin with. */
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemDice } from "../../src/base/id.ts";
import type { BackupReason } from "../../src/domain/backup.ts";
import { findBackup, freeBackupName, makeBackupFolder, type StoredBackup } from "../../src/store/backup-folder.ts";
import { createKeyRing } from "../../src/store/backup-key.ts";
import type { RestorePlan } from "../../src/store/backup-merge.ts";
import { makeBackup, prepareRestore } from "../../src/store/backup-work.ts";
import { swapIn } from "../../src/store/database.ts";
import { createGuards } from "../../src/store/guards.ts";
import type { Store } from "../../src/store/store.ts";
import { createManualClock, T0 } from "./manual-clock.ts";
import { accountLike, credentialsLike } from "./store-samples.ts";
import { createTempFolder } from "./temp-store.ts";

export interface BackupRoom {
  readonly folder: string;
  readonly database: string;
  readonly keyFile: string;
  open(): Promise<Store>;
  /** Opens, works, closes. */
  with<T>(work: (store: Store) => Promise<T>): Promise<T>;
  addAccounts(...numbers: number[]): Promise<void>;
  backup(reason?: BackupReason, passphrase?: string): Promise<StoredBackup>;
  /** Builds the store that the backup would become; `swap` puts it in place. */
  restore(
    file: string | null,
    options?: { exact?: boolean; broken?: boolean; swap?: boolean; passphrase?: string },
  ): Promise<RestorePlan>;
  /** What the logins of every account are, by alias. */
  logins(): Promise<Record<string, string>>;
  remove(): Promise<void>;
}

export function createBackupRoom(): BackupRoom {
  const temp = createTempFolder();
  const { database, keyFile } = temp.paths;
  const folder = join(temp.folder, "data", "backups");
  const source = { passphrase: null, file: null };
  const clock = createManualClock();
  const guardOptions = { choice: "key_file", source, keyFile, platform: "linux", env: {}, clock } as const;
  const keys = createKeyRing({
    guards: createGuards(guardOptions),
    choose: async () => "key_file",
    live: () => null,
    dice: systemDice,
    clock,
  });
  let made = 0;
  const room: BackupRoom = {
    folder,
    database,
    keyFile,
    open: () => temp.open(),
    async with(work) {
      const store = await temp.open();
      try {
        return await work(store);
      } finally {
        await store.close();
      }
    },
    addAccounts: (...numbers) =>
      room.with((store) =>
        store.addAccounts(numbers.map((n) => ({ account: accountLike(n), credentials: credentialsLike(n) }))),
      ),
    async backup(reason = "manual", passphrase) {
      makeBackupFolder(folder);
      const key = await keys.ofStore(database);
      const nowMs = T0 + 1_000 * made++;
      const name = freeBackupName(folder, nowMs, reason);
      const job = {
        database,
        folder,
        name,
        reason,
        nowMs,
        rotorVersion: "0",
        key: key!,
        passphrase: passphrase ?? null,
      };
      await makeBackup(job, systemDice);
      return findBackup(folder, name);
    },
    async restore(file, { exact = false, broken = false, swap = true, passphrase } = {}) {
      const draft = `${database}.draft`;
      const backup = file === null ? null : findBackup(folder, file);
      const fileKey = backup === null ? null : await keys.ofBackup(backup.lock!, passphrase ?? null);
      const lock = backup?.lock ?? null;
      const own = broken && lock?.kind === "data_key" ? { dataKey: fileKey!, wrapped: lock.key } : null;
      const key = own ?? (await keys.ofStore(database)) ?? (await keys.fresh());
      const present = existsSync(database) ? { path: database, broken } : null;
      const from = { file: backup?.path ?? null, fileKey: fileKey ?? key.dataKey };
      const plan = await prepareRestore({ ...from, draft, present, key, exact }, systemDice);
      if (swap) swapIn(draft, database);
      return plan;
    },
    logins: () =>
      room.with(async (store) => {
        const { accounts } = await store.loadPool();
        const logins: Record<string, string> = {};
        for (const { id, alias } of accounts)
          logins[alias] = (await store.loadCredentials(id)).credentials.refreshToken;
        return logins;
      }),
    remove: () => temp.remove(),
  };
  mkdirSync(join(temp.folder, "data"), { recursive: true, mode: 0o700 });
  return room;
}

/** The files of a store, kept aside and put back: for trying many ways to break one. */
export function keepFiles(database: string): { putBack(): void } {
  copyFileSync(database, `${database}.kept`);
  return {
    putBack() {
      for (const end of ["-wal", "-shm", ".next", ".draft"]) rmSync(database + end, { force: true });
      copyFileSync(`${database}.kept`, database);
    },
  };
}
