/**
 * The tools' own programs on this machine, and which version each says it is. Runs them with `--version` and nothing else.
 */
import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Host } from "../../base/env.ts";
import type { CliIo } from "../io.ts";
import { printable } from "../print.ts";
import { type OwnFinding, ok, warning } from "./finding.ts";

const PROGRAMS = ["codex", "opencode"] as const;
/** A program that has to be loaded from a slow disk takes some seconds. */
const ANSWER_WITHIN_MS = 10_000;

export async function programFindings({ host }: CliIo): Promise<OwnFinding[]> {
  const found = PROGRAMS.flatMap((name) => {
    const path = pathOf(name, host);
    return path === null ? [] : [{ name, path }];
  });
  return await Promise.all(
    found.map(async ({ name, path }) => {
      const version = await versionOf(path, host);
      if (version !== null) return ok("tool.program", `${name} ${version} (${path})`);
      return warning("tool.program", `${path} does not say its version`, `${name} --version`);
    }),
  );
}

/** The first on the PATH, as a shell would take it. */
function pathOf(name: string, { env, platform }: Host): string | null {
  const names = platform === "win32" ? [`${name}.exe`, `${name}.cmd`] : [name];
  for (const folder of (env.PATH ?? "").split(delimiter).filter((one) => one !== "")) {
    for (const path of names.map((one) => join(folder, one))) if (isProgram(path)) return path;
  }
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The first thing in its answer that looks like a version. */
function versionOf(path: string, { env, platform }: Host): Promise<string | null> {
  const isScript = platform === "win32" && path.endsWith(".cmd");
  const options = { env: { ...env }, timeout: ANSWER_WITHIN_MS, killSignal: "SIGKILL", shell: isScript } as const;
  return new Promise((resolve) => {
    execFile(isScript ? `"${path}"` : path, ["--version"], options, (failure, stdout) => {
      resolve(failure === null ? (/\d+\.\d+[\w.+-]*/.exec(printable(String(stdout)))?.[0] ?? null) : null);
    });
  });
}
