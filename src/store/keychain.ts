/**
 * The keychain of the operating system through the tool that it comes with: `security` (macOS), `secret-tool` (Secret Service on Linux
 * and the BSDs), PowerShell (Windows Credential Manager). A secret goes in and out by pipes, never as an argument, which every program on
 * the machine could read. Every call has an end: a keychain without a desktop likes to wait for a person who is not there.
 */
import { spawn } from "node:child_process";
import type { Clock } from "../base/clock.ts";
import type { Env } from "../base/env.ts";
import { AppError } from "../base/errors.ts";

export interface Keychain {
  /** As people know it. */
  readonly name: string;
  /** Asks for something that is not there. Rejects with `guard_unavailable` when that cannot be answered. */
  probe(): Promise<void>;
  /** null: there is no such entry. Rejects with `guard_unavailable`. */
  get(entry: string, isPatient: boolean): Promise<string | null>;
  /** Makes the entry. Rejects with `guard_unavailable`. */
  set(entry: string, value: string, isPatient: boolean): Promise<void>;
  /** No entry is no error. */
  remove(entry: string): Promise<void>;
}

export interface KeychainOptions {
  readonly platform: NodeJS.Platform;
  readonly env: Env;
  readonly clock: Clock;
  /** How long one call may take, and one that may ask a person something. */
  readonly limitMs: number;
  readonly patientLimitMs: number;
}

/** A start must not wait for a person: after this long the seal counts as locked. */
export const KEYCHAIN_LIMIT_MS = 5_000;
/** Whoever gave an order may have to type the password of the keychain first; the ctl waits for 90 s. */
export const KEYCHAIN_PATIENT_LIMIT_MS = 60_000;

const SERVICE = "rotor";
const PROBE_ENTRY = "probe";

interface Call {
  readonly command: string;
  readonly args: readonly string[];
  readonly stdin: string;
}

