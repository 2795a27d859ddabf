/**
 * A world for one client test: a fresh home, a simulator, a daemon in front of it with three accounts, a client key, and a tripwire where
 * the internet would be. Everything comes from the executable under test. Closing checks what must hold after any test: nothing but
 * loopback was dialled, nobody printed a credential, the daemon ended in order.
 */
import { expect } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Run, type RunOptions, runProcess, type Started, startProcess } from "./processes.ts";
import { openScreen, type Screen } from "./terminal.ts";
import { openTripwire, type Tripwire } from "./tripwire.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** One account a plan; imported without a name, each gets its plan as its alias, as in the simulator. */
export const ACCOUNTS: readonly string[] = ["plus", "team", "pro"];
/** More than one exchange may try. */
export const MANY_ACCOUNTS: readonly string[] = [...ACCOUNTS, "prolite", "promax"];

export interface World {
  readonly upstream: Upstream;
  /** Where the proxy listens. */
  readonly proxyUrl: string;
  readonly socket: string;
  /** The client key. */
  readonly key: string;
  /** Empty folder for the client, below its home. */
  readonly work: string;
  readonly home: string;
  /** Of every program of this world. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a client in `work` with the environment of this world. */
  run(command: readonly string[], options?: ClientOptions): Promise<Run>;
  start(command: readonly string[], options?: ClientOptions): Started;
  /** The same in front of a terminal, for programs that people type into. */
  sit(command: readonly string[], options?: Pick<ClientOptions, "env" | "cwd">): Screen;
  /** Runs the ctl; fails when it fails. */
  ctl(...args: string[]): Promise<string>;
  ctlJson<T>(...args: string[]): Promise<T>;
  /** Ends the daemon and starts another one on another port; where that one listens. */
  restart(): Promise<string>;
  /** Writes a file below the home; the path. */
  write(path: string, text: string): string;
}

export interface ClientOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly limitMs?: number;
  readonly cwd?: string;
}

/** The executable under test: `ROTOR_BIN`, else what `npm run build` makes. */
export function rotorCommand(): readonly string[] {
  const file = process.env.ROTOR_BIN || join(ROOT, "dist", "rotor");
  if (existsSync(file)) return [file];
  throw new Error(`${file} is not there: npm run build`);
}

/** No call at all. */
const NONE = /^$/;

/**
 * Opens a world, runs the test in it, closes it. What the parts of it wrote is printed when the test fails. `mayDial`: first lines of calls
 * to the outside that a client makes whatever it is told; they end at the tripwire like any other.
 */
export async function inWorld(
  test: (world: World) => Promise<void>,
  plans = ACCOUNTS,
  mayDial: RegExp = NONE,
): Promise<void> {
  const room = await furnish();
  try {
    const world = await open(room, plans);
    await test(world);
    await checkQuiet(room, world, mayDial);
    expect((await room.daemon!.stop()).exit).toBe(0);
  } catch (error) {
    dump(room);
    throw error;
  } finally {
    await Promise.all(room.screens.map((screen) => screen.close()));
    await Promise.all(room.started.map((started) => started.stop()));
    room.tripwire.close();
    rmSync(room.folder, { recursive: true, force: true });
  }
}

interface Room {
  readonly folder: string;
  readonly home: string;
  readonly work: string;
  readonly rotorHome: string;
  readonly tripwire: Tripwire;
  readonly env: Readonly<Record<string, string>>;
  readonly started: Started[];
  /** What clients printed, for the failure report. */
  readonly runs: string[];
  readonly screens: Screen[];
  daemon: Started | null;
}

async function furnish(): Promise<Room> {
  const folder = mkdtempSync(join(tmpdir(), "rotor-client-"));
  const home = join(folder, "home");
  const work = join(home, "work");
  const rotorHome = join(folder, "rotor");
  for (const path of [work, join(home, ".codex"), join(home, ".config", "opencode"), join(folder, "tmp")])
    mkdirSync(path, { recursive: true });
  const tripwire = await openTripwire();
  const env: Record<string, string> = {
    PATH: [dirname(process.execPath), process.env.PATH ?? "/usr/bin:/bin"].join(delimiter),
    HOME: home,
    USER: "somebody",
    SHELL: "/bin/sh",
    LANG: "C.UTF-8",
    TMPDIR: join(folder, "tmp"),
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_DATA_HOME: join(home, ".local", "share"),
    XDG_STATE_HOME: join(home, ".local", "state"),
    XDG_CACHE_HOME: join(home, ".cache"),
    CODEX_HOME: join(home, ".codex"),
    ROTOR_HOME: rotorHome,
    npm_config_offline: "true",
    ...tripwire.env,
  };
  return { folder, home, work, rotorHome, tripwire, env, started: [], runs: [], screens: [], daemon: null };
}

