/**
 * Decides how long the opening of a stream is kept from the client (contracts §5): while it is kept, a failure inside a 200 can still
 * become a failed attempt, and another account can serve. Pure; time-outs and bytes are the caller's.
 */
import { HOLD_BACK_MAX_BYTES, HOLD_BACK_MAX_EVENTS } from "../base/bounds.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { EventType } from "./sse-events.ts";

/** Events that come before any output and mean nothing to the client's user yet (wire §4.2, bootstrap buffering). */
const OPENING: ReadonlySet<EventType> = new Set([
  "response.created",
  "response.queued",
  "response.in_progress",
  "response.metadata",
  "codex.response.metadata",
  "codex.rate_limits",
  "responsesapi.websocket_timing",
  "keepalive",
  "ping",
]);

const FAILURE: ReadonlySet<EventType> = new Set(["response.failed", "error"]);

export class HoldBack {
  /** `commit`: the stream goes to the client from here on; `fail`: the attempt has failed; `hold`: undecided. */
  verdict: "hold" | "commit" | "fail" = "hold";
  /** `response.created` was seen: from now on the client may wait only so long for it. */
  created = false;
  readonly #holdsRefusals: boolean;
  #events = 0;
  #bytes = 0;

  /** With `holdsRefusals` what is the request's own fault fails here, too: the door has a better form for it. */
  constructor(holdsRefusals = false) {
    this.#holdsRefusals = holdsRefusals;
  }

  /** `failure` is what the event was judged to be, when it is one. */
  noteEvent(type: EventType | null, failure: Outcome | null): void {
    if (this.verdict !== "hold") return;
    this.#events++;
    if (type === "response.created") this.created = true;
    if (type !== null && FAILURE.has(type)) {
      // The request's own fault would be the same everywhere: the client gets upstream's words.
      const isRefusal = failure === null || failure.kind === "request_rejected";
      this.verdict = isRefusal && !(this.#holdsRefusals && failure !== null) ? "commit" : "fail";
    } else if (type === null || !OPENING.has(type) || this.#events >= HOLD_BACK_MAX_EVENTS) {
      this.verdict = "commit";
    }
  }

  /** After each chunk. `openType` is the event that is still arriving: a failure is waited for, however long its text. */
  noteBytes(bytes: number, openType: EventType | null): void {
    this.#bytes += bytes;
    const isFailing = openType !== null && FAILURE.has(openType);
    if (this.verdict === "hold" && this.#bytes >= HOLD_BACK_MAX_BYTES && !isFailing) this.verdict = "commit";
  }

  /** The client has waited long enough. */
  noteLate(): void {
    if (this.verdict === "hold") this.verdict = "commit";
  }
}
