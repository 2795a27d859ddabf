/**
 * Installs the real clients, pinned by this folder's package.json and bun.lock, into a cache of their own: `ROTOR_TEST_CLIENTS`, else
 * `.cache/test-clients`. Runs no script of any package, and never touches the product's dependencies. Also a command: `bun test/clients/install.ts`.
 */
import { beforeAll, describe } from "bun:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** With this in ROTOR_TEST_CLIENTS the clients that would have to be installed are left out. Only an explicit word does that. */
const SKIP = "skip";

const isSkipped = process.env.ROTOR_TEST_CLIENTS === SKIP;

/** A chapter of tests that need an installed client. Installs first, with time of its own; left out, and said so, when that was asked for. */
export function clientSuite(name: string, body: () => void): void {
  if (isSkipped) console.warn(`${name}: left out, because ROTOR_TEST_CLIENTS=${SKIP}`);
  (isSkipped ? describe.skip : describe)(name, () => {
    beforeAll(() => void installClients(), INSTALL_LIMIT_MS + 10_000);
    body();
  });
}

/** Some 200 MB come over the network the first time. */
const INSTALL_LIMIT_MS = 240_000;

export interface Clients {
  /** The native executables: their launchers need Node or a postinstall script, these need neither. */
  readonly codex: string;
  readonly opencode: string;
  /** For programs that import an SDK: link it beside them. */
  readonly nodeModules: string;
}

/** Where they are; installs them first when they are not there. Throws in words when that cannot be done. */
export function installClients(): Clients {
  if (isSkipped) throw new Error(`ROTOR_TEST_CLIENTS=${SKIP} says that no client may be installed`);
  const cache = resolve(process.env.ROTOR_TEST_CLIENTS || join(ROOT, ".cache", "test-clients"));
  const folder = join(cache, fingerprint());
  if (!existsSync(folder)) installInto(folder, cache);
  return locate(join(folder, "node_modules"));
}

/** A change of any pin is another folder, so that an old install is never taken for the new one. */
function fingerprint(): string {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}\0`);
  for (const name of ["package.json", "bun.lock"]) hash.update(readFileSync(join(HERE, name)));
  return hash.digest("hex").slice(0, 16);
}

/** Builds beside and moves into place: half an install is never seen, and two runs at once do not meet. */
function installInto(folder: string, cache: string): void {
  const work = join(cache, `.installing-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    for (const name of ["package.json", "bun.lock"]) writeFileSync(join(work, name), readFileSync(join(HERE, name)));
    console.error(`installing the real clients into ${folder} (once)`);
    runBunInstall(work);
    locate(join(work, "node_modules"));
    try {
      renameSync(work, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function runBunInstall(cwd: string): void {
  // The lock file knows only the platforms whose packages the registry had when it was written; elsewhere the exact pins must do.
  const isLocked = readFileSync(join(cwd, "bun.lock"), "utf8").includes(`"${openCodePackage()}@`);
  const args = ["install", "--ignore-scripts", ...(isLocked ? ["--frozen-lockfile"] : ["--no-save"])];
  const done = spawnSync(process.execPath, args, { cwd, encoding: "utf8", timeout: INSTALL_LIMIT_MS });
  if (done.status === 0) return;
  throw new Error(
    [
      "the real clients (Codex, OpenCode, the openai package) could not be installed from the npm registry:",
      `${done.stdout ?? ""}${done.stderr ?? ""}`.trim() || String(done.error ?? `exit ${done.status}`),
      "Needed once: a registry that has them. Or point ROTOR_TEST_CLIENTS to a folder where an earlier run installed them,",
      `or leave them out with ROTOR_TEST_CLIENTS=${SKIP}.`,
    ].join("\n"),
  );
}

function openCodePackage(): string {
  return `opencode-${process.platform}-${process.arch}`;
}

function locate(nodeModules: string): Clients {
  return {
    codex: existing(
      join(
        nodeModules,
        "@openai",
        `codex-${process.platform}-${process.arch}`,
        "vendor",
        codexTarget(),
        "bin",
        "codex",
      ),
    ),
    opencode: existing(join(nodeModules, openCodePackage(), "bin", "opencode")),
    nodeModules,
  };
}

function codexTarget(): string {
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  return process.platform === "darwin" ? `${machine}-apple-darwin` : `${machine}-unknown-linux-musl`;
}

function existing(path: string): string {
  if (existsSync(path)) return path;
  throw new Error(`${path} is missing: this platform's package is not in the npm registry, or is built differently`);
}

if (import.meta.main) console.log(JSON.stringify(installClients(), null, 2));
