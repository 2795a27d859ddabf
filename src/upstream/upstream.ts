/**
 * What the pool asks of upstream: one attempt at a time, as data in and data out. No retries, no choice of account, no state of accounts here.
 */

import type { BodyBytes } from "../base/body-bytes.ts";
import type { ByteFilter } from "../base/byte-filter.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Secret } from "../base/secret.ts";
import type { Observation, Outcome, Usage } from "../domain/outcome.ts";

export interface AttemptRequest {
  readonly method: string;
  /** Path and query below the upstream base URL, e.g. `/codex/responses`. */
  readonly path: string;
  /** What the client sent, already without hop-by-hop and our own credentials; the client of upstream adds the account's. */
  readonly headers: HeaderList;
  readonly body: BodyBytes | null;
  /** Over a WebSocket, where one can be had; null = over HTTP. */
  readonly socket: AttemptSocket | null;
  readonly accessToken: Secret;
  readonly workspaceId: string;
  /** Aborted when the client hangs up or the daemon stops: upstream is cancelled at once. */
  readonly signal: AbortSignal;
  /** Is this an inference stream whose opening events are held back and whose end is read for usage? */
  readonly stream: boolean;
  /** Makes the filter that an opened stream's bytes go through; null passes them as they are. */
  readonly filter: (() => ByteFilter) | null;
  /** Undo a `content-encoding` that upstream chose unasked: for a door that reads or edits the bytes. */
  readonly unpack: boolean;
  /**
   * What upstream refuses of the request as the first event inside a 200 comes as an answer with its status: for a door whose clients read
   * only those, and ask again and again after the other. Absent: as upstream said it.
   */
  readonly statusForRefusals?: boolean;
  /** What the client of a stream reads while upstream is silent, whole events or comments; absent or null: nothing. */
  readonly bridge?: Uint8Array | null;
  readonly timeouts: { readonly connectMs: number; readonly firstByteMs: number; readonly silenceMs: number };
}

export interface AttemptSocket {
  /** Whose socket: one account's and one conversation's, never another's. null = one for this request alone. */
  readonly key: string | null;
  /** The body without an encoding; null when there is to be no WebSocket all the same, and only `warmUp` counts. */
  readonly body: BodyBytes | null;
  /** The same request for a socket whose last response was `responseId`. */
  readonly since: { readonly responseId: string; readonly body: BodyBytes } | null;
  /** Nothing is to be generated. HTTP has no such request: there it is answered without asking anybody. */
  readonly warmUp: boolean;
}

/** An attempt that failed before anything was promised to the client; another one may follow. */
export interface FailedAttempt {
  readonly kind: "failed";
  readonly outcome: Outcome;
  readonly observation: Observation;
  /** Upstream's own answer, to be passed on byte for byte when no retry helps; null when there was none. */
  readonly answer: UpstreamAnswer | null;
}

/** Upstream answered and output (or a complete plain answer) began. From here the account never changes. */
export interface OpenedAttempt {
  readonly kind: "opened";
  readonly status: number;
  readonly headers: HeaderList;
  /**
   * Bytes as upstream sent them, held-back opening events first. Pull-driven; cancelling it cancels upstream. Where upstream broke off it
   * errors without a reason, and where upstream ended too early it ends: `end` says what it was.
   */
  readonly body: ReadableStream<Uint8Array>;
  readonly observation: Observation;
  /** Settles exactly once when the body has ended, was cut or cancelled. Never rejects. */
  readonly end: Promise<AttemptEnd>;
}

export interface AttemptEnd {
  /** `served`, `cut`, `timed_out`, `client_gone`, or a failure that upstream reported after output began. */
  readonly outcome: Outcome;
  readonly usage: Usage | null;
  /** Windows from `codex.rate_limits` events on the way. */
  readonly observation: Observation;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

export interface Upstream {
  attempt(request: AttemptRequest): Promise<FailedAttempt | OpenedAttempt>;
}

/** What the issuer answers to a refresh. */
export type RefreshResult =
  | { readonly kind: "refreshed"; readonly tokens: FreshTokens }
  /** Refused for good: the login is gone. `code` is upstream's (`refresh_token_reused`, `invalid_grant`, …). */
  | { readonly kind: "refused"; readonly code: string; readonly message: string }
  /** A passing reason: network, 403, 429, 5xx, an answer that cannot be read. The login is kept. */
  | { readonly kind: "failed"; readonly message: string };

/** Absent fields keep their old value (wire §1.4). */
export interface FreshTokens {
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  readonly idToken: string | null;
}

export type RefreshReason = "proactive_expiry" | "unauthorized_recovery" | "forced" | "scheduled";

export type RevokeResult =
  | { readonly kind: "revoked" }
  /** It may be valid still. */
  | { readonly kind: "failed"; readonly message: string };

export interface Issuer {
  /** Ends the login and everything that came of it, wherever it is used (wire §1.7). */
  revoke(refreshToken: Secret): Promise<RevokeResult>;
  refresh(refreshToken: Secret, reason: RefreshReason, signal: AbortSignal): Promise<RefreshResult>;
}
