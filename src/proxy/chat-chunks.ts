/**
 * Upstream's event stream as the chunks of a Chat Completions stream (wire §5.2), in the one stage that carries the bytes. The path of
 * every event: types are read by their bytes, and what chat has no word for is never parsed.
 */
import type { ByteFilter } from "../base/byte-filter.ts";
import { AppError } from "../base/errors.ts";
import { annotationsOf } from "./chat-annotations.ts";
import { ChunkWriter } from "./chat-chunk-writer.ts";
import { keyOf, typeOf } from "./chat-event.ts";
import {
  type ChatCall,
  chatCall,
  chatId,
  finishReason,
  isObject,
  PARAGRAPH,
  spokenText,
  thoughtsOf,
} from "./chat-facts.ts";
import type { ChatWants } from "./chat-request.ts";
import { blockData, SseBlocks } from "./sse-blocks.ts";
import { StopText } from "./stop-text.ts";
import { failureBody, streamErrorOf } from "./stream-error.ts";

type Event = Readonly<Record<string, unknown>>;

/** Where upstream's text goes: one field of the delta, in which items are paragraphs. */
interface Voice {
  readonly field: "content" | "refusal" | "reasoning_content";
  /** The item, or part of one, that spoke last. */
  last: string | null;
  /** How much was said. */
  length: number;
}

interface OpenCall {
  readonly index: number;
  readonly kind: ChatCall["kind"];
  hasText: boolean;
}

export class ChatChunks implements ByteFilter {
  readonly #wants: ChatWants;
  readonly #nowMs: () => number;
  readonly #blocks = new SseBlocks();
  readonly #stop: StopText | null;
  readonly #content: Voice = { field: "content", last: null, length: 0 };
  readonly #refusal: Voice = { field: "refusal", last: null, length: 0 };
  readonly #thought: Voice = { field: "reasoning_content", last: null, length: 0 };
  readonly #spoke = new Set<string>();
  readonly #calls = new Map<string, OpenCall>();
  #writer: ChunkWriter | null = null;
  /** `stopped`: the client has its answer, and only the usage is still to come. */
  #state: "open" | "stopped" | "over" = "open";

  constructor(wants: ChatWants, nowMs: () => number) {
    this.#wants = wants;
    this.#nowMs = nowMs;
    this.#stop = wants.stop.length > 0 ? new StopText(wants.stop) : null;
  }

