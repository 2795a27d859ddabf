/**
 * What these tests run in: a fresh folder, a simulator in the test's own process, and any number of real daemons before it. Everything
 * ends with the stage, whatever the test did.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { systemDice } from "../../../src/base/id.ts";
import type { Scenario } from "../../../src/simulator/scenario.ts";
import { createSimulator, type Simulator } from "../../../src/simulator/simulator.ts";
import { createControl } from "./control.ts";
import {
  type DaemonProcess,
  readDaemonFile,
  type SpawnedDaemon,
  spawnDaemon,
  startDaemonProcess,
} from "./daemon-process.ts";
import { until } from "./until.ts";

export interface StartOptions {
  /** Name of the daemon's home below the stage's folder. */
  readonly home?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Another program than the one that is tested: what runs the daemon, without its first word. */
  readonly program?: readonly string[];
}

export interface Stage extends AsyncDisposable {
  readonly folder: string;
  readonly sim: Simulator;
  /** A folder below the stage's, made when it is not there. */
  home(name?: string): string;
  /** What a daemon of ours gets to see of the environment: nothing of the test's own. */
  env(options?: StartOptions): Record<string, string>;
  /** A daemon that answers. The same home again after a kill is the same installation. */
  start(options?: StartOptions): Promise<DaemonProcess>;
  /** A daemon in an environment of the test's own making, which puts its data into `dataDir`. */
  startIn(dataDir: string, env: Record<string, string>): Promise<DaemonProcess>;
  /** A daemon that may well refuse to start. */
  spawn(options?: StartOptions): SpawnedDaemon;
}

export async function openStage(scenario: Scenario = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "rotor-daemon-"));
  const sim = await createSimulator({ clock: systemClock, dice: systemDice, scenario });
  const started: { pid: number; exited: Promise<number>; end(): void }[] = [];
  const homes = new Set<string>();
  const launch = async (dataDir: string, env: Record<string, string>, { args, program }: StartOptions = {}) => {
    const daemon = await startDaemonProcess(dataDir, env, args, program);
    started.push({ pid: daemon.pid, exited: daemon.exited, end: () => void daemon.kill() });
    return daemon;
  };
  const stage: Stage = {
    folder,
    sim,
    home(name = "home") {
      const path = join(folder, name);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      homes.add(path);
      return path;
    },
    env: (options = {}) => ({
      PATH: "/usr/bin:/bin",
      HOME: folder,
      TZ: "UTC",
      ROTOR_HOME: stage.home(options.home),
      // Never the keychain of whoever runs the tests.
      ROTOR_SEAL_GUARD: "key_file",
      // A request that no test asked for would stand in the story of one that takes long.
      ROTOR_SETTING_USAGE_POLL: "off",
      ROTOR_UPSTREAM_BASE_URL: sim.url,
      ROTOR_UPSTREAM_ISSUER: sim.issuer,
      ...options.env,
    }),
    start: (options = {}) => launch(stage.home(options.home), stage.env(options), options),
    startIn(dataDir, env) {
      homes.add(dataDir);
      return launch(dataDir, env);
    },
    spawn(options = {}) {
      const spawned = spawnDaemon(stage.env(options), options.args);
      started.push({ pid: spawned.pid, exited: spawned.exited, end: () => spawned.signal("SIGKILL") });
      return spawned;
    },
    async [Symbol.asyncDispose]() {
      for (const one of started) one.end();
      await Promise.all(started.map((one) => one.exited));
      const ours = new Set(started.map((one) => one.pid));
      for (const home of homes) await endDetached(home, ours);
      await sim.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return stage;
}

/**
 * A daemon that a ctl started on demand in one of our homes is nobody's child. It is asked over its own socket, never ended by the
 * number in a file: that may be another process's by now.
 */
async function endDetached(home: string, ours: ReadonlySet<number>): Promise<void> {
  const file = readDaemonFile(home);
  if (file === null || ours.has(file.pid)) return;
  try {
    await createControl(file.socket).call("DaemonService/StopDaemon");
    await until(() => readDaemonFile(home) === null, "the end of a daemon that a ctl started");
  } catch {
    // Nobody answers there: the file is what a kill left behind.
  }
}
