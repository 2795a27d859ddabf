/**
 * One client's WebSocket: its requests one after the other, each an exchange like any other, and their events as frames. The socket stays
 * open whatever becomes of an account; it is closed when an answer broke off, because that is how a client knows that it must ask again.
 */
import { BODY_MAX_BYTES, CLIENT_SOCKET_IDLE_MS, CLIENT_SOCKET_QUEUE } from "../base/bounds.ts";
import type { Timer } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { AccountId } from "../domain/account.ts";
import type { Surface } from "../domain/exchange.ts";
import type { Engine } from "../pool/engine.ts";
import { answerHeaders } from "./answer-headers.ts";
import { eventType } from "./event-type.ts";
import { finalAnswer } from "./final-answer.ts";
import { findMember, scanMembers } from "./json-members.ts";
import { viewObject } from "./json-view.ts";
import { scanBody, textOf } from "./request-facts.ts";
import { type ChainBudget, SocketChain } from "./socket-chain.ts";
import { frameOfAnswer, frameOfRefusal, openingFrames, withStatus } from "./socket-frames.ts";
import { type Asked, exchangeOf, readAsk } from "./socket-turn.ts";
import { blockData, SseBlocks } from "./sse-blocks.ts";
import { modelsEtagFor } from "./turn.ts";
import { notReady, type ProxyDeps } from "./visit.ts";

/** What is used of the client's socket. */
export interface ClientWire {
  /** False when its buffers are full: `drained` says when they are not any more. */
  send(text: string): boolean;
  /** What is sent meanwhile goes out in one write. */
  together(send: () => void): void;
  close(code: number, reason: string): void;
}

/** Who is at the other end, as the handshake showed. */
export interface SocketVisit {
  readonly path: string;
  readonly query: string;
  /** Without what is of the handshake alone. */
  readonly headers: HeaderList;
  readonly surface: Surface;
  readonly keyId: string;
  readonly only: AccountId | null;
}

/**
 * What Codex says beside its requests, and nothing comes of: `response.processed` after a turn (some versions, wire §3.5), `response.interrupt`
 * when somebody types while an answer comes (0.169, seen 2026-11-21). An answer that goes on to its end is what it takes without trouble; a
 * refusal ends its turn.
 */
const NOTES: ReadonlySet<string> = new Set(["response.processed", "response.interrupt"]);

const TERMINAL: ReadonlySet<string> = new Set([
  "response.completed",
  "response.incomplete",
  "response.failed",
  "error",
]);

export class SocketSession {
  readonly #deps: ProxyDeps;
  readonly #visit: SocketVisit;
  readonly #chain: SocketChain;
  #wire: ClientWire | null = null;
  #queue: string[] = [];
  #busy = false;
  #closed = false;
  #leaving = false;
  /** Ends the exchange under way. */
  #gone: AbortController | null = null;
  #full: { readonly promise: Promise<void>; readonly resolve: () => void } | null = null;
  #idle: Timer | null = null;

  constructor(deps: ProxyDeps, visit: SocketVisit, budget: ChainBudget) {
    this.#deps = deps;
    this.#visit = visit;
    this.#chain = new SocketChain(budget);
  }

  opened(wire: ClientWire): void {
    this.#wire = wire;
    this.#rest();
  }

