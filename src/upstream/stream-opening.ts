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
import { createSseScanner } from "./sse-scanner.ts";
import { StreamFacts } from "./stream-facts.ts";
import { type Tap, tapBody } from "./stream-tap.ts";
import { codeOf } from "./transport-failure.ts";
import type { AttemptRequest } from "./upstream.ts";

export type Opening =
  | { readonly kind: "opened"; readonly tap: Tap; readonly facts: StreamFacts }
  | { readonly kind: "failed"; readonly outcome: Outcome; readonly facts: StreamFacts };

export async function openStream(
  reader: ByteReader,
  guard: AttemptGuard,
  clock: Clock,
  {
    filter: createFilter,
    statusForRefusals = false,
    bridge = null,
  }: Partial<Pick<AttemptRequest, "filter" | "statusForRefusals" | "bridge">> = {},
): Promise<Opening> {
  const facts = new StreamFacts();
  const holdBack = new HoldBack(statusForRefusals);
  const scanner = createSseScanner((type, data) => {
    if (type !== null) facts.note(type, data, clock.nowMs());
    if (holdBack.verdict !== "hold") return;
    guard.answered();
    holdBack.noteEvent(type, facts.failure);
  });
  const held: Uint8Array[] = [];
  const late = new Lateness(clock);
  let pending: ByteRead | null = null;
  let ended = false;
  try {
    while (holdBack.verdict === "hold" && !ended) {
      pending ??= reader.read();
      guard.beginWait();
      const got = await late.race(pending);
      guard.endWait();
      if (got === "late") {
        holdBack.noteLate();
        break;
      }
      pending = null;
      ended = got.done || got.value === undefined;
      if (ended) scanner.finish();
      else {
        held.push(got.value!);
        scanner.feed(got.value!);
        holdBack.noteBytes(got.value!.length, scanner.openType());
        if (holdBack.created && holdBack.verdict === "hold") late.start();
      }
    }
  } catch (thrown) {
    return { kind: "failed", outcome: guard.outcome() ?? broken(codeOf(thrown)), facts };
  } finally {
    late.stop();
  }
  if (holdBack.verdict === "commit") {
    // A late commit has not seen an event since; time-outs go on as for any open stream.
    guard.answered();
    const filter = createFilter?.() ?? null;
    return {
      kind: "opened",
      facts,
      tap: tapBody({ reader, guard, held, pending, ended, filter, bridge, watch: { scanner, facts } }),
    };
  }
  // What is still under way is of no use to anybody.
  if (!ended) guard.stop("given_up");
  reader.cancel().catch(() => {});
  return { kind: "failed", outcome: facts.failure ?? ENDED_UNBORN, facts };
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
