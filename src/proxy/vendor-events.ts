/**
 * Takes `codex.*` events (rate limits, response metadata) out of an SSE stream for SDK clients, whose types do not know them.
 * Whole events or nothing: a chunk without one is handed on as the same array. They come at the opening in practice, but the filter
 * does not rely on it: one native search per chunk is what it costs afterwards. Holds back at most the head of one event.
 */

import type { ByteFilter } from "../base/byte-filter.ts";

const NEEDLE = Buffer.from("codex.");
/** `data: {"type":"codex.` with some room for spaces: so much of an event tells what it is. */
const HEAD_BYTES = 40;
const VENDOR_HEAD = /^[\r\n]*(?:event: ?codex\.|data: ?\{\s*"type"\s*:\s*"codex\.)/;
const NOTHING = Buffer.alloc(0);

export class VendorEventFilter implements ByteFilter {
  /** Bytes that may not be handed on yet: the head of an undecided event, or a line end that may be half of a blank line. */
  #carry: Buffer = NOTHING;
  /** Where the next byte stands: at the start of an event, inside one that passes, or inside one that is dropped. */
  #place: "start" | "passing" | "dropping" = "start";

  /** What may be handed on now; empty when that is nothing yet. */
  feed(chunk: Uint8Array): Uint8Array {
    if (this.#carry.length === 0 && this.#place !== "dropping" && isWholeEvents(chunk)) {
      const whole = bufferOf(chunk);
      if (!whole.includes(NEEDLE)) {
        this.#place = "start";
        return chunk;
      }
    }
    const fresh = bufferOf(chunk);
    const data = this.#carry.length === 0 ? fresh : Buffer.concat([this.#carry, fresh]);
    this.#carry = NOTHING;
    if (this.#place !== "dropping" && !data.includes(NEEDLE)) return this.#pass(data);
    return this.#sort(data);
  }

  /** What was held back when the stream ended. */
  end(): Uint8Array {
    const rest = this.#carry;
    this.#carry = NOTHING;
    return this.#place === "dropping" ? NOTHING : rest;
  }

  /** Nothing of a vendor here; only the last bytes may be the beginning of one. */
  #pass(data: Buffer): Uint8Array {
    const lastEnd = lastEventEnd(data);
    const atStart = lastEnd >= 0 || this.#place === "start";
    const tail = Math.max(0, lastEnd);
    if (atStart && data.length - tail < HEAD_BYTES) {
      this.#place = "start";
      this.#carry = data.subarray(tail);
      return data.subarray(0, tail);
    }
    this.#place = "passing";
    return this.#holdLineEnd(data);
  }

  /** Event by event. */
  #sort(data: Buffer): Uint8Array {
    const kept: Buffer[] = [];
    let at = 0;
    while (at < data.length) {
      const end = eventEnd(data, at);
      if (this.#place === "start") {
        if (end < 0 && data.length - at < HEAD_BYTES) {
          this.#carry = data.subarray(at);
          break;
        }
        const isVendor = VENDOR_HEAD.test(data.toString("latin1", at, Math.min(at + HEAD_BYTES, data.length)));
        this.#place = isVendor ? "dropping" : "passing";
      }
      const part = data.subarray(at, end < 0 ? data.length : end);
      const passed = end < 0 ? this.#holdLineEnd(part) : part;
      if (this.#place === "passing") kept.push(passed);
      if (end < 0) break;
      this.#place = "start";
      at = end;
    }
    return kept.length === 1 ? kept[0]! : Buffer.concat(kept);
  }

  /** A line end at the very end may be the first half of the blank line that ends the event: it waits for the next chunk. */
  #holdLineEnd(data: Buffer): Buffer {
    const length = data.length;
    const held = data[length - 1] === LF ? 1 : data[length - 1] === CR && data[length - 2] === LF ? 2 : 0;
    this.#carry = data.subarray(length - held);
    return data.subarray(0, length - held);
  }
}

const LF = 0x0a;
const CR = 0x0d;
const BLANK_LF = Buffer.from("\n\n");

/** As nearly every chunk is: it ends where an event does, and nothing of it has to wait. */
function isWholeEvents(chunk: Uint8Array): boolean {
  return chunk[chunk.length - 1] === LF && chunk[chunk.length - 2] === LF;
}

const BLANK_CRLF = Buffer.from("\n\r\n");

/** Offset after the blank line that ends the event in which `from` lies, or -1. */
function eventEnd(data: Buffer, from: number): number {
  const lf = data.indexOf(BLANK_LF, from);
  // Upstream writes one kind of line end; the other search would run to the end of the data each time.
  const crlf = data.subarray(0, lf < 0 ? data.length : lf).indexOf(BLANK_CRLF, from);
  if (crlf >= 0) return crlf + BLANK_CRLF.length;
  return lf < 0 ? -1 : lf + BLANK_LF.length;
}

function lastEventEnd(data: Buffer): number {
  const lf = data.lastIndexOf(BLANK_LF);
  const crlf = data.lastIndexOf(BLANK_CRLF);
  return Math.max(lf < 0 ? -1 : lf + BLANK_LF.length, crlf < 0 ? -1 : crlf + BLANK_CRLF.length);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
