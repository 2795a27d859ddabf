/**
 * What the ctl can check from outside: files and their modes, the config, traces of a dead daemon, versions, whether the proxy answers. Changes nothing.
 */
import { existsSync, statSync } from "node:fs";
import { loadConfig } from "../base/config.ts";
import { AppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import { type Daemon, FindingLevel } from "../gen/rotor/v1/daemon_service_pb.ts";
import { readDaemonFile } from "./daemon-link.ts";
import type { CliIo } from "./io.ts";
import { callLoopback, readText } from "./loopback-http.ts";
import { isAlive } from "./process-table.ts";

export interface OwnFinding {
  readonly check: string;
  readonly level: FindingLevel;
  readonly message: string;
  readonly hint: string;
}

const ok = (check: string, message: string): OwnFinding => ({ check, level: FindingLevel.OK, message, hint: "" });
const warning = (check: string, message: string, hint: string): OwnFinding => ({
  check,
  level: FindingLevel.WARNING,
  message,
  hint,
});
const error = (check: string, message: string, hint: string): OwnFinding => ({
  check,
  level: FindingLevel.ERROR,
  message,
  hint,
});

/** Longer than any healthy loopback answer, short enough to wait for. */
const PROXY_DEADLINE_MS = 3_000;

/** Before the daemon is asked (or started), so that a stale trace is seen as it is. */
export function checksWithoutDaemon(paths: Paths, io: CliIo): OwnFinding[] {
  return [checkConfig(paths, io), ...checkModes(paths, io), checkTrace(paths)];
}

function checkConfig(paths: Paths, io: CliIo): OwnFinding {
  try {
    loadConfig(paths.configFile, io.host);
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return error("config.readable", thrown.message, "mend that line; rotor help config lists every key");
  }
  const what = existsSync(paths.configFile) ? "can be read" : "does not exist; every default holds";
  return ok("config.readable", `${paths.configFile} ${what}`);
}

/** Private things are for their owner alone. */
function checkModes(paths: Paths, io: CliIo): OwnFinding[] {
  if (io.host.platform === "win32") return [];
  const places: [string, string][] = [
    ["files.data", paths.dataDir],
    ["files.database", paths.database],
    ["files.key", paths.keyFile],
    ["files.log", paths.logFile],
    ["files.socket", paths.socket],
  ];
  return places.flatMap(([check, path]) => {
    const mode = modeOf(path);
    if (mode === null) return [];
    const open = mode & 0o077;
    if (open === 0) return [ok(check, `${path} is private`)];
    const octal = mode.toString(8).padStart(4, "0");
    return [warning(check, `${path} has mode ${octal}: others may look inside`, `chmod go= ${path}`)];
  });
}

function modeOf(path: string): number | null {
  try {
    return statSync(path).mode & 0o777;
  } catch {
    return null;
  }
}

function checkTrace(paths: Paths): OwnFinding {
  const file = readDaemonFile(paths);
  if (file === null) {
    return existsSync(paths.daemonFile)
      ? warning("daemon.file", `${paths.daemonFile} cannot be read`, "rotor down && rotor up")
      : ok("daemon.file", "no trace of an earlier daemon");
  }
  if (isAlive(file.pid)) return ok("daemon.file", `${paths.daemonFile} names a living process (${file.pid})`);
  return warning(
    "daemon.file",
    `${paths.daemonFile} is left over from a daemon that died (pid ${file.pid})`,
    "rotor up",
  );
}

export async function checksWithDaemon(daemon: Daemon, io: CliIo): Promise<OwnFinding[]> {
  return [checkVersion(daemon, io), await checkProxy(daemon, io)];
}

function checkVersion(daemon: Daemon, io: CliIo): OwnFinding {
  if (daemon.version === io.version)
    return ok("daemon.version", `the daemon is rotor ${daemon.version}, as this program`);
  return warning(
    "daemon.version",
    `this is rotor ${io.version}, but the running daemon is ${daemon.version}`,
    "rotor down && rotor up",
  );
}

async function checkProxy(daemon: Daemon, io: CliIo): Promise<OwnFinding> {
  const check = "proxy.answers";
  if (daemon.proxyUrl === "") return error(check, "the proxy does not listen", "rotor log");
  const url = new URL("/health", daemon.proxyUrl);
  // A listener on every interface is asked on loopback; the wildcard is no address to dial.
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  const abort = new AbortController();
  const timer = io.clock.after(PROXY_DEADLINE_MS, () => abort.abort());
  try {
    const answer = await callLoopback(url, { signal: AbortSignal.any([abort.signal, io.interrupted]) });
    await readText(answer);
    if (answer.status === 200) return ok(check, `${daemon.proxyUrl} answers`);
    return error(check, `${url} answers ${answer.status}`, "rotor log");
  } catch (thrown) {
    const why = abort.signal.aborted
      ? "no answer in 3 s"
      : thrown instanceof Error
        ? thrown.message
        : "unknown failure";
    return error(check, `${url} cannot be reached: ${why}`, "rotor log");
  } finally {
    timer.cancel();
  }
}
