/**
 * Carries a body from upstream to the client: one stage, byte for byte, one chunk in hand. Watches as it passes and says
 * once how it ended. A client that stops reading stops upstream; one that leaves cancels upstream at once.
 *
 * A direct stream: it costs half of what one that is pulled chunk by chunk does (Bun 1.4.5). It takes whatever it is given, so a write that
 * answers with a promise (the client's buffers are full) is waited for before upstream is read again. Never `tee`: it has no such promise.
 */
import { SILENCE_BRIDGE_MS } from "../base/bounds.ts";
import type { ByteFilter } from "../base/byte-filter.ts";
import { NOTHING_OBSERVED, type Outcome } from "../domain/outcome.ts";
import type { AttemptGuard, StopListener } from "./attempt-guard.ts";
import type { ByteFlow, ByteRead, ByteReader } from "./byte-reader.ts";
import type { SseScanner } from "./sse-scanner.ts";
import type { StreamFacts } from "./stream-facts.ts";
import type { AttemptEnd } from "./upstream.ts";

/**
 * After the terminal event nothing follows but the end of the connection. Some clients wait for that, and a connection that upstream
 * forgets to close would keep the account busy; five seconds are ages for a FIN.
 */
const END_WITHIN_MS = 5_000;

export interface TapOptions {
  /** null = upstream sent no body. */
  readonly reader: ByteReader | null;
  readonly guard: AttemptGuard;
  /** Bytes that were read before the stream was opened. */
  readonly held?: Uint8Array[];
  /** A read that is already under way. */
  readonly pending?: ByteRead | null;
  /** The end was read already. */
  readonly ended?: boolean;
  readonly filter?: ByteFilter | null;
  /** What is written into a silence, where an event may stand; null = nothing. */
  readonly bridge?: Uint8Array | null;
  /** null for an answer that is not an event stream: it is complete when its bytes are. */
  readonly watch?: { readonly scanner: SseScanner; readonly facts: StreamFacts } | null;
}

export interface Tap {
  readonly body: ReadableStream<Uint8Array>;
  readonly end: Promise<AttemptEnd>;
}

export function tapBody(options: TapOptions): Tap {
  const tap = new BodyTap(options);
  const source: DirectSource = { type: "direct", pull: (sink) => tap.run(sink), cancel: () => tap.cancel() };
  return { body: new ReadableStream<Uint8Array>(source), end: tap.end };
}

/** The sink of a direct stream, as Bun has it. */
interface Sink {
  /** A promise when the reader is behind. */
  write(chunk: Uint8Array): number | Promise<unknown>;
  flush(): unknown;
  close(): void;
}

interface DirectSource {
  readonly type: "direct";
  /** Called once; the stream is over when it resolves, and broken off when it rejects. */
  pull(sink: Sink): Promise<void>;
  cancel(): void;
}

class BodyTap implements ByteFlow, StopListener {
  readonly end: Promise<AttemptEnd>;
  readonly #settle: (end: AttemptEnd) => void;
  readonly #reader: ByteReader | null;
  readonly #guard: AttemptGuard;
  readonly #watch: NonNullable<TapOptions["watch"]> | null;
  readonly #filter: ByteFilter | null;
  readonly #bridge: Uint8Array | null;
  #out: { readonly sink: Sink; readonly resolve: () => void; readonly reject: () => void } | null = null;
  #held: Uint8Array[];
  /** For a reader that hands nothing over. */
  #reading: { readonly got: (got: Awaited<ByteRead>) => void; readonly failed: () => void } | null = null;
  #pending: ByteRead | null;
  #ended: boolean;
  #settled = false;
  /** The client's side is closed: its sink takes nothing any more. */
  #cancelled = false;
  #closed = false;
  #endExpected = false;

