/**
 * Writes `chat.completion.chunk` events into bytes (wire §5.2). Strings of upstream's are moved as they stand in its JSON, never decoded.
 * Knows no order of events: chat-chunks.ts does.
 */
import { chatUsage, type FinishReason } from "./chat-facts.ts";
import type { Piece } from "./json-view.ts";

export interface ChunkHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

const DONE = Buffer.from("data: [DONE]\n\n");

export class ChunkWriter {
  readonly #before: Buffer;
  readonly #after: Buffer;
  readonly #head: string;
  readonly #includeUsage: boolean;
  #out: Uint8Array[] = [];

  constructor({ id, created, model }: ChunkHead, includeUsage: boolean) {
    this.#includeUsage = includeUsage;
    const head = JSON.stringify({ id, object: "chat.completion.chunk", created, model, system_fingerprint: null });
    this.#head = `data: ${head.slice(0, -1)}`;
    this.#before = Buffer.from(`${this.#head},"choices":[{"index":0,"delta":`);
    this.#after = Buffer.from(`,"logprobs":null,"finish_reason":null}]${this.#noUsage()}}\n\n`);
  }

  /** `delta` is a JSON object in pieces. Bytes are copied: they lie in a buffer that the next event takes. */
  delta(...delta: readonly Piece[]): void {
    this.#out.push(this.#before);
    for (const piece of delta) this.#out.push(typeof piece === "string" ? Buffer.from(piece) : Buffer.from(piece));
    this.#out.push(this.#after);
  }

  finish(reason: FinishReason): void {
    const choices = JSON.stringify([{ index: 0, delta: {}, logprobs: null, finish_reason: reason }]);
    this.#write(`${this.#head},"choices":${choices}${this.#noUsage()}}\n\n`);
  }

  /** The end of everything, after the usage when it was asked for and upstream told it. */
  end(usage: unknown): void {
    const counted = this.#includeUsage ? chatUsage(usage) : null;
    if (counted !== null) this.#write(`${this.#head},"choices":[],"usage":${JSON.stringify(counted)}}\n\n`);
    this.#out.push(DONE);
  }

  /** What the OpenAI SDKs and the AI SDK raise as an error; nothing follows, no [DONE] either. */
  error(body: object): void {
    this.#write(`data: ${JSON.stringify(body)}\n\n`);
  }

  /** All that was written since the last time. */
  take(): Uint8Array {
    const out = this.#out;
    this.#out = [];
    return out.length === 1 ? out[0]! : Buffer.concat(out);
  }

  /** With include_usage every chunk has the field; only the last one has a value in it. */
  #noUsage(): string {
    return this.#includeUsage ? ',"usage":null' : "";
  }

  #write(text: string): void {
    this.#out.push(Buffer.from(text));
  }
}
