/**
 * Where this installation's daemon is: the places of `rotor path`, spelt out once more because this file travels alone. Reads only what
 * belongs to whoever runs OpenCode; a socket or a note that somebody else has put there is not spoken to.
 */
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the user may say in `"plugin": [["…/rotor.js", { … }]]`, or `rotor connect` beside the plugin in `rotor.json`. */
export interface PluginOptions {
  /** As ROTOR_HOME: everything of that installation under one folder. */
  readonly home?: string;
  /** As ROTOR_SOCKET. */
  readonly socket?: string;
  /** The rotor program; absent: `rotor` on the PATH. */
  readonly rotor?: string;
  /** May it start the daemon? Absent: yes. */
  readonly start?: boolean;
  /** Requests ask through this profile; absent: as the project says. */
  readonly profile?: string;
  /** Only this account may serve; its id. */
  readonly account?: string;
  /** Add models to OpenCode's list; absent: as Rotor's setting `model_backfill` says. */
  readonly models?: boolean;
  /** Toasts; absent: yes. */
  readonly toasts?: boolean;
}

/** `daemon.json` as far as it concerns us (contracts §10). */
export interface DaemonNote {
  readonly pid: number;
  readonly socket: string;
  readonly proxyUrl: string | null;
  /** Says whether it is still the same note. */
  readonly text: string;
}

type Env = Readonly<Record<string, string | undefined>>;

export function optionsOf(given: unknown, moduleUrl: string): PluginOptions {
  return { ...readBeside(moduleUrl), ...(isRecord(given) ? (given as PluginOptions) : {}) };
}

function readBeside(moduleUrl: string): PluginOptions {
  try {
    const value: unknown = JSON.parse(readFileSync(join(dirname(fileURLToPath(moduleUrl)), "rotor.json"), "utf8"));
    return isRecord(value) ? (value as PluginOptions) : {};
  } catch {
    return {};
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function dataFolder(
  options: PluginOptions,
  env: Env = process.env,
  platform: string = process.platform,
): string {
  const home = options.home ?? env.ROTOR_HOME;
  if (home) return home;
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "Rotor");
  if (platform === "win32") return join(env.APPDATA || join(homedir(), "AppData", "Roaming"), "Rotor");
  return join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "rotor");
}

/** null when no daemon runs, or the note is not ours. Read again for each request: it is how a daemon that moved is noticed. */
export function readNote(options: PluginOptions): DaemonNote | null {
  const file = join(dataFolder(options), "daemon.json");
  try {
    if (!isOurs(file)) return null;
    const text = readFileSync(file, "utf8");
    const note: unknown = JSON.parse(text);
    if (!isRecord(note) || typeof note.socket !== "string" || typeof note.pid !== "number") return null;
    const proxyUrl = typeof note.proxy_url === "string" ? note.proxy_url : null;
    return { pid: note.pid, socket: options.socket ?? process.env.ROTOR_SOCKET ?? note.socket, proxyUrl, text };
  } catch {
    return null;
  }
}

/** Owned by us, as far as this system knows owners. */
export function isOurs(path: string): boolean {
  if (process.getuid === undefined) return true;
  try {
    return statSync(path).uid === process.getuid();
  } catch {
    return false;
  }
}

/** The rotor program: as told, on the PATH, or where people put such things; null when it is in none of these. */
export function findRotor(options: PluginOptions, env: Env = process.env): string | null {
  const named = options.rotor ?? env.ROTOR_BIN;
  if (named) return isFile(named) ? named : null;
  const name = process.platform === "win32" ? "rotor.exe" : "rotor";
  const folders = [...(env.PATH ?? "").split(delimiter), join(homedir(), ".local", "bin"), "/usr/local/bin"];
  return folders.map((folder) => join(folder, name)).find((path) => folders.length > 0 && isFile(path)) ?? null;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
