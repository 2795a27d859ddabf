/**
 * product.md §4, "what happens to a request", as data: what upstream says (in the simulator's words), whom the request was tried on, what
 * the account is afterwards, what the client gets. A is the account that the plan names first, B the second, C the third.
 */
import type { FaultSpec } from "../../src/simulator/fault-book.ts";

export type Place = "A" | "B" | "C";

/** A fault on A unless it says otherwise. */
export type FaultOn = Omit<FaultSpec, "account" | "at"> & { readonly on?: Place; readonly at?: FaultSpec["at"] };

/** What holds A afterwards; ends in seconds from the failure. */
export type Held =
  | "nothing"
  | { readonly hold: "window_exhausted" | "cooling_down"; readonly endsInSeconds: number }
  | { readonly hold: "needs_login" }
  | { readonly refusesModel: string };

/** A stream that ends as upstream's did. */
export interface StreamEnd {
  /** The event that ends the response; null when there was none. */
  readonly ends: string | null;
  /** Did the body end in order? */
  readonly whole: boolean;
  /** Status of a client that asked for no stream. */
  readonly folded: number;
  /** Nothing was promised yet: an SDK's stream is refused with that status, too. */
  readonly isUnbegun?: boolean;
}

export type Outcome =
  /** One clean stream, or one whole answer, of the last account tried. */
  | "served"
  /** Upstream's refusal, byte for byte. */
  | "passed"
  | StreamEnd;

export interface Row {
  readonly name: string;
  readonly faults: readonly FaultOn[];
  /** Inference requests that upstream saw, by account. */
  readonly tried: string;
  /** Requests at the token endpoint. */
  readonly refreshes?: number;
  readonly held: Held;
  readonly client: Outcome;
}

export interface Chapter {
  /** The row of the product's table. */
  readonly says: string;
  readonly rows: readonly Row[];
}

const row = (name: string, faults: readonly FaultOn[], tried: string, held: Held, client: Outcome = "served"): Row => ({
  name,
  faults,
  tried,
  held,
  client,
});
const refreshed = (made: Row, refreshes = 1): Row => ({ ...made, refreshes });

const exhausted = (endsInSeconds: number): Held => ({ hold: "window_exhausted", endsInSeconds });
const cooling = (endsInSeconds: number): Held => ({ hold: "cooling_down", endsInSeconds });
const NEEDS_LOGIN: Held = { hold: "needs_login" };

/** Upstream says no time: 30 s, doubling to 10 min. */
const FIRST_COOLDOWN = cooling(30);
/** A refresh that fails for a passing reason: 60 s, doubling. */
const REFRESH_COOLDOWN = cooling(60);

const TWO_HOURS = { resetsInSeconds: 7_200 };

const usageLimits: Chapter = {
  says: "429 usage_limit_reached: window exhausted until the stated reset; next account",
  rows: [
    row("both reset fields and headers", [{ kind: "usage_limit", ...TWO_HOURS }], "AB", exhausted(7_200)),
    row("resets_at", [{ kind: "usage_limit_resets_at_only", ...TWO_HOURS }], "AB", exhausted(7_200)),
    row("resets_in_seconds", [{ kind: "usage_limit_resets_in_only", ...TWO_HOURS }], "AB", exhausted(7_200)),
    row("window headers", [{ kind: "usage_limit_headers_only", ...TWO_HOURS }], "AB", exhausted(7_200)),
    row("Retry-After", [{ kind: "usage_limit_retry_after_only", ...TWO_HOURS }], "AB", exhausted(7_200)),
    row("text", [{ kind: "usage_limit_text_only", tryAgainIn: "2h5m" }], "AB", exhausted(7_500)),
    row("the code instead of the type", [{ kind: "usage_limit_error_code", ...TWO_HOURS }], "AB", exhausted(7_200)),
    row("no reset at all", [{ kind: "usage_limit_no_reset" }], "AB", FIRST_COOLDOWN),
    row("a 404 that speaks of it", [{ kind: "usage_limit_as_404" }], "AB", FIRST_COOLDOWN),
    row("the plan has none", [{ kind: "usage_not_included" }], "AB", FIRST_COOLDOWN),
    row("no money left", [{ kind: "insufficient_quota" }], "AB", FIRST_COOLDOWN),
    row(
      "two accounts",
      [
        { kind: "usage_limit", ...TWO_HOURS },
        { on: "B", kind: "usage_limit" },
      ],
      "ABC",
      exhausted(7_200),
    ),
  ],
};

const rateLimits: Chapter = {
  says: "429 rate_limit_exceeded: cooling down for the stated time, else 30 s; next account",
  rows: [
    row("a time in the text", [{ kind: "rate_limit", tryAgainIn: "6m0s" }], "AB", cooling(360)),
    row("a limit of tokens", [{ kind: "rate_limit_tokens", tryAgainIn: "90.5s" }], "AB", cooling(90.5)),
    row("Retry-After", [{ kind: "rate_limit_retry_after", retryAfterSeconds: 45 }], "AB", cooling(45)),
    row("no time", [{ kind: "rate_limit_no_time" }], "AB", FIRST_COOLDOWN),
  ],
};

