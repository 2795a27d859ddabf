/**
 * Reads an event stream as it passes, by byte search: where events end, which of the few known types they are, and the data of those
 * that are worth keeping. It never decodes, copies or changes what passes, and never holds anything back; it parses JSON only for an
 * event that hides its type from a byte search.
 *
 * Grammar: WHATWG HTML §9.2.6 (LF, CRLF or CR; comments; one optional space after the colon). The JSON's `type` decides, not `event:`,
 * because that is what the official client goes by (wire §3.8).
 */
import { SSE_EVENT_MAX_BYTES } from "../base/bounds.ts";
import { parseObject, textAt } from "./json.ts";
import { EVENT_TYPES, type EventType, isEventType, type Keep, startsWith, typeAt } from "./sse-events.ts";

/** Called at the end of each event; `type` null = none of the known ones. `data` is null when it is not kept or grew past all bounds. */
export type OnEvent = (type: EventType | null, data: Uint8Array | null) => void;

export interface SseScanner {
  /** Scans the next bytes. Keeps no reference to `chunk`. */
  feed(chunk: Uint8Array): void;
  /** The stream has ended: an event without its final blank line still counts. */
  finish(): void;
  /** Type of the event that is in the middle of arriving; null when there is none or it is not a known one. */
  openType(): EventType | null;
  /** Nothing has begun that is not over: another event may stand here. */
  isBetween(): boolean;
}

const LF = 10;
const CR = 13;
const SPACE = 0x20;
const COLON = 0x3a;
const QUOTE = 0x22;
const BRACE = 0x7b;

const ascii = (text: string) => new TextEncoder().encode(text);
const DATA = ascii("data");
const EVENT = ascii("event");
const TYPE_FIRST = ascii('{"type":"');

/** More than any line head that is recognised by bytes: `data: {"type":"` and the longest known type with its quote is 44. */
const HEAD_BYTES = 64;
/** Usage is a few hundred bytes; what may follow it in the response object is short, except metadata (16 pairs of 64 + 512 characters). */
const TAIL_BYTES = 64 * 1024;
/** An event whose type has to be dug out is looked into this far; beyond, it is taken for output. */
const UNREADABLE_MAX_BYTES = 1024 * 1024;

const NEWLINE = new Uint8Array([LF]);
const NO_BYTES = new Uint8Array(0);

/** What the current line is; `unread` until enough of it has arrived. */
type Line = "unread" | "data" | "other";

export function createSseScanner(onEvent: OnEvent): SseScanner {
  return new Scanner(onEvent);
}

class Scanner implements SseScanner {
  readonly #onEvent: OnEvent;
  #line: Line = "unread";
  /** The start of a line that a chunk boundary cut through. */
  #head: Uint8Array = NO_BYTES;
  #headLength = 0;
  /** The last chunk ended in CR: a LF that opens the next one belongs to it. */
  #afterCr = false;

  #hasData = false;
  #type: EventType | null = null;
  /** What the `event:` line said; undefined when there was none. */
  #named: EventType | null | undefined = undefined;
  #unreadable = false;
  #keep: Keep = "nothing";
  #pieces: Uint8Array[] = [];
  #kept = 0;
  #overflowed = false;

  constructor(onEvent: OnEvent) {
    this.#onEvent = onEvent;
  }

  isBetween(): boolean {
    return this.#line === "unread" && this.#headLength === 0 && !this.#hasData && this.#named === undefined;
  }

  openType(): EventType | null {
    return this.#hasData ? this.#type : null;
  }

  feed(chunk: Uint8Array): void {
    const length = chunk.length;
    let at = 0;
    if (this.#afterCr && length > 0) {
      this.#afterCr = false;
      if (chunk[0] === LF) at = 1;
    }
    // JSON escapes its line breaks, so a CR is rare and looked for once a chunk.
    let cr = chunk.indexOf(CR, at);
    while (at < length) {
      let end = chunk.indexOf(LF, at);
      if (cr !== -1 && cr < at) cr = chunk.indexOf(CR, at);
      if (cr !== -1 && (end === -1 || cr < end)) end = cr;
      this.#take(chunk, at, end === -1 ? length : end, end !== -1);
      if (end === -1) return;
      at = end + 1;
      if (chunk[end] !== CR) continue;
      if (at === length) this.#afterCr = true;
      else if (chunk[at] === LF) at++;
    }
  }

