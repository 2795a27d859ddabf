/**
 * Writes `chat.completion.chunk` events (wire §5.2). Knows no order of events: chat-chunks.ts does.
 */
import { chatUsage, type FinishReason } from "./chat-facts.ts";

export interface ChunkHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export class ChunkWriter {
  readonly #head: string;
  readonly #before: string;
  readonly #after: string;
  readonly #includeUsage: boolean;
  /** One text for all chunks of a piece of the stream: it becomes bytes once. */
  #out = "";

  constructor({ id, created, model }: ChunkHead, includeUsage: boolean) {
    this.#includeUsage = includeUsage;
    const head = JSON.stringify({ id, object: "chat.completion.chunk", created, model, system_fingerprint: null });
    this.#head = `data: ${head.slice(0, -1)}`;
    this.#before = `${this.#head},"choices":[{"index":0,"delta":`;
    this.#after = `,"logprobs":null,"finish_reason":null}]${this.#noUsage()}}\n\n`;
  }

  delta(delta: object): void {
    this.#out += this.#before + JSON.stringify(delta) + this.#after;
  }

  /** The path of every piece of text: `field` is a plain name. */
  text(field: string, text: string): void {
    this.#out += `${this.#before}{"${field}":${JSON.stringify(text)}}${this.#after}`;
  }

  finish(reason: FinishReason): void {
    const choices = JSON.stringify([{ index: 0, delta: {}, logprobs: null, finish_reason: reason }]);
    this.#out += `${this.#head},"choices":${choices}${this.#noUsage()}}\n\n`;
  }

  /** The end of everything, after the usage when it was asked for and upstream told it. */
  end(usage: unknown): void {
    const counted = this.#includeUsage ? chatUsage(usage) : null;
    if (counted !== null) this.#out += `${this.#head},"choices":[],"usage":${JSON.stringify(counted)}}\n\n`;
    this.#out += "data: [DONE]\n\n";
  }

  /** What the OpenAI SDKs and the AI SDK raise as an error; nothing follows, no [DONE] either. */
  error(body: object): void {
    this.#out += `data: ${JSON.stringify(body)}\n\n`;
  }

  /** All that was written since the last time. */
  take(): Uint8Array {
    const out = Buffer.from(this.#out);
    this.#out = "";
    return out;
  }

  /** With include_usage every chunk has the field; only the last one has a value in it. */
  #noUsage(): string {
    return this.#includeUsage ? ',"usage":null' : "";
  }
}