  constructor(options: TapOptions) {
    const { promise, resolve } = Promise.withResolvers<AttemptEnd>();
    this.end = promise;
    this.#settle = resolve;
    this.#reader = options.reader;
    this.#guard = options.guard;
    this.#watch = options.watch ?? null;
    this.#filter = options.filter ?? null;
    this.#bridge = this.#watch === null ? null : (options.bridge ?? null);
    this.#held = options.held ?? [];
    this.#pending = options.pending ?? null;
    this.#ended = options.ended === true || options.reader === null;
    this.#guard.whenStopped = this;
    if (this.#pending === null && this.#reader?.finished === true) this.#atLast();
    // Nobody has to read a body that is not there, and what is whole does not depend on who reads it.
    if (this.#ended && (this.#held.length === 0 || this.#watch?.facts.complete === true)) this.#conclude(this.#atEnd());
    else this.#noteComplete();
  }

  /** For what no pending read would notice. */
  stopped(): void {
    this.#conclude(this.#guard.outcome() ?? CUT);
  }

  /** Resolves when everything has gone out, and rejects without a reason when the answer was broken off. */
  run(sink: Sink): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#out = { sink, resolve, reject };
    const held = this.#held;
    this.#held = [];
    let full: Promise<unknown> | null = null;
    for (const chunk of held) full = this.#write(chunk) ?? full;
    if (this.#bridge !== null && !this.#endExpected && !this.#settled) {
      this.#guard.bridge(SILENCE_BRIDGE_MS, () => this.#onSilence());
    }
    this.#next(full);
    return promise;
  }

  /** Upstream thinks: a client that counts the seconds since the last event is told that it is still there. */
  #onSilence(): void {
    if (this.#cancelled || this.#closed || this.#settled || !this.#watch!.scanner.isBetween()) return;
    const { sink } = this.#out!;
    sink.write(this.#bridge!);
    sink.flush();
  }

  /** Reads on, when the client has taken what it was given. */
  #next(full: Promise<unknown> | null): void {
    if (this.#pending === null && this.#reader?.finished === true) this.#atLast();
    // The end sends what is there: on its own, the last piece would cost a packet more.
    if (!this.#ended) this.#out!.sink.flush();
    if (full === null) this.#onReady();
    else {
      const ready = () => this.#onReady();
      full.then(ready, ready);
    }
  }

  #atLast(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.scanner.finish();
  }

  #onReady(): void {
    if (this.#cancelled) return;
    if (this.#ended || this.#settled) {
      this.#close();
      return;
    }
    this.#guard.beginWait();
    const reader = this.#reader!;
    if (this.#pending === null && reader.flow !== undefined) {
      reader.flow(this);
      return;
    }
    const read = this.#pending ?? reader.read();
    this.#pending = null;
    // Two callbacks for the whole stream rather than an async function's frame for every chunk: this is the path of each event.
    this.#reading ??= { got: (got) => this.#onRead(got), failed: () => this.broken() };
    read.then(this.#reading.got, this.#reading.failed);
  }

  /** What goes out; a promise when the client is behind. */
  #write(chunk: Uint8Array): Promise<unknown> | null {
    const passed = this.#filter === null ? chunk : this.#filter.feed(chunk);
    if (passed.length === 0) return null;
    const written = this.#out!.sink.write(passed);
    return typeof written === "number" ? null : written;
  }

  #onRead({ done, value }: Awaited<ByteRead>): void {
    this.#guard.endWait();
    if (this.#cancelled) return;
    if (done || value === undefined) {
      this.#atLast();
      this.#close();
      return;
    }
    this.#look(value, false);
    this.#next(this.#write(value));
  }

  #look(chunk: Uint8Array, isLast: boolean): void {
    if (this.#watch === null) return;
    this.#watch.scanner.feed(chunk);
    if (this.#watch.facts.complete && !isLast) this.#noteComplete();
  }

  // The same for a reader that hands its bytes over.

  bytes(chunk: Uint8Array, isLast: boolean): Promise<unknown> | null {
    if (this.#cancelled || this.#settled) return null;
    this.#look(chunk, isLast);
    const full = this.#write(chunk);
    if (!isLast) this.#out!.sink.flush();
    if (full === null) {
      this.#guard.beginWait();
      return null;
    }
    this.#guard.endWait();
    const room = () => this.#guard.beginWait();
    return full.then(room, room);
  }

  ended(): void {
    if (this.#cancelled) return;
    this.#atLast();
    this.#close();
  }

  /** Stopped by client or clock, or upstream broke off: which of them is known to the guard. */
  broken(): void {
    this.#conclude(this.#guard.outcome() ?? CUT);
    if (!this.#cancelled) this.#close();
  }

  cancel(): void {
    this.#cancelled = true;
    // Stopping closes the connection and concludes; cancelling the reader lets go of what is buffered.
    this.#guard.stop("client");
    this.#reader?.cancel().catch(() => {});
    this.#out?.resolve();
  }

  /** The client's side ends as upstream's did: whole, or broken off. */
  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conclude(this.#atEnd());
    const { sink, resolve, reject } = this.#out!;
    const rest = this.#filter?.end();
    if (rest !== undefined && rest.length > 0) sink.write(rest);
    if (this.#ended || this.#watch?.facts.complete === true) {
      sink.close();
      resolve();
    }
    // Without a reason: `end` tells it. Bun.serve prints the reason of a broken body on stderr, past every handler (seen with 1.4.5,
    // 2026-11-21); it prints nothing for none, and breaks off the connection all the same.
    else reject();
  }

  /** What the end of the bytes means: the whole answer when it is no stream, and too early when a stream has not said so. */
  #atEnd(): Outcome {
    return this.#watch === null ? { kind: "served", usage: null } : ENDED_EARLY;
  }

  #noteComplete(): void {
    if (this.#endExpected || this.#watch?.facts.complete !== true) return;
    this.#endExpected = true;
    this.#guard.expectEnd(END_WITHIN_MS);
  }

  /** What the stream itself said goes before what happened to its connection afterwards. */
  #conclude(otherwise: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    const facts = this.#watch?.facts ?? null;
    if (facts === null) {
      this.#settle({ outcome: otherwise, usage: null, observation: NOTHING_OBSERVED });
    } else {
      const { usage, windows, tier, credits, atMs } = facts;
      const outcome: Outcome = facts.complete ? { kind: "served", usage } : (facts.failure ?? otherwise);
      this.#settle({ outcome, usage, observation: { windows, from: "event", tier, credits, atMs } });
    }
    // A stopped guard has closed itself; an unfinished body is given up below it by cancel or abort.
    this.#guard.close();
  }
}

const CUT: Outcome = { kind: "cut", message: "upstream broke off the answer" };
const ENDED_EARLY: Outcome = { kind: "cut", message: "upstream ended the answer before it was complete" };