async function open(room: Room, plans: readonly string[]): Promise<World> {
  const rotor = rotorCommand();
  const at: RunOptions = { env: room.env, cwd: room.folder };
  const scenarioFile = join(room.folder, "scenario.json");
  writeFileSync(scenarioFile, JSON.stringify({ accounts: plans.map((plan) => ({ alias: plan, plan })) }));
  const upstream = await startUpstream(rotor, scenarioFile, at);
  room.started.push(upstream.process);
  const pointed = {
    ROTOR_SEAL_GUARD: "key_file",
    // Figures that no step asked for would show in one that takes long.
    ROTOR_SETTING_USAGE_POLL: "off",
    ROTOR_UPSTREAM_BASE_URL: upstream.url,
    ROTOR_UPSTREAM_ISSUER: upstream.issuer,
  };
  const daemonEnv = { ...room.env, ...pointed };
  const startDaemon = async () => {
    room.daemon = startProcess([...rotor, "daemon", "--foreground", "--port", "0"], { ...at, env: daemonEnv });
    room.started.push(room.daemon);
    await room.daemon.prints(/"daemon\.started"/);
    const note = JSON.parse(readFileSync(join(room.rotorHome, "daemon.json"), "utf8"));
    return note as { socket: string; proxy_url: string };
  };
  const { socket, proxy_url } = await startDaemon();
  const ctl = async (...args: string[]) => {
    const done = await runProcess([...rotor, "--no-start", ...args], at);
    if (done.exit !== 0) throw new Error(`rotor ${args.join(" ")} ended with ${done.exit}: ${done.out}${done.err}`);
    return done.out;
  };
  const ctlJson = async <T>(...args: string[]) => JSON.parse(await ctl("--json", ...args)) as T;
  const logins = join(room.folder, "logins.json");
  writeFileSync(logins, JSON.stringify(upstream.logins));
  await ctl("import", logins);
  const { secret } = await ctlJson<{ secret: string }>("key", "create", "client-test");
  return {
    upstream,
    proxyUrl: proxy_url,
    socket,
    key: secret,
    ctl,
    ctlJson,
    async restart() {
      expect((await room.daemon!.stop()).exit).toBe(0);
      return (await startDaemon()).proxy_url;
    },
    env: room.env,
    ...placesOf(room),
    ...clientRunner(room, { ROTOR_KEY: secret }),
  };
}

function placesOf(room: Room): Pick<World, "home" | "work" | "write"> {
  return {
    home: room.home,
    work: room.work,
    write(path, text) {
      const full = join(room.home, path);
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, text);
      return full;
    },
  };
}

function clientRunner(room: Room, key: Record<string, string>): Pick<World, "run" | "start" | "sit"> {
  const optionsOf = ({ env, cwd, ...rest }: ClientOptions): RunOptions => ({
    ...rest,
    cwd: cwd ?? room.work,
    env: { ...room.env, ...key, ...env },
  });
  return {
    async run(command, options = {}) {
      const done = await runProcess(command, optionsOf(options));
      room.runs.push(`${done.out}${done.err}(${basename(command[0]!)} ended with ${done.exit})`);
      return done;
    },
    start(command, options = {}) {
      const started = startProcess(command, optionsOf(options));
      room.started.push(started);
      return started;
    },
    sit(command, options = {}) {
      const { env, cwd } = optionsOf(options);
      const screen = openScreen(command, { env, cwd });
      room.screens.push(screen);
      return screen;
    },
  };
}

/** The parts that may not show in any text: every client key and every token ends in at least this much randomness. */
function secretsOf(world: World): string[] {
  const tokens = world.upstream.logins.flatMap((login) =>
    Object.entries((login as { tokens: Record<string, string> }).tokens).flatMap(([name, value]) =>
      name.endsWith("_token") ? [value] : [],
    ),
  );
  return [world.key, ...tokens];
}

async function checkQuiet(room: Room, world: World, mayDial: RegExp): Promise<void> {
  const calls = room.tripwire.calls.filter((call) => !mayDial.test(call));
  expect(calls, "nothing but loopback may be dialled").toEqual([]);
  const shown = [...room.runs, ...room.screens.map((screen) => screen.text())].join("\n");
  const written = `${room.daemon!.out}${room.daemon!.err}${shown}`;
  const leaked = secretsOf(world).filter((secret) => written.includes(secret));
  expect(leaked.length, "credentials in the log of the daemon or in what a client printed").toBe(0);
}

/** Enough to see what happened without running it again. */
function dump(room: Room): void {
  // The simulator's ready line is made of tokens.
  const isFit = (line: string) => !line.startsWith('{"url":');
  const lines = (text: string) => text.trimEnd().split("\n").filter(isFit).slice(-60).join("\n");
  for (const run of room.runs) console.error(`── a client ──\n${lines(run)}`);
  for (const screen of room.screens) console.error(`── a screen ──\n${screen.text()}`);
  for (const started of room.started)
    console.error(`── process ${started.pid} ──\n${lines(started.out + started.err)}`);
  console.error(`── dialled ──\n${room.tripwire.calls.join("\n") || "nothing but loopback"}`);
}
