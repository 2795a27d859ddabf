/**
 * The daily backup: looked for soon after the start and every hour, so that a laptop that slept catches up. A failure is said once, loudly,
 * and again only after one that went well; the next look tries again.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { type AppError, fromUnknown } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { dailyBackupDueAtMs, type KeptBackup } from "../domain/backup.ts";

/** A start has better things to do at first. */
const FIRST_LOOK_MS = 30_000;
const LOOK_EVERY_MS = 3_600_000;

export interface BackupCalendar {
  /** Why the last daily backup could not be made; null when it could. */
  problem(): AppError | null;
  /** Waits for a backup that is being made. */
  close(): Promise<void>;
}

export function createBackupCalendar(deps: {
  clock: Clock;
  log: Log;
  /** Daily backups are wanted, and there is something to back up. */
  wanted: () => boolean;
  list: () => readonly KeptBackup[];
  make: () => Promise<unknown>;
}): BackupCalendar {
  const { clock, log } = deps;
  let problem: AppError | null = null;
  let timer: Timer | null = null;
  let closed = false;
  let working: Promise<void> = Promise.resolve();
  const look = async () => {
    try {
      if (deps.wanted() && dailyBackupDueAtMs(deps.list(), clock.nowMs()) <= clock.nowMs()) {
        await deps.make();
        problem = null;
      }
    } catch (thrown) {
      const error = fromUnknown(thrown);
      if (problem === null) log.error("backup.failed", { error, message: `the daily backup failed: ${error.message}` });
      problem = error;
    }
    arm(LOOK_EVERY_MS);
  };
  const arm = (delayMs: number) => {
    if (closed) return;
    timer = clock.after(delayMs, () => {
      working = look();
    });
  };
  arm(FIRST_LOOK_MS);
  return {
    problem: () => problem,
    async close() {
      closed = true;
      timer?.cancel();
      await working;
    },
  };
}
