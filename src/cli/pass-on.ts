/**
 * The arguments of a command that runs another program: our own options come first, and from the first other word on everything is that
 * program's, unread. A `--` in front says that nothing more is ours.
 */
import { AppError } from "../base/errors.ts";
import type { Command, Input, Option } from "./command.ts";

export interface PassedOn {
  readonly command: Command;
  readonly input: Input;
  /** `-h` or `--help` among our own. */
  readonly wantsHelp: boolean;
  /** Options of every command, before its name or among our own. */
  readonly json: boolean;
  readonly start: boolean;
}

/** Index of the command's name; -1 when the words name no such command. */
export function passOnAt(words: readonly string[], commands: readonly Command[]): number {
  const at = words.findIndex((word) => !word.startsWith("-"));
  const isName = (command: Command) => command.passesOn === true && command.path[0] === words[at];
  return at !== -1 && commands.some(isName) ? at : -1;
}

/** null when the words name no such command. Throws `bad_usage`. */
export function readPassedOn(words: readonly string[], commands: readonly Command[]): PassedOn | null {
  const at = passOnAt(words, commands);
  if (at === -1) return null;
  const command = commands.find(({ passesOn, path }) => passesOn === true && path[0] === words[at])!;
  const before = words.slice(0, at);
  const stranger = before.find((word) => !GLOBAL.has(word));
  if (stranger !== undefined) throw new AppError("bad_usage", `unknown option '${stranger}'`, { hint: "rotor help" });
  const head = readHead(words.slice(at + 1), command);
  const all = [...before, ...head.globals];
  return {
    command,
    input: inputOf(head),
    wantsHelp: all.includes("-h") || all.includes("--help"),
    json: before.includes("--json"),
    start: !all.includes("--no-start"),
  };
}

/** --json is not among them: behind the name it is the other program's. */
const IN_HEAD: ReadonlySet<string> = new Set(["--no-start", "-h", "--help"]);
const GLOBAL: ReadonlySet<string> = new Set([...IN_HEAD, "--json"]);

interface Head {
  readonly values: ReadonlyMap<string, string>;
  readonly switches: ReadonlySet<string>;
  readonly globals: readonly string[];
  readonly rest: readonly string[];
}

function readHead(words: readonly string[], command: Command): Head {
  const values = new Map<string, string>();
  const switches = new Set<string>();
  const globals: string[] = [];
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at]!;
    const option = command.options?.find(({ name }) => word === `--${name}` || word.startsWith(`--${name}=`));
    if (option !== undefined) {
      const inline = word.slice(option.name.length + 3);
      if (option.value === undefined) switches.add(option.name);
      else if (word.includes("=")) values.set(option.name, inline);
      else values.set(option.name, valueAfter(words, at++, option, command));
    } else if (IN_HEAD.has(word)) globals.push(word);
    else break;
  }
  return { values, switches, globals, rest: words.slice(words[at] === "--" ? at + 1 : at) };
}

function valueAfter(words: readonly string[], at: number, option: Option, command: Command): string {
  const value = words[at + 1];
  if (value !== undefined) return value;
  throw new AppError("bad_usage", `option '--${option.name} <${option.value}>' argument missing`, {
    hint: `rotor help ${command.path.join(" ")}`,
  });
}

function inputOf({ values, switches, rest }: Head): Input {
  return {
    arg: (index) => rest[index] ?? null,
    rest: (index) => rest.slice(index),
    has: (option) => switches.has(option),
    value: (option) => values.get(option) ?? null,
  };
}
