/** Streams of upstream's from a list of items, and what a chat client makes of the chunks. An accumulator simpler than the SDKs' would hide a chunk out of order. */
import type { ChatWants } from "../../src/proxy/chat-request.ts";
import { sse, type TestEvent } from "./fake-exchange-engine.ts";

type Json = Record<string, unknown>;

export const WANTS: ChatWants = { model: "gpt-5.5", includeUsage: true, stop: [], oldCalls: false };

export type TestItem =
  | { readonly kind: "text" | "refusal" | "thought"; readonly pieces: readonly string[] }
  | { readonly kind: "function" | "custom"; readonly name: string; readonly pieces: readonly string[] };

export interface StreamShape {
  readonly deltas: boolean;
  readonly created: boolean;
  /** `output` of the last event: repeated there, or empty as the ChatGPT backend sends it. */
  readonly output: boolean;
  readonly end: "response.completed" | "response.incomplete";
}

export const USUAL: StreamShape = { deltas: true, created: true, output: false, end: "response.completed" };

export const UPSTREAM_USAGE = {
  input_tokens: 12,
  input_tokens_details: { cached_tokens: 8 },
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: 17,
};

const RESPONSE = { id: "resp_abc", object: "response", created_at: 1_760_000_000, model: "gpt-5.5", error: null };

export function upstreamEvents(items: readonly TestItem[], shape: StreamShape = USUAL): TestEvent[] {
  const events: TestEvent[] = [];
  if (shape.created)
    events.push({ type: "response.created", response: { ...RESPONSE, status: "in_progress", output: [] } });
  items.forEach((item, index) => {
    events.push(...itemEvents(item, index, shape));
  });
  const output = shape.output ? items.map((item, index) => wholeItem(item, index)) : [];
  const status = shape.end === "response.completed" ? "completed" : "incomplete";
  const why = status === "completed" ? null : { reason: "max_output_tokens" };
  events.push({
    type: shape.end,
    response: { ...RESPONSE, status, incomplete_details: why, output, usage: UPSTREAM_USAGE },
  });
  return events;
}

export const upstreamStream = (items: readonly TestItem[], shape?: StreamShape, lineEnd?: string) =>
  sse(upstreamEvents(items, shape), lineEnd);

const DELTAS = {
  text: "response.output_text.delta",
  refusal: "response.refusal.delta",
  thought: "response.reasoning_summary_text.delta",
  function: "response.function_call_arguments.delta",
  custom: "response.custom_tool_call_input.delta",
} as const;

function itemEvents(item: TestItem, index: number, shape: StreamShape): TestEvent[] {
  const place = { item_id: `item_${index}`, output_index: index };
  const part = item.kind === "thought" ? { summary_index: 0 } : { content_index: 0 };
  const done = wholeItem(item, index);
  const deltas = shape.deltas
    ? item.pieces.map((delta) => ({ type: DELTAS[item.kind], ...place, ...part, delta, logprobs: [] }))
    : [];
  return [
    {
      type: "response.output_item.added",
      output_index: index,
      item: { ...done, content: [], summary: [], arguments: "", input: "" },
    },
    ...deltas,
    { type: "response.output_item.done", output_index: index, item: done },
  ];
}

function wholeItem(item: TestItem, index: number): Json {
  const said = item.pieces.join("");
  const id = `item_${index}`;
  switch (item.kind) {
    case "text":
      return {
        id,
        type: "message",
        role: "assistant",
        content: [{ type: "output_text", text: said, annotations: citations(said) }],
      };
    case "refusal":
      return { id, type: "message", role: "assistant", content: [{ type: "refusal", refusal: said }] };
    case "thought":
      return { id, type: "reasoning", summary: [{ type: "summary_text", text: said }], encrypted_content: "x" };
    case "function":
      return { id, type: "function_call", call_id: `call_${index}`, name: item.name, arguments: said };
    case "custom":
      return { id, type: "custom_tool_call", call_id: `call_${index}`, name: item.name, input: said };
  }
}

/** A page is cited for all of what was said, and a file, for which chat has no word; short answers cite nothing. */
function citations(said: string): Json[] {
  if (said.length < 3) return [];
  return [
    { type: "file_citation", index: 1, file_id: "file_1", filename: "a.txt" },
    { type: "url_citation", start_index: 0, end_index: said.length, url: "https://example.test/a", title: "A" },
  ];
}

/** The `data` of each event of a chat stream, `[DONE]` as a text. */
export function chunksOf(text: string): (Json | string)[] {
  return text
    .split("\n\n")
    .filter((block) => block !== "")
    .map((block) => {
      if (!block.startsWith("data: ") || block.includes("\n")) throw new Error(`no chunk: ${block}`);
      const data = block.slice("data: ".length);
      return data === "[DONE]" ? data : (JSON.parse(data) as Json);
    });
}

export interface Accumulated {
  readonly message: Json;
  readonly finish: string | null;
  readonly usage: unknown;
  readonly done: boolean;
  readonly error: Json | null;
}

/** As a client puts an answer together; throws where the chunks are out of order. */
export function accumulate(chunks: readonly (Json | string)[]): Accumulated {
  const message: Json = { content: null, refusal: null };
  let finish: string | null = null;
  let usage: unknown = null;
  let error: Json | null = null;
  let done = false;
  for (const [at, chunk] of chunks.entries()) {
    if (done || error !== null) throw new Error("something follows the end");
    if (typeof chunk === "string") {
      done = true;
      continue;
    }
    if (chunk.error !== undefined) {
      error = chunk.error as Json;
      continue;
    }
    usage ??= chunk.usage;
    const [choice] = chunk.choices as { delta: Json; finish_reason: string | null }[];
    if (choice === undefined) continue;
    if (finish !== null) throw new Error("a delta follows the finish reason");
    if ((at === 0) !== (choice.delta.role === "assistant")) throw new Error("the role belongs to the first chunk");
    addDelta(message, choice.delta);
    finish = choice.finish_reason;
  }
  return { message, finish, usage, done, error };
}

function addDelta(message: Json, delta: Json): void {
  for (const field of ["content", "refusal", "reasoning_content"]) {
    if (typeof delta[field] === "string" && delta[field] !== "")
      message[field] = `${message[field] ?? ""}${delta[field]}`;
  }
  if (Array.isArray(delta.annotations))
    message.annotations = [...((message.annotations as Json[]) ?? []), ...delta.annotations];
  const old = delta.function_call as Json | undefined;
  if (old !== undefined) {
    const call = (message.function_call ??= { arguments: "" }) as Json;
    if (old.name !== undefined) call.name = old.name;
    call.arguments = `${call.arguments}${old.arguments ?? ""}`;
  }
  for (const piece of (delta.tool_calls as Json[] | undefined) ?? []) {
    const calls = (message.tool_calls ??= []) as Json[];
    const kind = piece.function === undefined ? "custom" : "function";
    const field = kind === "function" ? "arguments" : "input";
    const said = piece[kind] as Json;
    if (piece.id !== undefined) {
      if (calls.length !== piece.index) throw new Error("calls are out of order");
      calls.push({ id: piece.id, type: piece.type, [kind]: { name: said.name, [field]: said[field] } });
    } else {
      const call = calls[piece.index as number]![kind] as Json;
      call[field] = `${call[field]}${said[field]}`;
    }
  }
}
