/**
 * Cuts a stream of bytes into its events, for those who read them: an event is handed out once it is whole, whatever the chunks and with
 * any of the three line ends (WHATWG HTML §9.2.6). Never parses what an event says.
 */
import { SSE_EVENT_MAX_BYTES } from "../base/bounds.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const LETTER_E = 0x65;
const BLANK_LF = Buffer.from("\n\n");
const BLANK_CRLF = Buffer.from("\n\r\n");
const BLANK_CR = Buffer.from("\r\r");
const DATA = Buffer.from("data:");

const NOTHING = Buffer.alloc(0);

export class SseBlocks {
  /** The event that has not ended yet. In a buffer that grows by doubling, since a long one comes in many chunks. */
  #buffer: Buffer = NOTHING;
  #length = 0;

  /** An event has grown past all bounds: nobody should wait for its end. */
  get isTooLong(): boolean {
    return this.#length > SSE_EVENT_MAX_BYTES;
  }

  /** Calls `onBlock` for every event that has ended; `block` is only good until it returns, `false` ends the reading. */
  feed(chunk: Uint8Array, onBlock: (block: Buffer) => boolean): void {
    let data: Buffer;
    let searched = 0;
    if (this.#length === 0) {
      // Most chunks are whole events: those are read where they lie.
      data = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    } else {
      // A blank line may begin in the last two bytes that were searched before.
      searched = Math.max(0, this.#length - 2);
      this.#append(chunk);
      data = this.#buffer.subarray(0, this.#length);
    }
    const hasCr = data.indexOf(CR) >= 0;
    let at = 0;
    for (;;) {
      const end = blockEnd(data, Math.max(at, searched), hasCr);
      if (end < 0) break;
      const block = data.subarray(at, end);
      at = end;
      if (!onBlock(block)) {
        at = data.length;
        break;
      }
    }
    this.#keep(data, at);
  }

  /** The stream ended: some servers leave out the last blank line. */
  end(onBlock: (block: Buffer) => boolean): void {
    const rest = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    if (rest.length > 0) onBlock(rest);
  }

  /** What of `data` belongs to an event that goes on. */
  #keep(data: Buffer, from: number): void {
    if (this.#length === 0) {
      if (from < data.length) this.#append(data.subarray(from));
      return;
    }
    if (from > 0) this.#buffer.copyWithin(0, from, this.#length);
    this.#length -= from;
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.byteLength;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, 1_024));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }
}

/** Offset after the blank line that ends the event in which `from` lies, or -1. */
function blockEnd(data: Buffer, from: number, hasCr: boolean): number {
  let end = after(data, BLANK_LF, from);
  if (!hasCr) return end;
  // Upstream writes one kind of line end; the other searches would run to the end of the data each time.
  for (const blank of [BLANK_CRLF, BLANK_CR]) {
    const found = after(end < 0 ? data : data.subarray(0, end), blank, from);
    if (found >= 0) end = found;
  }
  return end;
}

function after(data: Buffer, blank: Buffer, from: number): number {
  const at = data.indexOf(blank, from);
  return at < 0 ? -1 : at + blank.length;
}

/** The `data` of an event, its lines joined as the specification says; null when it has none. Of one line: the very bytes. */
export function blockData(block: Buffer): Buffer | null {
  const start = lineAfterName(block);
  // As upstream writes it: an `event` line if any, one `data` line, LF.
  const isPlain = startsData(block, start) && block.indexOf(LF, start) === block.length - 2 && block.indexOf(CR) < 0;
  return isPlain ? dataValue(block, start, block.length - 2) : joinedData(block);
}

/** A loop: a native comparison of nine bytes costs ten times as much. */
export function startsWith(data: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (data[at + i] !== bytes[i]) return false;
  return true;
}

/** Where the line after an `event` line begins; 0 when the block begins otherwise. */
function lineAfterName(block: Buffer): number {
  return block[0] === LETTER_E ? block.indexOf(LF) + 1 : 0;
}

function startsData(block: Buffer, at: number): boolean {
  return startsWith(block, at, DATA);
}

function joinedData(block: Buffer): Buffer | null {
  let data: Buffer | null = null;
  let cr = block.indexOf(CR);
  for (let at = 0; at < block.length; ) {
    let end = block.indexOf(LF, at);
    if (cr >= 0 && cr < at) cr = block.indexOf(CR, at);
    if (cr >= 0 && (end < 0 || cr < end)) end = cr;
    if (end < 0) end = block.length;
    if (startsData(block, at)) {
      const line = dataValue(block, at, end);
      data = data === null ? line : Buffer.concat([data, BLANK_LF.subarray(0, 1), line]);
    }
    at = end + 1;
  }
  return data;
}

/** One space after the colon is not of the value. */
function dataValue(block: Buffer, lineStart: number, lineEnd: number): Buffer {
  const start = lineStart + DATA.length;
  return block.subarray(block[start] === SPACE ? start + 1 : start, lineEnd);
}
