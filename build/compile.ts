/**
 * Makes `rotor` executables. Skips what would come out the same, so that demo and tests start at once.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { version } from "../package.json";
import { BUN, DIST, output, ROOT, run } from "./workspace.ts";

export interface Target {
  /** As in the names of our releases. */
  name: string;
  /** As Bun spells it; null is this very machine, which needs no download. */
  bunTarget: string | null;
  file: string;
}

export const THIS_MACHINE: Target = {
  name: `${process.platform}-${process.arch}`,
  bunTarget: null,
  file: join(DIST, process.platform === "win32" ? "rotor.exe" : "rotor"),
};

const RELEASE_NAMES = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "windows-x64"] as const;

export const RELEASE_TARGETS: readonly Target[] = RELEASE_NAMES.map((name) => ({
  name,
  bunTarget: `bun-${name}`,
  file: join(DIST, "release", `rotor-${name}${name.startsWith("windows") ? ".exe" : ""}`),
}));

/**
 * - Identifiers stay as they are: Elysia reads the source of its handlers to see what they use, and a minified name hides it.
 * - Bytecode halves the start-up time; it needs the ESM format where a module awaits at top level.
 * - Without the two `no-compile-autoload` flags the executable would read `.env` and `bunfig.toml` of whatever folder it is started in.
 */
const FLAGS = [
  "--compile",
  "--minify-whitespace",
  "--minify-syntax",
  "--bytecode",
  "--splitting",
  "--format=esm",
  "--sourcemap",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
] as const;

/** The entry of the product; `ROTOR_ENTRY` lets the build be tried on another one. */
const ENTRY = process.env.ROTOR_ENTRY ?? join(ROOT, "src", "main.ts");

/** Builds `target` unless it stands already; the path of the executable. Throws when the compiler fails; then no old one is left to be taken for it. */
export async function compile(target: Target, options: { force?: boolean } = {}): Promise<string> {
  const commit = describeCommit();
  const wanted = fingerprint(target, commit);
  const stampFile = `${target.file}.stamp`;
  if (!options.force && isCurrent(target, stampFile, wanted)) return target.file;
  // Built aside and moved into place: a rotor that runs keeps its file, and two builds at once do not write into each other's.
  const work = join(DIST, `.build-${target.name}-${process.pid}`);
  const made = join(work, basename(target.file));
  mkdirSync(work, { recursive: true });
  mkdirSync(dirname(target.file), { recursive: true });
  rmSync(stampFile, { force: true });
  try {
    const code = await run(BUN, compilerArguments(target, commit, made), { stdio: ["ignore", 2, 2] });
    if (code !== 0) rmSync(target.file, { force: true });
    if (code !== 0) throw new Error(`bun build failed for ${target.name} (exit ${code})`);
    renameSync(made, target.file);
    if (existsSync(`${made}.map`)) renameSync(`${made}.map`, `${target.file}.map`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  writeFileSync(stampFile, wanted);
  return target.file;
}

function compilerArguments(target: Target, commit: string | null, outfile: string): string[] {
  const stamps = { ROTOR_VERSION: version, ROTOR_COMMIT: commit ?? "" };
  const defines = Object.entries(stamps).flatMap(([name, value]) => ["--define", `${name}=${JSON.stringify(value)}`]);
  const platform = target.bunTarget === null ? [] : [`--target=${target.bunTarget}`];
  return ["build", ENTRY, ...FLAGS, ...platform, ...defines, "--outfile", outfile];
}

/** `dist/rotor` and its other name `dist/rotorctl`, current. */
export async function compileHere(options: { force?: boolean } = {}): Promise<string> {
  const file = await compile(THIS_MACHINE, options);
  const link = join(DIST, process.platform === "win32" ? "rotorctl.exe" : "rotorctl");
  rmSync(link, { force: true });
  // A link to a file needs a privilege on Windows; there the second name comes with the installer.
  if (process.platform !== "win32") symlinkSync(relative(DIST, file), link);
  return file;
}

function isCurrent(target: Target, stampFile: string, wanted: string): boolean {
  return existsSync(target.file) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted;
}

/** Everything that the executable is made of: sources, locked dependencies, compiler, flags, stamps. */
function fingerprint(target: Target, commit: string | null): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([target.name, target.bunTarget, ENTRY, FLAGS, Bun.version, version, commit]));
  const files = [ENTRY, join(ROOT, "bun.lock"), join(ROOT, "package.json"), ...sources(join(ROOT, "src"))];
  for (const file of files) if (existsSync(file)) hash.update(`\0${relative(ROOT, file)}\0`).update(readFileSync(file));
  return hash.digest("hex");
}

function sources(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Short commit id, `-dirty` when tracked product files differ from it; null outside a git work tree. */
function describeCommit(): string | null {
  const commit = output("git", ["rev-parse", "--short=12", "HEAD"]);
  if (commit === null) return null;
  const changes = output("git", ["status", "--porcelain", "--", "src", "package.json", "bun.lock"]);
  return changes ? `${commit}-dirty` : commit;
}
