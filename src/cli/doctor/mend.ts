/**
 * The half of `rotor doctor --fix` that lies outside of the daemon: traces of a dead one, folders, modes. The daemon mends the rest itself.
 */
import { chmodSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Paths } from "../../base/paths.ts";
import type { Context } from "../command.ts";
import { readDaemonFile } from "../daemon-link.ts";
import { failureOf } from "../failure.ts";
import { isAlive } from "../process-table.ts";

export interface Mended {
  /** Stable name of the check that it mends. */
  readonly check: string;
  readonly message: string;
  readonly done: boolean;
}

export async function mend(context: Context, dryRun: boolean): Promise<Mended[]> {
  const running = await context.runningDaemon().catch(() => null);
  const own = ownFixes(context.paths, context.io.host.platform === "win32", running !== null).map(
    ({ check, message, run }) => {
      if (dryRun) return { check, message, done: false };
      try {
        run();
        return { check, message, done: true };
      } catch (thrown) {
        const why = thrown instanceof Error ? thrown.message : "it failed";
        return { check, message: `${message}: ${why}`, done: false };
      }
    },
  );
  try {
    const link = await context.daemon();
    const { steps } = await link.backups.mendStore({ dryRun });
    return [...own, ...steps];
  } catch (thrown) {
    return [
      ...own,
      {
        check: "daemon.reachable",
        message: `ask the daemon to mend the store: ${failureOf(thrown).message}`,
        done: false,
      },
    ];
  }
}

interface Fix {
  readonly check: string;
  readonly message: string;
  run(): void;
}

function ownFixes(paths: Paths, isWindows: boolean, running: boolean): Fix[] {
  const fixes: Fix[] = [];
  for (const folder of [paths.dataDir, paths.configDir, dirname(paths.logFile)]) {
    if (!existsSync(folder))
      fixes.push({
        check: "files.data",
        message: `make the folder ${folder}`,
        run: () => mkdirSync(folder, { recursive: true, mode: 0o700 }),
      });
  }
  const trace = readDaemonFile(paths);
  if (!running && existsSync(paths.daemonFile) && (trace === null || !isAlive(trace.pid)))
    fixes.push({
      check: "daemon.file",
      message: `remove ${paths.daemonFile}, left by a daemon that died`,
      run: () => rmSync(paths.daemonFile),
    });
  if (
    !running &&
    existsSync(paths.socket) &&
    statSync(paths.socket).isSocket() &&
    (trace === null || !isAlive(trace.pid))
  )
    fixes.push({
      check: "files.socket",
      message: `remove the socket ${paths.socket}, which nobody answers at`,
      run: () => rmSync(paths.socket),
    });
  if (isWindows) return fixes;
  for (const path of [paths.dataDir, paths.keyFile, paths.logFile]) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || (stat.mode & 0o077) === 0) continue;
    const mode = stat.isDirectory() ? 0o700 : 0o600;
    fixes.push({
      check: "files.modes",
      message: `take the rights of others off ${path}`,
      run: () => chmodSync(path, mode),
    });
  }
  return fixes;
}
