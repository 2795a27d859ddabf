/**
 * The man page, from the same command table as the help: roff with the man macros (groff_man(7)).
 */
import type { Command } from "../command.ts";
import { GLOBAL_OPTIONS, optionFlags } from "../syntax.ts";
import { sentence, synopsis } from "./help-text.ts";
import { TOPICS } from "./help-topics.ts";

export function manPage(commands: readonly Command[], version: string): string {
  const lines = [
    `.TH ROTOR 1 "" "rotor ${roff(version)}" "Rotor"`,
    ".SH NAME",
    "rotor \\- one local endpoint for all of your ChatGPT/Codex accounts",
    ".SH SYNOPSIS",
    ".B rotor",
    ".I command",
    ".RI [ options ]",
    ".br",
    ".B rotorctl",
    ".I command",
    ".RI [ options ]",
    ".SH DESCRIPTION",
    "Rotor keeps the logins of your accounts alive, knows what each one has left, and gives every tool one local endpoint that keeps answering when one account runs out.",
    ".SH OPTIONS",
  ];
  for (const { flags, about } of GLOBAL_OPTIONS) lines.push(".TP", `.B ${roff(flags)}`, text(sentence(about)));
  lines.push(".SH COMMANDS");
  for (const command of commands) if (!command.hidden) lines.push(...commandLines(command));
  for (const topic of TOPICS) lines.push(...topicLines(topic.name, topic.text()));
  return `${lines.join("\n")}\n`;
}

function commandLines(command: Command): string[] {
  const lines = [`.SS "${roff(synopsis(command))}"`, text(sentence(command.summary))];
  for (const paragraph of command.details ?? []) lines.push(".PP", text(paragraph));
  for (const { name, about } of command.args ?? []) lines.push(".TP", `.I ${roff(name)}`, text(sentence(about)));
  for (const option of command.options ?? []) {
    lines.push(".TP", `.B ${roff(optionFlags(option))}`, text(sentence(option.about)));
  }
  if (command.examples?.length) lines.push(".PP", ".nf", ...command.examples.map(text), ".fi");
  return lines;
}

function topicLines(name: string, body: string): string[] {
  const [, , ...rest] = body.split("\n");
  return [`.SH "${roff(name.toUpperCase())}"`, ".nf", ...rest.map(text), ".fi"];
}

/** A backslash begins a roff escape and a bare dash is a hyphen that cannot be copied into a terminal. */
function roff(value: string): string {
  return value.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq");
}

/** A line that begins with a dot or a quote would be taken as a request. */
function text(value: string): string {
  const escaped = value.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
