/**
 * `rotor simulate`: starts the simulator and prints one ready line of JSON on stdout. Everything that a person should read
 * goes to stderr.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { systemDice } from "../base/id.ts";
import { createLog } from "../base/log.ts";
import { tryParseJson } from "./json.ts";
import { parseScenario, type Scenario } from "./scenario.ts";
import { createSimulator } from "./simulator.ts";

/** What the process gives: its two streams, a line at a time, and its stop. */
export interface SimulateIo {
  stdout(line: string): void;
  stderr(line: string): void;
  /** Aborted when the process is asked to stop (SIGINT, SIGTERM). */
  stop: AbortSignal;
}

const SIMULATE_USAGE = `rotor simulate [options]   the scripted upstream, on loopback

  --scenario FILE   start from a scenario (JSON; src/simulator/README.md)
  --port N          listen on this port (default 0: a free one)
  --host NAME       127.0.0.1 (default), localhost or ::1
  --accounts N      so many accounts on the plus plan (default 3; not with a scenario that names accounts)
  --plan NAME       their plan
  --grace SECONDS   how long a used refresh token still works (default 3600)
  --requests N      their primary window holds N requests instead of the plan's tokens
  --delay MS        pause between two stream events
  --auto-approve    sign-ins need no person: login_hint, or the first account
  --verbose         log every fault on stderr
`;

/** Exit code: 0 stopped, 1 failed, 2 bad usage. */
export async function runSimulate(args: string[], io: SimulateIo): Promise<number> {
  try {
    const flags = readFlags(args);
    if (flags.help) {
      io.stdout(SIMULATE_USAGE.trimEnd());
      return 0;
    }
    const log = createLog({ clock: systemClock, level: flags.verbose ? "info" : "warn", sinks: [io.stderr] });
    const scenario = await buildScenario(flags);
    const port = flags.port === undefined ? 0 : wholeNumber("--port", flags.port);
    const simulator = await createSimulator({
      clock: systemClock,
      dice: systemDice,
      log,
      scenario,
      port,
      host: flags.host,
    });
    io.stdout(JSON.stringify({ url: simulator.url, issuer: simulator.issuer, accounts: simulator.accounts }));
    await untilAborted(io.stop);
    await simulator.close();
    return 0;
  } catch (error) {
    const known = fromUnknown(error);
    io.stderr(`rotor simulate: ${known.code === "internal" ? String(error) : known.message}`);
    return known.code === "bad_usage" || known.code === "invalid_request" ? 2 : 1;
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

type Flags = ReturnType<typeof readFlags>;

function readFlags(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        scenario: { type: "string" },
        port: { type: "string" },
        host: { type: "string" },
        accounts: { type: "string" },
        plan: { type: "string" },
        grace: { type: "string" },
        requests: { type: "string" },
        delay: { type: "string" },
        "auto-approve": { type: "boolean" },
        verbose: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new AppError("bad_usage", (error as Error).message);
  }
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new AppError("bad_usage", `${name} needs a whole number, not ${text}`);
  return Number(text);
}

async function buildScenario(flags: Flags): Promise<Scenario> {
  const scenario = flags.scenario === undefined ? {} : await readScenario(flags.scenario);
  const built: Scenario = { ...scenario };
  if (flags.accounts !== undefined && scenario.accounts)
    throw new AppError("bad_usage", "--accounts and a scenario that names accounts exclude each other");
  if (!scenario.accounts) {
    const windows =
      flags.requests === undefined
        ? undefined
        : [{ minutes: 300, capacityRequests: wholeNumber("--requests", flags.requests) }];
    const number = flags.accounts === undefined ? 3 : wholeNumber("--accounts", flags.accounts);
    built.accounts = Array.from({ length: number }, () => ({ plan: flags.plan, windows }));
  }
  if (flags.grace !== undefined) built.oauth = { ...built.oauth, graceSeconds: wholeNumber("--grace", flags.grace) };
  if (flags.delay !== undefined) built.pacing = { ...built.pacing, delayMs: wholeNumber("--delay", flags.delay) };
  if (flags["auto-approve"]) built.oauth = { ...built.oauth, autoApprove: built.accounts?.[0]?.alias ?? "alpha" };
  return built;
}

async function readScenario(path: string): Promise<Scenario> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new AppError("bad_usage", `cannot read the scenario ${path}`, { cause });
  }
  const value = tryParseJson(text);
  if (value === undefined) throw new AppError("bad_usage", `the scenario ${path} is not JSON`);
  return parseScenario(value);
}
