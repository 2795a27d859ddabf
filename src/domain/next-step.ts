/**
 * After an attempt: what now? One table for every transport (product §4, contracts §23). Pure.
 */
import type { Outcome } from "./outcome.ts";

export interface Progress {
  /** Attempts made, this one included. */
  readonly attempts: number;
  /** Different accounts among them. */
  readonly accounts: number;
  /** Was this account's login renewed for this exchange already? */
  readonly refreshed: boolean;
  /** Attempts on this account for the same passing failure, this one included. */
  readonly sameFailures: number;
  /** Was account-bound content taken out already, and is there any that may be taken out? */
  readonly stripped: boolean;
  readonly canStrip: boolean;
  readonly maxAttempts: number;
  readonly maxAccounts: number;
  /** Uniform in [0, 1), for jitter. */
  readonly dice: number;
}

export type Step =
  /** Nothing more to do: upstream's answer (or the client's absence) stands. */
  | { readonly kind: "done" }
  /** Renew the login, then the same account. */
  | { readonly kind: "refresh" }
  | { readonly kind: "same"; readonly delayMs: number }
  | { readonly kind: "next" }
  /** As many accounts as one exchange may ask were asked: wait for one of them, if that is soon. */
  | { readonly kind: "wait" }
  /** Take account-bound content out, then the same account. */
  | { readonly kind: "strip" }
  /** Give up and say why. */
  | { readonly kind: "answer" };

const DONE: Step = { kind: "done" };
const NEXT: Step = { kind: "next" };
const WAIT: Step = { kind: "wait" };
const ANSWER: Step = { kind: "answer" };

/** The first retry of a passing failure comes after 150–450 ms: long enough for a restart of one server, short enough not to be felt. */
const SAME_DELAY_MS = 150;
const SAME_JITTER_MS = 300;
/** The network is given three tries within about four seconds: a Wi-Fi change, not an outage. */
const UNREACHABLE_TRIES = 3;
const UNREACHABLE_DELAY_MS = 500;

export function nextStep(outcome: Outcome, progress: Progress): Step {
  const mayTryAgain = progress.attempts < progress.maxAttempts;
  const next = !mayTryAgain ? ANSWER : progress.accounts < progress.maxAccounts ? NEXT : WAIT;
  switch (outcome.kind) {
    case "served":
    case "request_rejected":
    case "client_gone":
    case "cut":
      return DONE;
    case "unauthorized":
      return !mayTryAgain ? ANSWER : progress.refreshed ? next : { kind: "refresh" };
    case "encrypted_content_rejected":
      return mayTryAgain && progress.canStrip && !progress.stripped ? { kind: "strip" } : DONE;
    case "window_exhausted":
    case "rate_limited":
    case "login_rejected":
    case "refresh_failed":
    case "model_unsupported":
    case "challenged":
    case "timed_out":
      return next;
    case "upstream_failed":
      if (!mayTryAgain || progress.sameFailures > 1) return next;
      return { kind: "same", delayMs: SAME_DELAY_MS + Math.floor(progress.dice * SAME_JITTER_MS) };
    case "unreachable":
      if (!mayTryAgain || progress.sameFailures >= UNREACHABLE_TRIES) return ANSWER;
      return { kind: "same", delayMs: UNREACHABLE_DELAY_MS * 2 ** (progress.sameFailures - 1) };
  }
}
