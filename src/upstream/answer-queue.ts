/**
 * Between a connection that is pushed bytes and a reader that pulls them: a queue with a mark above which the connection is asked to rest.
 * Knows nothing of HTTP.
 */
import type { ByteFlow, ByteRead, ByteReader } from "./byte-reader.ts";

/** A good deal more than one read of a fast stream, a good deal less than what many slow readers at once could hold. */
const FULL_BYTES = 64 * 1024;

export interface QueueSource {
  /** Nothing more for now: the reader is the slow one. */
  rest(): void;
  resume(): void;
  /** The reader wants no more. */
  giveUp(): void;
}

type Got = Awaited<ByteRead>;

export class AnswerQueue implements ByteReader {
  readonly #source: QueueSource;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #resting = false;
  #ended = false;
  #error: Error | null = null;
  #flow: ByteFlow | null = null;
  /** Whom it flows to has asked for rest. */
  #held = false;
  #waiting: { resolve: (got: Got) => void; reject: (error: Error) => void } | null = null;

  constructor(source: QueueSource) {
    this.#source = source;
  }

  get finished(): boolean {
    return this.#ended && this.#chunks.length === 0;
  }

  /** `isLast`: `end` follows at once. */
  push(chunk: Uint8Array, isLast: boolean): void {
    if (this.#ended || this.#error !== null) return;
    if (this.#flow !== null && !this.#held) {
      this.#pour(this.#flow, chunk, isLast);
      return;
    }
    const waiting = this.#waiting;
    if (waiting !== null) {
      this.#waiting = null;
      waiting.resolve({ done: false, value: chunk });
      return;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < FULL_BYTES || this.#resting) return;
    this.#resting = true;
    this.#source.rest();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiting?.resolve(END);
    this.#waiting = null;
    if (!this.#held) this.#flow?.ended();
  }

  /** What has arrived before is read first. */
  fail(error: Error): void {
    if (this.#ended || this.#error !== null) return;
    this.#error = error;
    this.#waiting?.reject(error);
    this.#waiting = null;
    if (!this.#held) this.#flow?.broken();
  }

  flow(to: ByteFlow): void {
    this.#flow = to;
    this.#goOn();
  }

  take(): Uint8Array | null {
    if (this.#chunks.length === 0) return null;
    const value = this.#joined();
    this.#wake();
    return value;
  }

  read(): ByteRead {
    const value = this.take();
    if (value !== null) return Promise.resolve({ done: false, value });
    if (this.#ended) return Promise.resolve(END);
    if (this.#error !== null) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  cancel(): Promise<void> {
    this.#chunks = [];
    this.#bytes = 0;
    this.#flow = null;
    if (!this.#ended && this.#error === null) {
      this.end();
      this.#source.giveUp();
    }
    return Promise.resolve();
  }

  #pour(to: ByteFlow, chunk: Uint8Array, isLast: boolean): void {
    const full = to.bytes(chunk, isLast);
    if (full === null) return;
    this.#held = true;
    full.then(this.#goOn, this.#goOn);
  }

  /** Whom it flows to takes more: what waits, then the end of it if that has come. */
  readonly #goOn = (): void => {
    this.#held = false;
    const to = this.#flow;
    if (to === null) return;
    const chunk = this.take();
    if (chunk !== null) this.#pour(to, chunk, this.#ended);
    if (this.#held) return;
    if (this.#ended) to.ended();
    else if (this.#error !== null) to.broken();
  };

  #wake(): void {
    if (!this.#resting) return;
    this.#resting = false;
    if (!this.#ended && this.#error === null) this.#source.resume();
  }

  /** All that waits, as one piece: the next reader's call costs the same for a byte as for all of them. */
  #joined(): Uint8Array {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }
}

const END: Got = { done: true, value: undefined };