const logins: Chapter = {
  says: "401: refresh once, the same account again; again 401: needs_login, then next",
  rows: [
    ...(["unauthorized", "token_expired", "token_invalidated", "token_revoked"] as const).map((kind) =>
      refreshed(row(kind, [{ kind }], "AA", "nothing")),
    ),
    refreshed(row("401 after the refresh too", [{ kind: "unauthorized", times: "always" }], "AAB", NEEDS_LOGIN)),
    refreshed(
      row(
        "a refresh without a new refresh token",
        [{ kind: "unauthorized" }, { at: "refresh", kind: "without_refresh_token" }],
        "AA",
        "nothing",
      ),
    ),
    refreshed(
      row(
        "a refresh without an id token",
        [{ kind: "unauthorized" }, { at: "refresh", kind: "without_id_token" }],
        "AA",
        "nothing",
      ),
    ),
    row("account_deactivated", [{ kind: "account_deactivated" }], "AB", NEEDS_LOGIN),
  ],
};

const refusedRefreshes: Chapter = {
  says: "refresh permanently refused: needs_login, never retried in a loop; next",
  rows: [
    ...(
      [
        "refresh_token_reused",
        "refresh_token_expired",
        "refresh_token_invalidated",
        "app_session_terminated",
        "invalid_grant",
      ] as const
    ).map((kind) =>
      refreshed(row(kind, [{ kind: "unauthorized" }, { at: "refresh", kind, times: "always" }], "AB", NEEDS_LOGIN)),
    ),
    refreshed(
      row(
        "reused, told with 400",
        [{ kind: "unauthorized" }, { at: "refresh", kind: "refresh_token_reused", status: 400, times: "always" }],
        "AB",
        NEEDS_LOGIN,
      ),
    ),
    refreshed(
      row(
        "any 401",
        [{ kind: "unauthorized" }, { at: "refresh", kind: "custom", status: 401, body: {}, times: "always" }],
        "AB",
        NEEDS_LOGIN,
      ),
    ),
    refreshed(
      row(
        "the tokens of somebody else",
        [{ kind: "unauthorized" }, { at: "refresh", kind: "foreign_account" }],
        "AB",
        NEEDS_LOGIN,
      ),
    ),
  ],
};

const passingRefreshes: Chapter = {
  says: "refresh fails for a passing reason: cooling down 60 s; login kept; next",
  rows: (
    [
      "server_error",
      "bad_gateway",
      "overloaded",
      "rate_limit_no_time",
      "cloudflare_challenge",
      "reset_before_headers",
      "close_before_headers",
      "lost_answer",
      "html_instead_of_json",
      "broken_json",
      "empty_body",
      "without_access_token",
    ] as const
  ).map((kind) => refreshed(row(kind, [{ kind: "unauthorized" }, { at: "refresh", kind }], "AB", REFRESH_COOLDOWN))),
};

const others: Chapter = {
  says: "workspace, route and model: next account, and only what is true is held against the first",
  rows: [
    row("402 deactivated_workspace", [{ kind: "deactivated_workspace" }], "AB", NEEDS_LOGIN),
    row("403 deactivated_workspace", [{ kind: "deactivated_workspace_forbidden" }], "AB", NEEDS_LOGIN),
    row("a challenge of the edge", [{ kind: "cloudflare_challenge" }], "AB", "nothing"),
    row("a region that is blocked", [{ kind: "region_blocked" }], "AB", "nothing"),
    row("an empty 404 of the edge", [{ kind: "not_found_empty" }], "AB", "nothing"),
    row("model not supported", [{ kind: "model_unsupported" }], "AB", { refusesModel: "gpt-5.5" }),
    row("model not found", [{ kind: "model_not_found" }], "AB", { refusesModel: "gpt-5.5" }),
  ],
};

const requestFaults: Chapter = {
  says: "other 4xx: passed through byte for byte, the account is not blamed",
  rows: (
    [
      "context_length_exceeded",
      "previous_response_not_found",
      "invalid_request",
      "invalid_encrypted_content",
      "not_found",
      "request_timeout",
      "conflict",
      "payload_too_large",
      "unprocessable",
    ] as const
  ).map((kind) => row(kind, [{ kind, times: "always" }], "A", "nothing", "passed")),
};

const SERVER_FAULTS = [
  "server_error",
  "bad_gateway",
  "overloaded",
  "slow_down",
  "gateway_timeout",
  "reset_before_headers",
  "close_before_headers",
  "lost_answer",
  "html_instead_of_json",
  "broken_json",
  "empty_body",
] as const;

