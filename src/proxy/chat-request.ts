/**
 * A Chat Completions request as a Responses request of an SDK: the fields, by the table in base/chat-fields.ts. What upstream then wants
 * of any SDK's request is normalise.ts's to know. Builds the new body once; tools and schemas keep their bytes.
 */
import type { CHAT_FIELDS, ChatField } from "../base/chat-fields.ts";
import { inputOfMessages } from "./chat-messages.ts";
import { invalidChat, unsupportedField } from "./chat-refusal.ts";
import { toolChoiceOf, toolsOf } from "./chat-tools.ts";
import { readSpan } from "./json-members.ts";
import { JsonView, objectOf, type Piece, writeObject } from "./json-view.ts";
import type { ScannedBody } from "./request-facts.ts";

export interface ChatRequest {
  /** The same question for `/v1/responses`. */
  readonly body: ScannedBody;
  readonly wants: ChatWants;
}

/** What the answer must look like. */
export interface ChatWants {
  readonly model: string;
  readonly includeUsage: boolean;
  /** Where the text ends; empty when it ends by itself. */
  readonly stop: readonly string[];
  /** `functions` were offered: the answer calls by `function_call`, as it was before tools. */
  readonly oldCalls: boolean;
}

/** Throws `invalid_request` and `unsupported_parameter`, with the parameter in their facts. */
export function translateChat(scanned: ScannedBody): ChatRequest {
  const chat = new JsonView(scanned);
  refuseUnserved(chat);
  const messages = chat.at("messages") === null ? null : value(chat, "messages");
  const input = JSON.stringify(inputOfMessages(messages));
  const as = (key: ChatField): Uint8Array | null => {
    const member = chat.at(key);
    return member === null ? null : chat.raw(member);
  };
  const oldCalls = chat.at("functions") !== null && chat.at("tools") === null;
  const body = writeObject({
    model: as("model"),
    input,
    tools: toolsOf(chat),
    tool_choice: toolChoiceOf(chat),
    // The old form has room for one call.
    parallel_tool_calls: oldCalls ? "false" : as("parallel_tool_calls"),
    text: textOf(chat),
    reasoning: reasoningOf(chat),
    service_tier: as("service_tier"),
    prompt_cache_key: as("prompt_cache_key"),
    stream: as("stream"),
  });
  const includeUsage = chat.object("stream_options")?.flag("include_usage") === true;
  return { body, wants: { model: chat.text("model") ?? "", includeUsage, stop: stopOf(chat), oldCalls } };
}

/** By field: does this value ask for something that cannot be had? */
const UNSERVED: Partial<Record<ChatField, (value: unknown) => boolean>> = {
  n: (value) => value !== 1,
  modalities: (value) => !Array.isArray(value) || value.some((mode) => mode !== "text"),
  logprobs: (value) => value !== false,
  top_logprobs: (value) => value !== 0,
  audio: () => true,
};

function refuseUnserved(chat: JsonView): void {
  for (const field of Object.keys(UNSERVED) as ChatField[]) {
    const member = chat.at(field);
    if (member !== null && UNSERVED[field]!(value(chat, field))) throw unsupportedField(field);
  }
}

/** `response_format` and `verbosity` are one object in Responses. */
function textOf(chat: JsonView): Piece[] | null {
  const format = formatOf(chat);
  const verbosity = chat.at("verbosity");
  if (format === null && verbosity === null) return null;
  return objectOf({ format, verbosity: verbosity === null ? null : chat.raw(verbosity) });
}

function formatOf(chat: JsonView): Piece[] | null {
  const member = chat.at("response_format");
  if (member === null) return null;
  const format = chat.object("response_format");
  const type = format?.text("type") ?? null;
  if (type === "text" || type === "json_object") return objectOf({ type: JSON.stringify(type) });
  if (format === null || type !== "json_schema") {
    throw invalidChat("response_format", "response_format.type must be text, json_object or json_schema");
  }
  const asked = format.object("json_schema");
  const schema = asked?.at("schema") ?? null;
  if (asked === null || schema === null) {
    throw invalidChat("response_format.json_schema.schema", "response_format.json_schema.schema must be a JSON schema");
  }
  const name = asked.at("name");
  const description = asked.at("description");
  const strict = asked.flag("strict");
  return objectOf({
    type: '"json_schema"',
    name: name === null ? '"response"' : asked.raw(name),
    description: description === null ? null : asked.raw(description),
    schema: asked.raw(schema),
    strict: strict === null ? null : String(strict),
  });
}

/** Whoever names an effort knows of reasoning; upstream tells of it only when asked for a summary. */
function reasoningOf(chat: JsonView): Piece[] | null {
  const effort = chat.at("reasoning_effort");
  if (effort === null) return null;
  const summary = chat.text("reasoning_effort") === "none" ? null : '"auto"';
  return objectOf({ effort: chat.raw(effort), summary });
}

/** OpenAI takes four; more are harmless, but each is looked for in every piece of text. */
const STOP_MAX = 16;

function stopOf(chat: JsonView): readonly string[] {
  if (chat.at("stop") === null) return [];
  const said = value(chat, "stop");
  const stops = typeof said === "string" ? [said] : said;
  const isRight =
    Array.isArray(stops) && stops.length <= STOP_MAX && stops.every((stop) => typeof stop === "string" && stop !== "");
  if (!isRight)
    throw invalidChat("stop", `stop must be a text or a list of at most ${STOP_MAX} texts, none of them empty`);
  return stops;
}

function value(chat: JsonView, field: keyof typeof CHAT_FIELDS): unknown {
  try {
    return readSpan(chat.bytes, chat.at(field)!);
  } catch {
    throw invalidChat(field, `${field} is not valid JSON`);
  }
}
