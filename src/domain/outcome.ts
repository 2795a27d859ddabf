/**
 * How an attempt ended, in the words that decide what happens next. `upstream/` reads answers into these; nobody else interprets them.
 */
import type { CreditsReading } from "./credits.ts";
import type { WindowReading, WindowSource } from "./window.ts";

/** Tokens as upstream counted them. */
export interface Usage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

export type Outcome =
  /** The stream ended with `response.completed` or `response.incomplete` (or a plain 2xx answer did). */
  | { readonly kind: "served"; readonly usage: Usage | null }
  /** 429 `usage_limit_reached`: the window is used up. `untilMs` null = upstream did not say when it resets. */
  | { readonly kind: "window_exhausted"; readonly untilMs: number | null; readonly message: string }
  /** 429 of another kind: too fast, not used up. */
  | { readonly kind: "rate_limited"; readonly untilMs: number | null; readonly message: string }
  /** 401 before a refresh was tried. */
  | { readonly kind: "unauthorized"; readonly message: string }
  /** The login itself is gone: refresh refused for good, 401 after a fresh refresh, or the workspace is deactivated. */
  | { readonly kind: "login_rejected"; readonly reason: string }
  /** The refresh failed for a passing reason; the login is kept. */
  | { readonly kind: "refresh_failed"; readonly message: string }
  /** A Cloudflare challenge or a blocked region: the route, not the login. */
  | { readonly kind: "challenged"; readonly message: string }
  | { readonly kind: "model_unsupported"; readonly model: string | null; readonly message: string }
  /** Account-bound reasoning from another account. */
  | { readonly kind: "encrypted_content_rejected" }
  /** Any other 4xx, and terminal in-stream refusals of the request itself: the request's fault. */
  | { readonly kind: "request_rejected"; readonly status: number }
  /** 5xx, overloaded, slow_down, reset after the request was sent and before output. */
  | {
      readonly kind: "upstream_failed";
      readonly status: number | null;
      readonly message: string;
      readonly retryAtMs: number | null;
    }
  /** DNS, connection refused, no route: this host, not the account. Nothing was sent. */
  | { readonly kind: "unreachable"; readonly message: string }
  | { readonly kind: "timed_out"; readonly phase: "connect" | "first_byte" | "silence"; readonly message: string }
  /** Upstream ended or failed the stream after output began. */
  | { readonly kind: "cut"; readonly message: string }
  /** The client hung up. Never a failure of the account. */
  | { readonly kind: "client_gone" };

export type OutcomeKind = Outcome["kind"];

/** What an attempt taught us beside its outcome. */
export interface Observation {
  readonly windows: readonly WindowReading[];
  readonly from: Exclude<WindowSource, "import">;
  /** Subscription as upstream named it, when it did. */
  readonly tier: string | null;
  /** When it was read; absent: when it was told. What stood at the start of a long stream is old when that ends. */
  readonly atMs?: number;
  readonly credits?: CreditsReading | null;
  /** How many reset credits are there to be redeemed. */
  readonly resetCredits?: number | null;
}

export const NOTHING_OBSERVED: Observation = { windows: [], from: "header", tier: null };
