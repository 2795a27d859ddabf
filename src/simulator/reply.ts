/**
 * What the simulated model answers: an echo that names the account, a tool call when the user says `run: <command>`, what
 * the tool said after that, JSON where a schema asks for it, one item for a compaction; and word for word what lines of
 * `say:`, `refuse:` and `call:` order. Deterministic.
 */

import { type Conversation, type OfferedTool, tokensOf } from "./conversation.ts";
import { asList, asObject, asText, type JsonObject } from "./json.ts";

export type ReplyItem =
  | { type: "message"; text: string; refusal?: boolean }
  | { type: "function_call"; name: string; namespace: string | null; arguments: string }
  | { type: "custom_tool_call"; name: string; namespace: string | null; input: string }
  | { type: "compaction"; text: string };

export interface Reply {
  /** Null when the effort is `none`. */
  reasoning: { summary: string | null; sealText: string | null; tokens: number } | null;
  items: ReplyItem[];
  outputTokens: number;
}

/** Echoes stay short: the answer shall fit a terminal line. */
const ECHO_MAX_CHARS = 300;
/** What a small thought costs. */
const REASONING_TOKENS = 20;

export function composeReply(alias: string, talk: Conversation): Reply {
  const items = itemsOf(alias, talk);
  const isCompaction = items[0]?.type === "compaction";
  const reasoning =
    talk.wantsReasoning && !isCompaction
      ? {
          summary: talk.wantsSummary ? "**Thinking**" : null,
          sealText: talk.wantsEncrypted ? `thought about: ${clip(talk.lastUserText, 80)}` : null,
          tokens: REASONING_TOKENS,
        }
      : null;
  const written = items.map((item) => tokensOf(textOfItem(item))).reduce((sum, tokens) => sum + tokens, 0);
  return { reasoning, items, outputTokens: written + (reasoning?.tokens ?? 0) };
}

function textOfItem(item: ReplyItem): string {
  if (item.type === "function_call") return item.arguments;
  return item.type === "custom_tool_call" ? item.input : item.text;
}

function itemsOf(alias: string, talk: Conversation): ReplyItem[] {
  if (talk.isCompaction) return [{ type: "compaction", text: `summary of ${talk.input.length - 1} items` }];
  if (talk.format?.type === "json_schema") {
    const value = valueForSchema(talk.format.schema, `SIM ${alias}: ${clip(talk.lastUserText, 40)}`);
    return [{ type: "message", text: JSON.stringify(value) }];
  }
  const text = talk.lastUserText;
  if (talk.format?.type === "json_object")
    return [{ type: "message", text: JSON.stringify({ answer: echo(alias, text) }) }];
  if (talk.toolOutputs.length > 0) {
    const output = talk.toolOutputs.map((entry) => entry.text.trim()).join("\n");
    return [{ type: "message", text: `SIM ${alias} says: the tool answered: ${clip(output, ECHO_MAX_CHARS)}` }];
  }
  const ordered = orderedItems(text, talk);
  if (ordered.length > 0) return ordered;
  const command = commandIn(text);
  const call = command !== null && talk.toolChoice !== "none" ? callTool(talk.tools, command) : null;
  return [call ?? { type: "message", text: echo(alias, text) }];
}

/**
 * The answer by lines of the user's: `say: TEXT` and `refuse: TEXT` are a message each (`\\n` is a line break), `call: NAME INPUT` calls
 * an offered tool with that input. Without parallel calls only the first one is made.
 */
function orderedItems(text: string, talk: Conversation): ReplyItem[] {
  const items: ReplyItem[] = [];
  for (const [, order, rest] of text.matchAll(/^(say|refuse|call):[ \t]*(.*)$/gm)) {
    if (order === "call") {
      const isAllowed = talk.toolChoice !== "none" && (talk.parallelCalls || !items.some(isCall));
      const call = isAllowed ? orderedCall(talk.tools, rest!) : null;
      if (call !== null) items.push(call);
    } else items.push({ type: "message", text: rest!.replaceAll("\\n", "\n"), refusal: order === "refuse" });
  }
  return items;
}

function isCall(item: ReplyItem): boolean {
  return item.type === "function_call" || item.type === "custom_tool_call";
}

