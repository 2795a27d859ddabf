/**
 * The ctl's surroundings in a real process: its streams, its signals, its host. Only the entry of the program calls it; everything else is handed a {@link CliIo}.
 */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { systemClock } from "../base/clock.ts";
import { readHost } from "../base/env.ts";
import { VERSION } from "../base/version.ts";
import { runAttached } from "./attached-program.ts";
import type { CliIo, SelfCommand, Writer } from "./io.ts";
import { openInBrowser } from "./login/browser.ts";

/** The surroundings of the real process. Call once, at the start of the ctl face. */
export function createProcessIo(): CliIo {
  const interrupt = new AbortController();
  const pending = { writes: 0, wake: () => {} };
  const writer = (stream: NodeJS.WriteStream): Writer => {
    stream.on("error", () => interrupt.abort());
    return {
      isTty: stream.isTTY === true,
      write(text) {
        pending.writes++;
        stream.write(text, () => {
          pending.writes--;
          if (pending.writes === 0) pending.wake();
        });
      },
    };
  };
  let exitOfSignal: number | null = null;
  let attached = 0;
  const onSignal = (name: NodeJS.Signals) => {
    if (attached > 0) return;
    // A second Ctrl-C means it: do not wait for a tidy end.
    if (exitOfSignal !== null) process.exit(exitOfSignal);
    exitOfSignal = 128 + constants.signals[name];
    interrupt.abort();
  };
  // A terminal that is closed hangs up: what we started goes down as tidily as with Ctrl-C.
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
  if (!isHangupIgnored()) process.on("SIGHUP", onSignal);
  const host = readHost();
  return {
    host,
    clock: systemClock,
    version: VERSION,
    selfCommand: selfCommand(),
    stdout: writer(process.stdout),
    stderr: writer(process.stderr),
    columns: process.stdout.isTTY ? (process.stdout.columns ?? 80) : null,
    stdinIsTty: process.stdin.isTTY === true,
    interrupted: interrupt.signal,
    exitOfSignal: () => exitOfSignal,
    readStdin: async () => new Uint8Array(await new Response(Bun.stdin.stream()).arrayBuffer()),
    openUrl: (url) => openInBrowser(host, url),
    async runAttached(program) {
      attached++;
      try {
        return await runAttached(
          program,
          [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY),
        );
      } finally {
        attached--;
      }
    },
    ask(question, signal) {
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      return new Promise((resolve) => {
        let answered = false;
        lines.once("close", () => {
          // What comes next would stand behind the question.
          if (!answered && process.stderr.isTTY) process.stderr.write("\n");
          resolve("");
        });
        // While it reads a terminal, Ctrl-C comes as a key and not as a signal.
        lines.once("SIGINT", () => {
          onSignal("SIGINT");
          lines.close();
        });
        for (const end of [interrupt.signal, ...(signal ? [signal] : [])]) {
          end.addEventListener("abort", () => lines.close(), { once: true });
          if (end.aborted) lines.close();
        }
        lines.question(question, (answer) => {
          answered = true;
          resolve(answer);
          lines.close();
        });
      });
    },
    askSecret(question) {
      process.stderr.write(question);
      // readline echoes what is typed to its output: this one leads nowhere.
      const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
      const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
      return new Promise((resolve) => {
        let typed = "";
        lines.once("close", () => {
          process.stderr.write("\n");
          resolve(typed);
        });
        lines.once("SIGINT", () => {
          onSignal("SIGINT");
          lines.close();
        });
        interrupt.signal.addEventListener("abort", () => lines.close(), { once: true });
        lines.question("", (answer) => {
          typed = answer;
          lines.close();
        });
      });
    },
    drained: () =>
      new Promise((resolve) => {
        if (pending.writes === 0 || interrupt.signal.aborted) return resolve();
        pending.wake = resolve;
      }),
  };
}

/** Was this started with nohup? A handler of ours would undo that. Only Linux says; elsewhere, whoever has no terminal cannot lose one. */
function isHangupIgnored(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (mask !== undefined) return (BigInt(`0x${mask}`) & 1n) === 1n;
  } catch {
    // No /proc here.
  }
  return ![process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}

/** A compiled program lives in a virtual folder and is its own command; from source, Bun needs the entry file. */
function selfCommand(): SelfCommand {
  const compiled = Bun.main.startsWith("/$bunfs/") || /^[A-Z]:[\\/]~BUN[\\/]/i.test(Bun.main);
  return { command: process.execPath, args: compiled ? [] : [Bun.main] };
}
