/**
 * What `rotor doctor --fix` has the daemon do: leftovers, loose modes, a missing folder, an overdue backup, a broken store, words that were
 * read. Each step says what it does; none of them can lose anything.
 */
import { chmodSync, rmSync, statSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { fromUnknown } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import type { MendStep } from "../control/backup-desk.ts";
import { BACKUP_OVERDUE_MS } from "../domain/backup.ts";
import { listBackups, looseBackups, makeBackupFolder, orphanedDrafts } from "../store/backup-folder.ts";
import { isLoose } from "../store/database.ts";
import type { EngineRoom } from "./engine-room.ts";
import type { StoreCare } from "./store-care.ts";

export interface MendDeps {
  readonly paths: Paths;
  readonly room: EngineRoom;
  readonly care: StoreCare;
  readonly clock: Clock;
  readonly prune: () => void;
}

interface Fix {
  readonly check: string;
  readonly message: string;
  run(): Promise<string | undefined>;
}

export async function mendStore(deps: MendDeps, dryRun: boolean): Promise<readonly MendStep[]> {
  const steps: MendStep[] = [];
  for (const { check, message, run } of fixesFor(deps)) {
    if (dryRun) {
      steps.push({ check, message, done: false });
      continue;
    }
    try {
      steps.push({ check, message: (await run()) ?? message, done: true });
    } catch (thrown) {
      steps.push({ check, message: `${message}: ${fromUnknown(thrown).message}`, done: false });
    }
  }
  return steps;
}

function fixesFor(deps: MendDeps): Fix[] {
  const { paths, care, room } = deps;
  const fixes: Fix[] = [];
  const fix = (check: string, message: string, run: Fix["run"]) => void fixes.push({ check, message, run });
  for (const path of loosePaths(paths)) {
    fix("files.modes", `take the rights of others off ${path}`, async () => {
      chmodSync(path, statSync(path).isDirectory() ? 0o700 : 0o600);
      return undefined;
    });
  }
  for (const path of orphanedDrafts(paths.backupDir)) {
    fix("backup.drafts", `remove ${path}, which a dead process left half-made`, async () => {
      rmSync(path, { force: true });
      return undefined;
    });
  }
  for (const report of care.reports()) {
    fix("store.recovered", `take as read: ${report.words}`, async () => {
      care.acknowledge(report);
      return undefined;
    });
  }
  const { state, code } = room.condition();
  if (state === "damaged" && code === "store_damaged") {
    fix("daemon.state", `set ${paths.database} aside and go on with what can still be read of it`, async () => {
      const report = await room.reopen("recovering the store", () => care.recover(true));
      if (report === null) throw new Error("nothing of it can be read, and there is no backup that opens");
      return report.words;
    });
  }
  if (isBackupOverdue(deps)) {
    fix("backup.daily", "make the daily backup that is overdue", async () => {
      makeBackupFolder(paths.backupDir);
      const { name } = await care.backup("daily", null);
      deps.prune();
      return `made the overdue backup ${name}`;
    });
  }
  return fixes;
}

function loosePaths(paths: Paths): string[] {
  const places = [paths.dataDir, paths.database, paths.keyFile, paths.damagedDir, ...looseBackups(paths.backupDir)];
  return [...new Set(places.filter(isLoose))];
}

/** Only a store with accounts in it has anything to lose. */
export function isBackupOverdue({ paths, room, clock }: Pick<MendDeps, "paths" | "room" | "clock">): boolean {
  const engine = room.readyEngine();
  const accounts = engine?.accounts.list() ?? [];
  const oldestMs = accounts.reduce(
    (oldest, { createdAtMs }) => Math.min(oldest, createdAtMs),
    Number.POSITIVE_INFINITY,
  );
  const daily = engine?.settings.list().find(({ key }) => key === "backup_daily")?.value;
  const nowMs = clock.nowMs();
  const lateMs = nowMs - BACKUP_OVERDUE_MS;
  if (daily !== true || oldestMs > lateMs) return false;
  return !listBackups(paths.backupDir).some(
    ({ good, reason, createdAtMs }) => good && reason === "daily" && createdAtMs > lateMs,
  );
}