const serverFaults: Chapter = {
  says: "5xx, overloaded, reset before headers: the same account once, then next; the account is not blamed",
  rows: [
    ...SERVER_FAULTS.map((kind) => row(`${kind}, once`, [{ kind }], "AA", "nothing")),
    ...SERVER_FAULTS.map((kind) => row(`${kind}, again and again`, [{ kind, times: "always" }], "AAB", "nothing")),
    row("a good stream under a wrong content type", [{ kind: "wrong_content_type" }], "A", "nothing"),
    row("an answer that is late but comes", [{ kind: "slow_first_byte", delayMs: 300 }], "A", "nothing"),
  ],
};

const OPENING = { point: "opening" } as const;

const openings: Chapter = {
  says: "the same inside a 200, before any output: the client sees one clean stream",
  rows: [
    row("usage limit", [{ kind: "failed_usage_limit", ...TWO_HOURS, ...OPENING }], "AB", exhausted(7_200)),
    row(
      "usage limit as an error event",
      [{ kind: "error_event", code: "usage_limit_reached", ...TWO_HOURS, ...OPENING }],
      "AB",
      exhausted(7_200),
    ),
    row("rate limit", [{ kind: "failed_rate_limit", tryAgainIn: "6m0s", ...OPENING }], "AB", cooling(360)),
    row("no money left", [{ kind: "failed_quota", ...OPENING }], "AB", FIRST_COOLDOWN),
    row("the plan has none", [{ kind: "failed_not_included", ...OPENING }], "AB", FIRST_COOLDOWN),
    ...(
      ["failed_overloaded", "failed_slow_down", "failed_unknown", "error_event", "cut", "cut_reset"] as const
    ).flatMap((kind) => [
      row(`${kind}, once`, [{ kind, ...OPENING }], "AA", "nothing"),
      row(`${kind}, again and again`, [{ kind, times: "always", ...OPENING }], "AAB", "nothing"),
    ]),
    ...(["failed_context_length", "failed_invalid_prompt", "failed_policy"] as const).map((kind) =>
      row(`${kind}: the request's own fault`, [{ kind, times: "always", ...OPENING }], "A", "nothing", {
        ends: "response.failed",
        whole: true,
        folded: 400,
        isUnbegun: true,
      }),
    ),
  ],
};

/** What a client without a stream gets for a failure that came after output began. */
const FOLDED = {
  failed_usage_limit: 429,
  failed_rate_limit: 429,
  failed_quota: 429,
  failed_not_included: 429,
  failed_overloaded: 503,
  failed_slow_down: 503,
  failed_unknown: 502,
  failed_context_length: 400,
  failed_policy: 400,
} as const;

/** What the failure says of the account is learnt all the same: the next request is spared it. */
const LEARNT: Readonly<Partial<Record<keyof typeof FOLDED, Held>>> = {
  failed_usage_limit: exhausted(3_600),
  failed_quota: FIRST_COOLDOWN,
  failed_not_included: FIRST_COOLDOWN,
  failed_rate_limit: cooling(360),
};

const afterOutput: Chapter = {
  says: "after output began the account never changes: the stream ends as upstream's did",
  rows: (["middle", "end"] as const).flatMap((point) => [
    ...(Object.keys(FOLDED) as (keyof typeof FOLDED)[]).map((kind) => {
      const more = kind === "failed_rate_limit" ? { tryAgainIn: "6m0s" } : {};
      const client = { ends: "response.failed", whole: true, folded: FOLDED[kind] };
      return row(
        `${kind} at the ${point}`,
        [{ kind, point, times: "always", ...more }],
        "A",
        LEARNT[kind] ?? "nothing",
        client,
      );
    }),
    row(`an error event at the ${point}`, [{ kind: "error_event", point, times: "always" }], "A", "nothing", {
      ends: "error",
      whole: true,
      folded: 502,
    }),
    row(`an end of the connection at the ${point}`, [{ kind: "cut", point, times: "always" }], "A", "nothing", {
      ends: null,
      whole: false,
      folded: 502,
    }),
    row(`a reset at the ${point}`, [{ kind: "cut_reset", point, times: "always" }], "A", "nothing", {
      ends: null,
      whole: false,
      folded: 502,
    }),
    row(`an answer cut short by its own limit at the ${point}`, [{ kind: "incomplete", point }], "A", "nothing", {
      ends: "response.incomplete",
      whole: true,
      folded: 200,
    }),
  ]),
};

const missingEnd: Chapter = {
  says: "a stream that ends in order without saying so",
  rows: [
    row("no response.completed", [{ kind: "missing_completed" }], "A", "nothing", {
      ends: null,
      whole: true,
      folded: 502,
    }),
  ],
};

export const FAILURE_TABLE: readonly Chapter[] = [
  usageLimits,
  rateLimits,
  logins,
  refusedRefreshes,
  passingRefreshes,
  others,
  requestFaults,
  serverFaults,
  openings,
  afterOutput,
  missingEnd,
];
