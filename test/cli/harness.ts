/**
 * The ctl in this process: recorded streams, a host of the test's making, and the real control socket with an engine in memory behind it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { Env } from "../../src/base/env.ts";
import type { AttachedProgram } from "../../src/cli/attached-program.ts";
import type { CliIo } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/main.ts";
import { type Door, openDoor } from "../control/harness.ts";
import { T0 } from "../support/manual-clock.ts";

export const VERSION = "0.1.0";
export const fixedClock: Clock = { ...systemClock, nowMs: () => T0 };

export interface Run {
  readonly out: string;
  readonly err: string;
  readonly exit: number;
}

export interface RunOptions {
  readonly env?: Env;
  /** A terminal of this width; absent: pipes. */
  readonly columns?: number;
  readonly stdin?: string;
  /** What is typed when asked, one after the other; absent: nobody is there. */
  readonly answer?: string | readonly string[];
  readonly version?: string;
  readonly interrupt?: AbortController;
  readonly onOut?: (text: string) => void;
  readonly selfCommand?: CliIo["selfCommand"];
  /** The browser; absent: one that opens and does nothing. */
  readonly onOpen?: (url: string) => boolean | Promise<boolean>;
  readonly platform?: NodeJS.Platform;
  /** The program that runs in our place; its exit code. Absent: one that does nothing. */
  readonly onRun?: (program: AttachedProgram) => number | Promise<number>;
}

export interface Desk {
  readonly door: Door;
  readonly home: string;
  run(...argv: string[]): Promise<Run>;
  runWith(options: RunOptions, ...argv: string[]): Promise<Run>;
  close(): Promise<void>;
}

export function createIo(home: string, options: RunOptions): { io: CliIo; texts: { out: string; err: string } } {
  const texts = { out: "", err: "" };
  const isTty = options.columns !== undefined;
  const { answer, stdin } = options;
  const typed = typeof answer === "string" ? [answer] : [...(answer ?? [])];
  const answers = answer === undefined && stdin !== undefined ? stdin.split("\n").filter(Boolean) : typed;
  const io: CliIo = {
    stdout: {
      isTty,
      write(text) {
        texts.out += text;
        options.onOut?.(texts.out);
      },
    },
    stderr: { isTty, write: (text) => void (texts.err += text) },
    columns: options.columns ?? null,
    stdinIsTty: options.answer !== undefined,
    readStdin: async () => new TextEncoder().encode(options.stdin ?? ""),
    async ask(question, signal) {
      texts.err += question;
      const answer = answers.shift();
      if (answer !== undefined || signal === undefined || options.answer === undefined) return answer ?? "";
      // A person who says nothing: the question stands until it is taken back.
      return await new Promise((resolve) => signal.addEventListener("abort", () => resolve(""), { once: true }));
    },
    async askSecret(question) {
      texts.err += `${question}\n`;
      return answers.shift() ?? "";
    },
    async openUrl(url) {
      return (await options.onOpen?.(url)) ?? true;
    },
    runAttached: async (program) => (await options.onRun?.(program)) ?? 0,
    drained: async () => {},
    interrupted: (options.interrupt ?? new AbortController()).signal,
    exitOfSignal: () => (options.interrupt?.signal.aborted ? 130 : null),
    host: {
      env: options.env ?? {},
      platform: options.platform ?? "linux",
      homeDir: home,
      tempDir: tmpdir(),
      uid: process.getuid!(),
    },
    clock: fixedClock,
    version: options.version ?? VERSION,
    selfCommand: options.selfCommand ?? { command: "/does/not/exist", args: [] },
  };
  return { io, texts };
}

export async function runIn(home: string, options: RunOptions, argv: readonly string[]): Promise<Run> {
  const { io, texts } = createIo(home, options);
  const exit = await runCli(argv, io);
  return { ...texts, exit };
}

export function tempHome(): string {
  return mkdtempSync(join(tmpdir(), "rotor-cli-"));
}

/** `ROTOR_SOCKET` is an order: the ctl takes the daemon behind it whatever its data folder. */
export async function openDesk(): Promise<Desk> {
  const door = await openDoor();
  const home = tempHome();
  const env = { ROTOR_SOCKET: door.path, ROTOR_HOME: join(home, "rotor") };
  const runWith: Desk["runWith"] = (options, ...argv) =>
    runIn(home, { ...options, env: { ...env, ...options.env } }, argv);
  return {
    door,
    home,
    run: (...argv) => runWith({}, ...argv),
    runWith,
    async close() {
      await door.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
