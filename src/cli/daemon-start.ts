/**
 * Starts the daemon: on demand in the background, or for `rotor up --foreground` attached to this terminal. Waits until it answers, and says why when it does not.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, resolve } from "node:path";
import { AppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import { type DaemonLink, findDaemon, readDaemonFile } from "./daemon-link.ts";
import type { CliIo } from "./io.ts";
import { printable } from "./print.ts";
import { isAlive } from "./process-table.ts";

/**
 * A start takes well under a second; a machine that is busy with something else, a cold disk or a store that is brought up to date take their
 * time. One that fails ends, and is noticed at once: this is for one that neither ends nor answers.
 */
const START_DEADLINE_MS = 60_000;
const POLL_MS = 25;
/** How long somebody else may hold the folder without answering: another start that is slower than ours, or a daemon on its way out. */
const RIVAL_GRACE_MS = 15_000;
/** Until the next look at whether the folder is free again, doubled each time: each costs a start. */
const RIVAL_LOOK_MS = 250;

/** Variables that name files: a daemon with another working folder must still mean the same ones. */
const PATH_VARIABLES = [
  "ROTOR_HOME",
  "ROTOR_CONFIG",
  "ROTOR_SOCKET",
  "ROTOR_LOG_FILE",
  "ROTOR_PASSPHRASE_FILE",
  "CODEX_HOME",
] as const;

export interface StartOptions {
  /** Further arguments of the daemon face. */
  readonly args: readonly string[];
  /** Called once when the start takes longer than a moment. */
  readonly onSlow: () => void;
  /** Called with the pid of every process that is started for it. */
  readonly onSpawn?: (pid: number) => void;
}

/** After this long a person wonders what is going on. */
const SLOW_AFTER_MS = 700;

export async function startDaemon(io: CliIo, paths: Paths, options: StartOptions): Promise<DaemonLink> {
  for (const folder of [paths.dataDir, dirname(paths.logFile)]) makeFolder(folder);
  const startMs = io.clock.monotonicMs();
  let rivalSinceMs: number | null = null;
  let lookMs = RIVAL_LOOK_MS;
  let saidSlow = false;
  for (let child = spawnDetached(io, paths, options); ; ) {
    // Asked before the daemon is looked for: one that ended after that look may have been found by it.
    const exit = child.exit();
    const link = await findDaemon(paths, io);
    if (link) {
      // Ours lost the race, or is about to: left alone it would take the folder when the other one is told to stop.
      if (Number(link.daemon.pid) !== child.pid) child.end();
      return link;
    }
    const nowMs = io.clock.monotonicMs();
    if (exit !== null) {
      rivalSinceMs ??= nowMs;
      const isOver = !isRivalExit(exit) || isElsewhere(paths) || nowMs - rivalSinceMs >= RIVAL_GRACE_MS;
      if (isOver) throw failed(paths, child, describeExit(exit));
      // Whoever held the folder may have failed, or ended: then it is our turn.
      await pause(io, lookMs);
      lookMs *= 2;
      child = spawnDetached(io, paths, options);
    } else if (nowMs - startMs >= START_DEADLINE_MS) throw failed(paths, child, "it does not answer yet");
    if (!saidSlow && nowMs - startMs > SLOW_AFTER_MS) {
      saidSlow = true;
      options.onSlow();
    }
    await pause(io, POLL_MS);
  }
}

function pause(io: CliIo, forMs: number): Promise<void> {
  return io.clock.sleep(forMs, io.interrupted).catch(() => {
    throw new AppError("canceled", "stopped while the daemon was starting", { hint: "rotor status" });
  });
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const hint = "rotor path   (shows where everything is; ROTOR_HOME moves it)";
    throw new AppError("start_failed", `the folder ${path} cannot be made`, { cause, hint });
  }
}

/** Runs the daemon on this terminal until it ends; resolves with its exit code. */
export async function runForeground(io: CliIo, args: readonly string[]): Promise<number> {
  const child = spawn(io.selfCommand.command, [...io.selfCommand.args, "daemon", "--foreground", ...args], {
    stdio: "inherit",
    env: cleanEnv(io),
  });
  // Ctrl-C reaches the child by itself (same process group); a plain kill reaches only us.
  const end = () => void child.kill("SIGTERM");
  if (io.interrupted.aborted) end();
  io.interrupted.addEventListener("abort", end, { once: true });
  const exit = await exitOf(child);
  if (exit.error) throw new AppError("start_failed", exit.error.message, { hint: null, cause: exit.error });
  return exit.code ?? 1;
}

