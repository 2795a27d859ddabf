/**
 * From nothing to an open WebSocket: a connection, the upgrade, and what upstream says to it. What a refusal means for the attempt is told
 * apart here: of the account, or of WebSockets.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Dice } from "../base/id.ts";
import { DEFLATE_OFFER } from "../base/ws-handshake.ts";
import { openWire, type Peer, type Wire } from "./dial.ts";
import { type HttpAnswer, HttpFault } from "./http-client.ts";
import { type Origin, requestHead, targetOf } from "./request-bytes.ts";
import { UpgradeReader } from "./upgrade-answer.ts";
import type { UpstreamSocket } from "./upstream-socket.ts";

export interface SocketRequest {
  readonly path: string;
  /** Of the handshake, should one be needed. */
  readonly headers: HeaderList;
  /** Whose socket: account and conversation. null = one of its own, closed afterwards. */
  readonly key: string | null;
  /** The whole request as a message. */
  readonly message: readonly Uint8Array[];
  /** The same for a socket on which `responseId` was the last response. */
  readonly since: { readonly responseId: string; readonly message: readonly Uint8Array[] } | null;
  readonly connectMs: number;
}

/** No WebSocket could be had, for a reason that HTTP may not have; nothing was asked. */
export class NoSocket extends HttpFault {
  constructor(code: string) {
    super(code, "no WebSocket to upstream");
  }
}

/** A handshake that takes longer than this is given up for HTTP. */
const HANDSHAKE_MAX_MS = 15_000;
/** What is said of the login and its allowance would be said over HTTP as well; everything else is about WebSockets. */
const ABOUT_THE_ACCOUNT: ReadonlySet<number> = new Set([401, 402, 429]);

/** One of them, once. */
export interface HandshakeEnd {
  opened(socket: UpstreamSocket): void;
  refused(answer: HttpAnswer): void;
  /** A `NoSocket` when HTTP may fare better. */
  failed(error: HttpFault): void;
}

export type OpenSocket = (wire: Wire, headers: HeaderList, deflate: boolean) => UpstreamSocket;

export interface HandshakeOptions {
  readonly origin: Origin;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly ca?: string | undefined;
  readonly request: SocketRequest;
  readonly openSocket: OpenSocket;
}

/** Returns what gives it up. Throws an HttpFault for headers that cannot be sent. */
export function shakeHands(options: HandshakeOptions, onEnd: HandshakeEnd): () => void {
  const { origin, clock, dice, ca, request } = options;
  const key = Buffer.from(dice.bytes(16)).toString("base64");
  const headers = [...request.headers, ...upgradeHeaders(key)];
  const head = requestHead(origin, targetOf(origin, request.path), { method: "GET", headers }, null);
  const handshake = new Handshake(options, onEnd, key, head);
  openWire(origin, { clock, ca, connectMs: request.connectMs }, handshake);
  return () => handshake.giveUp();
}

function upgradeHeaders(key: string): HeaderList {
  return [
    ["connection", "Upgrade"],
    ["upgrade", "websocket"],
    ["sec-websocket-version", "13"],
    ["sec-websocket-key", key],
    ["sec-websocket-extensions", DEFLATE_OFFER],
  ];
}

class Handshake implements Peer {
  readonly #openSocket: OpenSocket;
  readonly #end: HandshakeEnd;
  readonly #reader: UpgradeReader;
  readonly #head: string;
  readonly #patience: Timer;
  #wire: Wire | null = null;
  #socket: UpstreamSocket | null = null;
  #unsent: Uint8Array = new Uint8Array(0);
  #settled = false;

  constructor({ clock, request, openSocket }: HandshakeOptions, onEnd: HandshakeEnd, key: string, head: string) {
    this.#openSocket = openSocket;
    this.#end = onEnd;
    this.#head = head;
    this.#reader = new UpgradeReader(key, () => this.#wire?.terminate());
    const patienceMs = request.connectMs + HANDSHAKE_MAX_MS;
    this.#patience = clock.after(patienceMs, () => this.#fail(new NoSocket("ETIMEDOUT")));
  }

  giveUp(): void {
    this.#settle();
    this.#wire?.terminate();
  }

  opened(wire: Wire): void {
    this.#wire = wire;
    if (this.#settled) wire.terminate();
    else this.#write(Buffer.from(this.#head, "latin1"));
  }

  /** The connection itself could not be made: HTTP would fare no better. */
  failed(error: HttpFault): void {
    this.#fail(error);
  }

  data(bytes: Buffer): void {
    if (this.#socket !== null) {
      this.#socket.onData(bytes);
      return;
    }
    try {
      const answer = this.#reader.feed(bytes);
      if (answer?.kind === "refused") this.#refused(answer.answer);
      if (this.#reader.isDone) this.#wire?.terminate();
      if (answer?.kind !== "opened" || this.#settled) return;
      this.#settle();
      this.#socket = this.#openSocket(this.#wire!, answer.headers, answer.deflate);
      this.#end.opened(this.#socket);
      if (answer.rest.length > 0) this.#socket.onData(answer.rest);
    } catch {
      this.#fail(new NoSocket("Malformed_HTTP_Response"));
    }
  }

  drain(): void {
    if (this.#socket !== null) this.#socket.onDrain();
    else this.#write(this.#unsent);
  }

  #write(bytes: Uint8Array): void {
    this.#unsent = bytes.subarray(Math.max(0, this.#wire!.write(bytes)));
  }

  timeout(): void {}

  ended(isBroken: boolean): void {
    if (this.#socket !== null) this.#socket.onEnded();
    else {
      this.#reader.ended(isBroken);
      this.#fail(new NoSocket("ECONNRESET"));
    }
  }

  #refused(answer: HttpAnswer): void {
    if (this.#settled) return;
    if (!ABOUT_THE_ACCOUNT.has(answer.status)) {
      this.#fail(new NoSocket(String(answer.status)));
      return;
    }
    this.#settle();
    this.#end.refused(answer);
  }

  #fail(error: HttpFault): void {
    if (this.#settled) return;
    this.#settle();
    this.#wire?.terminate();
    this.#end.failed(error);
  }

  #settle(): void {
    this.#settled = true;
    this.#patience.cancel();
  }
}
