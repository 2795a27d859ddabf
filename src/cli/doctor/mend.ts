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
import type { Mended } from "./finding.ts";
import { mendTools } from "./tool-mend.ts";

export async function mend(context: Context, dryRun: boolean): Promise<Mended[]> {
  const running = await context.runningDaemon().catch(() => null);
  const isWindows = context.io.host.platform === "win32";
  const steps = ownFixes(context.paths, isWindows, running !== null).map((fix) => carryOut(fix, dryRun));
  try {
    const link = await context.daemon();
    const mended = await link.backups.mendStore({ dryRun });
    steps.push(...mended.steps);
  } catch (thrown) {
    const message = `ask the daemon to mend the store: ${failureOf(thrown).message}`;
    return [...steps, { check: "daemon.reachable", message, done: false }];
  }
  try {
    return [...steps, ...(await mendTools(context, dryRun))];
  } catch (thrown) {
    const message = `look after the connected tools: ${failureOf(thrown).message}`;
    return [...steps, { check: "tool.drift", message, done: false }];
  }
}

function carryOut({ check, message, run }: Fix, dryRun: boolean): Mended {
  if (dryRun) return { check, message, done: false };
  try {
    run();
    return { check, message, done: true };
  } catch (thrown) {
    return { check, message: `${message}: ${thrown instanceof Error ? thrown.message : "it failed"}`, done: false };
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
