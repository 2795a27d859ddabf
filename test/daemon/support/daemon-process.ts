/**
 * One real daemon as a process of its own: started, found, asked, ended. Never ends a process that it did not start.
 */
import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Control, createControl } from "./control.ts";
import { until } from "./until.ts";

const ROOT = resolve(import.meta.dir, "../../..");

/** The compiled binary when there is one to test, else the source. */
export const ROTOR: readonly string[] = process.env.ROTOR_BIN
  ? [process.env.ROTOR_BIN]
  : [process.execPath, join(ROOT, "src/main.ts")];

export interface DaemonProcess {
  readonly pid: number;
  readonly home: string;
  readonly socket: string;
  readonly proxyUrl: string;
  readonly control: Control;
  /** Exit code, or 128 + signal. */
  readonly exited: Promise<number>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and its exit code. */
  terminate(): Promise<number>;
  /** What this process has logged, without what ran in its home before. */
  logText(): string;
}

export interface SpawnedDaemon {
  readonly pid: number;
  readonly exited: Promise<number>;
  signal(name: "SIGKILL" | "SIGTERM"): void;
  stderr(): Promise<string>;
}

/** Starts one and does not wait for anything. */
export function spawnDaemon(
  env: Record<string, string>,
  args: readonly string[] = ["--port", "0"],
  program: readonly string[] = ROTOR,
): SpawnedDaemon {
  const child = Bun.spawn([...program, "daemon", ...args], { env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = new Response(child.stderr).text();
  return {
    pid: child.pid,
    exited: child.exited,
    signal: (name) => child.kill(name),
    stderr: () => said,
  };
}

/** Starts one and waits until it is found in `daemon.json`, as ctl and plugin find it. */
export async function startDaemonProcess(
  home: string,
  env: Record<string, string>,
  args?: readonly string[],
  program?: readonly string[],
): Promise<DaemonProcess> {
  const logFile = join(home, "rotor.log");
  const logFrom = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  const spawned = spawnDaemon(env, args, program);
  let exit: number | null = null;
  void spawned.exited.then((code) => {
    exit = code;
  });
  await until(() => exit !== null || readDaemonFile(home)?.pid === spawned.pid, "the daemon's start");
  const file = readDaemonFile(home);
  if (exit !== null || file === null) throw new Error(`the daemon ended with ${exit}: ${await spawned.stderr()}`);
  return {
    pid: spawned.pid,
    home,
    socket: file.socket,
    proxyUrl: file.proxy_url,
    control: createControl(file.socket),
    exited: spawned.exited,
    async kill() {
      spawned.signal("SIGKILL");
      await spawned.exited;
    },
    terminate() {
      spawned.signal("SIGTERM");
      return spawned.exited;
    },
    logText: () => readFileSync(logFile).subarray(logFrom).toString("utf8"),
  };
}

export interface DaemonFile {
  readonly pid: number;
  readonly version: string;
  readonly socket: string;
  readonly proxy_url: string;
}

export function readDaemonFile(home: string): DaemonFile | null {
  try {
    return JSON.parse(readFileSync(join(home, "daemon.json"), "utf8")) as DaemonFile;
  } catch {
    return null;
  }
}