  feed(chunk: Uint8Array): Uint8Array {
    if (this.#state === "over") return NOTHING;
    this.#blocks.feed(chunk, this.#onBlock);
    if (this.#blocks.isTooLong) this.#fail(malformed());
    return this.#writer?.take() ?? NOTHING;
  }

  end(): Uint8Array {
    if (this.#state !== "over") this.#blocks.end(this.#onBlock);
    // A stream that just stops is taken for a whole answer by the SDKs: it has to say that it is none.
    if (this.#state === "open") {
      this.#fail(new AppError("upstream_cut", "upstream ended the stream before the answer was complete"));
    }
    if (this.#state === "stopped") this.#close(null);
    return this.#writer?.take() ?? NOTHING;
  }

  readonly #onBlock = (block: Buffer): boolean => {
    const data = blockData(block);
    const type = data === null ? null : typeOf(data);
    if (type === null || !(this.#state === "open" ? READ : ENDS).has(type)) return true;
    try {
      const event: unknown = JSON.parse(data!.toString());
      if (!isObject(event)) throw malformed();
      this.#take(type, event);
    } catch (thrown) {
      this.#fail(thrown instanceof AppError ? thrown : malformed());
    }
    return this.#state !== "over";
  };

  #take(type: string, event: Event): void {
    const key = keyOf(event);
    if (type === "response.output_text.delta") this.#delta(event, this.#content, key);
    else if (type === "response.refusal.delta") this.#delta(event, this.#refusal, key);
    // Each part of a summary is a thought of its own.
    else if (type === "response.reasoning_summary_text.delta") {
      this.#delta(event, this.#thought, `${key}/${event.summary_index}`);
    } else if (type === "response.reasoning_text.delta") {
      this.#delta(event, this.#thought, `${key}/${event.content_index}`);
    } else if (CALL_DELTAS.has(type)) this.#callDelta(event, key);
    else if (type === "response.output_item.added") this.#itemAdded(event, key);
    else if (type === "response.output_item.done") this.#itemDone(event, key);
    else if (type === "response.completed" || type === "response.incomplete") this.#ended(event);
    else if (ENDS.has(type)) this.#end(failureBody(streamErrorOf(event)));
    else this.#open(event);
  }

  /** The first event names the response; a stream without it is named by its first item. */
  #open(event: Event): ChunkWriter {
    if (this.#writer !== null) return this.#writer;
    const response = isObject(event.response) ? event.response : {};
    const item = isObject(event.item) ? event.item : {};
    const id = response.id ?? event.item_id ?? item.id ?? "";
    const created = response.created_at ?? Math.floor(this.#nowMs() / 1_000);
    const model = response.model ?? this.#wants.model;
    const head = { id: chatId(String(id)), created: Number(created), model: String(model) };
    this.#writer = new ChunkWriter(head, this.#wants.includeUsage);
    this.#writer.delta({ role: "assistant", content: "", refusal: null });
    return this.#writer;
  }

  #delta(event: Event, voice: Voice, key: string): void {
    if (typeof event.delta !== "string" || event.delta === "") return;
    this.#spoke.add(keyOf(event));
    this.#speak(event, voice, key, event.delta);
  }

  #speak(event: Event, voice: Voice, key: string, said: string): void {
    if (said === "") return;
    const writer = this.#open(event);
    const text = voice.last !== null && voice.last !== key ? PARAGRAPH + said : said;
    voice.last = key;
    voice.length += text.length;
    const stop = voice === this.#content ? this.#stop : null;
    const shown = stop === null ? text : stop.feed(text);
    if (shown !== "") writer.text(voice.field, shown);
    if (stop?.stopped !== true) return;
    writer.finish("stop");
    this.#state = "stopped";
  }

  #itemAdded(event: Event, key: string): void {
    const call = chatCall(event.item);
    if (call !== null) this.#beginCall(event, key, call);
  }

  #callDelta(event: Event, key: string): void {
    const call = this.#calls.get(key);
    if (call === undefined || typeof event.delta !== "string" || event.delta === "") return;
    this.#callText(event, call, event.delta);
  }

  /** What no delta brought comes now: they are a courtesy of upstream's, the finished items are the answer (wire §3.8). */
  #itemDone(event: Event, key: string): void {
    if (!this.#spoke.has(key) && this.#calls.get(key)?.hasText !== true) this.#whole(event, key, event.item);
    else this.#cite(event, event.item);
  }

  /** After the text that it is about, which is the last that was said. */
  #cite(event: Event, item: unknown): void {
    if (this.#state !== "open") return;
    const annotations = annotationsOf(item, this.#content.length - spokenText(item, "output_text").length);
    if (annotations.length > 0) this.#open(event).delta({ annotations });
  }

  #whole(event: Event, key: string, item: unknown): void {
    const call = chatCall(item);
    if (call !== null) {
      const open = this.#calls.get(key) ?? this.#beginCall(event, key, call);
      if (call.text !== "") this.#callText(event, open, call.text);
      return;
    }
    if (!isObject(item)) return;
    this.#spoke.add(key);
    if (item.type === "reasoning") {
      for (const [index, thought] of thoughtsOf(item).entries()) {
        this.#speak(event, this.#thought, `${key}/${index}`, thought);
      }
      return;
    }
    this.#speak(event, this.#content, key, spokenText(item, "output_text"));
    if (this.#state === "open") this.#speak(event, this.#refusal, key, spokenText(item, "refusal"));
    this.#cite(event, item);
  }

  #beginCall(event: Event, key: string, { id, kind, name }: ChatCall): OpenCall {
    const open: OpenCall = { index: this.#calls.size, kind, hasText: false };
    this.#calls.set(key, open);
    const writer = this.#open(event);
    if (this.#wants.oldCalls) {
      if (open.index === 0) writer.delta({ function_call: { name, arguments: "" } });
      return open;
    }
    const body = kind === "function" ? { function: { name, arguments: "" } } : { custom: { name, input: "" } };
    writer.delta({ tool_calls: [{ index: open.index, id, type: kind, ...body }] });
    return open;
  }

  #callText(event: Event, call: OpenCall, text: string): void {
    const writer = this.#open(event);
    const { index, kind } = call;
    call.hasText = true;
    if (this.#wants.oldCalls) {
      if (index === 0) writer.delta({ function_call: { arguments: text } });
    } else {
      const body = kind === "function" ? { function: { arguments: text } } : { custom: { input: text } };
      writer.delta({ tool_calls: [{ index, ...body }] });
    }
  }

  #ended(event: Event): void {
    const { response } = event;
    if (!isObject(response)) throw malformed();
    const writer = this.#open(event);
    if (this.#state === "open") {
      if (this.#spoke.size === 0 && this.#calls.size === 0) this.#replay(event, response.output);
      this.#finish(writer, response);
    }
    this.#close(response.usage);
  }

  /** A stream of nothing but its end: the answer stands there. */
  #replay(event: Event, output: unknown): void {
    for (const [index, item] of (Array.isArray(output) ? output : []).entries()) {
      if (this.#state === "open") this.#whole(event, `${index}`, item);
    }
  }

  #finish(writer: ChunkWriter, response: Event): void {
    if (this.#state !== "open") return;
    const rest = this.#stop?.end() ?? "";
    if (rest !== "") writer.text("content", rest);
    writer.finish(finishReason(response, this.#calls.size, this.#wants.oldCalls));
  }

  #fail(error: AppError): void {
    const { message, code, row } = error;
    this.#end({ error: { message, type: row.type, code, param: null } });
  }

  /** After a stop sequence the client has its whole answer, whatever becomes of the rest. */
  #end(body: object): void {
    if (this.#state === "stopped") {
      this.#close(null);
      return;
    }
    this.#state = "over";
    this.#writer ??= new ChunkWriter({ id: "", created: 0, model: "" }, false);
    this.#writer.error(body);
  }

  #close(usage: unknown): void {
    this.#state = "over";
    this.#writer?.end(usage);
  }
}

const NOTHING = new Uint8Array(0);

const ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

const CALL_DELTAS: ReadonlySet<string> = new Set([
  "response.function_call_arguments.delta",
  "response.custom_tool_call_input.delta",
]);

/** The events that chat has a word for. All others pass unread. */
const READ: ReadonlySet<string> = new Set([
  "response.created",
  "response.in_progress",
  "response.output_text.delta",
  "response.refusal.delta",
  "response.reasoning_summary_text.delta",
  "response.reasoning_text.delta",
  "response.output_item.added",
  "response.output_item.done",
  ...CALL_DELTAS,
  ...ENDS,
]);

function malformed(): AppError {
  return new AppError("upstream_malformed", "upstream's stream cannot be read");
}
