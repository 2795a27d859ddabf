/**
 * Where everything lives (product §2, contracts §10). Pure: takes what the host said, returns paths; creates nothing.
 */
import { join } from "node:path";
import { SOCKET_PATH_MAX_BYTES } from "./bounds.ts";
import type { Host } from "./env.ts";
import { sha256Hex } from "./id.ts";

export interface Paths {
  dataDir: string;
  configFile: string;
  /** Folder of the config file and the seal's key file. */
  configDir: string;
  database: string;
  backupDir: string;
  /** Broken stores, each set aside in a folder of its own. */
  damagedDir: string;
  /** Held for as long as a daemon lives; one daemon per data folder. */
  lockFile: string;
  /** Discovery: written by the daemon, read first by ctl and plugin. */
  daemonFile: string;
  /** What `rotor connect` did to other programs' files, with copies of what they were. */
  connectionsDir: string;
  keyFile: string;
  socket: string;
  logFile: string;
}

/** The folders and files for this host. `ROTOR_HOME` moves data, config, socket and log under one folder. */
export function resolvePaths(host: Host): Paths {
  const { env } = host;
  const home = env.ROTOR_HOME || null;
  const dataDir = home ?? platformDataDir(host);
  const configFile = env.ROTOR_CONFIG || join(home ?? platformConfigDir(host), "config.toml");
  const configDir = home ?? platformConfigDir(host);
  return {
    dataDir,
    configFile,
    configDir,
    database: join(dataDir, "rotor.db"),
    backupDir: join(dataDir, "backups"),
    damagedDir: join(dataDir, "damaged"),
    lockFile: join(dataDir, "rotor.lock"),
    daemonFile: join(dataDir, "daemon.json"),
    connectionsDir: join(dataDir, "connections"),
    keyFile: join(configDir, "rotor.key"),
    socket: env.ROTOR_SOCKET || fitSocket(socketPath(host, home, dataDir), host),
    logFile: env.ROTOR_LOG_FILE || join(home ?? platformLogDir(host), "rotor.log"),
  };
}

function platformDataDir(host: Host): string {
  if (host.platform === "darwin") return join(host.homeDir, "Library", "Application Support", "Rotor");
  if (host.platform === "win32") return join(host.env.APPDATA || join(host.homeDir, "AppData", "Roaming"), "Rotor");
  return join(host.env.XDG_DATA_HOME || join(host.homeDir, ".local", "share"), "rotor");
}

function platformConfigDir(host: Host): string {
  if (host.platform === "darwin" || host.platform === "win32") return platformDataDir(host);
  return join(host.env.XDG_CONFIG_HOME || join(host.homeDir, ".config"), "rotor");
}

function platformLogDir(host: Host): string {
  if (host.platform === "darwin") return join(host.homeDir, "Library", "Logs", "Rotor");
  if (host.platform === "win32") return join(platformDataDir(host), "logs");
  return join(host.env.XDG_STATE_HOME || join(host.homeDir, ".local", "state"), "rotor");
}

function socketPath(host: Host, home: string | null, dataDir: string): string {
  if (home) return join(home, "rotor.sock");
  if (host.env.XDG_RUNTIME_DIR) return join(host.env.XDG_RUNTIME_DIR, "rotor", "rotor.sock");
  return join(dataDir, "run", "rotor.sock");
}

/** `sun_path` is about 104 bytes; a deep home moves to a short hashed folder (0700, ours alone) in the temp folder. */
function fitSocket(path: string, host: Host): string {
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES) return path;
  return join(host.tempDir, `rotor-${host.uid}-${sha256Hex(path).slice(0, 12)}`, "rotor.sock");
}
