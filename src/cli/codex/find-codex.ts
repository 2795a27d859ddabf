/**
 * Finds the official Codex CLI, wherever it was installed. Never takes Rotor itself for it, nor a script that would only start Rotor (or a
 * product that Rotor replaces) again. Looks at files; runs nothing.
 */
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import type { Host } from "../../base/env.ts";
import { AppError } from "../../base/errors.ts";

/** Names the program and ends the search. */
const CODEX_VARIABLE = "ROTOR_CODEX_BIN";

export interface CodexProgram {
  readonly file: string;
  /** Not on the PATH: what it needs itself (Node, for npm's launcher) may lie beside it. */
  readonly isHidden: boolean;
}

/** Where Homebrew and administrators put programs for everybody, and the desktop app keeps its own. */
const SHARED_FOLDERS: readonly string[] = [
  "/opt/homebrew/bin",
  "/usr/local/bin",
  "/home/linuxbrew/.linuxbrew/bin",
  "/Applications/Codex.app/Contents/Resources",
];

/** `self` is the program that we are; `shared` are folders of everybody. Throws `codex_not_found`. */
export function findCodex(host: Host, self: string, shared = SHARED_FOLDERS): CodexProgram {
  const named = host.env[CODEX_VARIABLE]?.trim();
  if (named) return { file: namedProgram(host, named, self), isHidden: false };
  const passed: string[] = [];
  for (const [folders, isHidden] of [
    [pathFolders(host), false],
    [[...usualFolders(host), ...shared], true],
  ] as const) {
    for (const folder of folders) {
      for (const file of programsIn(folder, host.platform)) {
        if (!isProgram(file)) continue;
        if (!leadsBack(file, self)) return { file, isHidden };
        passed.push(file);
      }
    }
  }
  const but = passed.length === 0 ? "" : ` (${passed.join(", ")} would only start Rotor, or another wrapper, again)`;
  throw new AppError(
    "codex_not_found",
    `the Codex CLI is not where programs are looked for${but}; ${CODEX_VARIABLE} can name it`,
  );
}

function namedProgram(host: Host, named: string, self: string): string {
  const file = resolve(named.replace(/^~(?=[/\\])/, () => host.homeDir));
  const wrong = !isProgram(file)
    ? "is not a program that can be run"
    : leadsBack(file, self)
      ? "leads back to Rotor, or to another wrapper"
      : null;
  if (wrong === null) return file;
  const hint = `set ${CODEX_VARIABLE} to the official codex, or take it away`;
  throw new AppError("codex_not_found", `${CODEX_VARIABLE} names ${file}, which ${wrong}`, { hint });
}

function pathFolders({ env, platform }: Host): readonly string[] {
  const sign = platform === "win32" ? ";" : delimiter;
  // An empty entry means the folder that we are in: nobody wants a program from there by accident.
  return (env.PATH ?? env.Path ?? "").split(sign).filter((folder) => folder !== "");
}

/** Where package managers put programs that the PATH of a service, a desktop or a login shell may not know. */
function usualFolders(host: Host): readonly string[] {
  const { env, homeDir, platform } = host;
  const named = [npmPrefix(host), env.PNPM_HOME, env.BUN_INSTALL && join(env.BUN_INSTALL, "bin")];
  const volta = env.VOLTA_HOME && join(env.VOLTA_HOME, "bin");
  const home = (...parts: string[]) => join(homeDir, ...parts);
  if (platform === "win32") {
    const roaming = env.APPDATA || home("AppData", "Roaming");
    const local = env.LOCALAPPDATA || home("AppData", "Local");
    return known([
      ...named,
      volta,
      join(roaming, "npm"),
      join(local, "pnpm"),
      join(local, "Volta", "bin"),
      home(".bun", "bin"),
    ]);
  }
  const usual = [home(".local", "bin"), home(".npm-global", "bin"), home(".bun", "bin"), home(".volta", "bin")];
  const managers = [
    home(".local", "share", "pnpm"),
    home("Library", "pnpm"),
    ...nodeVersions(env.NVM_DIR || home(".nvm")),
  ];
  return known([...named, volta, ...usual, ...managers]);
}

function known(folders: readonly (string | undefined | null)[]): string[] {
  return folders.filter((folder): folder is string => typeof folder === "string" && folder !== "");
}

/** Folder of npm's global programs, when somebody moved it. */
function npmPrefix({ env, homeDir, platform }: Host): string | null {
  const prefix = env.npm_config_prefix ?? env.NPM_CONFIG_PREFIX ?? prefixIn(join(homeDir, ".npmrc"));
  if (!prefix) return null;
  const folder = prefix.replace(/^(~|\$\{HOME\})(?=[/\\])/, () => homeDir);
  return platform === "win32" ? folder : join(folder, "bin");
}

function prefixIn(file: string): string | null {
  try {
    return /^\s*prefix\s*=\s*"?([^"\n]+?)"?\s*$/m.exec(readFileSync(file, "utf8"))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** The newest Node first. */
function nodeVersions(nvm: string): readonly string[] {
  const folder = join(nvm, "versions", "node");
  try {
    const byVersion = (a: string, b: string) => b.localeCompare(a, "en", { numeric: true });
    return readdirSync(folder)
      .toSorted(byVersion)
      .map((version) => join(folder, version, "bin"));
  } catch {
    return [];
  }
}

/** npm's `codex.cmd` is a script for cmd.exe, whose quoting rules no argument survives: the program that it starts is taken. */
function programsIn(folder: string, platform: NodeJS.Platform): readonly string[] {
  if (platform !== "win32") return [join(folder, "codex")];
  const target = process.arch === "arm64" ? ["arm64", "aarch64"] : ["x64", "x86_64"];
  const vendored = join("vendor", `${target[1]}-pc-windows-msvc`, "bin", "codex.exe");
  const packaged = join("@openai", `codex-win32-${target[0]}`, vendored);
  const modules = join(folder, "node_modules");
  return [
    join(folder, "codex.exe"),
    join(modules, packaged),
    join(modules, "@openai", "codex", "node_modules", packaged),
  ];
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** What stands in scripts that start Rotor, or that the replaced product puts in the place of Codex. */
const WRAPPERS = /codex-multi-auth|\brotor(?:ctl)?(?:\.exe)?["']?\s+(?:ctl\s+)?codex\b/;
/** A launcher script is a few kilobytes. */
const SCRIPT_BYTES = 16_384;

function leadsBack(file: string, self: string): boolean {
  const real = realpathSync(file);
  if (isSame(real, self) || /[/\\]codex-multi-auth[/\\]/.test(real)) return true;
  const text = beginningOf(real);
  return text.startsWith("#!") && WRAPPERS.test(text);
}

/** A second name of our own file, linked hard or soft. */
function isSame(file: string, self: string): boolean {
  const [a, b] = [statSync(file), statSync(self, { throwIfNoEntry: false })];
  return b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

function beginningOf(file: string): string {
  try {
    const bytes = Buffer.alloc(SCRIPT_BYTES);
    const handle = openSync(file, "r");
    try {
      return bytes.subarray(0, readSync(handle, bytes, 0, SCRIPT_BYTES, 0)).toString("latin1");
    } finally {
      closeSync(handle);
    }
  } catch {
    // One that may be run but not read is no script of ours.
    return "";
  }
}

/** PATH for the program: one that was not found there gets its own folder as well. */
export function pathFor({ file, isHidden }: CodexProgram, host: Host): string | undefined {
  const path = host.env.PATH ?? host.env.Path;
  if (!isHidden) return path;
  return [...(path ? [path] : []), dirname(file)].join(host.platform === "win32" ? ";" : delimiter);
}
