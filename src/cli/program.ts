/**
 * The parser: commander built from the command table. Decides nothing about what a command does.
 */
import { Command as CommanderCommand, CommanderError, Option as CommanderOption } from "commander";
import { AppError } from "../base/errors.ts";
import type { Command, Input } from "./command.ts";
import { commandHelp, nounHelp, overview } from "./help/help-text.ts";
import { passOnAt, readPassedOn } from "./pass-on.ts";
import { notFound } from "./resolve.ts";
import { argumentText, optionFlags } from "./syntax.ts";

/** What was typed, once it makes sense. */
export type Parsed =
  | { readonly kind: "run"; readonly command: Command; readonly input: Input; readonly global: GlobalOptions }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

export interface GlobalOptions {
  readonly json: boolean;
  readonly start: boolean;
}

/** Reads arguments (without the program's name). Rejects with `bad_usage`. */
export function parseArguments(argv: readonly string[], commands: readonly Command[]): Parsed {
  const words = argv[0] === "ctl" ? argv.slice(1) : [...argv];
  const found: { parsed: Parsed | null } = { parsed: null };
  const program = createProgram(commands, (parsed) => {
    found.parsed = parsed;
  });
  if (words.length === 0) return { kind: "help", text: overview(commands) };
  if (words[0] === "--version" || words[0] === "-V") return { kind: "version" };
  const passed = readPassedOn(words, commands);
  if (passed !== null) {
    const { command, input, json, start } = passed;
    if (passed.wantsHelp) return { kind: "help", text: commandHelp(command) };
    return { kind: "run", command, input, global: { json, start } };
  }
  refuseUnknown(words, commands);
  try {
    program.parse(words, { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.code === "commander.helpDisplayed") return { kind: "help", text: helpFor(words, commands) };
    throw usage(thrown.message.replace(/^error: /, "").replace(/\n\s*\((.*)\)$/s, " ($1)"), words, commands);
  }
  if (found.parsed === null) throw usage("a command is missing", words, commands);
  return found.parsed;
}

/** True when the arguments ask for JSON, whatever else is wrong with them. */
export function wantsJson(argv: readonly string[], commands: readonly Command[]): boolean {
  const words = argv[0] === "ctl" ? argv.slice(1) : argv;
  const passed = passOnAt(words, commands);
  const end = passed === -1 ? words.indexOf("--") : passed;
  return (end === -1 ? words : words.slice(0, end)).includes("--json");
}

/** The command that the words begin with; null when they name only a noun, or nothing. */
export function commandAt(words: readonly string[], commands: readonly Command[]): Command | null {
  const names = words.filter((word) => !word.startsWith("-"));
  for (const length of [3, 2, 1]) {
    const path = names.slice(0, length).join(" ");
    const found = commands.find((command) => command.path.length === length && command.path.join(" ") === path);
    if (found) return found;
  }
  return null;
}

function createProgram(commands: readonly Command[], onRun: (parsed: Parsed) => void): CommanderCommand {
  const program = new CommanderCommand("rotor");
  quiet(program);
  program.option("--json").option("--no-start");
  const nouns = new Map<string, CommanderCommand>();
  for (const command of commands) {
    // A noun may be a command of its own: `rotor login`, beside `rotor login list`.
    const leaf = placeOf(program, nouns, command.path);
    for (const argument of command.args ?? []) leaf.argument(argumentText(argument), argument.about);
    for (const option of command.options ?? []) leaf.addOption(new CommanderOption(optionFlags(option), option.about));
    leaf.action((...given: unknown[]) => {
      // Where noun and verb have an option of one name, commander gives it to the noun.
      const values = given.slice(0, command.args?.length ?? 0);
      const input = createInput(values, leaf.optsWithGlobals());
      const { json, start } = program.opts<{ json?: boolean; start: boolean }>();
      onRun({ kind: "run", command, input, global: { json: json === true, start } });
    });
  }
  return program;
}

/** Its place in Commander's tree; nouns on the way to it are made once. */
function placeOf(
  program: CommanderCommand,
  places: Map<string, CommanderCommand>,
  path: readonly string[],
): CommanderCommand {
  if (path.length === 0) return program;
  const name = path.join(" ");
  const known = places.get(name);
  if (known) return known;
  const place = placeOf(program, places, path.slice(0, -1)).command(path.at(-1)!);
  quiet(place);
  places.set(name, place);
  return place;
}

function quiet(command: CommanderCommand): void {
  command
    .exitOverride()
    .helpCommand(false)
    .configureOutput({ writeOut: () => {}, writeErr: () => {} });
}

/** Commander keeps options under camel-case names. */
function optionKey(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function createInput(values: readonly unknown[], options: Record<string, unknown>): Input {
  return {
    arg: (index) => (typeof values[index] === "string" ? values[index] : null),
    rest: (index) => (Array.isArray(values[index]) ? (values[index] as string[]) : []),
    // Commander reads `--no-x` as x set to false.
    has: (option) =>
      option.startsWith("no-") ? options[optionKey(option.slice(3))] === false : options[optionKey(option)] === true,
    value(option) {
      const value = options[optionKey(option)];
      return typeof value === "string" ? value : null;
    },
  };
}

/** Commander's own words for an unknown noun or verb do not name the near one for nested commands; ours do. */
function refuseUnknown(words: readonly string[], commands: readonly Command[]): void {
  const names = words.filter((word) => !word.startsWith("-"));
  const [noun, verb] = names;
  if (noun === undefined || commandAt(words, commands)) return;
  const visible = commands.filter((command) => !command.hidden);
  const verbs = visible.filter((command) => command.path.length > 1 && command.path[0] === noun);
  if (verbs.length === 0) {
    const message = notFound("command", noun, [...new Set(visible.map((command) => command.path[0]!))]);
    throw new AppError("bad_usage", message, { hint: "rotor help" });
  }
  const nested = verbs.some(({ path }) => path.length > 2 && path[1] === verb);
  if (verb === undefined || (nested && names.length === 2)) return;
  const message = notFound(
    "command",
    names.slice(0, nested ? 3 : 2).join(" "),
    verbs.map((command) => command.path.join(" ")),
  );
  throw new AppError("bad_usage", message, { hint: `rotor help ${nested ? `${noun} ${verb}` : noun}` });
}

/** `pool`, or `pool rule`: the longest beginning that verbs stand behind. */
function nounAt(names: readonly string[], commands: readonly Command[]): string {
  const two = names.slice(0, 2).join(" ");
  return commands.some(({ path }) => path.length > 2 && path.slice(0, 2).join(" ") === two) ? two : (names[0] ?? "");
}

function helpFor(words: readonly string[], commands: readonly Command[]): string {
  const command = commandAt(words, commands);
  if (command) return commandHelp(command);
  const names = words.filter((word) => !word.startsWith("-"));
  return names.length === 0 ? overview(commands) : nounHelp(nounAt(names, commands), commands);
}

function usage(message: string, words: readonly string[], commands: readonly Command[]): AppError {
  const command = commandAt(words, commands);
  const names = words.filter((word) => !word.startsWith("-"));
  const noun = nounAt(names, commands);
  const depth = noun.split(" ").length;
  const verbs = commands.filter(
    ({ path, hidden }) => path.slice(0, depth).join(" ") === noun && path[depth] && !hidden,
  );
  if (command === null && verbs.length > 0) {
    const list = [...new Set(verbs.map((entry) => entry.path[depth]))].join(", ");
    return new AppError("bad_usage", `say what to do with ${noun}: ${list}`, { hint: `rotor help ${noun}` });
  }
  const topic = command === null ? "" : ` ${command.path.join(" ")}`;
  return new AppError("bad_usage", message, { hint: `rotor help${topic}` });
}
