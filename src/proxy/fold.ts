/**
 * Folds upstream's SSE stream into the one JSON answer of a client that asked for no stream (wire §5.3). Incremental: only the events
 * that carry finished items or the end are parsed, and what is kept is bounded.
 */
import { BODY_MAX_BYTES, SSE_EVENT_MAX_BYTES } from "../base/bounds.ts";
import { eventEnd } from "./vendor-events.ts";

export type Folded =
  /** The response object; `incomplete` ones too: that is an answer, cut short for a reason that it names. */
  | { readonly kind: "response"; readonly response: Record<string, unknown> }
  /** Upstream itself ended with an error. */
  | { readonly kind: "failed"; readonly error: FoldedError }
  /** The stream ended without an end. */
  | { readonly kind: "cut" }
  /** Not a stream that can be read: why. */
  | { readonly kind: "malformed"; readonly reason: string };

export interface FoldedError {
  readonly code: string | null;
  readonly type: string | null;
  readonly message: string;
  readonly param: string | null;
}

/** Events whose name is in them somewhere are parsed; all others (deltas: nearly all) are skipped unread. */
const READ: readonly string[] = [
  "response.output_item.done",
  "response.completed",
  "response.incomplete",
  "response.failed",
  '"error"',
];

type Json = Record<string, unknown>;

export class ResponseFolder {
  /** The event that has not ended yet, in a buffer that grows by doubling: appending chunk by chunk stays linear. */
  #buffer: Buffer = Buffer.alloc(4_096);
  #length = 0;
  #searched = 0;
  #keptBytes = 0;
  readonly #items: { index: number; item: unknown }[] = [];
  #folded: Folded | null = null;

  /** The end of it, once it is known. */
  get folded(): Folded | null {
    return this.#folded;
  }

  feed(chunk: Uint8Array): void {
    if (this.#folded !== null) return;
    this.#append(chunk);
    let at = 0;
    for (;;) {
      // A blank line may begin in the last two bytes that were searched before.
      const end = eventEnd(this.#buffer.subarray(0, this.#length), Math.max(at, this.#searched - 2));
      if (end < 0) break;
      this.#read(this.#buffer.subarray(at, end));
      at = end;
      this.#searched = end;
      if (this.#folded !== null) return;
    }
    this.#buffer.copyWithin(0, at, this.#length);
    this.#length -= at;
    this.#searched = this.#length;
    if (this.#length > SSE_EVENT_MAX_BYTES) this.#folded = { kind: "malformed", reason: "an event is too long" };
  }

  /** The stream ended. */
  end(): Folded {
    // Some servers leave out the last blank line.
    if (this.#folded === null && this.#length > 0) this.#read(this.#buffer.subarray(0, this.#length));
    return (this.#folded ??= { kind: "cut" });
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.byteLength;
    if (needed > this.#buffer.length) {
      const grown = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }

  #read(block: Buffer): void {
    if (!READ.some((name) => block.includes(name))) return;
    const data = dataOf(block);
    if (data === null) return;
    let event: unknown;
    try {
      event = JSON.parse(data);
    } catch {
      this.#folded = { kind: "malformed", reason: "an event is not JSON" };
      return;
    }
    if (isObject(event)) this.#take(event, block.length);
  }

  #take(event: Json, size: number): void {
    switch (event.type) {
      case "response.output_item.done":
        this.#keptBytes += size;
        this.#items.push({ index: numberOr(event.output_index, Number.POSITIVE_INFINITY), item: event.item });
        if (this.#keptBytes > BODY_MAX_BYTES) this.#folded = { kind: "malformed", reason: "the answer is too long" };
        return;
      case "response.completed":
      case "response.incomplete":
        this.#folded = this.#finish(event.response);
        return;
      case "response.failed":
        this.#folded = { kind: "failed", error: errorOf(isObject(event.response) ? event.response.error : null) };
        return;
      case "error":
        this.#folded = { kind: "failed", error: errorOf(isObject(event.error) ? event.error : event) };
    }
  }

  /** Upstream may leave `output` empty at the end (wire §3.8): the finished items are the output. */
  #finish(response: unknown): Folded {
    if (!isObject(response)) return { kind: "malformed", reason: "the last event has no response" };
    if (Array.isArray(response.output) && response.output.length > 0) return { kind: "response", response };
    const output = this.#items
      .toSorted((a, b) => (a.index === b.index ? 0 : a.index - b.index))
      .map(({ item }) => item);
    return { kind: "response", response: { ...response, output } };
  }
}

/**
 * Reads `body` to its end, or to the event that ends the response. The rest of the stream is then read away unseen, because cancelling
 * it would tell upstream that the client hung up.
 */
export async function foldStream(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Folded> {
  const reader = body.getReader();
  const stop = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  const folder = new ResponseFolder();
  try {
    while (folder.folded === null) {
      const { done, value } = await reader.read();
      if (done) return folder.end();
      folder.feed(value);
    }
  } catch {
    return { kind: "cut" };
  }
  if (folder.folded.kind === "malformed") stop();
  else void readAway(reader).finally(() => signal.removeEventListener("abort", stop));
  return folder.folded;
}

async function readAway(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // Cut after its end: nothing is lost.
  }
}

/** The `data` lines of an event, joined as the SSE specification says; null when it has none. */
function dataOf(block: Buffer): string | null {
  let data: string | null = null;
  for (const line of block.toString("utf8").split(/\r?\n/)) {
    if (!line.startsWith("data:")) continue;
    const value = line.slice(line[5] === " " ? 6 : 5);
    data = data === null ? value : `${data}\n${value}`;
  }
  return data;
}

function errorOf(error: unknown): FoldedError {
  const from = isObject(error) ? error : {};
  return {
    code: textOr(from.code, null),
    // An `error` event carries its own name as the type; that says nothing.
    type: from.type === "error" ? null : textOr(from.type, null),
    message: textOr(from.message, null) ?? "upstream failed without saying why",
    param: textOr(from.param, null),
  };
}

/** HTTP status of an error that upstream reported inside its stream (wire §4.2, §5.3). */
export function statusOfFailure(error: FoldedError): number {
  const name = error.code ?? error.type ?? "";
  if (/overloaded|slow_down|flex_unavailable/.test(name)) return 503;
  if (/limit_reached|rate_limit|quota|usage_not_included|credit_balance|spend_limit/.test(name)) return 429;
  if (/^(token_|auth)|unauthorized|invalid_api_key/.test(name)) return 401;
  if (/context_length|invalid|policy|unsupported|not_found/.test(name)) return 400;
  return 502;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOr(value: unknown, other: number): number {
  return typeof value === "number" ? value : other;
}

function textOr(value: unknown, other: string | null): string | null {
  return typeof value === "string" && value !== "" ? value : other;
}
