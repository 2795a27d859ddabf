/**
 * Finds the daemon of this installation and speaks gRPC to it over its Unix socket. Never reaches another installation's daemon:
 * whoever answers must own the data folder that we mean.
 */
import { readFileSync, realpathSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type Client, createClient } from "@connectrpc/connect";
import { AppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import { AccountService } from "../gen/rotor/v1/account_service_pb.ts";
import { AuditService } from "../gen/rotor/v1/audit_service_pb.ts";
import { BackupService } from "../gen/rotor/v1/backup_service_pb.ts";
import { BudgetService } from "../gen/rotor/v1/budget_service_pb.ts";
import { ClientService } from "../gen/rotor/v1/client_service_pb.ts";
import { type Daemon, DaemonService, DaemonState } from "../gen/rotor/v1/daemon_service_pb.ts";
import { ExchangeService } from "../gen/rotor/v1/exchange_service_pb.ts";
import { KeyService } from "../gen/rotor/v1/key_service_pb.ts";
import { LoginService } from "../gen/rotor/v1/login_service_pb.ts";
import { ModelService } from "../gen/rotor/v1/model_service_pb.ts";
import { PoolService } from "../gen/rotor/v1/pool_service_pb.ts";
import { ProfileService } from "../gen/rotor/v1/profile_service_pb.ts";
import { RuleService } from "../gen/rotor/v1/rule_service_pb.ts";
import { SealService } from "../gen/rotor/v1/seal_service_pb.ts";
import { SettingService } from "../gen/rotor/v1/setting_service_pb.ts";
import { TransferService } from "../gen/rotor/v1/transfer_service_pb.ts";
import { UsageService } from "../gen/rotor/v1/usage_service_pb.ts";
import { connectTo, isLost } from "./daemon-connection.ts";
import type { CliIo } from "./io.ts";

/** The first call proves that somebody is there; a daemon that cannot say its name in this time is stuck. */
const HELLO_DEADLINE_MS = 10_000;

export interface DaemonLink {
  /** What it said of itself when we connected. */
  readonly daemon: Daemon;
  readonly daemons: Client<typeof DaemonService>;
  readonly accounts: Client<typeof AccountService>;
  readonly pool: Client<typeof PoolService>;
  readonly exchanges: Client<typeof ExchangeService>;
  readonly keys: Client<typeof KeyService>;
  readonly budgets: Client<typeof BudgetService>;
  readonly clients: Client<typeof ClientService>;
  readonly logins: Client<typeof LoginService>;
  readonly models: Client<typeof ModelService>;
  readonly settings: Client<typeof SettingService>;
  readonly rules: Client<typeof RuleService>;
  readonly profiles: Client<typeof ProfileService>;
  readonly audit: Client<typeof AuditService>;
  readonly seal: Client<typeof SealService>;
  readonly transfers: Client<typeof TransferService>;
  readonly usage: Client<typeof UsageService>;
  /** Without a deadline: a large store takes its time. */
  readonly backups: Client<typeof BackupService>;
  /** The same services without a deadline, for watches. */
  readonly watch: {
    readonly accounts: Client<typeof AccountService>;
    readonly pool: Client<typeof PoolService>;
    readonly exchanges: Client<typeof ExchangeService>;
    readonly logins: Client<typeof LoginService>;
  };
  /**
   * What to do when this daemon turns out to be gone: `again` resolves with the socket of the one that took its place, or rejects. A call
   * that certainly changed nothing is then made once more, there.
   */
  whenGone(again: () => Promise<string>): void;
  close(): void;
}

/** `<data>/daemon.json`, written by a running daemon (contracts §10). */
export interface DaemonFile {
  readonly pid: number;
  readonly version: string;
  readonly socket: string;
  readonly proxyUrl: string | null;
}

/** null when it is absent or cannot be read as one. */
export function readDaemonFile(paths: Paths): DaemonFile | null {
  try {
    const value = JSON.parse(readFileSync(paths.daemonFile, "utf8")) as Record<string, unknown>;
    if (typeof value.socket !== "string" || typeof value.pid !== "number") return null;
    return {
      pid: value.pid,
      version: typeof value.version === "string" ? value.version : "",
      socket: value.socket,
      proxyUrl: typeof value.proxy_url === "string" ? value.proxy_url : null,
    };
  } catch {
    return null;
  }
}

/** Sockets worth trying, the likeliest first. An explicit ROTOR_SOCKET is an order, not a guess. */
function socketCandidates(paths: Paths, io: CliIo): string[] {
  if (io.host.env.ROTOR_SOCKET) return [paths.socket];
  const written = readDaemonFile(paths)?.socket;
  return written === undefined || written === paths.socket ? [paths.socket] : [written, paths.socket];
}

/** The running daemon; null when there is none. Rejects when something answers that we must not or cannot talk to. */
export async function findDaemon(paths: Paths, io: CliIo): Promise<DaemonLink | null> {
  for (const socket of socketCandidates(paths, io)) {
    const link = await openSettled(socket, io);
    if (link === null) continue;
    if (io.host.env.ROTOR_SOCKET || sameFolder(link.daemon.dataDir, paths.dataDir)) return link;
    link.close();
    if (socket === paths.socket) throw foreign(socket, link.daemon.dataDir, paths.dataDir);
  }
  return null;
}

/** A start takes well under a second, bringing an old store up to date some more; after this long its daemon is shown as it is. */
const SETTLED_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 25;
/** One that was asked in its last moment may lose a connection while its socket is still there. */
const LOST_AT_MOST = 10;

/**
 * A daemon opens this socket before its store and its proxy. One that is still on its way is waited for, and one that gives up (its port
 * is taken) was never there: its own last words say more than a lost connection.
 */
async function openSettled(socket: string, io: CliIo): Promise<DaemonLink | null> {
  const deadlineMs = io.clock.monotonicMs() + SETTLED_WITHIN_MS;
  for (let lost = 0; await answers(socket); ) {
    const link = await openLink(socket, io).catch((cause) => {
      if (io.interrupted.aborted || !isLost(cause) || ++lost > LOST_AT_MOST) throw cause;
      return null;
    });
    if (link !== null && (isSettled(link.daemon) || io.clock.monotonicMs() > deadlineMs)) return link;
    link?.close();
    await io.clock.sleep(LOOK_AGAIN_MS, io.interrupted);
  }
  return null;
}

/** The pid of whoever answers at `socket` now; null when nobody does. */
export async function pidAt(socket: string, io: CliIo): Promise<number | null> {
  try {
    const link = await openLink(socket, io);
    link.close();
    return Number(link.daemon.pid);
  } catch (cause) {
    if (isLost(cause)) return null;
    throw cause;
  }
}

/** The proxy is the last thing that a start opens; a daemon that stops says at once that it has none any more. */
function isSettled(daemon: Daemon): boolean {
  return daemon.state !== DaemonState.MIGRATING && daemon.proxyUrl !== "";
}

function foreign(socket: string, theirs: string, ours: string): AppError {
  return new AppError(
    "daemon_unreachable",
    `the daemon on ${socket} belongs to ${theirs}, not to ${ours}; the two need their own sockets`,
    { hint: `ROTOR_SOCKET=${ours}/rotor.sock rotor up` },
  );
}

/** A copied data folder still names the socket of the original: names must agree with links resolved. */
function sameFolder(a: string, b: string): boolean {
  return real(a) === real(b);
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Whether somebody accepts connections there. Rejects when it is there but not for us. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe: Socket = connect(socket);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      probe.destroy();
      if (cause.code !== "EACCES" && cause.code !== "EPERM") return resolve(false);
      reject(
        new AppError("forbidden_peer", `${socket} belongs to another user`, {
          hint: "run rotor as whoever started it, or set ROTOR_HOME",
          cause,
        }),
      );
    });
  });
}

