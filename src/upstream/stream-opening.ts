/**
 * From the head of a 200 to the decision: does output begin, or has upstream failed after all? Reads the opening events and holds them
 * back (contracts §5). Opens nothing that another account could still serve better.
 */

import { HOLD_BACK_MAX_MS } from "../base/bounds.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { AttemptGuard } from "./attempt-guard.ts";
import type { ByteRead, ByteReader } from "./byte-reader.ts";
import { HoldBack } from "./hold-back.ts";
import type { EventType } from "./sse-events.ts";
import { createSseScanner, type SseScanner } from "./sse-scanner.ts";
import { StreamFacts } from "./stream-facts.ts";
import { type Tap, tapBody } from "./stream-tap.ts";
import { codeOf } from "./transport-failure.ts";
import type { AttemptRequest } from "./upstream.ts";

export type Opening =
  | { readonly kind: "opened"; readonly tap: Tap; readonly facts: StreamFacts }
  | { readonly kind: "failed"; readonly outcome: Outcome; readonly facts: StreamFacts };

type Wants = Partial<Pick<AttemptRequest, "filter" | "statusForRefusals" | "bridge">>;

/** At once when what has come decides it already. */
export function openStream(
  reader: ByteReader,
  guard: AttemptGuard,
  clock: Clock,
  wants: Wants = {},
): Opening | Promise<Opening> {
  return new StreamOpening(reader, guard, clock, wants).decide();
}

class StreamOpening {
  readonly #reader: ByteReader;
  readonly #guard: AttemptGuard;
  readonly #clock: Clock;
  readonly #wants: Wants;
  readonly #facts = new StreamFacts();
  readonly #holdBack: HoldBack;
  readonly #scanner: SseScanner;
  readonly #held: Uint8Array[] = [];
  #pending: ByteRead | null = null;
  #ended = false;

  constructor(reader: ByteReader, guard: AttemptGuard, clock: Clock, wants: Wants) {
    this.#reader = reader;
    this.#guard = guard;
    this.#clock = clock;
    this.#wants = wants;
    this.#holdBack = new HoldBack(wants.statusForRefusals ?? false);
    this.#scanner = createSseScanner(this.#note);
  }

  decide(): Opening | Promise<Opening> {
    for (;;) {
      if (!this.#isOpen()) return this.#decided();
      const chunk = this.#reader.take?.() ?? null;
      if (chunk === null) break;
      this.#look(chunk);
    }
    if (this.#reader.finished !== true) return this.#decideLater();
    this.#noteEnd();
    return this.#decided();
  }

  async #decideLater(): Promise<Opening> {
    const late = new Lateness(this.#clock);
    try {
      while (this.#isOpen()) {
        if (this.#holdBack.created) late.start();
        this.#pending ??= this.#reader.read();
        this.#guard.beginWait();
        const got = await late.race(this.#pending);
        this.#guard.endWait();
        if (got === "late") {
          this.#holdBack.noteLate();
          break;
        }
        this.#pending = null;
        if (got.done || got.value === undefined) this.#noteEnd();
        else this.#look(got.value);
      }
    } catch (thrown) {
      return { kind: "failed", outcome: this.#guard.outcome() ?? broken(codeOf(thrown)), facts: this.#facts };
    } finally {
      late.stop();
    }
    return this.#decided();
  }

  #isOpen(): boolean {
    return this.#holdBack.verdict === "hold" && !this.#ended;
  }

  #look(chunk: Uint8Array): void {
    this.#held.push(chunk);
    this.#scanner.feed(chunk);
    this.#holdBack.noteBytes(chunk.length, this.#scanner.openType());
  }

  #noteEnd(): void {
    this.#ended = true;
    this.#scanner.finish();
  }

  readonly #note = (type: EventType | null, data: Uint8Array | null): void => {
    if (type !== null) this.#facts.note(type, data, this.#clock.nowMs());
    if (this.#holdBack.verdict !== "hold") return;
    this.#guard.answered();
    this.#holdBack.noteEvent(type, this.#facts.failure);
  };

  #decided(): Opening {
    const facts = this.#facts;
    const reader = this.#reader;
    const guard = this.#guard;
    if (this.#holdBack.verdict === "commit") {
      // A late commit has not seen an event since; time-outs go on as for any open stream.
      guard.answered();
      const tap = tapBody({
        reader,
        guard,
        held: this.#held,
        pending: this.#pending,
        ended: this.#ended,
        filter: this.#wants.filter?.() ?? null,
        bridge: this.#wants.bridge ?? null,
        watch: { scanner: this.#scanner, facts },
      });
      return { kind: "opened", facts, tap };
    }
    // What is still under way is of no use to anybody.
    if (!this.#ended) guard.stop("given_up");
    reader.cancel().catch(() => {});
    return { kind: "failed", outcome: facts.failure ?? ENDED_UNBORN, facts };
  }
}

const ENDED_UNBORN: Outcome = {
  kind: "upstream_failed",
  status: 200,
  message: "the stream ended before any output",
  retryAtMs: null,
};

function broken(code: string | null): Outcome {
  const message = `the stream broke off before any output${code === null ? "" : ` (${code})`}`;
  return { kind: "upstream_failed", status: 200, message, retryAtMs: null };
}

type Got = Awaited<ByteRead>;

/** The limit that starts with `response.created`. Until then, and for streams that go on at once, it costs nothing but the read. */
class Lateness {
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #late: Promise<"late"> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    if (this.#late !== null) return;
    this.#late = new Promise((resolve) => {
      this.#timer = this.#clock.after(HOLD_BACK_MAX_MS, () => resolve("late"));
    });
  }

  race(read: ByteRead): ByteRead | Promise<Got | "late"> {
    return this.#late === null ? read : Promise.race([read, this.#late]);
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
