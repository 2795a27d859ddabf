/**
 * How arguments and options are spelt, for the parser and for everything that describes it.
 */
import type { Argument, Option } from "./command.ts";

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS = [
  { flags: "--json", about: "print JSON (errors too)" },
  { flags: "--no-start", about: "do not start the daemon when none runs" },
  { flags: "-h, --help", about: "say what the command does" },
] as const;

export function argumentText(argument: Argument): string {
  const name = argument.variadic ? `${argument.name}...` : argument.name;
  return argument.optional ? `[${name}]` : `<${name}>`;
}

export function optionFlags(option: Option): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  return `${short}--${option.name}${option.value === undefined ? "" : ` <${option.value}>`}`;
}
