/**
 * Upstream's event stream as the chunks of a Chat Completions stream (wire §5.2), in the one stage that carries the bytes. The path of
 * every event: types are read by their bytes, what chat has no word for is never looked into, texts are moved and not parsed.
 */
import type { ByteFilter } from "../base/byte-filter.ts";
import { AppError } from "../base/errors.ts";
import { ChunkWriter } from "./chat-chunk-writer.ts";
import { keyOf, textMember, typeOf, valueAt } from "./chat-event.ts";
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
import { readSpan, scanMembers } from "./json-members.ts";
import { JsonView } from "./json-view.ts";
import { blockData, SseBlocks } from "./sse-blocks.ts";
import { StopText } from "./stop-text.ts";
import { failureBody, streamErrorOf } from "./stream-error.ts";

/** Where upstream's text goes: one field of the delta, in which items are paragraphs. */
interface Voice {
  readonly field: "content" | "refusal" | "reasoning_content";
  /** The item, or part of one, that spoke last. */
  last: string | null;
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
  readonly #content: Voice = { field: "content", last: null };
  readonly #refusal: Voice = { field: "refusal", last: null };
  readonly #thought: Voice = { field: "reasoning_content", last: null };
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
    if (this.#state === "open")
      this.#fail(new AppError("upstream_cut", "upstream ended the stream before the answer was complete"));
    if (this.#state === "stopped") this.#close(null);
    return this.#writer?.take() ?? NOTHING;
  }

  readonly #onBlock = (block: Buffer): boolean => {
    const data = blockData(block);
    const type = data === null ? null : typeOf(data);
    const read = type === null ? undefined : READERS[type];
    if (read !== undefined && (this.#state === "open" || ENDS.has(type!))) {
      const scan = scanMembers(data!);
      try {
        if (!scan.ok) throw malformed();
        read.call(this, new JsonView({ bytes: data!, members: scan.members }), data!);
      } catch (thrown) {
        this.#fail(thrown instanceof AppError ? thrown : malformed());
      }
    }
    return this.#state !== "over";
  };

  /** The first event names the response; a stream without it is named by its first item. */
  #open(event: JsonView): ChunkWriter {
    if (this.#writer !== null) return this.#writer;
    const response = event.object("response");
    const created = response?.at("created_at") ?? null;
    const id = response?.text("id") ?? event.text("item_id") ?? event.object("item")?.text("id") ?? "";
    this.#writer = new ChunkWriter(
      {
        id: chatId(id),
        created: created === null ? Math.floor(this.#nowMs() / 1_000) : Number(readSpan(event.bytes, created)),
        model: response?.text("model") ?? this.#wants.model,
      },
      this.#wants.includeUsage,
    );
    this.#writer.delta('{"role":"assistant","content":"","refusal":null}');
    return this.#writer;
  }

  opened(event: JsonView): void {
    this.#open(event);
  }

  contentDelta(event: JsonView): void {
    this.#delta(event, this.#content, keyOf(event));
  }

  refusalDelta(event: JsonView): void {
    this.#delta(event, this.#refusal, keyOf(event));
  }

  /** Each part of a summary is a thought of its own. */
  thoughtDelta(event: JsonView): void {
    const part = event.at("summary_index") ?? event.at("content_index");
    this.#delta(event, this.#thought, `${keyOf(event)}/${part === null ? "" : readSpan(event.bytes, part)}`);
  }

  #delta(event: JsonView, voice: Voice, key: string): void {
    const delta = textMember(event, "delta");
    if (delta === null) return;
    this.#spoke.add(keyOf(event));
    if (voice === this.#content && this.#stop !== null) {
      this.#speak(event, voice, key, readSpan(event.bytes, delta) as string);
      return;
    }
    const writer = this.#open(event);
    if (voice.last !== null && voice.last !== key) writer.delta(`{"${voice.field}":${JSON.stringify(PARAGRAPH)}}`);
    voice.last = key;
    writer.delta(`{"${voice.field}":`, event.raw(delta), "}");
  }

  /** Text that was read: it may hold a stop sequence, or it came whole. */
  #speak(event: JsonView, voice: Voice, key: string, said: string): void {
    if (said === "") return;
    const writer = this.#open(event);
    const text = voice.last !== null && voice.last !== key ? PARAGRAPH + said : said;
    voice.last = key;
    const shown = voice === this.#content && this.#stop !== null ? this.#stop.feed(text) : text;
    if (shown !== "") writer.delta(JSON.stringify({ [voice.field]: shown }));
    if (this.#stop?.stopped !== true) return;
    writer.finish("stop");
    this.#state = "stopped";
  }

  itemAdded(event: JsonView): void {
    const item = valueAt(event, "item");
    const call = chatCall(item);
    if (call !== null) this.#beginCall(event, call);
  }

  callDelta(event: JsonView): void {
    const call = this.#calls.get(keyOf(event));
    const delta = textMember(event, "delta");
    if (call === undefined || delta === null) return;
    call.hasText = true;
    this.#callText(event, call, event.raw(delta));
  }

