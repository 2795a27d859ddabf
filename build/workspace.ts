/**
 * Where things are, and how the build scripts start programs. Product code must never import it.
 */
import { type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const DIST = join(ROOT, "dist");

/** The Bun that runs this script; build scripts start no other one. */
export const BUN = process.execPath;

/** A command of a locked dependency. Started by Node or natively, as its own first line says. */
export function toolPath(name: string): string {
  return join(ROOT, "node_modules", ".bin", process.platform === "win32" ? `${name}.exe` : name);
}

/** Runs to its end with our own terminal; the exit code, 128 + n for a signal. Passes Ctrl-C on by sharing the process group. */
export function run(file: string, args: readonly string[], options: SpawnOptions = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], { cwd: ROOT, stdio: "inherit", ...options });
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(signal ? 128 : (code ?? 1)));
  });
}

/** What a command prints, trimmed; null when it fails or is not there. */
export function output(file: string, args: readonly string[]): string | null {
  const result = spawnSync(file, [...args], { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** Runs a script to its exit code. What it throws is said in one line: a stack of ours would only hide what the compiler printed. */
export async function main(act: () => Promise<number>): Promise<never> {
  try {
    process.exit(await act());
  } catch (error) {
    console.error(`rotor: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
