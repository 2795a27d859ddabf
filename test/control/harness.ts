/** A real control socket in a folder of its own, with a fake engine behind it and clients of every kind in front. */
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { systemClock } from "../../src/base/clock.ts";
import { AppError } from "../../src/base/errors.ts";
import type { Log, LogFields } from "../../src/base/log.ts";
import type { BackupDesk } from "../../src/control/backup-desk.ts";
import type { DaemonFacts, DaemonStateName } from "../../src/control/daemon-facts.ts";
import type { ControlDeps } from "../../src/control/routes.ts";
import { createControlRoutes } from "../../src/control/routes.ts";
import { type ControlOptions, type ControlServer, listenControl } from "../../src/control/server.ts";
import { createFakeEngine, type FakeEngine } from "../support/fake-engine.ts";
import { createFakeSeal, type FakeSeal } from "../support/fake-seal.ts";
import { T0 } from "../support/manual-clock.ts";

export const OWN_UID = process.getuid!();

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
}

export function recordingLog(lines: LogLine[]): Log {
  const at =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      void lines.push({ level, event, fields });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export interface FakeFacts extends DaemonFacts {
  setState(state: DaemonStateName, reason?: string | null): void;
  setStopping(): void;
  setProxyUrl(url: string): void;
  stops(): number;
  watchers(): number;
}

export function createFakeFacts(socketPath: string): FakeFacts {
  const listeners = new Set<() => void>();
  let state: DaemonStateName = "ready";
  let stateReason: string | null = null;
  let stops = 0;
  let proxyUrl = "http://127.0.0.1:4747";
  let isStopping = false;
  return {
    snapshot: () => ({
      version: "0.1.0",
      pid: process.pid,
      state,
      stateReason,
      isStopping,
      startedAtMs: T0,
      proxyUrl: isStopping ? null : proxyUrl,
      socketPath,
      dataDir: "/data",
      configFile: "/config/config.toml",
      logFile: "/state/rotor.log",
      upstreamUrl: "https://upstream.example.org",
      issuer: "https://auth.example.org",
      notices: [],
    }),
    diagnose: async () => [
      { check: "store.integrity", level: "ok", message: "the store is sound", hint: null },
      { check: "files.mode", level: "warning", message: "others may read the log", hint: "chmod 600 rotor.log" },
    ],
    stop: () => void stops++,
    watch(onChange) {
      listeners.add(onChange);
      return () => void listeners.delete(onChange);
    },
    setState(next, reason = null) {
      state = next;
      stateReason = reason;
      for (const tell of listeners) tell();
    },
    setStopping() {
      isStopping = true;
    },
    setProxyUrl(url) {
      proxyUrl = url;
    },
    stops: () => stops,
    watchers: () => listeners.size,
  };
}

/** No backups, and none can be made: the desk itself is tested in test/daemon. */
export function createFakeBackups(): BackupDesk {
  const none = () => {
    throw new AppError("backup_not_found", "there is no such backup");
  };
  return {
    create: async () => none(),
    list: () => [],
    verify: async () => none(),
    remove: none,
    preview: async () => none(),
    restore: async () => none(),
    read: none,
    receive: async () => none(),
    mend: async () => [],
  };
}

export interface Door {
  readonly folder: string;
  readonly path: string;
  readonly engine: FakeEngine;
  readonly facts: FakeFacts;
  readonly seal: FakeSeal;
  readonly log: LogLine[];
  readonly server: ControlServer;
  /** Closes the server and removes the folder. */
  close(): Promise<void>;
}

/** mkdtemp makes the folder 0700. */
export function tempFolder(): string {
  return mkdtempSync(join(tmpdir(), "rotor-control-"));
}

export async function openDoor(
  changes: { options?: Partial<ControlOptions>; deps?: Partial<ControlDeps> } = {},
): Promise<Door> {
  const folder = tempFolder();
  const path = join(folder, "rotor.sock");
  const engine = createFakeEngine();
  const facts = createFakeFacts(path);
  const lines: LogLine[] = [];
  const log = recordingLog(lines);
  const seal = createFakeSeal();
  const backups = createFakeBackups();
  const deps = {
    engine: () => engine,
    facts,
    backups,
    seal,
    clock: { ...systemClock, nowMs: () => T0 },
    log,
    ...changes.deps,
  };
  const server = await listenControl({
    path,
    routes: createControlRoutes(deps),
    ownUid: OWN_UID,
    clock: systemClock,
    log,
    ...changes.options,
  });
  return {
    folder,
    path,
    engine,
    facts,
    seal,
    log: lines,
    server,
    async close() {
      await server.close(200);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const BASE = "http://localhost";

/** gRPC over HTTP/2 without TLS. */
export function grpcTransport(path: string) {
  const nodeOptions = { createConnection: () => net.connect(path) };
  return createGrpcTransport({ baseUrl: BASE, nodeOptions: nodeOptions as object });
}

/** Connect over HTTP/1.1, binary. */
export function connectTransport(path: string) {
  const nodeOptions = { socketPath: path, agent: new http.Agent({ keepAlive: false }) };
  return createConnectTransport({ httpVersion: "1.1", baseUrl: BASE, useBinaryFormat: true, nodeOptions });
}

export function grpcWebTransport(path: string) {
  const nodeOptions = { socketPath: path, agent: new http.Agent({ keepAlive: false }) };
  return createGrpcWebTransport({ httpVersion: "1.1", baseUrl: BASE, nodeOptions });
}

export function grpcClient<S extends DescService>(service: S, path: string) {
  return createClient(service, grpcTransport(path));
}

/** Plain JSON, as curl sends it. */
export async function postJson(path: string, method: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${BASE}/${method}`, {
    unix: path,
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

/** Resolves when `isTrue` is, looking again after every turn of the loop; fails the test after two seconds. */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (isTrue()) return;
    await systemClock.sleep(5);
  }
  throw new Error(`never came true: ${what}`);
}