interface Ended {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One tool's way of saying the three things. */
interface Dialect {
  readonly name: string;
  get(entry: string): Call;
  set(entry: string, value: string): Call;
  remove(entry: string): Call;
  /** Whether a call that failed only says that there is no such entry. */
  isAbsent(ended: Ended): boolean;
}

export function createKeychain(options: KeychainOptions): Keychain {
  const dialect = dialectOf(options.platform);
  const ask = async (call: Call, isPatient: boolean, secret: string | null = null): Promise<string | null> => {
    const ended = await run(call, options, isPatient ? options.patientLimitMs : options.limitMs);
    if (ended.exit === 0) return ended.stdout.replace(/\r?\n$/, "");
    if (dialect.isAbsent(ended)) return null;
    // No tool is known to repeat what it was given; none gets the chance to.
    const words = secret === null ? firstLine(ended) : firstLine(ended).replaceAll(secret, "[secret]");
    throw new AppError("guard_unavailable", `${call.command} failed: ${words}`);
  };
  const keychain: Keychain = {
    name: dialect.name,
    async probe() {
      await keychain.get(PROBE_ENTRY, false);
    },
    get: (entry, isPatient) => ask(dialect.get(entry), isPatient),
    async set(entry, value, isPatient) {
      if ((await ask(dialect.set(entry, value), isPatient, value)) === null)
        throw new AppError("guard_unavailable", `${dialect.name} did not take the key`);
    },
    async remove(entry) {
      await ask(dialect.remove(entry), false);
    },
  };
  return keychain;
}

/** The tool's own words, one line of them. */
function firstLine({ exit, stderr }: Ended): string {
  const line = stderr.split("\n").find((text) => text.trim() !== "") ?? "";
  return line.trim() === "" ? `exit code ${exit}` : line.trim().slice(0, 200);
}

async function run({ command, args, stdin }: Call, { env, clock }: KeychainOptions, limitMs: number): Promise<Ended> {
  const clean = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("ROTOR_")));
  const child = spawn(command, args, { env: clean as NodeJS.ProcessEnv, stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A tool that ends before it has read everything says why by its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  let late = false as boolean;
  const limit = clock.after(limitMs, () => {
    late = true;
    child.kill("SIGKILL");
    // A child of the tool may hold the pipes open after it.
    child.stdout.destroy();
    child.stderr.destroy();
  });
  const exit = await new Promise<number | NodeJS.ErrnoException>((resolve) => {
    child.once("error", resolve);
    child.once("close", (code) => resolve(code ?? -1));
  });
  limit.cancel();
  if (late)
    throw new AppError("guard_unavailable", `${command} did not answer within ${Math.round(limitMs / 1_000)} s`);
  if (typeof exit === "number") return { exit, stdout, stderr };
  const why = exit.code === "ENOENT" ? `there is no ${command} on this machine` : `${command} cannot be started`;
  throw new AppError("guard_unavailable", why, { cause: exit });
}

function dialectOf(platform: NodeJS.Platform): Dialect {
  if (platform === "darwin") return macos;
  return platform === "win32" ? windows : secretService;
}

/**
 * security(1): `-i` reads whole commands from standard input, which is the one way to give it a password that is not an argument.
 * 44 is errSecItemNotFound (-25300) as an exit code. Values and entries are base64url and hex, so nothing needs quoting.
 */
const macos: Dialect = {
  name: "the macOS keychain",
  get: (entry) => ({
    command: "security",
    args: ["find-generic-password", "-s", SERVICE, "-a", entry, "-w"],
    stdin: "",
  }),
  set: (entry, value) => ({
    command: "security",
    args: ["-i"],
    stdin: `add-generic-password -U -s ${SERVICE} -a ${entry} -l Rotor -w ${value}\n`,
  }),
  remove: (entry) => ({
    command: "security",
    args: ["delete-generic-password", "-s", SERVICE, "-a", entry],
    stdin: "",
  }),
  isAbsent: ({ exit }) => exit === 44,
};

/** secret-tool(1): reads the secret from standard input; says nothing and ends with 1 when there is none. */
const secretService: Dialect = {
  name: "the Secret Service keyring",
  get: (entry) => ({ command: "secret-tool", args: ["lookup", "service", SERVICE, "key", entry], stdin: "" }),
  set: (entry, value) => ({
    command: "secret-tool",
    args: ["store", "--label=Rotor", "service", SERVICE, "key", entry],
    stdin: value,
  }),
  remove: (entry) => ({ command: "secret-tool", args: ["clear", "service", SERVICE, "key", entry], stdin: "" }),
  isAbsent: ({ exit, stderr }) => exit === 1 && stderr.trim() === "",
};

/** PasswordVault is the Credential Manager's interface that Windows PowerShell reaches without compiling anything; 3 is our own "absent". */
const windows: Dialect = {
  name: "the Windows Credential Manager",
  get: (entry) =>
    powershell(`try { $c = $v.Retrieve('${SERVICE}', '${entry}') } catch { exit 3 }
$c.RetrievePassword(); [Console]::Out.Write($c.Password)`),
  set: (entry, value) => ({
    ...powershell(`$p = [Console]::In.ReadToEnd()
$v.Add((New-Object Windows.Security.Credentials.PasswordCredential('${SERVICE}', '${entry}', $p)))`),
    stdin: value,
  }),
  remove: (entry) => powershell(`try { $v.Remove($v.Retrieve('${SERVICE}', '${entry}')) } catch { exit 3 }`),
  isAbsent: ({ exit }) => exit === 3,
};

function powershell(script: string): Call {
  const opened = `$ErrorActionPreference = 'Stop'
[void][Windows.Security.Credentials.PasswordVault, Windows.Security.Credentials, ContentType=WindowsRuntime]
$v = New-Object Windows.Security.Credentials.PasswordVault
${script}`;
  const encoded = Buffer.from(opened, "utf16le").toString("base64");
  const args = ["-NoProfile", "-NonInteractive", "-EncodedCommand", encoded];
  return { command: "powershell.exe", args, stdin: "" };
}
