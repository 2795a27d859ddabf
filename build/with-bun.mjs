#!/usr/bin/env node
// Finds the pinned Bun, or fetches it through npx, installs the locked dependencies, and hands over.
// Runs on plain Node (>= 18) so that a fresh machine with only Node and npm needs nothing else. Must never need a dependency.
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const windows = process.platform === "win32";
const pinned = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager.replace("bun@", "");
const searchPath = process.env.PATH ?? process.env.Path ?? "";

/** @returns {string | null} what `file --version` prints, if it is there and runs at all */
function versionOf(file) {
  try {
    return execFileSync(file, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}

/**
 * Absolute paths of every `bun` on the PATH, first wins. Only real executables: the `.cmd` files that npm writes on Windows
 * cannot be started without a shell, and then quoting is a guess.
 */
function onPath() {
  const name = windows ? "bun.exe" : "bun";
  const folders = searchPath.split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => resolve(folder, name)).filter(isFile);
}

function isFile(path) {
  return existsSync(path) && statSync(path).isFile();
}

/**
 * Fetches `bun@pinned` into npm's own npx cache and returns its executable. The platform packages are looked at directly:
 * the `bun` package puts its binary in place by an install script, which npm may not run (ignore-scripts, npm >= 11.10).
 */
function fetchBun() {
  console.error(`rotor: fetching bun ${pinned} through npx (once; npm keeps it)`);
  const print = "process.stdout.write(String(process.env.PATH || process.env.Path))";
  const npx = npxCommand();
  const args = [
    ...npx.args,
    "--yes",
    "--package",
    `bun@${pinned}`,
    "--",
    "node",
    "-e",
    windows && npx.shell ? `"${print}"` : print,
  ];
  const path = execFileSync(npx.file, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    shell: npx.shell,
  });
  for (const folder of path.split(delimiter)) {
    if (!folder.endsWith(join("node_modules", ".bin"))) continue;
    const modules = dirname(folder);
    const installed = windows ? join(modules, "bun", "bin", "bun.exe") : join(folder, "bun");
    for (const file of [...platformBinaries(modules), installed]) {
      if (isFile(file) && versionOf(file) === pinned) return file;
    }
  }
  throw new Error(`bun ${pinned} could not be fetched; install it with: npm install -g bun@${pinned}`);
}

/** npx as a script for this very Node where that can be found (no shell, so no quoting), else by name. */
function npxCommand() {
  const bin = dirname(process.execPath);
  const npmScript = process.env.npm_execpath;
  const besideNpm = npmScript ? join(dirname(npmScript), "npx-cli.js") : null;
  const places = [
    besideNpm,
    join(bin, "node_modules", "npm", "bin", "npx-cli.js"),
    join(bin, "..", "lib", "node_modules", "npm", "bin", "npx-cli.js"),
  ];
  const script = places.find((place) => place !== null && isFile(place));
  if (script) return { file: process.execPath, args: [script], shell: false };
  return windows ? { file: "npx.cmd", args: [], shell: true } : { file: "npx", args: [], shell: false };
}

/** The binaries of `@oven/bun-*`: npm installs those that fit this machine; the plain one before `baseline` before `musl`. */
function platformBinaries(modules) {
  const scope = join(modules, "@oven");
  if (!existsSync(scope)) return [];
  const names = readdirSync(scope).filter((name) => name.startsWith("bun-"));
  names.sort((a, b) => a.length - b.length || a.localeCompare(b));
  return names.map((name) => join(scope, name, "bin", windows ? "bun.exe" : "bun"));
}

/** The pinned Bun as an absolute path: the one running this file, one on the PATH, the one fetched last time, or one fetched now. */
function findBun() {
  if (process.versions.bun === pinned) return process.execPath;
  const note = join(root, ".cache", "bun-path");
  const known = existsSync(note) ? [readFileSync(note, "utf8")] : [];
  const there = [...onPath(), ...known].find((file) => versionOf(file) === pinned);
  if (there) return there;
  const fetched = fetchBun();
  mkdirSync(dirname(note), { recursive: true });
  writeFileSync(note, fetched);
  return fetched;
}

/** Installs when the lock file is not the one that node_modules was made from. A stamp, because checkouts reset file times. */
function installDependencies(bun) {
  const hash = createHash("sha256");
  for (const name of ["bun.lock", "package.json"]) hash.update(readFileSync(join(root, name)));
  const wanted = hash.digest("hex");
  const stamp = join(root, "node_modules", ".installed-from");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  // stdout stays the command's own; what the installer has to say goes to stderr.
  execFileSync(bun, ["install", "--frozen-lockfile", "--no-progress"], { cwd: root, stdio: ["ignore", 2, 2] });
  writeFileSync(stamp, wanted);
}

function main() {
  const bun = findBun();
  installDependencies(bun);
  const [first, ...rest] = process.argv.slice(2);
  if (first === undefined) throw new Error("usage: node build/with-bun.mjs FILE [args…] | --bin NAME [args…]");
  const args = first === "--bin" ? ["x", "--no-install", ...rest] : ["run", first, ...rest];
  const env = { ...process.env };
  // Windows spells it Path; two spellings of one name would leave it to chance which one the child sees.
  for (const name of Object.keys(env)) if (name.toUpperCase() === "PATH") delete env[name];
  env.PATH = [join(root, "node_modules", ".bin"), dirname(bun), searchPath].join(delimiter);
  const child = spawn(bun, args, { cwd: root, stdio: "inherit", env });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", fail);
  child.on("exit", (code, signal) => process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1)));
}

function fail(error) {
  console.error(`rotor: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

try {
  main();
} catch (error) {
  fail(error);
}
