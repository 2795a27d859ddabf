/**
 * Cuts a stream of bytes into its events, for those who read them: an event is handed out once it is whole, whatever the chunks and with
 * any of the three line ends (WHATWG HTML §9.2.6). Never parses what an event says.
 */
import { SSE_EVENT_MAX_BYTES } from "../base/bounds.ts";

const LF = 0x0a;
const CR = 0x0d;
const BLANK_LF = Buffer.from("\n\n");
const BLANK_CRLF = Buffer.from("\n\r\n");
const BLANK_CR = Buffer.from("\r\r");
const DATA = Buffer.from("data:");

export class SseBlocks {
  /** The event that has not ended yet, in a buffer that grows by doubling: appending chunk by chunk stays linear. */
  #buffer: Buffer = Buffer.allocUnsafeSlow(4_096);
  #length = 0;
  #searched = 0;

  /** An event has grown past all bounds: nobody should wait for its end. */
  get isTooLong(): boolean {
    return this.#length > SSE_EVENT_MAX_BYTES;
  }

  /** Calls `onBlock` for every event that has ended; `block` is only good until it returns, `false` ends the reading. */
  feed(chunk: Uint8Array, onBlock: (block: Buffer) => boolean): void {
    this.#append(chunk);
    let at = 0;
    for (;;) {
      // A blank line may begin in the last two bytes that were searched before.
      const end = blockEnd(this.#buffer.subarray(0, this.#length), Math.max(at, this.#searched - 2));
      if (end < 0) break;
      const block = this.#buffer.subarray(at, end);
      at = end;
      this.#searched = end;
      if (!onBlock(block)) {
        at = this.#length;
        break;
      }
    }
    if (at > 0) this.#buffer.copyWithin(0, at, this.#length);
    this.#length -= at;
    this.#searched = this.#length;
  }

  /** The stream ended: some servers leave out the last blank line. */
  end(onBlock: (block: Buffer) => boolean): void {
    const rest = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    this.#searched = 0;
    if (rest.length > 0) onBlock(rest);
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.byteLength;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }
}

/** Offset after the blank line that ends the event in which `from` lies, or -1. */
function blockEnd(data: Buffer, from: number): number {
  let end = after(data, BLANK_LF, from);
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
  let data: Buffer | null = null;
  let cr = block.indexOf(CR);
  for (let at = 0; at < block.length; ) {
    let end = block.indexOf(LF, at);
    if (cr >= 0 && cr < at) cr = block.indexOf(CR, at);
    if (cr >= 0 && (end < 0 || cr < end)) end = cr;
    if (end < 0) end = block.length;
    if (block[at] === DATA[0] && block.subarray(at, Math.min(at + DATA.length, end)).equals(DATA)) {
      const start = at + DATA.length;
      const line = block.subarray(block[start] === 0x20 ? start + 1 : start, end);
      data = data === null ? line : Buffer.concat([data, BLANK_LF.subarray(0, 1), line]);
    }
    at = end + 1;
  }
  return data;
}
