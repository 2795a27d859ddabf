/**
 * What a soak runs in: the simulator in this process, one real daemon in a home that stays from one start to the next, and how that daemon is
 * ended and started again. Ends only what it started.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { createSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { type DaemonProcess, startDaemonProcess } from "../daemon/support/daemon-process.ts";

export const ALIASES: readonly string[] = ["one", "two", "three", "four", "five", "six"];

export interface SoakWorld extends AsyncDisposable {
  readonly sim: Simulator;
  readonly daemon: DaemonProcess;
  /** Of the client that asks. */
  readonly key: string;
  readonly keyName: string;
  /** Counts the daemon's lives in this start. */
  readonly life: number;
  /** Connections that are open to upstream. */
  upstreamConnections(): Promise<number>;
  restart(how: "terminated" | "killed"): Promise<void>;
}

/** Plenty for everybody: accounts run out when trouble says so, not by themselves. */
const CAPACITY_TOKENS = 1e12;

export async function openWorld(folder: string): Promise<SoakWorld> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const accounts = ALIASES.map((alias, index) => ({
    alias,
    email: `${alias}@soak.test`,
    userId: `user-soak-${index}`,
    accountId: `00000000-0000-4000-8000-00000000000${index}`,
    organizationId: `org-soak-${index}`,
    windows: [{ minutes: 300, capacityTokens: CAPACITY_TOKENS }],
  }));
  const sim = await createSimulator({
    clock: systemClock,
    dice: systemDice,
    scenario: { accounts, pacing: { deltas: 24, delayMs: 4 }, recorder: { keep: 200, bodies: false } },
  });
  const env = {
    PATH: "/usr/bin:/bin",
    HOME: folder,
    TZ: "UTC",
    ROTOR_HOME: home,
    ROTOR_SEAL_GUARD: "key_file",
    ROTOR_UPSTREAM_BASE_URL: sim.url,
    ROTOR_UPSTREAM_ISSUER: sim.issuer,
    ROTOR_SETTING_BACKGROUND_RESPONSES: "on",
    ROTOR_SETTING_WAIT_SECONDS: "5",
    ROTOR_SETTING_FIRST_BYTE_TIMEOUT_SECONDS: "5",
    ROTOR_SETTING_SILENCE_TIMEOUT_SECONDS: "10",
    ROTOR_LOG: "warn",
  };
  const start = () => startDaemonProcess(home, env);
  let daemon = await start();
  let life = 1;
  // The simulator is a new one in each start: what it gave out before is worth nothing.
  for (const [index, login] of sim.accounts.entries()) await daemon.control.importLogin(login, ALIASES[index]!);
  const keyName = `soak-${Date.now().toString(36)}`;
  const key = await daemon.control.createKey(keyName);
  return {
    sim,
    key,
    keyName,
    get daemon() {
      return daemon;
    },
    get life() {
      return life;
    },
    async upstreamConnections() {
      const counters = await fetch(`${sim.issuer}/__sim/v1/counters`, { headers: { "x-rotor-sim": "1" } });
      // Less the one that asks.
      return ((await counters.json()) as { openConnections: number }).openConnections - 1;
    },
    async restart(how) {
      if (how === "killed") await daemon.kill();
      else {
        const exit = await daemon.terminate();
        if (exit !== 0) throw new Error(`the daemon ended with ${exit}`);
      }
      daemon = await start();
      life++;
    },
    async [Symbol.asyncDispose]() {
      await daemon.terminate();
      await sim.close();
    },
  };
}
