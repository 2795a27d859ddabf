/**
 * One connection to upstream: one request at a time, its answer read as it comes, and then free for the next one or closed. Whatever is
 * not exactly as HTTP has it closes the connection, so that nothing of one answer can be taken for another's.
 */
import { type BodyBytes, piecesOf } from "../base/body-bytes.ts";
import { AnswerQueue, type QueueSource } from "./answer-queue.ts";
import { type BodyDecoder, createBodyDecoder } from "./body-decoder.ts";
import type { Wire } from "./dial.ts";
import { type HttpAnswer, HttpFault } from "./http-client.ts";
import { HEAD_MAX_BYTES, type HeadReader, type ResponseHead } from "./response-head.ts";

/**
 * How a request on this connection ended, for whoever sent it. Exactly one of `answered` and `failed` is called, once; `answered` must not
 * act at once, because the bytes that came with the head are read after it.
 */
export interface Receiver {
  answered(answer: HttpAnswer): void;
  /** `untouched`: not a byte of an answer came. `unsent`: not a byte of the request was taken either. */
  failed(error: HttpFault, about: { readonly untouched: boolean; readonly unsent: boolean }): void;
}

/** The request under way. */
interface Turn {
  readonly method: string;
  readonly receiver: Receiver;
  head: Buffer | null;
  answer: { readonly head: ResponseHead; readonly decoder: BodyDecoder; readonly queue: AnswerQueue } | null;
  interim: number;
  touched: boolean;
  accepted: boolean;
}

/** A body up to this size travels in one write with its head; a longer one is not copied. */
const JOINED_MAX_BYTES = 16 * 1024;
/** Nobody sends more than one or two; a peer that never stops is broken. */
const INTERIM_MAX = 8;
const HEAD_END = Buffer.from("\r\n\r\n");
const RESET = "ECONNRESET";

export class HttpConnection implements QueueSource {
  readonly openedAtMs: number;
  readonly #wire: Wire;
  readonly #heads: HeadReader;
  /** The connection is free for another request. */
  readonly #onFree: (connection: HttpConnection) => void;
  #turn: Turn | null = null;
  /** What the socket has not taken yet. */
  #unsent: Uint8Array[] = [];
  #paused = false;
  #closed = false;

  constructor(wire: Wire, heads: HeadReader, openedAtMs: number, onFree: (connection: HttpConnection) => void) {
    this.openedAtMs = openedAtMs;
    this.#wire = wire;
    this.#heads = heads;
    this.#onFree = onFree;
  }

  /** For a connection that is free. */
  send(method: string, head: string, body: BodyBytes | null, receiver: Receiver): void {
    const turn: Turn = {
      method,
      receiver,
      head: null,
      answer: null,
      interim: 0,
      touched: false,
      accepted: false,
    };
    this.#turn = turn;
    if (body instanceof Uint8Array && body.length <= JOINED_MAX_BYTES) {
      const joined = Buffer.allocUnsafe(head.length + body.length);
      joined.write(head, 0, "latin1");
      joined.set(body, head.length);
      this.#write(joined);
    } else {
      this.#write(Buffer.from(head, "latin1"));
      if (body !== null) for (const piece of piecesOf(body)) this.#write(piece);
    }
  }

  /** Closes the connection if `receiver`'s request is still under way on it. */
  abort(receiver: Receiver): void {
    if (this.#turn?.receiver === receiver) this.close();
  }

  /** Closes the connection under whatever is going on. */
  close(error = new HttpFault("ABORT_ERR")): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsent = [];
    this.#wire.terminate();
    this.#fail(error);
  }

  /** The connection rests until the next request: it is closed when that takes longer. */
  idle(seconds: number): void {
    this.#wire.timeout(seconds);
  }

  rest(): void {
    if (this.#paused || this.#closed) return;
    this.#paused = true;
    this.#wire.pause();
  }

  resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    this.#wire.resume();
  }

  giveUp(): void {
    this.close();
  }

  // From here on: what the socket says.

  onData(bytes: Buffer): void {
    const turn = this.#turn;
    if (this.#closed) return;
    if (turn === null) {
      this.close();
      return;
    }
    turn.touched = true;
    try {
      if (turn.answer === null) this.#readHead(turn, bytes);
      else this.#readBody(turn.answer, bytes);
    } catch (thrown) {
      this.close(thrown instanceof HttpFault ? thrown : new HttpFault(RESET));
    }
  }

  onDrain(): void {
    const waiting = this.#unsent;
    this.#unsent = [];
    for (const bytes of waiting) this.#write(bytes);
  }

  /** Both sides are done, or one of them broke off. */
  onClose(isBroken: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    const answer = this.#turn?.answer ?? null;
    if (!isBroken && answer?.head.framing.kind === "close") {
      this.#turn = null;
      answer.queue.end();
    } else this.#fail(new HttpFault(RESET));
  }

  #write(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    if (this.#unsent.length > 0) {
      this.#unsent.push(bytes);
      return;
    }
    const taken = Math.max(0, this.#wire.write(bytes));
    if (taken > 0 && this.#turn !== null) this.#turn.accepted = true;
    if (taken < bytes.length) this.#unsent.push(bytes.subarray(taken));
  }

  #readHead(turn: Turn, bytes: Buffer): void {
    const before = turn.head?.length ?? 0;
    const received = turn.head === null ? bytes : Buffer.concat([turn.head, bytes]);
    const end = received.indexOf(HEAD_END, Math.max(0, before - HEAD_END.length + 1));
    if ((end === -1 ? received.length : end) > HEAD_MAX_BYTES) {
      throw new HttpFault("Malformed_HTTP_Response", "the head of the answer is too long");
    }
    if (end === -1) {
      turn.head = received;
      return;
    }
    const head = this.#heads.read(received, end, turn.method);
    const rest = received.subarray(end + HEAD_END.length);
    turn.head = null;
    if (head.status < 200) {
      if (++turn.interim > INTERIM_MAX)
        throw new HttpFault("Malformed_HTTP_Response", "no answer after many interim ones");
      if (rest.length > 0) this.#readHead(turn, rest);
      return;
    }
    const decoder = createBodyDecoder(head.framing);
    const queue = new AnswerQueue(this);
    turn.answer = { head, decoder, queue };
    const reader = head.framing.kind === "none" ? null : queue;
    // Told before its bytes are looked at: they may be wrong, and then there is a body to break off. Whoever waits hears of it later.
    turn.receiver.answered({ status: head.status, headers: head.headers, reader });
    if (rest.length > 0 || decoder.done) this.#readBody(turn.answer, rest);
  }

  #readBody({ head, decoder, queue }: NonNullable<Turn["answer"]>, bytes: Uint8Array): void {
    const payload = decoder.feed(bytes);
    if (payload.length > 0) queue.push(payload, decoder.done);
    // Whoever it flows to may have given it up meanwhile.
    if (!decoder.done || this.#closed) return;
    this.#turn = null;
    queue.end();
    // What was not asked for cannot be told from the beginning of the next answer.
    if (!head.keepAlive || decoder.excess > 0 || this.#unsent.length > 0) {
      this.close();
    } else {
      this.resume();
      this.#onFree(this);
    }
  }

  #fail(error: HttpFault): void {
    const turn = this.#turn;
    this.#turn = null;
    if (turn === null) return;
    if (turn.answer !== null) turn.answer.queue.fail(error);
    else turn.receiver.failed(error, { untouched: !turn.touched, unsent: !turn.accepted });
  }
}
