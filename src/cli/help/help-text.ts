/**
 * Help made from the command table: the overview, one noun, one command. Fits 80 columns.
 */
import type { Command } from "../command.ts";
import { argumentText, GLOBAL_OPTIONS, optionFlags } from "../syntax.ts";
import { wrapText } from "../text/table.ts";

const WIDTH = 80;

/** Headings of the overview, in the order in which a newcomer needs them. */
const SECTIONS: readonly (readonly [string, readonly string[]])[] = [
  ["Get going", ["login", "up", "down", "status", "import", "connect", "disconnect", "codex", "demo"]],
  ["Accounts and keys", ["account", "file", "key", "client", "model", "budget", "profile"]],
  ["What happens", ["pool", "exchange", "usage", "audit", "log", "doctor"]],
  ["Set up", ["setting", "seal", "backup", "restore", "export", "path", "version", "completion", "simulate", "help"]],
];

export function overview(commands: readonly Command[]): string {
  const lines = [
    "rotor: one local endpoint for all of your ChatGPT/Codex accounts",
    "",
    "Usage: rotor COMMAND [options]",
  ];
  for (const [title, nouns] of SECTIONS) {
    lines.push("", title);
    for (const noun of nouns) lines.push(...nounLines(noun, commands));
  }
  lines.push("", "Everywhere", ...pairs(GLOBAL_OPTIONS.map((option) => [option.flags, option.about])));
  lines.push("", "More: rotor help COMMAND, rotor help TOPIC (rotor help topics lists them)");
  return lines.join("\n");
}

function nounLines(noun: string, commands: readonly Command[]): string[] {
  const own = commands.filter((command) => command.path[0] === noun && !command.hidden);
  const itself = own.find((command) => command.path.length === 1);
  if (itself) return pairs([[noun, itself.summary]]);
  const verbs = [...new Set(own.map((command) => command.path[1]!))].join(", ");
  return own.length === 0 ? [] : pairs([[noun, verbs]]);
}

/** `noun` may be two words: `pool rule`. */
export function nounHelp(noun: string, commands: readonly Command[]): string {
  const own = commands.filter((command) => `${command.path.join(" ")} `.startsWith(`${noun} `) && !command.hidden);
  const usage = own.map((command): [string, string] => [synopsis(command).replace(/^rotor /, ""), command.summary]);
  return [`Usage: rotor ${noun} VERB`, "", ...pairs(usage), "", `More: rotor help ${noun} VERB`].join("\n");
}

export function commandHelp(command: Command): string {
  const lines = [`Usage: ${synopsis(command)}`, "", `${sentence(command.summary)}`];
  for (const paragraph of command.details ?? []) lines.push("", ...wrapText(paragraph, WIDTH));
  const args = (command.args ?? []).map((argument): [string, string] => [argument.name, argument.about]);
  if (args.length > 0) lines.push("", "Arguments", ...pairs(args));
  const options = (command.options ?? []).map((option): [string, string] => [optionFlags(option), option.about]);
  if (options.length > 0) lines.push("", "Options", ...pairs(options));
  lines.push("", "Everywhere", ...pairs(GLOBAL_OPTIONS.map((option) => [option.flags, option.about])));
  if (command.examples?.length) lines.push("", "Examples", ...command.examples.map((example) => `  ${example}`));
  return lines.join("\n");
}

/** `rotor account rename <ALIAS> <NEW> [options]`. */
export function synopsis(command: Command): string {
  const args = (command.args ?? []).map(argumentText);
  const options = (command.options?.length ?? 0) > 0 ? ["[options]"] : [];
  return ["rotor", ...command.path, ...args, ...options].join(" ");
}

export function sentence(summary: string): string {
  return `${summary[0]!.toUpperCase()}${summary.slice(1)}.`;
}

/** Two columns; a name too long for the first stands on its own line. */
function pairs(rows: readonly (readonly [string, string])[]): string[] {
  const nameWidth = Math.min(30, Math.max(12, ...rows.map(([name]) => name.length)));
  const indent = " ".repeat(nameWidth + 4);
  return rows.flatMap(([name, about]) => {
    const text = wrapText(about, WIDTH - indent.length);
    const first =
      name.length > nameWidth ? [`  ${name}`, `${indent}${text[0]}`] : [`  ${name.padEnd(nameWidth)}  ${text[0]}`];
    return [...first, ...text.slice(1).map((line) => indent + line)];
  });
}
