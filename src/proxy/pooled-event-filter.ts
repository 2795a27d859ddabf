/**
 * Puts the pool's figures into the `codex.rate_limits` event at the start of a stream, and touches no other byte. Reads whole events as long
 * as the opening ones come, which upstream sends at once; from the first other event on it hands everything through unread.
 */
import type { ByteFilter } from "../base/byte-filter.ts";

/** As many as are held back anyway (contracts §5). */
const EVENTS_READ = 16;
const EVENT_MAX_BYTES = 64 * 1_024;
const HEAD_BYTES = 128;
const OPENING =
  /^(?:event: ?[\w.]+\r?\n)?data: ?\{\s*"type"\s*:\s*"(codex\.rate_limits|codex\.response\.metadata|response\.(?:created|queued|in_progress|metadata))"/;
const NOTHING: Buffer = Buffer.alloc(0);
const BLANK_LF = Buffer.from("\n\n");
const BLANK_CRLF = Buffer.from("\n\r\n");
const BRACE = 0x7b;
const LF = 0x0a;
const CR = 0x0d;

export class PooledEventFilter implements ByteFilter {
  /** The JSON text that goes in its place; asked when there is an event to replace. null = leave it. */
  readonly #event: () => Uint8Array | null;
  #carry: Buffer = NOTHING;
  #read = 0;
  #isDone = false;

  constructor(event: () => Uint8Array | null) {
    this.#event = event;
  }

  feed(chunk: Uint8Array): Uint8Array {
    if (this.#isDone) return chunk;
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const data = this.#carry.length === 0 ? fresh : Buffer.concat([this.#carry, fresh]);
    /** What was put together so far, and from where on `data` is still to be added to it. */
    let told: Uint8Array[] | null = null;
    let from = 0;
    let at = 0;
    while (at < data.length && !this.#isDone) {
      const kind = kindOf(data, at);
      if (kind === "more") break;
      const end = kind === "other" ? -1 : eventEnd(data, at);
      if (end < 0) {
        if (kind !== "other" && data.length - at <= EVENT_MAX_BYTES) break;
        this.#isDone = true;
        break;
      }
      const place = kind === "limits" ? jsonIn(data, at, end) : null;
      const said = place === null ? null : this.#event();
      if (place !== null && said !== null) {
        told ??= [];
        told.push(data.subarray(from, place.start), said);
        from = place.end;
      }
      at = end;
      this.#isDone = ++this.#read === EVENTS_READ;
    }
    if (this.#isDone) at = data.length;
    // A copy: the chunk belongs to whoever reads, and may be written over.
    this.#carry = at < data.length ? Buffer.from(data.subarray(at)) : NOTHING;
    if (told === null) return at === chunk.length && data === fresh ? chunk : data.subarray(0, at);
    told.push(data.subarray(from, at));
    return Buffer.concat(told);
  }

  end(): Uint8Array {
    const rest = this.#carry;
    this.#carry = NOTHING;
    this.#isDone = true;
    return rest;
  }
}

/** Where the JSON of an event lies: between the first brace and the end of its line. */
function jsonIn(data: Buffer, at: number, eventEnd: number): { readonly start: number; readonly end: number } | null {
  const start = data.indexOf(BRACE, at);
  const end = data.indexOf(LF, start);
  if (end < 0 || end >= eventEnd) return null;
  return { start, end: data[end - 1] === CR ? end - 1 : end };
}

/** What begins here; `more` when too little of it has come. */
function kindOf(data: Buffer, at: number): "limits" | "opening" | "other" | "more" {
  const head = data.toString("latin1", at, Math.min(at + HEAD_BYTES, data.length));
  const named = OPENING.exec(head)?.[1];
  if (named !== undefined) return named === "codex.rate_limits" ? "limits" : "opening";
  return head.length < HEAD_BYTES && eventEnd(data, at) < 0 ? "more" : "other";
}

/** Offset after the blank line, or -1. */
function eventEnd(data: Buffer, from: number): number {
  const lf = data.indexOf(BLANK_LF, from);
  // Upstream writes one kind of line end; the other search would run to the end of the data each time.
  const crlf = data.subarray(0, lf < 0 ? data.length : lf).indexOf(BLANK_CRLF, from);
  if (crlf >= 0) return crlf + BLANK_CRLF.length;
  return lf < 0 ? -1 : lf + BLANK_LF.length;
}
