/**
 * The events of a stream as an SDK gets them: without a vendor's, and `response.created` first, which AI SDK and the OpenAI SDKs' helpers
 * take a stream's beginning from. Where upstream leaves it out it is written here, of what the first event says. Looks no further than
 * the first event that is of a response: from there on it costs nothing.
 */
import type { ByteFilter } from "../base/byte-filter.ts";
import { sha256Hex } from "../base/id.ts";
import { eventType } from "./event-type.ts";
import { blockData, SseBlocks } from "./sse-blocks.ts";
import { VendorEventFilter } from "./vendor-events.ts";

type Json = Readonly<Record<string, unknown>>;

const HEAD_BYTES = 80;
/** Nearly every stream's first bytes: they are handed on as they lie. */
const CREATED_HEAD = /^(?:event: ?response\.created[\r\n]|data: ?\{\s*"type"\s*:\s*"response\.created")/;

/** A beginning, or a failure that nothing comes after: clients take it for what it is, as they do without a stream. */
const BEGINS: ReadonlySet<string> = new Set(["response.created", "response.failed", "error"]);
/**
 * What comes after a beginning. Types that nobody knows prove nothing: the beginning may be behind them, and two of it would be worse
 * than none.
 */
const FOLLOWS =
  /^response\.(?:queued|in_progress|completed|incomplete|output_|content_part\.|reasoning_|refusal\.|function_call_|custom_tool_call_)/;

/** Makes the filter of one stream; `model` is what upstream was asked for. */
export function sdkEvents(nowMs: () => number): (model: string | null) => ByteFilter {
  return (model) => new SdkEventFilter(model, nowMs);
}

class SdkEventFilter implements ByteFilter {
  readonly #vendor = new VendorEventFilter();
  readonly #model: string | null;
  readonly #nowMs: () => number;
  /** Cuts the opening into events; null once the beginning is there. */
  #opening: SseBlocks | null = new SseBlocks();
  #atStart = true;
  /** An event before the beginning took a number: none is known to be free. */
  #isNumbered = false;

  constructor(model: string | null, nowMs: () => number) {
    this.#model = model;
    this.#nowMs = nowMs;
  }

  feed(chunk: Uint8Array): Uint8Array {
    const passed = this.#vendor.feed(chunk);
    return this.#opening === null || passed.length === 0 ? passed : this.#open(this.#opening, passed);
  }

  end(): Uint8Array {
    const rest = this.#vendor.end();
    const opening = this.#opening;
    if (opening === null) return rest;
    const told = rest.length === 0 ? [] : [this.#open(opening, rest)];
    opening.end((block) => this.#take(block, told));
    return Buffer.concat(told);
  }

  #open(opening: SseBlocks, bytes: Uint8Array): Uint8Array {
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString("latin1");
    if (this.#atStart && CREATED_HEAD.test(head)) {
      this.#opening = null;
      return bytes;
    }
    this.#atStart = false;
    const told: Uint8Array[] = [];
    const take = (block: Buffer) => this.#take(block, told);
    opening.feed(bytes, take);
    if (opening.isTooLong) this.#opening = null;
    // Of an event that has not ended, too: nobody waits for it any more.
    if (this.#opening === null) opening.end(take);
    return Buffer.concat(told);
  }

  /** One event of the opening. A copy: its bytes are read over. */
  #take(block: Buffer, told: Uint8Array[]): boolean {
    const data = this.#opening === null ? null : blockData(block);
    const type = data === null ? null : eventType(data);
    if (data !== null && type !== null) {
      const created = FOLLOWS.test(type) ? this.#createdBefore(data) : null;
      if (created !== null) told.push(created);
      if (created !== null || BEGINS.has(type)) this.#opening = null;
      else this.#isNumbered ||= data.includes('"sequence_number"');
    }
    told.push(Buffer.from(block));
    return true;
  }

  #createdBefore(data: Buffer): Uint8Array | null {
    const event = parsed(data);
    if (event === null) return null;
    const type = "response.created";
    const number = event.sequence_number;
    // One less than what follows: numbers stay apart and rise, also where upstream counts from 0 without it.
    const numbered = typeof number === "number" && !this.#isNumbered ? { sequence_number: number - 1 } : {};
    const created = { type, ...numbered, response: this.#begun(event, data) };
    return Buffer.from(`event: ${type}\ndata: ${JSON.stringify(created)}\n\n`);
  }

  /** The response as it was before it had done anything. */
  #begun({ response }: Json, data: Buffer): Json {
    const nowMs = this.#nowMs();
    const known = isObject(response) ? response : {};
    return {
      id: `resp_rotor_${sha256Hex(`${nowMs} ${data.toString("utf8")}`).slice(0, 40)}`,
      object: "response",
      created_at: Math.floor(nowMs / 1_000),
      model: this.#model,
      parallel_tool_calls: true,
      tool_choice: "auto",
      tools: [],
      ...known,
      status: "in_progress",
      error: null,
      incomplete_details: null,
      output: [],
      usage: null,
      completed_at: undefined,
    };
  }
}

function parsed(data: Buffer): Json | null {
  try {
    const value: unknown = JSON.parse(data.toString("utf8"));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
