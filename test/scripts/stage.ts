/**
 * What a script runs in: a fresh folder as home, a simulator with three accounts as upstream, and `rotor`, `ask` and `sim` on the PATH.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dir, "../..");
const MAIN = join(ROOT, "src/main.ts");

/** The compiled binary when there is one to test, else the source. */
const ROTOR: readonly string[] = process.env.ROTOR_BIN ? [process.env.ROTOR_BIN] : [process.execPath, MAIN];

const NAMES = ["work", "home", "spare"] as const;
/** A five-hour window of ten requests: small enough to fill, large enough to have something left. */
const SCENARIO = {
  accounts: NAMES.map((alias) => ({
    alias,
    email: `${alias}@example.org`,
    plan: alias === "spare" ? "pro" : "plus",
    windows: [
      { minutes: 300, capacityRequests: 10, resetsInSeconds: 7_800 },
      { minutes: 10_080, capacityRequests: 1_000, resetsInSeconds: 260_000 },
    ],
  })),
};

export interface RunResult {
  readonly lines: readonly string[];
  readonly exit: number;
}

export interface ScriptStage {
  run(command: string): Promise<RunResult>;
  close(): Promise<void>;
}

/** Said when a start takes longer than a moment, which depends on the machine and not on the product. */
const SLOW_START = "starting the daemon …";

/** Said of programs that whoever runs the tests has open. */
const SEEN_RUNNING = /^warning: .+ \(process \d+\) runs and may renew/;

export async function openStage(): Promise<ScriptStage> {
  const folder = mkdtempSync(join(tmpdir(), "rotor-script-"));
  const simulator = await startSimulator(folder);
  const env = layOut(folder, simulator);
  return {
    async run(command) {
      const { output, exit } = await shell(command, folder, env);
      const text = output
        .replaceAll(folder, "$DIR")
        .replaceAll(simulator.url, "$UPSTREAM")
        .replaceAll(simulator.issuer, "$ISSUER");
      const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
      return { lines: lines.filter((line) => line !== SLOW_START && !SEEN_RUNNING.test(line)), exit };
    },
    async close() {
      await shell("rotor down; ROTOR_HOME=$HOME/second rotor down", folder, env);
      simulator.child.kill("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface RunningSimulator {
  readonly child: ChildProcess;
  readonly url: string;
  readonly issuer: string;
  readonly accounts: readonly unknown[];
}

async function startSimulator(folder: string): Promise<RunningSimulator> {
  const scenario = join(folder, "scenario.json");
  writeFileSync(scenario, JSON.stringify(SCENARIO));
  const [command, ...args] = [...ROTOR, "simulate", "--port", "0", "--scenario", scenario];
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  for await (const chunk of child.stdout!) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  const { url, issuer, accounts } = JSON.parse(text) as Omit<RunningSimulator, "child">;
  return { child, url, issuer, accounts };
}

/** Files and programs that scripts may use; returns their environment, which holds nothing of ours. */
function layOut(folder: string, simulator: RunningSimulator): Record<string, string> {
  const bin = join(folder, "bin");
  for (const path of [bin, join(folder, "rotor"), join(folder, "codex"), join(folder, "tmp")])
    mkdirSync(path, { mode: 0o700 });
  const program = (name: string, words: readonly string[]) => {
    const path = join(bin, name);
    writeFileSync(path, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(" ")} "$@"\n`);
    chmodSync(path, 0o755);
  };
  program("rotor", ROTOR);
  program("rotorctl", ROTOR);
  const helper = join(import.meta.dir, "helper.ts");
  for (const name of ["ask", "sim", "until-grown", "field", "xdg-open", "sign-in", "to-store", "cmp-login"])
    program(name, [process.execPath, helper, name]);
  // Whatever the umask of whoever runs the tests: files of logins that everybody may write to are refused.
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  put("logins.json", JSON.stringify(simulator.accounts));
  put("logins.jsonl", simulator.accounts.map((login) => `${JSON.stringify(login)}\n`).join(""));
  for (const [i, name] of NAMES.entries()) {
    put(`${name}.json`, JSON.stringify(simulator.accounts[i]));
  }
  put(join("codex", "auth.json"), JSON.stringify(simulator.accounts[0]));
  put(join("rotor", "config.toml"), "[proxy]\nport = 0\n");
  return {
    PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
    HOME: folder,
    TMPDIR: join(folder, "tmp"),
    TZ: "UTC",
    ROTOR_HOME: join(folder, "rotor"),
    ROTOR_SEAL_GUARD: "key_file",
    // Figures that no step asked for would show in one that takes long.
    ROTOR_SETTING_USAGE_POLL: "off",
    CODEX_HOME: join(folder, "codex"),
    ROTOR_UPSTREAM_BASE_URL: simulator.url,
    ROTOR_UPSTREAM_ISSUER: simulator.issuer,
    SIM: simulator.issuer,
  };
}

/** Both outputs into one pipe, so that they stand in the order in which they were written. */
async function shell(
  command: string,
  cwd: string,
  env: Record<string, string>,
): Promise<{ output: string; exit: number }> {
  const child = spawn("/bin/sh", ["-c", `umask 022\nexec 2>&1\n${command}`], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout!.setEncoding("utf8");
  child.stdout!.on("data", (chunk: string) => {
    output += chunk;
  });
  const exit = await new Promise<number>((done) => child.once("close", (code) => done(code ?? -1)));
  return { output, exit };
}
