/**
 * `messages` of a Chat Completions request as `input` of a Responses request (wire §5.1), message by message, in order. Content keeps its
 * bytes. Never repairs a history: a call without an answer is upstream's to refuse, as it is on the Platform API.
 */
import { contentParts, type PartKinds, partList, refusalPart, textAt } from "./chat-parts.ts";
import { invalidChat } from "./chat-refusal.ts";
import { isArray, isText, type JsonSpan, scanElements } from "./json-members.ts";
import { type JsonView, listOf, objectOf, type Piece, viewObject } from "./json-view.ts";

export function inputOfMessages(body: JsonView): Piece[] {
  const messages = body.at("messages");
  const scan =
    messages !== null && isArray(body.bytes, messages)
      ? scanElements(body.bytes, messages.valueStart, messages.valueEnd)
      : null;
  if (!scan?.ok || scan.elements.length === 0) throw invalidChat("messages", "messages must be a list of messages");
  const history = new History(body.bytes);
  scan.elements.forEach((element, index) => {
    history.add(element, `messages[${index}]`);
  });
  return listOf(history.items);
}

class History {
  readonly items: Piece[][] = [];
  readonly #bytes: Uint8Array;
  /** Calls of custom tools: their answers have a type of their own. */
  readonly #customCalls = new Set<string>();
  /** Calls of the old form have no id; each gets one by its place, so that the same history is the same bytes every time. */
  #oldCalls = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  add(element: JsonSpan, place: string): void {
    const message = viewObject(this.#bytes, element);
    if (message === null) throw invalidChat(place, `${place} must be an object`);
    const role = message.text("role");
    switch (role) {
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
        this.#output("function_call_output", JSON.stringify(oldCallId(this.#oldCalls)), message, place);
        break;
      default:
        throw invalidChat(
          `${place}.role`,
          `${place}.role must be developer, system, user, assistant, tool or function`,
        );
    }
  }

  #content(message: JsonView, kinds: PartKinds, place: string): Piece[] {
    const content = message.at("content");
    if (content === null) throw invalidChat(`${place}.content`, `${place}.content must be a text or a list of parts`);
    return partList(this.#bytes, content, kinds, `${place}.content`);
  }

  #message(role: string, parts: Piece[]): void {
    this.items.push([`{"type":"message","role":"${role}","content":`, ...parts, "}"]);
  }

  /** What it said comes before what it called, as it did when it was written. */
  #assistant(message: JsonView, place: string): void {
    const content = message.at("content");
    const parts = content === null ? [] : contentParts(this.#bytes, content, "output", `${place}.content`);
    const refusal = message.at("refusal");
    if (refusal !== null && isText(this.#bytes, refusal)) parts.push(refusalPart(message.raw(refusal)));
    // Many programs write "" where there is nothing but calls.
    const isEmpty = content !== null && isText(this.#bytes, content) && content.valueEnd - content.valueStart === 2;
    const said = isEmpty ? parts.slice(1) : parts;
    if (said.length > 0) this.#message("assistant", listOf(said));
    this.#calls(message, place);
    const old = message.object("function_call");
    if (old !== null) {
      this.#oldCalls++;
      this.#functionCall(old, JSON.stringify(oldCallId(this.#oldCalls)), `${place}.function_call`);
    }
  }

  #calls(message: JsonView, place: string): void {
    const calls = message.at("tool_calls");
    if (calls === null) return;
    const scan = isArray(this.#bytes, calls) ? scanElements(this.#bytes, calls.valueStart, calls.valueEnd) : null;
    if (!scan?.ok) throw invalidChat(`${place}.tool_calls`, `${place}.tool_calls must be a list`);
    scan.elements.forEach((element, index) => {
      this.#call(element, `${place}.tool_calls[${index}]`);
    });
  }

  #call(element: JsonSpan, place: string): void {
    const call = viewObject(this.#bytes, element);
    if (call === null) throw invalidChat(place, `${place} must be an object`);
    const id = textAt(call, "id", place);
    const custom = call.object("custom");
    if (custom !== null) {
      this.#customCalls.add(call.text("id")!);
      const name = textAt(custom, "name", `${place}.custom`);
      const input = textAt(custom, "input", `${place}.custom`);
      this.items.push(objectOf({ type: '"custom_tool_call"', call_id: id, name, input }));
      return;
    }
    const called = call.object("function");
    if (called === null) throw invalidChat(`${place}.function`, `${place}.function must be an object`);
    this.#functionCall(called, id, `${place}.function`);
  }

  #functionCall(called: JsonView, id: Piece, place: string): void {
    const given = called.at("arguments");
    const bytes = given === null ? null : called.raw(given);
    // A text by the API; some programs send the object itself.
    const text =
      bytes === null ? '"{}"' : isText(this.#bytes, given!) ? bytes : JSON.stringify(Buffer.from(bytes).toString());
    const name = textAt(called, "name", place);
    this.items.push(objectOf({ type: '"function_call"', call_id: id, name, arguments: text }));
  }

  #toolAnswer(message: JsonView, place: string): void {
    const id = textAt(message, "tool_call_id", place);
    const isCustom = this.#customCalls.has(message.text("tool_call_id")!);
    this.#output(isCustom ? "custom_tool_call_output" : "function_call_output", id, message, place);
  }

  #output(type: string, id: Piece, message: JsonView, place: string): void {
    const content = message.at("content");
    const isPlain = content !== null && isText(this.#bytes, content);
    const output: Piece[] =
      content === null
        ? ['""']
        : isPlain
          ? [message.raw(content)]
          : partList(this.#bytes, content, "input", `${place}.content`);
    this.items.push(objectOf({ type: JSON.stringify(type), call_id: id, output }));
  }
}

function oldCallId(place: number): string {
  return `call_function_${place}`;
}
