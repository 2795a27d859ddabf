/**
 * Runs a program in our place: on this terminal, with our arguments' rest, until it ends. What people and service managers send to us reaches
 * it, and its end is ours. Only process-io calls it.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";

export interface AttachedProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Sent by a terminal to everybody in front of it, the program too. */
const FROM_KEYS: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];
const FROM_OTHERS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];

/**
 * Resolves with its exit code, 128 + n when signal n ended it. Rejects when it cannot be started. Suspending (Ctrl-Z) and changes of the
 * window's size need nobody's help: they reach the whole group of processes.
 */
export function runAttached(program: AttachedProgram, onTerminal: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program.command, [...program.args], { stdio: "inherit", env: program.env });
    const handlers = [...FROM_KEYS, ...FROM_OTHERS].map((signal) => {
      // Passed on as well, a Ctrl-C would count twice: Codex takes the second one for an order to stop at once.
      const pass = () => void ((onTerminal && FROM_KEYS.includes(signal)) || child.kill(signal));
      process.on(signal, pass);
      return [signal, pass] as const;
    });
    const settle = (finish: () => void) => {
      for (const [signal, pass] of handlers) process.off(signal, pass);
      finish();
    };
    child.once("error", (cause) => settle(() => reject(cause)));
    child.once("exit", (code, signal) =>
      settle(() => resolve(code ?? 128 + (signal === null ? 1 : constants.signals[signal]))),
    );
  });
}
