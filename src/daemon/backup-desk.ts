/**
 * Backups while the daemon runs: made on order, daily and before what cannot be taken back; restored through the engine room, so that
 * nobody works on a store that is being replaced. Never restores what was not tested first, and never without a way back.
 */
import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import type { BackupDesk, RestoreOrder, RestoreOutcome } from "../control/backup-desk.ts";
import { BACKUP_SUFFIX, type BackupReason, backupsToPrune } from "../domain/backup.ts";
import { type Settings, settingsFrom } from "../domain/setting.ts";
import { verifyBackupFile } from "../store/backup-file.ts";
import {
  findBackup,
  freeBackupName,
  keepReceived,
  listBackups,
  makeBackupFolder,
  removeBackup,
  type StoredBackup,
} from "../store/backup-folder.ts";
import { swapIn } from "../store/database.ts";
import type { OpenKey } from "../store/seal.ts";
import { type BackupCalendar, createBackupCalendar } from "./backup-calendar.ts";
import type { EngineRoom } from "./engine-room.ts";
import { mendStore } from "./mend.ts";
import type { StoreCare } from "./store-care.ts";
import type { RunJob } from "./worker.ts";

export interface BackupDeskDeps {
  readonly paths: Paths;
  readonly room: EngineRoom;
  readonly care: StoreCare;
  readonly run: RunJob;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a call over the socket carries at once: far below its bound, large enough that a big store takes no thousand calls. */
const PART_BYTES = 512 * 1024;

/** What the daemon itself has made. */
export interface OwnBackups extends BackupDesk {
  startCalendar(): BackupCalendar;
}

export function createBackupDesk(deps: BackupDeskDeps): OwnBackups {
  const { paths, room, care, run, clock, log } = deps;
  const folder = paths.backupDir;
  // One at a time: two would ask for the disk twice over, and a restore must not meet one.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
  const prune = () => {
    const settings = settingsOf(room);
    if (settings === null) return;
    const keep = { daily: settings.backup_keep_daily, weekly: settings.backup_keep_weekly };
    for (const name of backupsToPrune(listBackups(folder), keep)) {
      removeBackup(folder, name);
      log.info("backup.pruned", { name });
    }
  };
  const verified = async (name: string, passphrase: string | null) => {
    const backup = findBackup(folder, name);
    const { lock } = await run("verifyBackup", backup.path);
    return { backup, fileKey: await care.keys.ofBackup(lock, passphrase) };
  };
  const prepare = async (
    order: RestoreOrder,
    there: Present,
    opened: Opened,
    draft: string,
  ): Promise<RestoreOutcome> => {
    const { backup, fileKey } = opened;
    const key = there.key ?? (await care.keys.fresh());
    const present = there.kind === "absent" ? null : { path: paths.database, broken: there.kind === "broken" };
    const job = { file: backup.path, fileKey, draft, present, key, exact: order.exact };
    return { backup, plan: await run("prepareRestore", job) };
  };
  const make = (reason: BackupReason, passphrase: string | null) =>
    inTurn(async () => {
      const made = await care.backup(reason, passphrase);
      prune();
      return made;
    });

  return {
    create: (passphrase) => make("manual", passphrase),
    startCalendar: () =>
      createBackupCalendar({
        clock,
        log,
        wanted: () => settingsOf(room)?.backup_daily === true && (room.readyEngine()?.accounts.list().length ?? 0) > 0,
        list: () => listBackups(folder),
        make: () => make("daily", null),
      }),
    list: () => listBackups(folder),
    verify: async (name, passphrase) => (await verified(name, passphrase)).backup,
    remove: (name) => removeBackup(folder, name),
    preview: (order) =>
      inTurn(async () => {
        const draft = `${paths.database}.preview`;
        try {
          const opened = await verified(order.name, order.passphrase);
          return await prepare(order, await presentStore(deps), opened, draft);
        } finally {
          rmSync(draft, { force: true });
        }
      }),
    restore: (order) =>
      inTurn(async () => {
        // What cannot work must not interrupt anybody.
        const opened = await verified(order.name, order.passphrase);
        const there = await presentStore(deps);
        return await room.reopen(`restoring ${order.name}`, async () => {
          const safety = there.kind === "whole" ? await care.backup("before-restore", null, there.key) : null;
          const draft = `${paths.database}.draft`;
          const outcome = await prepare(order, there, opened, draft);
          const setAside = there.kind === "whole" || !existsSync(paths.database) ? null : care.setAside();
          swapIn(draft, paths.database);
          log.info("backup.restored", { name: order.name, exact: order.exact, safety: safety?.name ?? null, setAside });
          return { ...outcome, safetyName: safety?.name ?? null, setAside };
        });
      }),
    async *read(name) {
      const { path, sizeBytes: totalBytes } = findBackup(folder, name);
      const file = await open(path, "r");
      try {
        for (;;) {
          const { bytesRead, buffer } = await file.read(Buffer.alloc(PART_BYTES), 0, PART_BYTES);
          if (bytesRead === 0) return;
          yield { data: Uint8Array.from(buffer.subarray(0, bytesRead)), totalBytes };
        }
      } finally {
        await file.close();
      }
    },
    receive: (chunks) => inTurn(() => receive(folder, chunks, clock, prune)),
    mend: (dryRun) => inTurn(() => mendStore({ paths, room, care, clock, prune }, dryRun)),
  };
}

/** As they are now; null when nothing is open that could say it. */
function settingsOf(room: EngineRoom): Settings | null {
  const engine = room.readyEngine();
  return engine === null ? null : settingsFrom(engine.settings.list());
}

interface Opened {
  readonly backup: StoredBackup;
  readonly fileKey: Uint8Array;
}

type Present =
  | { readonly kind: "whole"; readonly key: OpenKey }
  /** Set aside, and read for what can still be read. */
  | { readonly kind: "broken"; readonly key: OpenKey | null }
  /** Nothing of it can be opened; it is set aside if it is there at all. */
  | { readonly kind: "absent"; readonly key: null };

/** Rejects with `store_newer`: such a store is left alone. */
async function presentStore({ paths, room, care }: BackupDeskDeps): Promise<Present> {
  const { state, code } = room.condition();
  if (code === "store_newer") throw new AppError("store_newer", `${paths.database} was written by a newer rotor`);
  if (!existsSync(paths.database)) return { kind: "absent", key: null };
  try {
    const key = await care.keys.ofStore(paths.database);
    if (state !== "damaged" && key !== null) return { kind: "whole", key };
    return key === null ? { kind: "absent", key } : { kind: "broken", key };
  } catch (thrown) {
    const { code: why } = fromUnknown(thrown);
    if (["store_damaged", "seal_key_missing", "passphrase_required", "passphrase_wrong"].includes(why))
      return { kind: "absent", key: null };
    throw thrown;
  }
}

/** Into a draft, looked at whole, then named: nothing that is half there ever stands in the list. */
async function receive(
  folder: string,
  chunks: AsyncIterable<Uint8Array>,
  clock: Clock,
  prune: () => void,
): Promise<StoredBackup> {
  makeBackupFolder(folder);
  const draft = join(folder, `.received${BACKUP_SUFFIX}`);
  rmSync(draft, { force: true });
  try {
    const file = openSync(draft, "wx", 0o600);
    try {
      for await (const data of chunks) for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
    } finally {
      closeSync(file);
    }
    verifyBackupFile(draft);
    const received = keepReceived(folder, draft, freeBackupName(folder, clock.nowMs(), "received"));
    prune();
    return received;
  } catch (thrown) {
    const error = fromUnknown(thrown);
    // Its name here says nothing to whoever sent it.
    if (error.code === "backup_damaged")
      throw new AppError("backup_damaged", error.message.replace(draft, "the file"), { cause: thrown });
    throw thrown;
  } finally {
    rmSync(draft, { force: true });
  }
}
