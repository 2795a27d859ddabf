/**
 * What a Chat Completions answer says, stream or not, in one place: id, usage, why it ended, what was called (wire §5.2, §5.3).
 */

type Json = Readonly<Record<string, unknown>>;

export type FinishReason = "stop" | "length" | "tool_calls" | "function_call" | "content_filter";

/** Between two messages of one answer, and between two thoughts: chat has one text for all of them. */
export const PARAGRAPH = "\n\n";

/** Names the response that it was made of: upstream's log and a client's speak of the same thing. */
export function chatId(responseId: string): string {
  return `chatcmpl-${responseId.replace(/^[a-z]+_/, "")}`;
}

export function chatUsage(usage: unknown): Json | null {
  if (!isObject(usage)) return null;
  const cached = isObject(usage.input_tokens_details) ? usage.input_tokens_details.cached_tokens : 0;
  const reasoning = isObject(usage.output_tokens_details) ? usage.output_tokens_details.reasoning_tokens : 0;
  const prompt = count(usage.input_tokens);
  const completion = count(usage.output_tokens);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: count(usage.total_tokens) || prompt + completion,
    prompt_tokens_details: { cached_tokens: count(cached), audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: count(reasoning), audio_tokens: 0 },
  };
}

/** An answer that was cut short says so, whatever was in it: half a call must not be carried out. */
export function finishReason(response: Json, calls: number, oldCalls: boolean): FinishReason {
  if (response.status === "incomplete") {
    const details = isObject(response.incomplete_details) ? response.incomplete_details : {};
    return details.reason === "content_filter" ? "content_filter" : "length";
  }
  if (calls === 0) return "stop";
  return oldCalls ? "function_call" : "tool_calls";
}

export interface ChatCall {
  readonly id: string;
  readonly kind: "function" | "custom";
  readonly name: string;
  /** Arguments of a function, input of a custom tool. */
  readonly text: string;
}

/** null for an item that is no call of a tool of the client's. */
export function chatCall(item: unknown): ChatCall | null {
  if (!isObject(item) || (item.type !== "function_call" && item.type !== "custom_tool_call")) return null;
  const kind = item.type === "function_call" ? "function" : "custom";
  return {
    id: text(item.call_id),
    kind,
    name: text(item.name),
    text: text(kind === "function" ? item.arguments : item.input),
  };
}

/** A call as `tool_calls` has it. */
export function callBody(call: ChatCall): Json {
  const { id, kind, name } = call;
  return kind === "function"
    ? { id, type: kind, function: { name, arguments: call.text } }
    : { id, type: kind, custom: { name, input: call.text } };
}

/** The texts of a message or of a reasoning item, joined. */
export function spokenText(item: unknown, kind: "output_text" | "refusal"): string {
  const field = kind === "refusal" ? "refusal" : "text";
  return partsOf(item, "content")
    .map((part) => (part.type === kind ? text(part[field]) : ""))
    .join("");
}

export function thoughtsOf(item: unknown): readonly string[] {
  return [...partsOf(item, "summary"), ...partsOf(item, "content")]
    .map((part) => text(part.text))
    .filter((said) => said !== "");
}

function partsOf(item: unknown, key: string): readonly Json[] {
  const parts = isObject(item) ? item[key] : null;
  return Array.isArray(parts) ? parts.filter(isObject) : [];
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
