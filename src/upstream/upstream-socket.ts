/**
 * One WebSocket to upstream, for one account: one request at a time as a frame, its events read as if they were an HTTP event stream, so that
 * everything behind it (hold-back, verdicts, usage) is the same for both transports. Which request goes where is the pool's of sockets.
 */

import { type BodyBytes, lengthOf, wholeOf } from "../base/body-bytes.ts";
import { BODY_MAX_BYTES } from "../base/bounds.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Dice } from "../base/id.ts";
import {
  closePayload,
  createFrameReader,
  deflateMessageAside,
  encodeFrame,
  type FrameReader,
  OPCODE,
  type WsMessage,
} from "../base/ws-frames.ts";
import { AnswerQueue } from "./answer-queue.ts";
import type { Wire } from "./dial.ts";
import { type HttpAnswer, HttpFault } from "./http-client.ts";
import { type FirstWord, firstWord, isEvent, isLast, refusalIn, responseIdIn, typeOf } from "./socket-events.ts";

/** How a request on this socket ended, for whoever sent it: one of them, once. */
export interface SocketReceiver {
  answered(answer: HttpAnswer): void;
  failed(error: HttpFault): void;
  /** Upstream refuses in a way that another form of the same request mends: nothing was done. */
  forgotten(what: Extract<FirstWord, "unknown_response" | "too_old">): void;
}

interface Turn {
  readonly receiver: SocketReceiver;
  queue: AnswerQueue | null;
}

/** Below this a message only grows by being compressed. */
const PACK_MIN_BYTES = 4 * 1024;
const DATA = Buffer.from("data: ");
const BLANK = Buffer.from("\n\n");
const LF = 0x0a;
const CR = 0x0d;
const RESET = "ECONNRESET";
const NO_EVENT = "Malformed_WebSocket_Event";

export interface SocketOptions {
  readonly wire: Wire;
  readonly dice: Dice;
  readonly deflate: boolean;
  /** What the handshake's answer said; it is the head of the first answer. */
  readonly headers: HeaderList;
  readonly openedAtMs: number;
  /** The answer is complete: free for another request. */
  readonly onFree: (socket: UpstreamSocket) => void;
  readonly onClosed: (socket: UpstreamSocket) => void;
}

export class UpstreamSocket {
  readonly openedAtMs: number;
  /** The last response that was completed here: what a request may refer to. */
  lastResponseId: string | null = null;
  /** Since the last ping nothing has come. */
  pinged = false;
  readonly #options: SocketOptions;
  readonly #frames: FrameReader;
  #head: HeaderList;
  #turn: Turn | null = null;
  /** Events of one read, in pieces: what is behind takes them as one, as it does with what comes over HTTP. */
  #told: Uint8Array[] = [];
  #unsent: Uint8Array[] = [];
  #paused = false;
  #closed = false;