async function openLink(socket: string, io: CliIo): Promise<DaemonLink> {
  const { unary, endless, whenGone, close } = connectTo(socket, io);
  try {
    const daemons = createClient(DaemonService, unary);
    const { daemon } = await daemons.getDaemon({}, { timeoutMs: HELLO_DEADLINE_MS });
    if (daemon === undefined) throw new AppError("daemon_unreachable", `${socket} does not answer as a rotor daemon`);
    return {
      daemon,
      daemons,
      accounts: createClient(AccountService, unary),
      pool: createClient(PoolService, unary),
      exchanges: createClient(ExchangeService, unary),
      keys: createClient(KeyService, unary),
      budgets: createClient(BudgetService, unary),
      clients: createClient(ClientService, unary),
      logins: createClient(LoginService, unary),
      models: createClient(ModelService, unary),
      settings: createClient(SettingService, unary),
      rules: createClient(RuleService, unary),
      profiles: createClient(ProfileService, unary),
      audit: createClient(AuditService, unary),
      seal: createClient(SealService, unary),
      transfers: createClient(TransferService, unary),
      usage: createClient(UsageService, unary),
      backups: createClient(BackupService, endless),
      watch: {
        accounts: createClient(AccountService, endless),
        pool: createClient(PoolService, endless),
        exchanges: createClient(ExchangeService, endless),
        logins: createClient(LoginService, endless),
      },
      whenGone,
      close,
    };
  } catch (cause) {
    close();
    throw cause;
  }
}