function orderedCall(tools: OfferedTool[], order: string): ReplyItem | null {
  const [, called, input] = /^(\S+)[ \t]*(.*)$/.exec(order) ?? [];
  const tool = tools.find((candidate) => candidate.name === called);
  if (tool === undefined) return null;
  const { name, namespace } = tool;
  return tool.type === "custom"
    ? { type: "custom_tool_call", name, namespace, input: input! }
    : { type: "function_call", name, namespace, arguments: input === "" ? "{}" : input! };
}

function echo(alias: string, text: string): string {
  return `SIM ${alias} says: ${clip(text, ECHO_MAX_CHARS)}`;
}

function clip(text: string, maxChars: number): string {
  const chars = [...text.trim()];
  return chars.length <= maxChars ? chars.join("") : `${chars.slice(0, maxChars).join("")}…`;
}

/** `run: <command>` up to the end of its line. OpenCode wraps the prompt in quotes, so a closing one is taken off. */
function commandIn(text: string): string | null {
  const match = /(^|[\s"'`])run:[ \t]*([^\n]+)/.exec(text);
  if (!match) return null;
  let command = match[2]!.trim();
  const opening = match[1]!.trim() || (/^["'`]/.exec(text)?.[0] ?? "");
  if (opening !== "" && command.endsWith(opening)) command = command.slice(0, -1).trimEnd();
  return command === "" ? null : command;
}

/** Shell tools by the names that clients give them, the likeliest first. */
const SHELL_TOOLS: readonly string[] = ["exec_command", "shell_command", "shell", "bash", "local_shell", "exec"];

function callTool(tools: OfferedTool[], command: string): ReplyItem | null {
  const named = SHELL_TOOLS.map((name) => tools.find((tool) => tool.name === name)).find((tool) => tool !== undefined);
  const tool = named ?? tools.find((candidate) => candidate.type === "function");
  if (!tool) return null;
  const { name, namespace } = tool;
  if (tool.type === "custom") {
    // The one freeform tool that runs commands takes JavaScript which calls the others.
    const input = `const result = await tools.exec_command({ cmd: ${JSON.stringify(command)} });\ntext(result);\n`;
    return { type: "custom_tool_call", name, namespace, input };
  }
  return { type: "function_call", name, namespace, arguments: JSON.stringify(argumentsFor(tool, command)) };
}

function argumentsFor(tool: OfferedTool, command: string): JsonObject {
  const slot = ["cmd", "command", "script", "code", "input"].find((name) => Object.hasOwn(tool.parameters, name));
  const names = Object.keys(tool.parameters);
  const target = slot ?? tool.required[0] ?? names[0];
  const filled: JsonObject = {};
  for (const name of tool.required) if (name !== target) filled[name] = valueForSchema(tool.parameters[name], command);
  // Clients of OpenCode's kind show a description although they do not require one.
  if (Object.hasOwn(tool.parameters, "description") && target !== "description")
    filled.description = "Runs the command";
  if (target === undefined) return filled;
  const wantsList = asObject(tool.parameters[target])?.type === "array";
  filled[target] = wantsList ? ["bash", "-lc", command] : command;
  return filled;
}

/** A value that the schema accepts; texts are `text`. Reads the subset that structured outputs allow. */
function valueForSchema(schema: unknown, text: string): unknown {
  const rules = asObject(schema) ?? {};
  const options = asList(rules.enum);
  if (rules.const !== undefined) return rules.const;
  if (options && options.length > 0) return options[0];
  const branch = asList(rules.anyOf) ?? asList(rules.oneOf);
  if (branch && branch.length > 0) return valueForSchema(branch[0], text);
  const type = asList(rules.type)?.[0] ?? rules.type ?? (rules.properties ? "object" : "string");
  switch (type) {
    case "object": {
      const entries = Object.entries(asObject(rules.properties) ?? {});
      return Object.fromEntries(entries.map(([name, inner]) => [name, valueForSchema(inner, text)]));
    }
    case "array":
      return Array.from({ length: Number(rules.minItems ?? 0) }, () => valueForSchema(rules.items, text));
    case "integer":
    case "number":
      return Number(rules.minimum ?? 1);
    case "boolean":
      return false;
    case "null":
      return null;
    default:
      return asText(text)!
        .slice(0, Number(rules.maxLength ?? Number.POSITIVE_INFINITY))
        .padEnd(Number(rules.minLength ?? 0), "x");
  }
}
