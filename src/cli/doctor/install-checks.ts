/**
 * What the ctl can check from outside: files and their modes, the config, traces of a dead daemon, versions. Changes nothing.
 */
import { existsSync, statSync } from "node:fs";
import { loadConfig } from "../../base/config.ts";
import { AppError } from "../../base/errors.ts";
import type { Paths } from "../../base/paths.ts";
import type { Daemon } from "../../gen/rotor/v1/daemon_service_pb.ts";
import { readDaemonFile } from "../daemon-link.ts";
import type { CliIo } from "../io.ts";
import { isAlive } from "../process-table.ts";
import { error, type OwnFinding, ok, warning } from "./finding.ts";

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
  const loose = places.flatMap(([check, path]) => {
    const mode = modeOf(path);
    if (mode === null || (mode & 0o077) === 0) return [];
    const octal = mode.toString(8).padStart(4, "0");
    return [warning(check, `${path} has mode ${octal}: others may look inside`, `chmod go= '${path}'`)];
  });
  return loose.length > 0 ? loose : [ok("files.modes", "data, key, log and socket are closed to others")];
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

export function checkVersion(daemon: Daemon, io: CliIo): OwnFinding {
  if (daemon.version === io.version)
    return ok("daemon.version", `the daemon is rotor ${daemon.version}, as this program`);
  return warning(
    "daemon.version",
    `this is rotor ${io.version}, but the running daemon is ${daemon.version}`,
    "rotor down && rotor up",
  );
}
