/**
 * The shape of a command. The table of them (command-table.ts) feeds the parser, the help, the man page and the completions.
 */
import type { Paths } from "../base/paths.ts";
import type { DaemonLink } from "./daemon-link.ts";
import type { ExitCode } from "./failure.ts";
import type { CliIo } from "./io.ts";
import type { Printer } from "./print.ts";

/** What may be completed at an argument. */
export type Completes =
  | "account"
  | "tag"
  | "key"
  | "profile"
  | "setting"
  | "backup"
  | "model"
  | "model_alias"
  | "file"
  | readonly string[];

export interface Argument {
  /** In capitals, as help shows it. */
  readonly name: string;
  readonly about: string;
  readonly optional?: boolean;
  readonly variadic?: boolean;
  readonly completes?: Completes;
}

export interface Option {
  /** Long name without dashes; what {@link Input} is asked for. */
  readonly name: string;
  readonly short?: string;
  /** Name of its value, in capitals; absent for a switch. */
  readonly value?: string;
  readonly about: string;
  readonly completes?: Completes;
}

export interface Command {
  /** `["account", "list"]`, `["up"]`. */
  readonly path: readonly string[];
  /** One line, no full stop. */
  readonly summary: string;
  /** Paragraphs for the command's own help. */
  readonly details?: readonly string[];
  readonly args?: readonly Argument[];
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** Starts the daemon when none runs (contracts §12). */
  readonly starts: boolean;
  /** Not in overviews and completions. */
  readonly hidden?: boolean;
  /** Its own options stand before the first other word; what follows belongs to another program and is `input.rest(0)`, unread. */
  readonly passesOn?: boolean;
  /** Resolves with the exit code, 0 unless told; only of a program that was run in our place it is any other than {@link ExitCode}. */
  run(context: Context, input: Input): Promise<number | undefined>;
}

/** What was typed, by name. */
export interface Input {
  arg(index: number): string | null;
  rest(index: number): readonly string[];
  has(option: string): boolean;
  value(option: string): string | null;
}

export interface Context {
  readonly io: CliIo;
  readonly print: Printer;
  readonly paths: Paths;
  readonly commands: readonly Command[];
  /** The command that runs, as typed: `rotor account list`. */
  readonly title: string;
  nowMs(): number;
  /** The daemon; started when the command starts it and `--no-start` was not given. Rejects with `daemon_unreachable`. */
  daemon(): Promise<DaemonLink>;
  /** The daemon if one runs, never started. */
  runningDaemon(): Promise<DaemonLink | null>;
  /** The same for what has to be tidied up there: Ctrl-C ends every other connection, and this one not. */
  daemonForTidying(): Promise<DaemonLink | null>;
}