  heard(text: string): void {
    const waiting = this.#queue.reduce((sum, queued) => sum + queued.length, text.length);
    if (this.#queue.length >= CLIENT_SOCKET_QUEUE || waiting > BODY_MAX_BYTES) {
      this.#close(1008, "more requests at once than are taken");
      return;
    }
    this.#queue.push(text);
    if (!this.#busy) void this.#work();
  }

  drained(): void {
    this.#full?.resolve();
    this.#full = null;
  }

  /** The client is gone: what it asked for is cancelled upstream. */
  left(): void {
    this.#closed = true;
    this.#queue = [];
    this.#idle?.cancel();
    this.#gone?.abort(new AppError("client_gone", "the client closed its WebSocket"));
    this.#chain.forget();
    this.drained();
  }

  /** Rotor goes away: at once, or after the answer that is under way. */
  leave(): void {
    this.#leaving = true;
    if (!this.#busy) this.#close(1001, "Rotor stops");
  }

  #close(code: number, reason: string): void {
    if (this.#closed) return;
    this.left();
    this.#wire?.close(code, reason);
  }

  async #work(): Promise<void> {
    this.#busy = true;
    this.#idle?.cancel();
    for (let text = this.#queue.shift(); text !== undefined && !this.#closed; text = this.#queue.shift()) {
      await this.#hear(text);
    }
    this.#busy = false;
    if (this.#leaving) this.#close(1001, "Rotor stops");
    else if (!this.#closed) this.#rest();
  }

  /** A socket that nobody uses is closed in order; clients open another one and send their history again. */
  #rest(): void {
    this.#idle = this.#deps.clock.after(CLIENT_SOCKET_IDLE_MS, () => this.#close(1000, "idle"));
  }

  async #hear(text: string): Promise<void> {
    const gone = new AbortController();
    this.#gone = gone;
    try {
      const frame = scanBody(Buffer.from(text));
      const type = textOf(frame, "type");
      if (NOTES.has(type ?? "")) return;
      if (type !== "response.create") {
        throw new AppError("invalid_request", "a message must be of type response.create", {
          facts: { param: "type" },
        });
      }
      const ask = readAsk(frame, this.#chain);
      await this.#serve(this.#engine(), ask, gone.signal);
    } catch (thrown) {
      this.#refuse(fromUnknown(thrown), null);
    } finally {
      this.#gone = null;
    }
  }

  /** The daemon may have been locked, and the key revoked, since the socket was opened. */
  #engine(): Engine {
    const engine = this.#deps.engine();
    if (engine === null) throw notReady(this.#deps);
    const { keyId } = this.#visit;
    if (engine.keys.list().some((key) => key.id === keyId && key.revokedAtMs === null)) return engine;
    throw new AppError("invalid_client_key", "the client key of this connection was revoked");
  }

  async #serve(engine: Engine, ask: Asked, signal: AbortSignal): Promise<void> {
    const { clock, bodyMaxBytes, words } = this.#deps;
    const visit = { ...this.#visit, engine, signal, bodyMaxBytes, words, nowMs: clock.nowMs };
    await engine.catalogue.prepare(ask.model);
    const exchange = exchangeOf(visit, ask);
    const answer = await engine.exchanges.run(exchange);
    if (answer.kind === "refused") this.#refuse(answer.error, answer.exchangeId);
    else {
      const { surface } = visit;
      const told = { surface, words, mapping: exchange.mapping, modelsEtag: modelsEtagFor(visit) };
      const headers = answerHeaders(answer.headers, told, answer.exchangeId);
      if (answer.kind === "opened") await this.#deliver(answer.body, headers, ask);
      else this.#send(frameOfRefusal(answer.status, headers, answer.body));
    }
  }

  #refuse(error: AppError, exchangeId: string | null): void {
    if (error.code === "internal") this.#deps.log.error("request.failed", { error });
    const { surface } = this.#visit;
    // In a stream or out of it: over a WebSocket Codex takes the same events as final.
    const context = { surface, stream: true, exchangeId, nowMs: this.#deps.clock.nowMs() };
    this.#send(frameOfAnswer(finalAnswer(error, context)));
    if (error.code === "invalid_client_key") this.#close(1008, "the client key was revoked");
  }

  async #deliver(body: ReadableStream<Uint8Array>, headers: HeaderList, ask: Asked): Promise<void> {
    const reader = body.getReader();
    const blocks = new SseBlocks();
    let opening: readonly string[] = this.#visit.surface === "codex" ? openingFrames(headers) : [];
    let chunk: Uint8Array | null = null;
    const items = [...ask.items];
    let isWhole = false;
    const onBlock = (block: Buffer): boolean => {
      const data = blockData(block);
      if (data !== null && data.length > 0) isWhole = this.#pass(data, items) || isWhole;
      return !this.#closed;
    };
    const pass = () => {
      for (const frame of opening) this.#send(frame);
      opening = [];
      if (chunk === null) blocks.end(onBlock);
      else blocks.feed(chunk, onBlock);
    };
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (this.#closed) break;
        chunk = done ? null : value;
        // One write for all that came at once: each costs more than what is said.
        this.#wire?.together(pass);
        if (done || blocks.isTooLong) break;
        if (this.#full !== null) await this.#full.promise;
      }
    } catch {
      // Upstream broke off, or the client left: the exchange has noted which.
    }
    reader.cancel().catch(() => {});
    if (!isWhole) this.#close(1011, "upstream broke off the answer");
  }

  /** One event. True for the one that ends an answer. */
  #pass(data: Buffer, items: Uint8Array[]): boolean {
    const type = eventType(data);
    // `[DONE]`, or bytes that are no event: over a WebSocket everything is one.
    if (type === null) return false;
    if (type === "response.output_item.done") {
      const item = memberOf(data, "item");
      // A copy: the event's bytes are read over.
      if (item !== null) items.push(Buffer.from(item));
    } else if (type === "response.completed") {
      const response = responseIdOf(data);
      if (response === null) this.#chain.forget();
      else this.#chain.remember(response, items);
    }
    this.#send(type === "error" ? withStatus(data) : data.toString("utf8"));
    return TERMINAL.has(type);
  }

  #send(text: string): void {
    if (this.#closed || this.#wire === null) return;
    if (!this.#wire.send(text)) this.#full ??= Promise.withResolvers<void>();
  }
}

function memberOf(data: Buffer, key: string): Uint8Array | null {
  const scan = scanMembers(data);
  const member = scan.ok ? findMember(scan.members, key) : null;
  return member === null ? null : data.subarray(member.valueStart, member.valueEnd);
}

function responseIdOf(data: Buffer): string | null {
  const scan = scanMembers(data);
  const member = scan.ok ? findMember(scan.members, "response") : null;
  return member === null ? null : (viewObject(data, member)?.text("id") ?? null);
}
