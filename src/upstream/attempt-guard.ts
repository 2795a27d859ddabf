/**
 * What can stop one attempt from outside: the client, or one of the time-outs. Owns the attempt's timers, aborts its call,
 * and knows why it was stopped. A stream costs one timer at a time, however many chunks it has.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { HttpCall } from "./http-client.ts";
import type { AttemptRequest } from "./upstream.ts";

/** `ended`: the stream said all it had to say but its connection lingers. `given_up`: we know enough and want no more of it. */
export type Stop = "client" | "first_byte" | "silence" | "ended" | "given_up";

export interface StopListener {
  stopped(): void;
}

export class AttemptGuard implements EventListenerObject {
  /** Told once, when the attempt is stopped. */
  whenStopped: StopListener | null = null;
  /** What is done whenever nothing has come for so long; null = nothing. */
  #bridge: { readonly everyMs: number; readonly over: () => void } | null = null;
  readonly #clock: Clock;
  #call: Pick<HttpCall, "abort"> | null = null;
  readonly #client: AbortSignal;
  readonly #timeouts: AttemptRequest["timeouts"];
  #stopped: Stop | null = null;
  #firstByte: Timer | null;
  #silence: Timer | null = null;
  #waitingSinceMs: number | null = null;
  #closed = false;

  constructor(clock: Clock, request: Pick<AttemptRequest, "signal" | "timeouts">) {
    this.#clock = clock;
    this.#client = request.signal;
    this.#timeouts = request.timeouts;
    this.#firstByte = clock.after(request.timeouts.firstByteMs, () => this.stop("first_byte"));
    if (this.#client.aborted) this.stop("client");
    else this.#client.addEventListener("abort", this);
  }

  /** What is closed when the attempt is stopped. */
  watch(call: Pick<HttpCall, "abort">): void {
    this.#call = call;
    if (this.#stopped !== null) call.abort();
  }

  get stopped(): Stop | null {
    return this.#stopped;
  }

  /** Upstream has begun to answer: from here on only silence counts. */
  answered(): void {
    this.#firstByte?.cancel();
    this.#firstByte = null;
  }

  /** A read is pending. While none is, the client is the slow one and upstream's silence is no fault. */
  beginWait(): void {
    this.#waitingSinceMs = this.#clock.monotonicMs();
    if (this.#silence === null && this.#firstByte === null) this.#watch(this.#stepMs());
  }

  /** While a silence lasts, `over` is called so often: for a client that would give up before upstream does. */
  bridge(everyMs: number, over: () => void): void {
    if (this.#closed) return;
    this.#bridge = { everyMs, over };
    this.#silence?.cancel();
    this.#silence = null;
    if (this.#firstByte === null) this.#watch(this.#stepMs());
  }

  #stepMs(): number {
    return Math.min(this.#bridge?.everyMs ?? Number.POSITIVE_INFINITY, this.#timeouts.silenceMs);
  }

  endWait(): void {
    this.#waitingSinceMs = null;
  }

  /** Nothing more is due; do not wait longer than `limitMs` for the end. */
  expectEnd(limitMs: number): void {
    if (this.#closed) return;
    this.#silence?.cancel();
    this.#silence = this.#clock.after(limitMs, () => this.stop("ended"));
  }

  stop(why: Stop): void {
    if (this.#closed || this.#stopped !== null) return;
    this.#stopped = why;
    this.close();
    this.#call?.abort();
    this.whenStopped?.stopped();
  }

  /** The attempt is over: timers and listeners go, so that nothing of it outlives it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.answered();
    this.#silence?.cancel();
    this.#silence = null;
    this.#client.removeEventListener("abort", this);
  }

  /** What being stopped means for the attempt; null when it was not stopped by client or clock. */
  outcome(): Outcome | null {
    switch (this.#stopped) {
      case "client":
        return { kind: "client_gone" };
      case "first_byte": {
        const message = `no answer within ${seconds(this.#timeouts.firstByteMs)}`;
        return { kind: "timed_out", phase: "first_byte", message };
      }
      case "silence": {
        const message = `nothing came for ${seconds(this.#timeouts.silenceMs)}`;
        return { kind: "timed_out", phase: "silence", message };
      }
      default:
        return null;
    }
  }

  /** The client's signal. */
  handleEvent(): void {
    this.stop("client");
  }

  /** Looks again when the limit could have been reached at the earliest, instead of setting a timer for every chunk. */
  #watch(delayMs: number): void {
    this.#silence = this.#clock.after(delayMs, () => {
      const stepMs = this.#stepMs();
      if (this.#waitingSinceMs === null) return this.#watch(stepMs);
      const quietMs = this.#clock.monotonicMs() - this.#waitingSinceMs;
      const leftMs = this.#timeouts.silenceMs - quietMs;
      // A timer may fire a fraction of a millisecond early.
      if (leftMs <= 1) return this.stop("silence");
      const isStep = quietMs > stepMs - 1;
      if (isStep) this.#bridge?.over();
      this.#watch(Math.min(leftMs, isStep ? stepMs : stepMs - quietMs));
    });
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
