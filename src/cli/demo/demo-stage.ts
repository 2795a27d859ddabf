/**
 * The stage of the demo: a temporary folder with a scripted upstream and a daemon of its own, both started by running ourselves.
 * Takes everything down again; never touches another daemon or the accounts of whoever runs it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Env, Host } from "../../base/env.ts";
import { AppError } from "../../base/errors.ts";
import { type Paths, resolvePaths } from "../../base/paths.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { startDaemon } from "../daemon-start.ts";
import type { CliIo } from "../io.ts";
import { callLoopback, readText } from "../loopback-http.ts";
import { isAlive } from "../process-table.ts";

export interface Stage {
  readonly folder: string;
  readonly home: string;
  readonly link: DaemonLink;
  /** One login per account of the scenario, in its order. */
  readonly logins: readonly unknown[];
  /** Steers the scripted upstream over its control API. */
  steer(method: string, path: string, body: unknown): Promise<void>;
  readonly simulatorPid: number;
}

/** Bun takes some hundred milliseconds to start from source; one that fails ends, and is noticed at once. */
const READY_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 5_000;
const POLL_MS = 20;

interface ReadyLine {
  readonly url: string;
  readonly issuer: string;
  readonly accounts: readonly unknown[];
}

/** What was started so far, so that a start that fails half-way is taken down too. */
export interface Scaffold {
  readonly folder: string;
  simulator: ChildProcess | null;
  paths: Paths | null;
  /** Also of one that has not said anything yet. */
  daemonPid: number | null;
}

export function createScaffold(host: Host): Scaffold {
  return { folder: mkdtempSync(join(host.tempDir, "rotor-demo-")), simulator: null, paths: null, daemonPid: null };
}

export async function setStage(io: CliIo, scaffold: Scaffold, scenario: unknown): Promise<Stage> {
  const { folder } = scaffold;
  const ready = await startSimulator(io, scaffold, scenario);
  const home = join(folder, "rotor");
  mkdirSync(home, { mode: 0o700 });
  const demoIo: CliIo = { ...io, host: { ...io.host, env: demoEnv(io.host.env, home, ready) } };
  const paths = resolvePaths(demoIo.host);
  scaffold.paths = paths;
  const onSpawn = (pid: number) => {
    scaffold.daemonPid = pid;
  };
  const link = await startDaemon(demoIo, paths, { args: ["--port", "0"], onSlow: () => {}, onSpawn });
  return {
    folder,
    home,
    link,
    logins: ready.accounts,
    simulatorPid: scaffold.simulator!.pid!,
    async steer(method, path, body) {
      const headers = { "x-rotor-sim": "1", "content-type": "application/json" };
      const url = new URL(`/__sim/v1/${path}`, ready.issuer);
      const answer = await callLoopback(url, { method, headers, body: JSON.stringify(body) });
      const text = await readText(answer);
      if (answer.status >= 300) throw new AppError("internal", `the simulator refused ${method} ${path}: ${text}`);
    },
  };
}

/** Our own switches would lead the daemon of the demo elsewhere; a proxy would swallow its loopback upstream. */
function demoEnv(env: Env, home: string, ready: ReadyLine): Env {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith("ROTOR_") && name !== "CODEX_HOME");
  return {
    ...Object.fromEntries(kept),
    NO_PROXY: "127.0.0.1,localhost",
    no_proxy: "127.0.0.1,localhost",
    ROTOR_HOME: home,
    // Nothing of a play is left in the keychain.
    ROTOR_SEAL_GUARD: "key_file",
    ROTOR_UPSTREAM_BASE_URL: ready.url,
    ROTOR_UPSTREAM_ISSUER: ready.issuer,
  };
}

async function startSimulator(io: CliIo, scaffold: Scaffold, scenario: unknown): Promise<ReadyLine> {
  const { folder } = scaffold;
  const scenarioFile = join(folder, "scenario.json");
  const readyFile = join(folder, "simulator.json");
  writeFileSync(scenarioFile, JSON.stringify(scenario, null, 2), { mode: 0o600 });
  const ready = openSync(readyFile, "w", 0o600);
  const log = openSync(join(folder, "simulator.log"), "w", 0o600);
  const args = [...io.selfCommand.args, "simulate", "--port", "0", "--scenario", scenarioFile];
  // Detached with files for output: with --keep it outlives us.
  const child = spawn(io.selfCommand.command, args, { cwd: folder, detached: true, stdio: ["ignore", ready, log] });
  const failed: { error: Error | null } = { error: null };
  child.once("error", (cause) => {
    failed.error = cause;
  });
  child.unref();
  closeSync(ready);
  closeSync(log);
  scaffold.simulator = child;
  const deadlineMs = io.clock.monotonicMs() + READY_DEADLINE_MS;
  for (;;) {
    const text = readFileSync(readyFile, "utf8");
    if (text.includes("\n")) return JSON.parse(text) as ReadyLine;
    if (
      failed.error !== null ||
      child.exitCode !== null ||
      child.signalCode !== null ||
      io.clock.monotonicMs() > deadlineMs
    ) {
      const said = readFileSync(join(folder, "simulator.log"), "utf8").trim();
      const why = said || failed.error?.message || "it said nothing";
      throw new AppError("start_failed", `the simulator did not start: ${why}`, { hint: null });
    }
    await io.clock.sleep(POLL_MS, io.interrupted);
  }
}

/** Ends what was started, the daemon first, and removes the folder. Does its best whatever state things are in. */
export async function strikeStage(io: CliIo, scaffold: Scaffold, link: DaemonLink | null): Promise<void> {
  const daemonPid = link === null ? scaffold.daemonPid : Number(link.daemon.pid);
  const asked =
    link !== null &&
    (await link.daemons.stopDaemon({}).then(
      () => true,
      () => false,
    ));
  link?.close();
  if (daemonPid !== null && !asked) signal(daemonPid, "SIGTERM");
  const simulatorPid = scaffold.simulator?.pid ?? null;
  if (simulatorPid !== null) signal(simulatorPid, "SIGTERM");
  for (const pid of [daemonPid, simulatorPid]) if (pid !== null) await ended(io, pid);
  rmSync(scaffold.folder, { recursive: true, force: true });
}

async function ended(io: CliIo, pid: number): Promise<void> {
  const deadlineMs = io.clock.monotonicMs() + END_DEADLINE_MS;
  while (isAlive(pid)) {
    if (io.clock.monotonicMs() > deadlineMs) signal(pid, "SIGKILL");
    await io.clock.sleep(POLL_MS);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

/** The end of the demo daemon's log, for the report of a failure. */
export function stageLog({ paths }: Scaffold): string[] {
  try {
    return readFileSync(paths!.logFile, "utf8").trimEnd().split("\n").slice(-8);
  } catch {
    return [];
  }
}
