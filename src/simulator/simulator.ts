/**
 * The simulator: a scripted upstream on loopback, with an OAuth issuer and a Codex backend (README.md). Builds and connects
 * its parts; it imports nothing of the product but the ground floor, so that it cannot share the product's mistakes.
 */
import { type Clock, parseInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import { type Log, silentLog } from "../base/log.ts";
import { type AccountChange, type AccountSpec, createRoster, type SimAccount } from "./accounts.ts";
import { newLogin } from "./control.ts";
import { createFaultBook, type Fault, type FaultSpec, parseFault } from "./fault-book.ts";
import { createHttpServer } from "./http-server.ts";
import { DEFAULT_PACING, type Pacing } from "./pacing.ts";
import { createRecorder, type RequestRecord } from "./recorder.ts";
import { createRouter } from "./router.ts";
import { parseScenario, type Scenario } from "./scenario.ts";
import { createSealedContent } from "./sealed-content.ts";
import { createSimClock, type SimClock } from "./sim-clock.ts";
import { type AuthJson, createTokenVault, DEFAULT_OAUTH, type OauthSettings } from "./token-vault.ts";
import type { Gauges, World } from "./world.ts";

export interface SimulatorOptions {
  clock: Clock;
  dice: Dice;
  log?: Log;
  scenario?: Scenario;
  /** 0 or absent for a free one. */
  port?: number;
  /** A loopback name; 127.0.0.1 by default. */
  host?: string;
}

export interface Simulator {
  /** The upstream base URL: `http://127.0.0.1:PORT/backend-api`. */
  readonly url: string;
  readonly issuer: string;
  readonly port: number;
  /** One login of every account of the scenario, as the Codex client's auth.json. */
  readonly accounts: AuthJson[];
  readonly clock: SimClock;
  readonly pacing: Pacing;
  readonly oauth: OauthSettings;
  readonly gauges: Readonly<Gauges>;
  account(alias: string): SimAccount;
  addAccount(spec?: AccountSpec): { account: SimAccount; auth: AuthJson };
  changeAccount(alias: string, change: AccountChange): void;
  /** A further login of the account. */
  login(alias: string): AuthJson;
  expireAccess(alias: string): void;
  revoke(alias: string): void;
  addFault(spec: FaultSpec): Fault;
  clearFaults(): void;
  /** Oldest first; live records, they change while a request runs. */
  requests(): RequestRecord[];
  close(): Promise<void>;
}

const LOOPBACK_HOSTS: readonly string[] = ["127.0.0.1", "localhost", "::1"];
/** Three accounts: enough to run one dry and move twice. */
const DEFAULT_SCENARIO: Scenario = { accounts: [{}, {}, {}] };

export async function createSimulator(options: SimulatorOptions): Promise<Simulator> {
  const host = options.host ?? "127.0.0.1";
  if (!LOOPBACK_HOSTS.includes(host))
    throw new AppError("invalid_request", "the simulator listens on loopback only", { hint: "use --host 127.0.0.1" });
  const scenario = parseScenario({ ...DEFAULT_SCENARIO, ...options.scenario });
  const name = host === "::1" ? "[::1]" : host;
  let port = 0;
  const world = buildWorld(options, scenario, () => `http://${name}:${port}`);
  const server = createHttpServer({
    host,
    port: options.port ?? 0,
    nowMs: world.clock.nowMs,
    handle: createRouter(world, () => server.connections()),
    onCrash: (error) => world.log.error("simulator.request_crashed", { error }),
  });
  port = server.port;
  for (const spec of scenario.accounts ?? []) world.roster.add(spec);
  const accounts = world.roster.list().map((account) => newLogin(account, world));
  world.log.info("simulator.started", { port, accounts: accounts.length });
  return { ...controls(world), url: `${world.issuer()}/backend-api`, issuer: world.issuer(), port, accounts, close };

  async function close(): Promise<void> {
    server.close();
    world.log.info("simulator.stopped", { port });
  }
}

function buildWorld(options: SimulatorOptions, scenario: Scenario, issuer: () => string): World {
  const { dice } = options;
  const clock = createSimClock(options.clock);
  const startAtMs = scenario.startTime === undefined ? null : parseInstant(scenario.startTime);
  if (startAtMs !== null) clock.set(startAtMs);
  const roster = createRoster(dice, clock.nowMs);
  const oauth = { ...DEFAULT_OAUTH, ...scenario.oauth };
  const faults = createFaultBook();
  for (const spec of scenario.faults ?? []) faults.add(spec);
  const recorder = createRecorder();
  Object.assign(recorder.settings, scenario.recorder);
  return {
    clock,
    dice,
    log: options.log ?? silentLog,
    roster,
    vault: createTokenVault({ dice, roster, settings: oauth, nowMs: clock.nowMs, issuer }),
    oauth,
    faults,
    recorder,
    sealed: createSealedContent(dice),
    pacing: { ...DEFAULT_PACING, ...scenario.pacing },
    gauges: { openStreams: 0, mostOpenStreams: 0, requests: 0 },
    issuer,
  };
}

function controls(world: World): Omit<Simulator, "url" | "issuer" | "port" | "accounts" | "close"> {
  const account = (alias: string): SimAccount => {
    const found = world.roster.find(alias);
    if (!found) throw new AppError("account_not_found", `no account ${alias}`);
    return found;
  };
  return {
    clock: world.clock,
    pacing: world.pacing,
    oauth: world.oauth,
    gauges: world.gauges,
    account,
    addAccount(spec = {}) {
      const added = world.roster.add(spec);
      return { account: added, auth: newLogin(added, world) };
    },
    changeAccount: (alias, change) => world.roster.change(account(alias), change),
    login: (alias) => newLogin(account(alias), world),
    expireAccess: (alias) => world.vault.expireAccess(account(alias)),
    revoke: (alias) => world.vault.revokeAll(account(alias)),
    addFault(spec) {
      const parsed = parseFault(spec);
      if (!parsed.ok) throw new AppError("invalid_request", parsed.problem);
      return world.faults.add(parsed.spec);
    },
    clearFaults: () => world.faults.clear(),
    requests: () => world.recorder.list(),
  };
}
