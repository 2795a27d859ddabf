/**
 * What the ctl is given by its surroundings: terminal, host, clock, how to start itself. Tests hand in their own.
 */
import type { Clock } from "../base/clock.ts";
import type { Host } from "../base/env.ts";
import type { AttachedProgram } from "./attached-program.ts";

/** One output of the process. */
export interface Writer {
  write(text: string): void;
  readonly isTty: boolean;
}

/** The program that we are: a compiled file, or Bun with the path of the source entry as first argument. */
export interface SelfCommand {
  readonly command: string;
  readonly args: readonly string[];
}

export interface CliIo {
  readonly stdout: Writer;
  readonly stderr: Writer;
  /** Width of the terminal; null when stdout is not one. */
  readonly columns: number | null;
  readonly stdinIsTty: boolean;
  /** Everything that comes on standard input, to its end. */
  readStdin(): Promise<Uint8Array>;
  /** Asks and returns the line that was typed or piped; empty when there is none, or when `signal` ends the waiting. */
  ask(question: string, signal?: AbortSignal): Promise<string>;
  /** Asks like {@link ask} on a terminal, and shows nothing of what is typed. */
  askSecret(question: string): Promise<string>;
  /** Opens an address in the person's browser. Resolves with false when that failed; may stay open as long as the browser. */
  openUrl(url: string): Promise<boolean>;
  /** Runs a program on this terminal in our place; its exit code. Until it ends, signals are its business and do not interrupt us. */
  runAttached(program: AttachedProgram): Promise<number>;
  /** Resolves when everything written has left the process; call it before exiting. */
  drained(): Promise<void>;
  /** Aborted by Ctrl-C, by a termination signal, or when the reader of stdout has gone. */
  readonly interrupted: AbortSignal;
  /** What a shell calls the end by that signal, 128 + n; null before one came, and where the reader of stdout has gone. */
  exitOfSignal(): number | null;
  readonly host: Host;
  readonly clock: Clock;
  readonly version: string;
  readonly selfCommand: SelfCommand;
}
