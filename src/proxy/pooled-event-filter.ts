/**
 * Puts the pool's figures into the `codex.rate_limits` event at the start of a stream, and touches no other byte. Reads whole events as long
 * as the opening ones come, which upstream sends at once; from the first other event on it hands everything through unread.
 */
import type { ByteFilter } from "../base/byte-filter.ts";

/** As many as are held back anyway (contracts §5). */
const EVENTS_READ = 16;
const EVENT_MAX_BYTES = 64 * 1_024;
const HEAD_BYTES = 64;
const OPENING =
  /^(?:event: ?[\w.]+\r?\n)?data: ?\{\s*"type"\s*:\s*"(codex\.rate_limits|codex\.response\.metadata|response\.(?:created|queued|in_progress|metadata))"/;
const NOTHING = new Uint8Array(0);
const LF = 0x0a;

export class PooledEventFilter implements ByteFilter {
  /** The JSON text that goes in its place; asked when there is an event to replace. null = leave it. */
  readonly #event: () => string | null;
  #carry: Buffer = Buffer.alloc(0);
  #read = 0;
  #isDone = false;

  constructor(event: () => string | null) {
    this.#event = event;
  }

  feed(chunk: Uint8Array): Uint8Array {
    if (this.#isDone) return chunk;
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const data = this.#carry.length === 0 ? fresh : Buffer.concat([this.#carry, fresh]);
    const out: Uint8Array[] = [];
    let at = 0;
    while (at < data.length) {
      const kind = kindOf(data, at);
      if (kind === "more") break;
      const end = kind === "other" ? data.length : eventEnd(data, at);
      if (kind === "other" || (end < 0 && data.length - at > EVENT_MAX_BYTES)) {
        out.push(data.subarray(at));
        at = data.length;
        this.#isDone = true;
        break;
      }
      if (end < 0) break;
      out.push(kind === "limits" ? this.#replaced(data.subarray(at, end)) : data.subarray(at, end));
      at = end;
      if (++this.#read < EVENTS_READ) continue;
      this.#isDone = true;
      out.push(data.subarray(at));
      at = data.length;
    }
    // A copy: the chunk belongs to whoever reads, and may be written over.
    this.#carry = at < data.length ? Buffer.from(data.subarray(at)) : Buffer.alloc(0);
    return out.length === 1 ? out[0]! : out.length === 0 ? NOTHING : Buffer.concat(out);
  }

  end(): Uint8Array {
    const rest = this.#carry;
    this.#carry = Buffer.alloc(0);
    this.#isDone = true;
    return rest;
  }

  /** Between the first brace and the end of its line. */
  #replaced(event: Buffer): Uint8Array {
    const start = event.indexOf("{");
    let end = event.indexOf(LF, start);
    const said = end < 0 ? null : this.#event();
    if (said === null) return event;
    if (event[end - 1] === 0x0d) end--;
    return Buffer.concat([event.subarray(0, start), Buffer.from(said), event.subarray(end)]);
  }
}

/** What begins here; `more` when too little of it has come. */
function kindOf(data: Buffer, at: number): "limits" | "opening" | "other" | "more" {
  const head = data.toString("latin1", at, Math.min(at + 2 * HEAD_BYTES, data.length));
  const named = OPENING.exec(head)?.[1];
  if (named !== undefined) return named === "codex.rate_limits" ? "limits" : "opening";
  return head.length < 2 * HEAD_BYTES && eventEnd(data, at) < 0 ? "more" : "other";
}

/** Offset after the blank line, or -1. */
function eventEnd(data: Buffer, from: number): number {
  const lf = data.indexOf("\n\n", from);
  const crlf = data.indexOf("\n\r\n", from);
  if (crlf >= 0 && (lf < 0 || crlf < lf)) return crlf + 3;
  return lf < 0 ? -1 : lf + 2;
}