  constructor(options: SocketOptions) {
    this.#options = options;
    this.openedAtMs = options.openedAtMs;
    this.#head = options.headers;
    this.#frames = createFrameReader({ from: "server", maxBytes: BODY_MAX_BYTES, deflate: options.deflate });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** For a socket that is free. */
  ask(message: BodyBytes, receiver: SocketReceiver): void {
    this.#turn = { receiver, queue: null };
    void this.#send(message);
  }

  ping(): void {
    this.pinged = true;
    this.#frame(OPCODE.ping, new Uint8Array(0));
  }

  /** Ends the connection if `receiver`'s request is under way on it: a WebSocket has no other way to cancel. */
  abort(receiver: SocketReceiver): void {
    if (this.#turn?.receiver === receiver) this.close(new HttpFault("ABORT_ERR"));
  }

  close(error = new HttpFault(RESET)): void {
    if (this.#closed) return;
    this.#frame(OPCODE.close, closePayload(1000, ""));
    this.#end(error);
  }

  // From here on: what the connection says.

  onData(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.pinged = false;
    try {
      for (const message of this.#frames.feed(bytes)) this.#take(message);
      this.#tell(false);
    } catch {
      // Nothing that follows can be understood.
      this.close();
    }
  }

  onDrain(): void {
    for (const bytes of this.#unsent.splice(0)) this.#write(bytes);
  }

  onEnded(): void {
    this.#end(new HttpFault(RESET));
  }

  async #send(message: BodyBytes): Promise<void> {
    const packs = this.#options.deflate && lengthOf(message) >= PACK_MIN_BYTES;
    const whole = wholeOf(message);
    const payload = packs ? await deflateMessageAside(whole) : whole;
    this.#frame(OPCODE.text, payload, packs);
  }

  #frame(opcode: number, payload: Uint8Array, packed = false): void {
    this.#write(encodeFrame(opcode, payload, { mask: this.#options.dice.bytes(4), packed }));
  }

  #write(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#unsent.length > 0) {
      this.#unsent.push(bytes);
      return;
    }
    const taken = Math.max(0, this.#options.wire.write(bytes));
    if (taken < bytes.length) this.#unsent.push(bytes.subarray(taken));
  }

  #take(message: WsMessage): void {
    if (message.kind === "text")
      this.#event(Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length));
    else if (message.kind === "ping") this.#frame(OPCODE.pong, message.data);
    else if (message.kind !== "pong") this.close();
  }

  #event(data: Buffer): void {
    const turn = this.#turn;
    // Between two answers only windows and the like are told; the next answer tells them again.
    if (turn === null) return;
    const type = typeOf(data);
    if (type === null && !isEvent(data)) {
      // What follows it cannot be trusted either: before output this is a failed attempt, after it a cut.
      this.close(new HttpFault(NO_EVENT));
      return;
    }
    if (turn.queue === null) {
      const word = type === "error" ? firstWord(data) : "output";
      if (word !== "output") {
        this.#refused(turn, word, data);
        return;
      }
      turn.queue = this.#answer(turn);
    }
    addEvent(this.#told, type, data);
    if (!isLast(type)) return;
    this.#tell(true);
    this.lastResponseId = type === "response.completed" ? responseIdIn(data) : null;
    turn.queue.end();
    this.#free();
  }

  #tell(isLast: boolean): void {
    if (this.#told.length === 0) return;
    const told = Buffer.concat(this.#told);
    this.#told = [];
    this.#turn?.queue?.push(told, isLast);
  }

  #answer({ receiver }: Turn): AnswerQueue {
    const queue = new AnswerQueue({
      rest: () => this.#rest(),
      resume: () => this.#resume(),
      giveUp: () => this.close(),
    });
    const headers: HeaderList = [...this.#head, ["content-type", "text/event-stream"]];
    this.#head = [];
    receiver.answered({ status: 200, headers, reader: queue });
    return queue;
  }

  /** An error before anything else is an HTTP answer with that status. */
  #refused({ receiver }: Turn, word: FirstWord, data: Buffer): void {
    this.#head = [];
    this.lastResponseId = null;
    if (word === "too_old") {
      this.#turn = null;
      this.close();
      receiver.forgotten(word);
    } else if (word === "unknown_response") {
      this.#turn = null;
      receiver.forgotten(word);
    } else {
      const { status, headers, body } = refusalIn(data);
      const queue = new AnswerQueue({ rest() {}, resume() {}, giveUp() {} });
      queue.push(body, true);
      queue.end();
      this.#free();
      receiver.answered({ status, headers, reader: queue });
    }
  }

  #free(): void {
    this.#turn = null;
    this.#resume();
    this.#options.onFree(this);
  }

  #rest(): void {
    if (this.#paused || this.#closed) return;
    this.#paused = true;
    this.#options.wire.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    this.#options.wire.resume();
  }

  #end(error: HttpFault): void {
    if (this.#closed) return;
    this.#tell(false);
    // Whoever was told may have closed it.
    if (this.#closed) return;
    this.#closed = true;
    this.#unsent = [];
    this.#options.wire.terminate();
    const turn = this.#turn;
    this.#turn = null;
    this.#options.onClosed(this);
    if (turn === null) return;
    if (turn.queue === null) turn.receiver.failed(error);
    else turn.queue.fail(error);
  }
}

/** As upstream writes it over HTTP. A line end inside the JSON would end the event's line. */
function addEvent(pieces: Uint8Array[], type: string | null, data: Buffer): void {
  if (type !== null) pieces.push(Buffer.from(`event: ${type}\n`, "latin1"));
  if (data.indexOf(LF) < 0 && data.indexOf(CR) < 0) {
    pieces.push(DATA, data, BLANK);
    return;
  }
  for (const line of data.toString("utf8").split(/\r\n|\r|\n/)) pieces.push(Buffer.from(`data: ${line}\n`));
  pieces.push(BLANK.subarray(1));
}
