/**
 * Failures that upstream reports inside a stream, one fact each (wire §3.5, §3.8, §4.2, §4.3; seen 2026-11). No tokens.
 */
import type { Outcome } from "../../src/domain/outcome.ts";
import { T0 } from "../support/manual-clock.ts";

export interface FailureEvent {
  readonly fact: string;
  readonly event: Readonly<Record<string, unknown>>;
  readonly means: { readonly kind: Outcome["kind"]; readonly [field: string]: unknown };
  /** May another attempt follow when it comes before output? */
  readonly movesOn: boolean;
}

export const failedWith = (error: unknown) => ({
  type: "response.failed",
  sequence_number: 2,
  response: { id: "resp_1", object: "response", status: "failed", error, incomplete_details: null, usage: null },
});

const S = T0 / 1000;
const moves = (fact: string, event: FailureEvent["event"], means: FailureEvent["means"]) => ({
  fact,
  event,
  means,
  movesOn: true,
});
const stays = (code: string) => ({
  fact: `${code} is the request's own`,
  event: failedWith({ code, message: "no" }),
  means: { kind: "request_rejected" as const, status: 400 },
  movesOn: false,
});

export const FAILURE_EVENTS: readonly FailureEvent[] = [
  moves(
    "usage limit (capture s-failusage)",
    failedWith({ code: "usage_limit_reached", message: "The usage limit has been reached", resets_in_seconds: 60 }),
    {
      kind: "window_exhausted",
      untilMs: T0 + 60_000,
    },
  ),
  moves(
    "usage limit as an error frame with status and headers",
    {
      type: "error",
      status: 429,
      error: { type: "usage_limit_reached", message: "..", plan_type: "plus" },
      headers: { "X-Codex-Primary-Used-Percent": "100", "x-codex-primary-reset-at": S + 700 },
    },
    { kind: "window_exhausted", untilMs: T0 + 700_000 },
  ),
  moves(
    "rate limit with a time",
    failedWith({ code: "rate_limit_exceeded", message: "Rate limit reached. Please try again in 1.3s" }),
    {
      kind: "rate_limited",
      untilMs: T0 + 1_300,
    },
  ),
  moves(
    "an error frame with the alias status_code",
    { type: "error", status_code: 429, error: { code: "rate_limit_exceeded" } },
    { kind: "rate_limited" },
  ),
  moves(
    "overloaded (capture s-over)",
    failedWith({ code: "server_is_overloaded", message: "Our servers are currently overloaded." }),
    {
      kind: "upstream_failed",
      status: null,
      message: "server_is_overloaded: Our servers are currently overloaded.",
    },
  ),
  moves("slow down", failedWith({ code: "slow_down", message: "slow down, try again in 2s" }), {
    kind: "upstream_failed",
    retryAtMs: T0 + 2_000,
  }),
  moves("quota", failedWith({ code: "insufficient_quota", message: "no" }), {
    kind: "window_exhausted",
    untilMs: null,
  }),
  moves("not in the plan", failedWith({ code: "usage_not_included", message: "no" }), { kind: "window_exhausted" }),
  moves("a code that nobody knows", failedWith({ code: "brand_new", message: "hm" }), { kind: "upstream_failed" }),
  moves("no error at all", failedWith(null), {
    kind: "upstream_failed",
    message: "upstream failed without saying why",
  }),
  moves(
    "the flat error event of the public API",
    { type: "error", code: "server_error", message: "oops", param: null },
    { kind: "upstream_failed", message: "server_error: oops" },
  ),
  moves(
    "model not for this account",
    failedWith({ code: "model_not_found", message: "The model `m` does not exist" }),
    { kind: "model_unsupported", model: "m" },
  ),
  moves(
    "encrypted content of another account",
    { type: "error", status: 400, error: { code: "invalid_encrypted_content" } },
    { kind: "encrypted_content_rejected" },
  ),
  moves(
    "a token that ran out",
    { type: "error", status: 401, error: { code: "token_expired", message: "expired" } },
    { kind: "unauthorized" },
  ),
  moves("a token that ran out, without status", failedWith({ code: "token_expired", message: "expired" }), {
    kind: "unauthorized",
  }),
  stays("context_length_exceeded"),
  stays("invalid_prompt"),
  stays("cyber_policy"),
  stays("bio_policy"),
  stays("flex_unavailable"),
  stays("image_content_policy_violation"),
  stays("invalid_image_url"),
];
