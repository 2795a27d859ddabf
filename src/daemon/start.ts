/**
 * The composition root: the one place that builds and connects objects. Opens the control socket first, so that whatever
 * goes wrong after that can be asked about; then the store, the engine, the proxy; and takes it all down in the other order.
 */
import { mkdirSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import type { Config } from "../base/config.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { createHttpGuard } from "../base/http-guard.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import { VERSION } from "../base/version.ts";
import type { DaemonFacts, DaemonStateName } from "../control/daemon-facts.ts";
import { createControlRoutes } from "../control/routes.ts";
import { listenControl } from "../control/server.ts";
import { createEngine, type RunningEngine } from "../pool/create-engine.ts";
import { createProxyApp } from "../proxy/app.ts";
import { listenProxy, type RunningProxy } from "../proxy/listen.ts";
import { acquireLock } from "../store/lock.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Store } from "../store/store.ts";
import { createUpstream } from "../upstream/codex-client.ts";
import { createIssuer } from "../upstream/oauth-issuer.ts";
import { CALLBACK_PORTS, createLoginIssuer } from "../upstream/oauth-login.ts";
import { createCallbackDoor } from "./callback-door.ts";
import { readDaemonPid, removeDaemonFile, writeDaemonFile } from "./daemon-file.ts";
import { diagnose } from "./diagnose.ts";
import { createIdleStop } from "./idle-stop.ts";

export interface DaemonOptions {
  readonly paths: Paths;
  readonly config: Config;
  readonly uid: number;
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
const CONTROL_GRACE_MS = 1_000;

export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const { paths, config, clock, log, pid } = options;
  makeDataFolder(paths.dataDir);
  const lock = lockFolder(paths);
  const undo: (() => Promise<void> | void)[] = [() => lock.release()];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.error("daemon.stop_step_failed", { error });
      }
    }
  };
  const daemon = new DaemonState(options);
  try {
    const routes = createControlRoutes({ engine: () => daemon.engine, facts: daemon, clock, log });
    const control = await listenControl({ path: paths.socket, routes, ownUid: options.uid, clock, log });
    undo.push(() => control.close(CONTROL_GRACE_MS));
    undo.push(await daemon.openStore());
    const guard = createHttpGuard(config.proxy.allowedHosts);
    const app = createProxyApp({
      engine: () => daemon.readyEngine(),
      state: () => daemon.condition(),
      guard,
      clock,
      log,
    });
    const proxy: RunningProxy = listenProxy(app, { host: config.proxy.host, port: config.proxy.port, clock });
    daemon.proxyUrl = proxy.url;
    undo.push(() => proxy.stop(PROXY_GRACE_MS));
    writeDaemonFile(paths.daemonFile, {
      pid,
      version: VERSION,
      socket: paths.socket,
      proxy_url: proxy.url,
      dashboard_url: null,
    });
    undo.push(() => removeDaemonFile(paths.daemonFile, pid));
    const idle = createIdleStop({ engine: () => daemon.engine, clock, onIdle: options.onStop });
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

/** A store whose logins cannot be opened is locked, not ready: it must say so before the first request finds out. */
async function proveSeal(store: Store): Promise<void> {
  const [first] = (await store.loadPool()).accounts;
  if (first !== undefined) await store.loadCredentials(first.id);
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
    return acquireLock(paths.lockFile);
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
  readonly #startedAtMs: number;
  readonly #watchers = new Set<() => void>();
  #state: DaemonStateName = "migrating";
  #reason: string | null = "the store is being opened";
  engine: RunningEngine | null = null;
  proxyUrl: string | null = null;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.nowMs();
  }

  /** Opens store and engine; a store that cannot be used leaves the daemon up and saying so. Returns how to close them. */
  async openStore(): Promise<() => Promise<void>> {
    const { paths, config, clock, dice, log } = this.#options;
    let store: Store | null = null;
    try {
      store = await openSqliteStore({ paths, dice, clock, log });
      await proveSeal(store);
      const { issuer, clientId, baseUrl } = config.upstream;
      this.engine = await createEngine({
        store,
        upstream: createUpstream({ baseUrl, clock, log }),
        issuer: createIssuer({ issuer, clientId, clock, log }),
        loginIssuer: createLoginIssuer({ issuer, clientId, clock, dice, log }),
        openCallbackListener: createCallbackDoor({ ports: CALLBACK_PORTS, clock, log }),
        issuerUrl: issuer,
        settings: config.settings,
        clock,
        dice,
        log,
      });
      this.#become("ready", null);
    } catch (thrown) {
      const error = fromUnknown(thrown);
      if (error.code !== "store_damaged" && error.code !== "store_newer" && error.code !== "seal_key_missing")
        throw error;
      log.error("store.unusable", { error });
      this.#become(error.code === "seal_key_missing" ? "locked" : "damaged", error.message);
    }
    return async () => {
      await this.engine?.close();
      await store?.close();
    };
  }

  readyEngine(): RunningEngine | null {
    return this.#state === "ready" ? this.engine : null;
  }

  condition(): { state: DaemonStateName; reason: string } {
    return { state: this.#state, reason: this.#reason ?? "" };
  }

  snapshot() {
    const { paths, config, pid } = this.#options;
    return {
      version: VERSION,
      pid,
      state: this.#state,
      stateReason: this.#reason,
      startedAtMs: this.#startedAtMs,
      proxyUrl: this.proxyUrl,
      socketPath: paths.socket,
      dataDir: paths.dataDir,
      configFile: paths.configFile,
      logFile: paths.logFile,
      upstreamUrl: config.upstream.baseUrl,
      issuer: config.upstream.issuer,
    };
  }

  diagnose() {
    const { paths, config, clock } = this.#options;
    const state = { name: this.#state, reason: this.#reason };
    return diagnose({ engine: this.engine, state, proxyUrl: this.proxyUrl, paths, config, clock });
  }

  stop(): void {
    this.#options.onStop();
  }

  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => void this.#watchers.delete(onChange);
  }

  #become(state: DaemonStateName, reason: string | null): void {
    this.#state = state;
    this.#reason = reason;
    for (const onChange of this.#watchers) onChange();
  }
}