  finish(): void {
    if (this.#line === "unread" && this.#headLength > 0) this.#read(this.#head, 0, this.#headLength);
    this.#endLine();
    this.#dispatch();
  }

  /** The bytes `from`–`to` of the current line; `ended` when its end stands at `to`. */
  #take(chunk: Uint8Array, from: number, to: number, ended: boolean): void {
    if (this.#line !== "unread") {
      if (this.#line === "data") this.#collect(chunk, from, to);
    } else if (this.#headLength === 0 && ended && from === to) {
      this.#dispatch();
      return;
    } else if (this.#headLength === 0 && (ended || to - from >= HEAD_BYTES)) {
      this.#read(chunk, from, to);
    } else {
      this.#takeHead(chunk, from, to, ended);
    }
    if (ended) this.#endLine();
  }

  #takeHead(chunk: Uint8Array, from: number, to: number, ended: boolean): void {
    const taken = Math.min(HEAD_BYTES - this.#headLength, to - from);
    if (this.#head.length === 0) this.#head = new Uint8Array(HEAD_BYTES);
    this.#head.set(chunk.subarray(from, from + taken), this.#headLength);
    this.#headLength += taken;
    if (!ended && this.#headLength < HEAD_BYTES) return;
    this.#read(this.#head, 0, this.#headLength);
    if (this.#line === "data") this.#collect(chunk, from + taken, to);
  }

  #endLine(): void {
    this.#line = "unread";
    this.#headLength = 0;
  }

  /** Recognises a line by its start. `to` is its end, or far enough beyond every start that is recognised. */
  #read(buffer: Uint8Array, from: number, to: number): void {
    this.#line = "other";
    if (isField(buffer, from, to, DATA)) {
      this.#line = "data";
      const start = valueStart(buffer, from + DATA.length, to);
      if (!this.#hasData) this.#openEvent(buffer, start, to);
      else if (this.#keep !== "nothing") this.#add(NEWLINE);
      this.#collect(buffer, start, to);
    } else if (isField(buffer, from, to, EVENT) && !this.#hasData) {
      this.#named = typeAt(buffer, valueStart(buffer, from + EVENT.length, to), to, null);
    }
  }

  #openEvent(buffer: Uint8Array, start: number, to: number): void {
    this.#hasData = true;
    if (to - start > TYPE_FIRST.length && startsWith(buffer, start, TYPE_FIRST)) {
      this.#type = typeAt(buffer, start + TYPE_FIRST.length, to, QUOTE);
    } else if (this.#named !== undefined) {
      this.#type = this.#named;
    } else {
      this.#unreadable = start >= to || buffer[start] === BRACE || buffer[start] === SPACE;
    }
    this.#keep = this.#unreadable ? "whole" : this.#type === null ? "nothing" : EVENT_TYPES[this.#type];
  }

  #collect(buffer: Uint8Array, from: number, to: number): void {
    if (this.#keep !== "nothing" && to > from) this.#add(buffer.slice(from, to));
  }

  #add(piece: Uint8Array): void {
    if (this.#overflowed) return;
    this.#pieces.push(piece);
    this.#kept += piece.length;
    if (this.#keep === "tail") {
      while (this.#kept - this.#pieces[0]!.length >= TAIL_BYTES) this.#kept -= this.#pieces.shift()!.length;
    } else if (this.#kept > (this.#unreadable ? UNREADABLE_MAX_BYTES : SSE_EVENT_MAX_BYTES)) {
      this.#overflowed = true;
      this.#pieces = [];
    }
  }

  #dispatch(): void {
    const hadData = this.#hasData;
    let type = this.#type;
    let data: Uint8Array | null = null;
    if (this.#keep !== "nothing") {
      data = this.#overflowed ? null : joined(this.#pieces);
      if (this.#unreadable) {
        type = data === null ? null : typeInside(data);
        if (type === null || EVENT_TYPES[type] === "nothing") data = null;
      }
      this.#pieces = [];
      this.#kept = 0;
      this.#overflowed = false;
      this.#keep = "nothing";
    }
    this.#hasData = false;
    this.#type = null;
    this.#named = undefined;
    this.#unreadable = false;
    // An event without data is none (WHATWG: nothing is dispatched).
    if (hadData) this.#onEvent(type, data);
  }
}

/** Is the line the field `name`, with or without a value? */
function isField(buffer: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  const end = from + name.length;
  return (
    buffer[from] === name[0] && end <= to && startsWith(buffer, from, name) && (end === to || buffer[end] === COLON)
  );
}

function valueStart(buffer: Uint8Array, colon: number, to: number): number {
  const start = Math.min(colon + 1, to);
  return start < to && buffer[start] === SPACE ? start + 1 : start;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

function typeInside(data: Uint8Array): EventType | null {
  const event = parseObject(new TextDecoder().decode(data));
  const type = event === null ? null : textAt(event, "type");
  return type !== null && isEventType(type) ? type : null;
}
