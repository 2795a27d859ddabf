/**
 * The events of a stream as an SDK gets them: without a vendor's, and `response.created` first, which AI SDK and the OpenAI SDKs' helpers
 * take a stream's beginning from. Where upstream leaves it out it is written here, of what the first event says. Looks no further than
 * the first event that is of a response: from there on it costs nothing, unless that event took the number 0 (`event-numbers.ts`).
 *
 * What cannot be known: the response's id, when the first event has neither `response` nor `response_id`. Upstream's output events have none of
 * them, and the last event, which does, comes when all has been said: to wait for it would be no stream. The id that is given then is Rotor's own,
 * and says so (`resp_rotor_…`); the last event keeps upstream's.
 */
import type { ByteFilter } from "../base/byte-filter.ts";
import { sha256Hex } from "../base/id.ts";
import { EventRenumbering } from "./event-numbers.ts";
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
  /** Makes room for the number of the beginning that was written. */
  #renumbering: EventRenumbering | null = null;

  constructor(model: string | null, nowMs: () => number) {
    this.#model = model;
    this.#nowMs = nowMs;
  }

  feed(chunk: Uint8Array): Uint8Array {
    const passed = this.#vendor.feed(chunk);
    if (passed.length === 0) return passed;
    if (this.#opening !== null) return this.#open(this.#opening, passed);
    return this.#renumbering === null ? passed : this.#renumbering.feed(passed);
  }

  end(): Uint8Array {
    const rest = this.#vendor.end();
    const opening = this.#opening;
    const told: Uint8Array[] = [];
    if (opening === null) told.push(this.#renumbering?.feed(rest) ?? rest);
    else {
      if (rest.length > 0) told.push(this.#open(opening, rest));
      opening.end((block) => this.#take(block, told));
    }
    if (this.#renumbering !== null) told.push(this.#renumbering.end());
    return told.length === 1 ? told[0]! : Buffer.concat(told);
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
      if (created !== null) told.push(Buffer.from(`event: response.created\ndata: ${JSON.stringify(created)}\n\n`));
      if (created !== null || BEGINS.has(type)) this.#opening = null;
      else this.#isNumbered ||= data.includes('"sequence_number"');
    }
    told.push(this.#renumbering === null ? Buffer.from(block) : this.#renumbering.feed(block));
    return true;
  }

  #createdBefore(data: Buffer): Json | null {
    const event = parsed(data);
    if (event === null) return null;
    return { type: "response.created", ...this.#numbered(event), response: this.#begun(event, data) };
  }

  /** The number before the one that follows, where that is free; else that one itself, and everything behind it counts one further. */
  #numbered({ sequence_number: next }: Json): Json {
    if (typeof next !== "number" || !Number.isInteger(next) || next < 0) return {};
    if (next > 0 && !this.#isNumbered) return { sequence_number: next - 1 };
    this.#renumbering = new EventRenumbering();
    return { sequence_number: next };
  }

  /** The response as it was before it had done anything. */
  #begun({ response, response_id: id }: Json, data: Buffer): Json {
    const nowMs = this.#nowMs();
    const known = isObject(response) ? response : typeof id === "string" && id !== "" ? { id } : {};
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