  /** What no delta brought comes now: they are a courtesy of upstream's, the finished items are the answer (wire §3.8). */
  itemDone(event: JsonView): void {
    const key = keyOf(event);
    const open = this.#calls.get(key);
    if (this.#spoke.has(key) || open?.hasText === true) return;
    this.#whole(event, key, valueAt(event, "item"));
  }

  #whole(event: JsonView, key: string, item: unknown): void {
    const call = chatCall(item);
    if (call !== null) {
      const open = this.#calls.get(key) ?? this.#beginCall(event, call);
      if (call.text !== "") this.#callText(event, open, Buffer.from(JSON.stringify(call.text)));
      open.hasText = true;
      return;
    }
    this.#spoke.add(key);
    if (isObject(item) && item.type === "reasoning") {
      for (const [index, thought] of thoughtsOf(item).entries())
        this.#speak(event, this.#thought, `${key}/${index}`, thought);
      return;
    }
    this.#speak(event, this.#content, key, spokenText(item, "output_text"));
    if (this.#state === "open") this.#speak(event, this.#refusal, key, spokenText(item, "refusal"));
  }

  #beginCall(event: JsonView, call: ChatCall): OpenCall {
    const open: OpenCall = { index: this.#calls.size, kind: call.kind, hasText: false };
    this.#calls.set(keyOf(event), open);
    const writer = this.#open(event);
    const { id, kind, name } = call;
    if (this.#wants.oldCalls) {
      if (open.index === 0) writer.delta(JSON.stringify({ function_call: { name, arguments: "" } }));
      return open;
    }
    const body = kind === "function" ? { function: { name, arguments: "" } } : { custom: { name, input: "" } };
    writer.delta(JSON.stringify({ tool_calls: [{ index: open.index, id, type: kind, ...body }] }));
    return open;
  }

  /** `text` is a JSON string with its quotes. */
  #callText(event: JsonView, { index, kind }: OpenCall, text: Uint8Array): void {
    const writer = this.#open(event);
    if (this.#wants.oldCalls) {
      if (index === 0) writer.delta('{"function_call":{"arguments":', text, "}}");
    } else {
      const field = kind === "function" ? '"function":{"arguments":' : '"custom":{"input":';
      writer.delta(`{"tool_calls":[{"index":${index},${field}`, text, "}}]}");
    }
  }

  ended(event: JsonView): void {
    const response = event.object("response");
    if (response === null) throw malformed();
    const writer = this.#open(event);
    if (this.#state === "open") {
      if (this.#spoke.size === 0 && this.#calls.size === 0) this.#replay(event, response);
      this.#finish(writer, response);
    }
    this.#close(valueAt(response, "usage"));
  }

  /** A stream of nothing but its end: the answer stands there. */
  #replay(event: JsonView, response: JsonView): void {
    const output = valueAt(response, "output");
    for (const [index, item] of (Array.isArray(output) ? output : []).entries()) {
      if (this.#state === "open") this.#whole(event, `${index}`, item);
    }
  }

  #finish(writer: ChunkWriter, response: JsonView): void {
    if (this.#state !== "open") return;
    const rest = this.#stop?.end() ?? "";
    if (rest !== "") writer.delta(JSON.stringify({ content: rest }));
    const why = { status: response.text("status"), incomplete_details: valueAt(response, "incomplete_details") };
    writer.finish(finishReason(why, this.#calls.size, this.#wants.oldCalls));
  }

  failed(_: JsonView, data: Buffer): void {
    const event: unknown = JSON.parse(data.toString());
    this.#end(failureBody(streamErrorOf(isObject(event) ? event : {})));
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

type Reader = (this: ChatChunks, event: JsonView, data: Buffer) => void;

/** The events that chat has a word for. All others pass unread. */
const READERS: Readonly<Record<string, Reader | undefined>> = Object.assign(Object.create(null), {
  "response.created": ChatChunks.prototype.opened,
  "response.in_progress": ChatChunks.prototype.opened,
  "response.output_text.delta": ChatChunks.prototype.contentDelta,
  "response.refusal.delta": ChatChunks.prototype.refusalDelta,
  "response.reasoning_summary_text.delta": ChatChunks.prototype.thoughtDelta,
  "response.reasoning_text.delta": ChatChunks.prototype.thoughtDelta,
  "response.output_item.added": ChatChunks.prototype.itemAdded,
  "response.function_call_arguments.delta": ChatChunks.prototype.callDelta,
  "response.custom_tool_call_input.delta": ChatChunks.prototype.callDelta,
  "response.output_item.done": ChatChunks.prototype.itemDone,
  "response.completed": ChatChunks.prototype.ended,
  "response.incomplete": ChatChunks.prototype.ended,
  "response.failed": ChatChunks.prototype.failed,
  error: ChatChunks.prototype.failed,
});

const ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

function malformed(): AppError {
  return new AppError("upstream_malformed", "upstream's stream cannot be read");
}
