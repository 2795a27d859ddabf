/**
 * The composition root: the one place that builds and connects objects. Opens the control socket first, so that whatever
 * goes wrong after that can be asked about; then the store, the engine, the proxy; and takes it all down in the other order.
 */
import { mkdirSync, rmSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import type { Config } from "../base/config.ts";
import type { Host } from "../base/env.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { createHttpGuard } from "../base/http-guard.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import { VERSION } from "../base/version.ts";
import type { DaemonFacts, DaemonStateName } from "../control/daemon-facts.ts";
import { createControlRoutes } from "../control/routes.ts";
import { listenControl } from "../control/server.ts";
import { createProxyApp, createTurnDoor } from "../proxy/app.ts";
import { listenProxy, type RunningProxy } from "../proxy/listen.ts";
import { createSocketDoor } from "../proxy/socket-door.ts";
import { createKeyRing, type KeyRing, type KeyRingDeps } from "../store/backup-key.ts";
import { chooseGuard, createGuards } from "../store/guards.ts";
import { acquireLock } from "../store/lock.ts";
import type { BackupCalendar } from "./backup-calendar.ts";
import { createBackupDesk } from "./backup-desk.ts";
import { readDaemonPid, removeDaemonFile, writeDaemonFile } from "./daemon-file.ts";
import { diagnose } from "./diagnose.ts";
import { EngineRoom } from "./engine-room.ts";
import { createIdleStop } from "./idle-stop.ts";
import type { Metrics } from "./metrics.ts";
import { openMetricsDoor } from "./metrics-door.ts";
import { createSealDesk } from "./seal-order.ts";
import { StoreCare } from "./store-care.ts";
import { runInWorker } from "./worker.ts";

export interface DaemonOptions {
  readonly paths: Paths;
  readonly config: Config;
  readonly host: Pick<Host, "uid" | "env" | "platform">;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly pid: number;
  /** Somebody asked for the end over the control socket, or it was idle for long enough. */
  readonly onStop: () => void;
}

export interface RunningDaemon {
  readonly proxyUrl: string | null;
  /** Doors first, then what they learnt is written, then the store is closed. Resolves when nothing is left. */
  stop(): Promise<void>;
}

/** Open streams get this long to end by themselves when the daemon stops. */
const PROXY_GRACE_MS = 5_000;
/** For an order that asks upstream something, which may take its time. */
const ORDER_GRACE_MS = 10_000;
const CONTROL_GRACE_MS = 1_000;

export async function startDaemon(given: DaemonOptions): Promise<RunningDaemon> {
  const metrics = await createMetricsWhenWanted(given);
  const options = { ...given, log: metrics?.counting(given.log) ?? given.log };
  const { paths, config, clock, log, pid } = options;
  makeDataFolder(paths.dataDir);
  const lock = lockFolder(paths);
  const undo: (() => Promise<void> | void)[] = [() => lock.release()];
  const { room, care, backups } = buildRoom(options);
  const daemon = new DaemonState(options, room, care);
  const stop = () => {
    daemon.isStopping = true;
    return takeDown(undo, log);
  };
  try {
    const seal = createSealDesk(room, async () => void (await care.backup("before-seal", null)));
    const routes = createControlRoutes({ engine: () => room.engine, facts: daemon, seal, backups, clock, log });
    const control = await listenControl({ path: paths.socket, routes, ownUid: options.host.uid, clock, log });
    undo.push(() => control.close(CONTROL_GRACE_MS));
    undo.push(() => room.close());
    // An order that is under way needs the store until it has answered.
    undo.push(() => control.settle(ORDER_GRACE_MS));
    care.sweep();
    await room.open();
    const calendar = backups.startCalendar();
    daemon.calendar = calendar;
    undo.push(() => calendar.close());
    const guard = createHttpGuard(config.proxy.allowedHosts);
    const doorDeps = {
      engine: () => room.readyEngine(),
      state: () => daemon.condition(),
      guard,
      clock,
      log,
    };
    const { host, port } = config.proxy;
    const sockets = createSocketDoor(doorDeps);
    const turns = createTurnDoor(doorDeps);
    const proxy: RunningProxy = listenProxy(createProxyApp(doorDeps), { host, port, clock, sockets, turns });
    daemon.proxyUrl = proxy.url;
    undo.push(() => proxy.stop(PROXY_GRACE_MS));
    const metricsUrl = metrics === null ? null : openMetrics(metrics, options, room, undo);
    writeDaemonFile(paths.daemonFile, {
      pid,
      version: VERSION,
      socket: paths.socket,
      proxy_url: proxy.url,
      dashboard_url: null,
      metrics_url: metricsUrl,
    });
    undo.push(() => removeDaemonFile(paths.daemonFile, pid));
    const idle = createIdleStop({ engine: () => room.engine, clock, onIdle: options.onStop });
    undo.push(() => idle.close());
    warnWhenOpen(config, log);
    log.info("daemon.started", {
      pid,
      version: VERSION,
      proxy: proxy.url,
      socket: paths.socket,
      state: daemon.condition().state,
    });
    return { proxyUrl: proxy.url, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** What was set up last goes first. */
async function takeDown(undo: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (const step of undo.splice(0).reverse()) {
    try {
      await step();
    } catch (error) {
      log.error("daemon.stop_step_failed", { error });
    }
  }
}

/** Nobody who leaves them off pays for them: what counts is not even loaded. */
async function createMetricsWhenWanted({ config, clock }: DaemonOptions): Promise<Metrics | null> {
  if (config.metrics === null) return null;
  const { createMetrics } = await import("./metrics.ts");
  return createMetrics({ nowMs: clock.nowMs, residentBytes: () => process.memoryUsage.rss() });
}

function openMetrics(metrics: Metrics, { config, log }: DaemonOptions, room: EngineRoom, undo: (() => void)[]): string {
  const follow = () => metrics.follow(room.readyEngine());
  follow();
  undo.push(room.watch(follow));
  const door = openMetricsDoor({ ...config.metrics!, scrape: metrics.scrape, log });
  undo.push(() => void door.close());
  log.info("metrics.listening", { url: door.url });
  return door.url;
}

function buildRoom(options: DaemonOptions) {
  const { paths, clock, log } = options;
  const keys = openKeyRing(options, () => room.seal()?.exportKey() ?? null);
  const care = new StoreCare({ paths, clock, log, run: runInWorker, keys });
  const room: EngineRoom = new EngineRoom({ ...options, care });
  const backups = createBackupDesk({ paths, room, care, run: runInWorker, clock, log });
  return { room, care, backups };
}

function openKeyRing({ paths, config, host, clock, dice, log }: DaemonOptions, live: KeyRingDeps["live"]): KeyRing {
  const { guard: choice, passphrase, passphraseFile: file } = config.seal;
  const { env, platform } = host;
  const options = { choice, source: { passphrase, file }, keyFile: paths.keyFile, platform, env, clock };
  const guards = createGuards(options);
  return createKeyRing({ guards, choose: () => chooseGuard(guards, options, log), live, dice, clock });
}

function makeDataFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const hint = "check who owns the folder above it, and the disk";
    throw new AppError("start_failed", `the data folder ${path} cannot be made`, { cause, hint });
  }
}

function lockFolder(paths: Paths) {
  try {
    const lock = acquireLock(paths.lockFile);
    // Whoever was killed left its own; it would name a process that is gone, or another one's by now.
    rmSync(paths.daemonFile, { force: true });
    return lock;
  } catch (thrown) {
    const error = fromUnknown(thrown);
    const holder = error.code === "already_running" ? readDaemonPid(paths.daemonFile) : null;
    if (holder === null) throw error;
    throw new AppError("already_running", `another daemon (pid ${holder}) serves ${paths.dataDir}`, {
      cause: error,
      facts: { pid: holder },
    });
  }
}

function warnWhenOpen(config: Config, log: Log): void {
  if (["127.0.0.1", "localhost", "::1"].includes(config.proxy.host)) return;
  log.warn("proxy.open_to_network", {
    host: config.proxy.host,
    message: "everybody who can reach this address and has a client key uses your logins; there is no TLS",
  });
}

/** What the daemon is now; the facts behind DaemonService. */
class DaemonState implements DaemonFacts {
  readonly #options: DaemonOptions;
  readonly #room: EngineRoom;
  readonly #startedAtMs: number;
  readonly #care: StoreCare;
  proxyUrl: string | null = null;
  calendar: BackupCalendar | null = null;
  /** On its way out: whoever asks is to wait for the next one, not to take this one for it. */
  isStopping = false;

  constructor(options: DaemonOptions, room: EngineRoom, care: StoreCare) {
    this.#options = options;
    this.#care = care;
    this.#room = room;
    this.#startedAtMs = options.clock.nowMs();
  }

  condition(): { state: DaemonStateName; reason: string } {
    const { state, reason } = this.#room.condition();
    return { state, reason: reason ?? "" };
  }

  snapshot() {
    const { paths, config, pid } = this.#options;
    const { state, reason } = this.#room.condition();
    return {
      version: VERSION,
      pid,
      state,
      stateReason: this.isStopping ? "it is stopping" : reason,
      isStopping: this.isStopping,
      startedAtMs: this.#startedAtMs,
      proxyUrl: this.isStopping ? null : this.proxyUrl,
      socketPath: paths.socket,
      dataDir: paths.dataDir,
      configFile: paths.configFile,
      logFile: paths.logFile,
      upstreamUrl: config.upstream.baseUrl,
      issuer: config.upstream.issuer,
      notices: this.#notices(),
    };
  }

  /** What somebody should know and has not acknowledged. */
  #notices(): string[] {
    const words = this.#care.reports().map((report) => report.words);
    const problem = this.calendar?.problem() ?? null;
    return problem === null ? words : [...words, `the daily backup failed: ${problem.message}`];
  }

  diagnose({ offline }: { readonly offline: boolean }) {
    const { paths, config, clock } = this.#options;
    const { state: name, reason } = this.#room.condition();
    return diagnose({
      offline,
      engine: this.#room.engine,
      seal: this.#room.seal(),
      state: { name, reason },
      proxyUrl: this.proxyUrl,
      recovered: this.#care.reports().map(({ words }) => words),
      backupProblem: this.calendar?.problem() ?? null,
      room: this.#room,
      paths,
      config,
      clock,
    });
  }

  stop(): void {
    this.#options.onStop();
  }

  watch(onChange: () => void): () => void {
    return this.#room.watch(onChange);
  }
}
