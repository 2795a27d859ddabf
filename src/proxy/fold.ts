/**
 * Folds upstream's SSE stream into the one JSON answer of a client that asked for no stream (wire §5.3). Incremental: only the events
 * that carry finished items or the end are parsed, and what is kept is bounded.
 */
import { BODY_MAX_BYTES } from "../base/bounds.ts";
import { blockData, SseBlocks } from "./sse-blocks.ts";
import { type StreamError, streamErrorOf } from "./stream-error.ts";

export type Folded =
  /** The response object; `incomplete` ones too: that is an answer, cut short for a reason that it names. */
  | { readonly kind: "response"; readonly response: Record<string, unknown> }
  /** Upstream itself ended with an error. */
  | { readonly kind: "failed"; readonly error: StreamError }
  /** The stream ended without an end. */
  | { readonly kind: "cut" }
  /** Not a stream that can be read: why. */
  | { readonly kind: "malformed"; readonly reason: string };

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
  readonly #blocks = new SseBlocks();
  #keptBytes = 0;
  readonly #items: { index: number; item: unknown }[] = [];
  #folded: Folded | null = null;

  /** The end of it, once it is known. */
  get folded(): Folded | null {
    return this.#folded;
  }

  feed(chunk: Uint8Array): void {
    if (this.#folded !== null) return;
    this.#blocks.feed(chunk, this.#onBlock);
    if (this.#blocks.isTooLong) this.#folded ??= { kind: "malformed", reason: "an event is too long" };
  }

  /** The stream ended. */
  end(): Folded {
    if (this.#folded === null) this.#blocks.end(this.#onBlock);
    return (this.#folded ??= { kind: "cut" });
  }

  readonly #onBlock = (block: Buffer): boolean => {
    this.#read(block);
    return this.#folded === null;
  };

  #read(block: Buffer): void {
    if (!READ.some((name) => block.includes(name))) return;
    const data = blockData(block);
    if (data === null) return;
    let event: unknown;
    try {
      event = JSON.parse(data.toString());
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
      case "error":
        this.#folded = { kind: "failed", error: streamErrorOf(event) };
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

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOr(value: unknown, other: number): number {
  return typeof value === "number" ? value : other;
}
