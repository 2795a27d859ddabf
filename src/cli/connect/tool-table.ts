/** Every tool that `rotor connect` knows, in the order in which they are listed. */
import { aider } from "./aider.ts";
import { codex } from "./codex.ts";
import { codexApp } from "./codex-app.ts";
import { opencode } from "./opencode.ts";
import { shell } from "./shell.ts";
import { SNIPPET_TOOLS } from "./snippet-tools.ts";
import type { Tool } from "./tool.ts";

export const TOOLS: readonly Tool[] = [codex, codexApp, opencode, shell, aider, ...SNIPPET_TOOLS];

export const TOOL_NAMES: readonly string[] = TOOLS.map(({ name }) => name);

export function toolNamed(word: string): Tool | null {
  return TOOLS.find(({ name, aliases }) => name === word || aliases.includes(word)) ?? null;
}
