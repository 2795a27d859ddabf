/**
 * `messages` of a Chat Completions request as `input` of a Responses request (wire §5.1), message by message, in order. Never repairs a
 * history: a call without an answer is upstream's to refuse, as it is on the Platform API.
 *
 * On values and not on bytes, unlike what a Responses request gets: every message changes its form, and a native parse of them all with
 * one writing is three times as fast as looking into each (2 MB of short messages, Bun 1.4.5).
 */
import { citationsOf } from "./chat-annotations.ts";
import { isObject } from "./chat-facts.ts";
import { contentParts, type PartKinds, textAt } from "./chat-parts.ts";
import { invalidChat } from "./chat-refusal.ts";

type Json = Readonly<Record<string, unknown>>;

export function inputOfMessages(messages: unknown): readonly Json[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalidChat("messages", "messages must be a list of messages");
  }
  const history = new History();
  for (const [index, message] of messages.entries()) history.add(message, `messages[${index}]`);
  return history.items;
}

class History {
  readonly items: Json[] = [];
  /** Calls of custom tools: their answers have a type of their own. */
  readonly #customCalls = new Set<string>();
  /** Calls of the old form have no id; each gets one by its place, so that the same history is the same bytes every time. */
  #oldCalls = 0;

  add(message: unknown, place: string): void {
    if (!isObject(message)) throw invalidChat(place, `${place} must be an object`);
    switch (message.role) {
      // The Codex backend refuses the role `system` (wire §3.3).
      case "system":
      case "developer":
        this.#message("developer", this.#content(message, "input_text", place));
        break;
      case "user":
        this.#message("user", this.#content(message, "input", place));
        break;
      case "assistant":
        this.#assistant(message, place);
        break;
      case "tool":
        this.#toolAnswer(message, place);
        break;
      case "function":
        this.#output("function_call_output", oldCallId(this.#oldCalls), message, place);
        break;
      default:
        throw invalidChat(
          `${place}.role`,
          `${place}.role must be developer, system, user, assistant, tool or function`,
        );
    }
  }

  #content(message: Json, kinds: PartKinds, place: string): readonly Json[] {
    return contentParts(message.content, kinds, `${place}.content`);
  }

  #message(role: string, content: readonly Json[]): void {
    this.items.push({ type: "message", role, content });
  }

  /** What it said comes before what it called, as it did when it was written. */
  #assistant(message: Json, place: string): void {
    // Many programs write "" where there is nothing but calls.
    const isSilent = message.content === undefined || message.content === null || message.content === "";
    const said = isSilent ? [] : contentParts(message.content, "output", `${place}.content`);
    const cited = citationsOf(message.annotations);
    // Places are those of one text: in a list of parts nobody knows whose.
    if (cited.length > 0 && said.length === 1) said[0] = { ...said[0], annotations: cited };
    if (typeof message.refusal === "string") said.push({ type: "refusal", refusal: message.refusal });
    if (said.length > 0) this.#message("assistant", said);
    this.#calls(message.tool_calls ?? [], `${place}.tool_calls`);
    if (isObject(message.function_call)) {
      this.#oldCalls++;
      this.#functionCall(message.function_call, oldCallId(this.#oldCalls), `${place}.function_call`);
    }
  }

  #calls(calls: unknown, place: string): void {
    if (!Array.isArray(calls)) throw invalidChat(place, `${place} must be a list`);
    for (const [index, call] of calls.entries()) this.#call(call, `${place}[${index}]`);
  }

  #call(call: unknown, place: string): void {
    if (!isObject(call)) throw invalidChat(place, `${place} must be an object`);
    const id = textAt(call, "id", place);
    if (isObject(call.custom)) {
      this.#customCalls.add(id);
      const name = textAt(call.custom, "name", `${place}.custom`);
      const input = textAt(call.custom, "input", `${place}.custom`);
      this.items.push({ type: "custom_tool_call", call_id: id, name, input });
      return;
    }
    if (!isObject(call.function)) throw invalidChat(`${place}.function`, `${place}.function must be an object`);
    this.#functionCall(call.function, id, `${place}.function`);
  }

  #functionCall(called: Json, id: string, place: string): void {
    const given = called.arguments ?? "{}";
    // A text by the API; some programs send the object itself.
    const text = typeof given === "string" ? given : JSON.stringify(given);
    this.items.push({ type: "function_call", call_id: id, name: textAt(called, "name", place), arguments: text });
  }

  #toolAnswer(message: Json, place: string): void {
    const id = textAt(message, "tool_call_id", place);
    this.#output(this.#customCalls.has(id) ? "custom_tool_call_output" : "function_call_output", id, message, place);
  }

  #output(type: string, id: string, message: Json, place: string): void {
    const content = message.content ?? "";
    const output = typeof content === "string" ? content : this.#content(message, "input", place);
    this.items.push({ type, call_id: id, output });
  }
}

function oldCallId(place: number): string {
  return `call_function_${place}`;
}
