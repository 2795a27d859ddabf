/**
 * What `rotor connect` has to know of one tool: where it lives, which of its files say where it sends its requests, and what they must say.
 * A tool looks and answers with data; whoever carries it out is connect-order.ts.
 */
import type { Host } from "../../base/env.ts";
import type { CodexHome } from "../codex-home.ts";
import type { Task } from "./task.ts";

/** Where tools look and what they are told. */
export interface Ask {
  readonly host: Host;
  /** Home of the Codex CLI, our configuration considered. */
  readonly codex: CodexHome;
  /** `http://127.0.0.1:4747`: this machine, by number. */
  readonly base: string;
  /** The client key. A stand-in while nothing has been decided. */
  readonly secret: string;
  /** A file that holds the key and nothing else; ours, for the owner alone. */
  readonly keyFile: string;
  /** Folder for further files of ours that the tool reads. */
  readonly folder: string;
  /** One of {@link Tool.ways}; null = the usual one. */
  readonly way: string | null;
  /** It asks through this one; null = none, the whole pool. */
  readonly profile: string | null;
  /** The program that we are; null = run from source. */
  readonly program: string | null;
  /** Text of a file as it would be without us; null = no file. */
  read(path: string): Promise<string | null>;
}

export interface ToolPlan {
  readonly tasks: readonly Task[];
  /** What people put there themselves, where the tool has no file that we could edit. */
  readonly snippet: Snippet | null;
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

export interface Snippet {
  /** Where it belongs, as a person would say it. */
  readonly place: string;
  readonly text: string;
}

export interface Tool {
  readonly name: string;
  /** As its makers spell it. */
  readonly title: string;
  /** Other words that mean it. */
  readonly aliases: readonly string[];
  /** Other ways to connect it, with what they are for. */
  readonly ways: Readonly<Record<string, string>>;
  /** It asks the daemon for a key by itself, under this name; null = it is given one. */
  readonly peer: string | null;
  /** It sends no requests, and so has no key. */
  readonly isKeyless?: boolean;
  /** A trace of it on this machine: a path; null = none was found, which need not mean that it is not there. */
  find(ask: Pick<Ask, "host" | "codex">): string | null;
  plan(ask: Ask): Promise<ToolPlan>;
}
