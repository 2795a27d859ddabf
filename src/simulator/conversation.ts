/**
 * What a request of /responses says: the last thing that was asked, the tools on offer, what shape the answer must have.
 * Reads normal and responses-lite bodies (tools inside `input[0]`). Decides nothing.
 */
import { asList, asObject, asText, type JsonObject, objectsOf } from "./json.ts";

export interface OfferedTool {
  name: string;
  /** `functions` and the like, when the tool was offered inside a namespace. */
  namespace: string | null;
  type: "function" | "custom";
  /** Property names of its parameters. */
  parameters: JsonObject;
  required: string[];
}

export interface ToolOutput {
  callId: string;
  text: string;
}

export interface Conversation {
  model: string;
  input: JsonObject[];
  /** Text of the last user message; empty when there is none. */
  lastUserText: string;
  /** The tool outputs after the last user or assistant message: the turn goes on from them. */
  toolOutputs: ToolOutput[];
  tools: OfferedTool[];
  toolChoice: unknown;
  /** May it call more than one tool in an answer? */
  parallelCalls: boolean;
  effort: string;
  wantsReasoning: boolean;
  wantsSummary: boolean;
  wantsEncrypted: boolean;
  /** `text.format` when it asks for JSON. */
  format: { type: "json_schema"; schema: JsonObject } | { type: "json_object" } | null;
  isCompaction: boolean;
  cacheKey: string | null;
  inputTokens: number;
  body: JsonObject;
}

/** Four characters a token: the rule of thumb for English text and code. */
const CHARS_PER_TOKEN = 4;

export function tokensOf(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

export function readConversation(body: JsonObject, model: { slug: string; defaultLevel: string }): Conversation {
  const input = objectsOf(body.input);
  const reasoning = asObject(body.reasoning);
  const effort = asText(reasoning?.effort) ?? model.defaultLevel;
  const include = asList(body.include) ?? [];
  const size = JSON.stringify([body.instructions ?? "", body.input, body.tools ?? []]);
  return {
    model: model.slug,
    input,
    lastUserText: lastUserText(input),
    toolOutputs: trailingToolOutputs(input),
    tools: offeredTools(body, input),
    toolChoice: body.tool_choice,
    parallelCalls: body.parallel_tool_calls !== false,
    effort,
    wantsReasoning: effort !== "none",
    wantsSummary: asText(reasoning?.summary) !== null && reasoning?.summary !== "none",
    wantsEncrypted: include.includes("reasoning.encrypted_content"),
    format: formatOf(body),
    isCompaction: input.at(-1)?.type === "compaction_trigger",
    cacheKey: asText(body.prompt_cache_key),
    inputTokens: tokensOf(size),
    body,
  };
}

export function isMessage(item: JsonObject): boolean {
  return item.type === "message" || (item.type === undefined && item.role !== undefined);
}

export function isToolOutput(item: JsonObject): boolean {
  return item.type === "function_call_output" || item.type === "custom_tool_call_output";
}

/** Text of a message's content or of a tool's output: a string, or the text parts of a list. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return objectsOf(content)
    .map((part) => asText(part.text) ?? "")
    .join("");
}

function lastUserText(input: JsonObject[]): string {
  const message = input.findLast((item) => isMessage(item) && item.role === "user");
  return message ? textOf(message.content).trim() : "";
}

function trailingToolOutputs(input: JsonObject[]): ToolOutput[] {
  const outputs: ToolOutput[] = [];
  for (const item of input.toReversed()) {
    if (isToolOutput(item)) outputs.unshift({ callId: asText(item.call_id) ?? "", text: textOf(item.output) });
    else if (isMessage(item) && item.role !== "developer") break;
  }
  return outputs;
}

function formatOf(body: JsonObject): Conversation["format"] {
  const format = asObject(asObject(body.text)?.format);
  if (format?.type === "json_schema") return { type: "json_schema", schema: asObject(format.schema) ?? {} };
  return format?.type === "json_object" ? { type: "json_object" } : null;
}

/** Every tool of `tools` and of `additional_tools` items, namespaces unfolded. */
export function offeredTools(body: JsonObject, input: JsonObject[]): OfferedTool[] {
  const lists = [body.tools, ...input.filter((item) => item.type === "additional_tools").map((item) => item.tools)];
  return lists.flatMap((list) => objectsOf(list).flatMap((tool) => unfold(tool, null)));
}

function unfold(tool: JsonObject, namespace: string | null): OfferedTool[] {
  const name = asText(tool.name);
  if (tool.type === "namespace") return objectsOf(tool.tools).flatMap((inner) => unfold(inner, name));
  if (name === null || (tool.type !== "function" && tool.type !== "custom")) return [];
  const schema = asObject(tool.parameters);
  const required = (asList(schema?.required) ?? []).filter((entry) => typeof entry === "string");
  return [{ name, namespace, type: tool.type, parameters: asObject(schema?.properties) ?? {}, required }];
}
