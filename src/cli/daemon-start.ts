/**
 * Starts the daemon: on demand in the background, or for `rotor up --foreground` attached to this terminal. Waits until it answers, and says why when it does not.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, resolve } from "node:path";
import { AppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import { type DaemonLink, findDaemon } from "./daemon-link.ts";
import type { CliIo } from "./io.ts";
import { printable } from "./print.ts";

/** A start takes well under a second; ten leave room for a cold disk and a store that is brought up to date. */
const START_DEADLINE_MS = 10_000;
const POLL_MS = 25;
/** When our child ended because another ctl's child was faster, that one answers within this time. */
const RIVAL_GRACE_MS = 3_000;

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
}

/** After this long a person wonders what is going on. */
const SLOW_AFTER_MS = 700;

export async function startDaemon(io: CliIo, paths: Paths, options: StartOptions): Promise<DaemonLink> {
  for (const folder of [paths.dataDir, dirname(paths.logFile)]) makeFolder(folder);
  const logStart = sizeOf(paths.logFile);
  const child = spawnDetached(io, paths, options.args);
  const ended = exitOf(child);
  let exit: Exit | null = null;
  void ended.then((how) => {
    exit = how;
  });
  const startMs = io.clock.monotonicMs();
  let deadlineMs = startMs + START_DEADLINE_MS;
  let saidSlow = false;
  for (;;) {
    const link = await findDaemon(paths, io);
    if (link) return link;
    const nowMs = io.clock.monotonicMs();
    if (exit !== null) deadlineMs = Math.min(deadlineMs, nowMs + RIVAL_GRACE_MS);
    if (exit !== null && !isRivalExit(exit)) throw failed(paths, logStart, describeExit(exit));
    if (nowMs >= deadlineMs) {
      throw failed(paths, logStart, exit === null ? "it does not answer yet" : describeExit(exit));
    }
    if (!saidSlow && nowMs - startMs > SLOW_AFTER_MS) {
      saidSlow = true;
      options.onSlow();
    }
    await io.clock.sleep(POLL_MS, io.interrupted).catch(() => {
      throw new AppError("canceled", "stopped while the daemon was starting", { hint: "rotor status" });
    });
  }
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
  io.interrupted.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
  const exit = await exitOf(child);
  if (exit.error) throw new AppError("start_failed", exit.error.message, { hint: null, cause: exit.error });
  return exit.code ?? 1;
}

function spawnDetached(io: CliIo, paths: Paths, args: readonly string[]): ChildProcess {
  const log = openSync(paths.logFile, "a", 0o600);
  try {
    const child = spawn(io.selfCommand.command, [...io.selfCommand.args, "daemon", ...args], {
      cwd: paths.dataDir,
      detached: true,
      env: cleanEnv(io),
      stdio: ["ignore", log, log],
    });
    child.unref();
    return child;
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

function describeExit(exit: Exit): string {
  if (exit.error) return exit.error.message;
  if (exit.signal) return `it was ended by ${exit.signal} (${constants.signals[exit.signal]})`;
  return `it ended with exit code ${exit.code}`;
}

function failed(paths: Paths, logStart: number, otherwise: string): AppError {
  const said = lastWords(paths.logFile, logStart);
  return new AppError("start_failed", `the daemon did not start: ${said ?? otherwise}`);
}

/** The last thing that a daemon wrote since `from`: its own error line, or the bare text of a crash. */
export function lastWords(logFile: string, from: number): string | null {
  let text: string;
  try {
    text = readFileSync(logFile).subarray(from).toString("utf8");
  } catch {
    return null;
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  for (const line of lines.toReversed()) {
    const said = errorOf(line);
    if (said !== null) return printable(said);
  }
  // A crash before the log opens is bare text: its error line, with a source excerpt and a version around it.
  const bare = lines.filter((line) => !line.startsWith("{"));
  const last = bare.find((line) => /^\s*(\w*error|panic)\b/i.test(line)) ?? bare.at(-1);
  return last === undefined ? null : printable(last.trim());
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
