/**
 * Whether a program that would renew the same logins runs on this machine now. Looks at the names of processes and at
 * where they have their home, and keeps nothing of it.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Host } from "../../base/env.ts";
import type { ForeignProduct } from "../../base/foreign-places.ts";

export interface RunningProgram {
  readonly pid: number;
  readonly name: string;
}

/** The programs that renew what a product keeps; plugins live in the program that loads them. */
const PROGRAMS: Readonly<Record<ForeignProduct, readonly string[]>> = {
  codex: ["codex"],
  opencode: ["opencode"],
  "opencode-multi-auth": ["opencode", "opencode-multi-auth"],
  "codex-multi-auth": ["codex-multi-auth", "codex-multi-auth-codex", "codex"],
  "oc-codex-multi-auth": ["opencode", "oc-codex-multi-auth"],
  pr97: ["opencode"],
  cliproxyapi: ["cli-proxy-api", "cliproxyapi"],
};

export function runningPrograms(product: ForeignProduct, host: Host): readonly RunningProgram[] {
  const names = PROGRAMS[product];
  return processes(host.platform).flatMap(({ pid, words }) => {
    const name = programOf(words).find((one) => names.includes(one));
    return name === undefined || livesElsewhere(pid, host) ? [] : [{ pid, name }];
  });
}

/** What decides where these programs keep their logins. */
const HOMES = ["HOME", "CODEX_HOME", "XDG_DATA_HOME"] as const;

/** With another home it has other logins. Linux only; elsewhere, and where it may not be known, it is taken for one of ours. */
function livesElsewhere(pid: number, { platform, env }: Host): boolean {
  if (platform !== "linux") return false;
  try {
    const theirs = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const settingOf = (name: string) =>
      theirs.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
    return HOMES.some((name) => settingOf(name) !== (env[name] ?? ""));
  } catch {
    return false;
  }
}

/** The program itself, and the script when that is run by an interpreter. */
function programOf(words: readonly string[]): readonly string[] {
  const plain = (word: string) => word.replace(/^.*[/\\]/, "").replace(/\.(exe|m?js|cjs|ts)$/i, "");
  const [first, ...rest] = words;
  if (first === undefined) return [];
  const script = /^(node|bun|deno)$/i.test(plain(first)) ? rest.find((word) => !word.startsWith("-")) : undefined;
  return script === undefined ? [plain(first)] : [plain(first), plain(script)];
}

function processes(platform: NodeJS.Platform): readonly { pid: number; words: readonly string[] }[] {
  if (platform === "win32") return [];
  try {
    return platform === "linux" ? ofProc() : ofPs();
  } catch {
    // Not knowing is no reason to refuse an import.
    return [];
  }
}

function ofProc(): readonly { pid: number; words: readonly string[] }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return [{ pid: Number(name), words: readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").filter(Boolean) }];
    } catch {
      return [];
    }
  });
}

function ofPs(): readonly { pid: number; words: readonly string[] }[] {
  const text = execFileSync("ps", ["-axo", "pid=,args="], { encoding: "utf8", timeout: 2_000, maxBuffer: 16_777_216 });
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(\d+)\s+(.+)$/.exec(line);
    return match ? [{ pid: Number(match[1]), words: match[2]!.split(/\s+/) }] : [];
  });
}