interface Started {
  /** null when nothing could be run. */
  readonly pid: number | null;
  /** Where in the log its words begin. */
  readonly logStart: number;
  /** null while it runs. */
  exit(): Exit | null;
  /** Tells it to stop, unless it has ended. */
  end(): void;
}

function spawnDetached(io: CliIo, paths: Paths, { args, onSpawn }: StartOptions): Started {
  const logStart = sizeOf(paths.logFile);
  const log = openSync(paths.logFile, "a", 0o600);
  try {
    const child = spawn(io.selfCommand.command, [...io.selfCommand.args, "daemon", ...args], {
      cwd: paths.dataDir,
      detached: true,
      env: cleanEnv(io),
      stdio: ["ignore", log, log],
    });
    child.unref();
    let exit: Exit | null = null;
    void exitOf(child).then((how) => {
      exit = how;
    });
    if (child.pid !== undefined) onSpawn?.(child.pid);
    return { pid: child.pid ?? null, logStart, exit: () => exit, end: () => void child.kill("SIGTERM") };
  } finally {
    closeSync(log);
  }
}

function cleanEnv(io: CliIo): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(io.host.env)) if (value !== undefined) env[name] = value;
  for (const name of PATH_VARIABLES) if (env[name]) env[name] = resolve(env[name]);
  return env;
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error: Error | null;
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: null, signal: null, error }));
    child.once("exit", (code, signal) => resolve({ code, signal, error: null }));
  });
}

/** A daemon that finds another one in its place refuses (exit 5 of the error table, `already_running`). */
function isRivalExit(exit: Exit): boolean {
  return exit.code === 5 || exit.code === 0;
}

/** Whoever serves the folder does so on another socket than the one that we were ordered to use. */
function isElsewhere(paths: Paths): boolean {
  const file = readDaemonFile(paths);
  return file !== null && file.socket !== paths.socket && isAlive(file.pid);
}

function describeExit(exit: Exit): string {
  if (exit.error) return exit.error.message;
  if (exit.signal) return `it was ended by ${exit.signal} (${constants.signals[exit.signal]})`;
  return `it ended with exit code ${exit.code}`;
}

function failed(paths: Paths, { logStart, pid }: Started, otherwise: string): AppError {
  const said = lastWords(paths.logFile, logStart, pid);
  return new AppError("start_failed", `the daemon did not start: ${said ?? otherwise}`);
}

/**
 * The last thing that a daemon wrote since `from`: its own error line, or the bare text of a crash. Where several write at once, the one with
 * `pid` says why it did not start.
 */
export function lastWords(logFile: string, from: number, pid: number | null = null): string | null {
  let text: string;
  try {
    text = readFileSync(logFile).subarray(from).toString("utf8");
  } catch {
    return null;
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const own = lines.filter((line) => pid !== null && pidOf(line) === pid);
  for (const line of [...lines, ...own].toReversed()) {
    const said = errorOf(line);
    if (said !== null) return printable(said);
  }
  // A crash before the log opens is bare text: its error line, with a source excerpt and a version around it.
  const bare = lines.filter((line) => !line.startsWith("{"));
  const last = bare.find((line) => /^\s*(\w*error|panic)\b/i.test(line)) ?? bare.at(-1);
  return last === undefined ? null : printable(last.trim());
}

function pidOf(line: string): unknown {
  try {
    return (JSON.parse(line) as Record<string, unknown>).pid;
  } catch {
    return null;
  }
}

function errorOf(line: string): string | null {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    const error = entry.error as { message?: unknown } | string | undefined;
    if (typeof error === "object" && error !== null && typeof error.message === "string") return error.message;
    if (entry.level !== "error") return null;
    const message = entry.message ?? entry.reason ?? error ?? entry.event;
    return typeof message === "string" ? message : null;
  } catch {
    return null;
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
