/**
 * WebSockets to upstream, one for each account and conversation and never another's: opened by a handshake, used for one request at a time,
 * kept while they are young and answer pings. A request that upstream's end of a socket cannot place is sent once more, in full.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Dice } from "../base/id.ts";
import type { Wire } from "./dial.ts";
import { type HttpAnswer, type HttpCall, HttpFault } from "./http-client.ts";
import { type Origin, originOf } from "./request-bytes.ts";
import { type HandshakeEnd, type OpenSocket, type SocketRequest, shakeHands } from "./socket-handshake.ts";
import { type SocketReceiver, UpstreamSocket } from "./upstream-socket.ts";

/** Upstream itself ends a socket after 60 minutes, with an error in place of an answer (wire §3.5). */
const AGE_MAX_MS = 55 * 60_000;
/** Between two turns of a person; upstream keeps the conversation's state for as long as the socket. */
const IDLE_MAX_MS = 5 * 60_000;
/** A dead connection is found within two of these, and NATs forget a silent one after minutes. */
const PING_MS = 30_000;
const SOCKETS_MAX = 256;
interface Kept {
  readonly socket: UpstreamSocket;
  readonly freeSinceMs: number;
  timer: Timer;
}

export interface SocketPoolOptions {
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly dice: Dice;
  /** Certificates to trust in place of the runtime's own, in PEM. */
  readonly ca?: string | undefined;
}

export class SocketPool {
  readonly #options: SocketPoolOptions;
  readonly #origin: Origin;
  readonly #free = new Map<string, Kept>();

  constructor(options: SocketPoolOptions) {
    this.#options = options;
    this.#origin = originOf(options.baseUrl);
  }

  send(request: SocketRequest): HttpCall {
    const call = new PooledCall(this, request);
    call.start();
    return call;
  }

  close(): void {
    const kept = [...this.#free.values()];
    this.#free.clear();
    for (const { socket, timer } of kept) {
      timer.cancel();
      socket.close();
    }
  }

  /** A free socket of this account and conversation, now taken. */
  take(key: string | null): UpstreamSocket | null {
    const kept = key === null ? undefined : this.#free.get(key);
    if (kept === undefined) return null;
    this.#forget(key!, kept);
    if (this.#options.clock.monotonicMs() - kept.socket.openedAtMs < AGE_MAX_MS) return kept.socket;
    kept.socket.close();
    return null;
  }

  /** Calls back once: with an open socket, with upstream's refusal of the handshake, or with why there is neither. */
  open(request: SocketRequest, onEnd: HandshakeEnd): () => void {
    const { clock, dice, ca } = this.#options;
    const openSocket: OpenSocket = (wire, headers, deflate) => this.#socketOn(wire, request.key, headers, deflate);
    return shakeHands({ origin: this.#origin, clock, dice, ca, request, openSocket }, onEnd);
  }

  #socketOn(wire: Wire, key: string | null, headers: HeaderList, deflate: boolean): UpstreamSocket {
    const { clock, dice } = this.#options;
    const openedAtMs = clock.monotonicMs();
    const onFree = (socket: UpstreamSocket) => this.#keep(key, socket);
    const onClosed = (socket: UpstreamSocket) => {
      const kept = key === null ? undefined : this.#free.get(key);
      if (kept?.socket === socket) this.#forget(key!, kept);
    };
    return new UpstreamSocket({ wire, dice, deflate, headers, openedAtMs, onFree, onClosed });
  }

  #keep(key: string | null, socket: UpstreamSocket): void {
    // Two requests of one conversation at once: the socket that is free first stays.
    if (key === null || this.#free.has(key)) {
      socket.close();
      return;
    }
    if (this.#free.size >= SOCKETS_MAX) {
      const [oldest, kept] = this.#free.entries().next().value!;
      this.#forget(oldest, kept);
      kept.socket.close();
    }
    const kept: Kept = {
      socket,
      freeSinceMs: this.#options.clock.monotonicMs(),
      timer: this.#lookLater(() => this.#look(key, kept)),
    };
    this.#free.set(key, kept);
  }

  /** A free socket from time to time: too old, dead, or alive. */
  #look(key: string, kept: Kept): void {
    const { socket, freeSinceMs } = kept;
    if (socket.pinged || this.#options.clock.monotonicMs() - freeSinceMs >= IDLE_MAX_MS) {
      this.#forget(key, kept);
      socket.close();
      return;
    }
    socket.ping();
    kept.timer = this.#lookLater(() => this.#look(key, kept));
  }

  #lookLater(look: () => void): Timer {
    return this.#options.clock.after(PING_MS, look);
  }

  #forget(key: string, kept: Kept): void {
    kept.timer.cancel();
    this.#free.delete(key);
  }
}

/** One request: on the conversation's socket, on a new one, and on either once more when it has to be said in full. */
class PooledCall implements HttpCall, SocketReceiver {
  readonly answer: Promise<HttpAnswer>;
  readonly answered: (answer: HttpAnswer) => void;
  readonly failed: (error: HttpFault) => void;
  readonly #pool: SocketPool;
  readonly #request: SocketRequest;
  #socket: UpstreamSocket | null = null;
  #stopOpening: (() => void) | null = null;
  #isFull = false;
  #repeats = 0;
  #aborted = false;

  constructor(pool: SocketPool, request: SocketRequest) {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    this.answer = promise;
    this.answered = resolve;
    this.failed = reject;
    this.#pool = pool;
    this.#request = request;
  }

  start(): void {
    const socket = this.#pool.take(this.#request.key);
    if (socket !== null) this.#ask(socket);
    else this.#open();
  }

  abort(): void {
    this.#aborted = true;
    this.#stopOpening?.();
    this.#socket?.abort(this);
    this.failed(new HttpFault("ABORT_ERR"));
  }

  forgotten(what: "unknown_response" | "too_old"): void {
    const socket = this.#socket!;
    // What was said in full already says no more a second time.
    if (this.#aborted || ++this.#repeats > 2 || (what === "unknown_response" && this.#isFull)) {
      socket.close();
      this.failed(new HttpFault("ECONNRESET"));
    } else if (socket.closed) this.#open();
    else this.#ask(socket);
  }

  #open(): void {
    try {
      this.#stopOpening = this.#pool.open(this.#request, {
        opened: (socket) => {
          this.#stopOpening = null;
          if (this.#aborted) socket.close();
          else this.#ask(socket);
        },
        refused: this.answered,
        failed: this.failed,
      });
    } catch (thrown) {
      this.failed(thrown instanceof HttpFault ? thrown : new HttpFault("ERR_INVALID_URL"));
    }
  }

  #ask(socket: UpstreamSocket): void {
    this.#socket = socket;
    const { since, message } = this.#request;
    const isKnown = since !== null && socket.lastResponseId === since.responseId;
    this.#isFull = !isKnown;
    socket.ask(isKnown ? since.message : message, this);
  }
}
