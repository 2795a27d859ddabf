/**
 * The fault matrix: every way in which upstream can misbehave, by name. One enum, one table; the README's
 * table is checked against it. Ordering faults is the book's business (fault-book.ts), applying them the handlers'.
 */

/** Where a fault strikes. */
export const FAULT_PLACES = [
  "responses",
  "upgrade",
  "compact",
  "models",
  "usage",
  "accounts_check",
  "config_bundle",
  "settings",
  "reset_credits",
  "account_other",
  "authorize",
  "token",
  "token_exchange",
  "refresh",
  "revoke",
  "usercode",
  "device_token",
] as const;
export type FaultPlace = (typeof FAULT_PLACES)[number];

/**
 * When a kind acts. `answer` replaces the whole answer; `transport` acts on the connection before the answer; `tokens`
 * bends a good answer of the token endpoint; `stream` acts inside a 200 of /responses.
 */
export type FaultStage = "answer" | "transport" | "tokens" | "stream";

export interface FaultKindRow {
  stage: FaultStage;
  says: string;
  params: readonly FaultParam[];
}

export interface FaultParams {
  /** Seconds until the reset that a limit states. Default 3600. */
  resetsInSeconds?: number;
  /** The plan that a limit names; null writes null. */
  planType?: string | null;
  /** How a text states a wait, e.g. `1.3s`, `6m0s`. */
  tryAgainIn?: string;
  retryAfterSeconds?: number;
  delayMs?: number;
  /** Where in the stream: after `in_progress`, halfway through the output, or just before `completed`. */
  point?: StreamPoint;
  code?: string;
  message?: string;
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  bytes?: number;
  count?: number;
  model?: string;
  /** Why a response is incomplete. */
  reason?: string;
}
export type FaultParam = keyof FaultParams;

export const STREAM_POINTS = ["opening", "middle", "end"] as const;
export type StreamPoint = (typeof STREAM_POINTS)[number];

const kind = (stage: FaultStage, says: string, ...params: FaultParam[]): FaultKindRow => ({ stage, says, params });

export const FAULT_KINDS = {
  // 429: the allowance is used up.
  usage_limit: kind(
    "answer",
    "429 usage_limit_reached with both reset fields and window headers",
    "resetsInSeconds",
    "planType",
  ),
  usage_limit_resets_at_only: kind(
    "answer",
    "the same with `resets_at` alone, no window headers",
    "resetsInSeconds",
    "planType",
  ),
  usage_limit_resets_in_only: kind(
    "answer",
    "the same with `resets_in_seconds` alone, no window headers",
    "resetsInSeconds",
    "planType",
  ),
  usage_limit_headers_only: kind(
    "answer",
    "the reset stands in the window headers alone",
    "resetsInSeconds",
    "planType",
  ),
  usage_limit_retry_after_only: kind(
    "answer",
    "the reset stands in `retry-after` alone",
    "resetsInSeconds",
    "planType",
  ),
  usage_limit_text_only: kind("answer", "429 whose message alone says what it is and when to come back", "tryAgainIn"),
  usage_limit_no_reset: kind("answer", "429 usage_limit_reached without any reset", "planType"),
  usage_limit_error_code: kind(
    "answer",
    "429 with usage_limit_reached in `error.code` instead of `error.type`",
    "resetsInSeconds",
  ),
  usage_limit_as_404: kind("answer", "404 whose text speaks of the usage limit"),
  usage_not_included: kind("answer", "429 usage_not_included: the plan has no Codex"),
  insufficient_quota: kind("answer", "429 insufficient_quota"),
  rate_limit: kind("answer", "429 rate_limit_exceeded with a wait in its text", "tryAgainIn"),
  rate_limit_tokens: kind(
    "answer",
    "429 of type `tokens`, code rate_limit_exceeded, with a wait in its text",
    "tryAgainIn",
  ),
  rate_limit_no_time: kind("answer", "429 rate_limit_exceeded without a wait"),
  rate_limit_retry_after: kind("answer", "429 rate_limit_exceeded with `retry-after`", "retryAfterSeconds"),
  // 401, 402, 403: the login, the workspace, the route.
  unauthorized: kind("answer", '401 {"detail":"Unauthorized"}'),
  token_expired: kind("answer", "401 token_expired"),
  token_invalidated: kind("answer", "401 token_invalidated"),
  token_revoked: kind("answer", "401 token_revoked"),
  account_deactivated: kind("answer", "401 account_deactivated"),
  deactivated_workspace: kind("answer", "402 deactivated_workspace"),
  deactivated_workspace_forbidden: kind("answer", "403 deactivated_workspace"),
  cloudflare_challenge: kind("answer", "403 challenge page of the edge, HTML"),
  region_blocked: kind("answer", "403 unsupported_country_region_territory"),
  // Other refusals.
  model_unsupported: kind("answer", "400 model not supported with a ChatGPT account", "model"),
  model_not_found: kind("answer", "404 model_not_found", "model"),
  context_length_exceeded: kind("answer", "400 context_length_exceeded"),
  invalid_encrypted_content: kind("answer", "400 invalid_encrypted_content"),
  previous_response_not_found: kind("answer", "400 previous_response_not_found"),
  connection_limit: kind("answer", "400 websocket_connection_limit_reached: the socket is an hour old"),
  upgrade_required: kind("answer", "426: no WebSocket here"),
  invalid_request: kind("answer", "400 invalid_request_error"),
  not_found: kind("answer", '404 {"detail":"Not Found"}'),
  not_found_empty: kind("answer", "404 without a body: the edge blocks the path"),
  request_timeout: kind("answer", "408"),
  conflict: kind("answer", "409"),
  payload_too_large: kind("answer", "413"),
  unprocessable: kind("answer", "422"),
  server_error: kind("answer", "500"),
  bad_gateway: kind("answer", "502, HTML of the edge"),
  overloaded: kind("answer", "503 server_is_overloaded", "retryAfterSeconds"),
  slow_down: kind("answer", "503 slow_down", "retryAfterSeconds"),
  gateway_timeout: kind("answer", "504, HTML of the edge"),
  custom: kind("answer", "any answer: `status`, `headers`, `body` (text, or JSON)", "status", "headers", "body"),
  html_instead_of_json: kind("answer", "200 with an HTML page"),
  empty_body: kind("answer", "200 without a body"),
  broken_json: kind("answer", "200 with JSON that ends in the middle"),
  // The connection.
  reset_before_headers: kind("transport", "TCP reset instead of an answer; nothing was done"),
  close_before_headers: kind("transport", "the connection closes instead of an answer; nothing was done"),
  slow_first_byte: kind("transport", "waits before it does anything, then answers as usual", "delayMs"),
  stall_before_headers: kind("transport", "never answers"),
  stall_after_headers: kind("transport", "sends the head of a 200, then nothing"),
  lost_answer: kind("transport", "does what was asked, then resets the connection instead of answering"),
  late_answer: kind("transport", "does what was asked, then waits before it answers", "delayMs"),
  // The token endpoint.
  refresh_token_reused: kind("answer", "the refresh token was used before", "status"),
  refresh_token_expired: kind("answer", "the refresh token is too old", "status"),
  refresh_token_invalidated: kind("answer", "the refresh token was invalidated", "status"),
  invalid_grant: kind("answer", '400 {"error":"invalid_grant"}'),
  app_session_terminated: kind("answer", "401 app_session_terminated"),
  without_refresh_token: kind("tokens", "answers without a refresh token; the one that was sent stays good"),
  without_access_token: kind("tokens", "answers without an access token"),
  without_id_token: kind("tokens", "answers without an id token"),
  foreign_account: kind("tokens", "answers with the tokens of another account"),
  already_expired: kind("tokens", "answers with an access token that has expired"),
  // Failures told inside a 200.
  failed_overloaded: kind("stream", "response.failed server_is_overloaded", "point"),
  failed_slow_down: kind("stream", "response.failed slow_down", "point"),
  failed_usage_limit: kind("stream", "response.failed usage_limit_reached", "point", "resetsInSeconds"),
  failed_rate_limit: kind(
    "stream",
    "response.failed rate_limit_exceeded with a wait in its text",
    "point",
    "tryAgainIn",
  ),
  failed_quota: kind("stream", "response.failed insufficient_quota", "point"),
  failed_not_included: kind("stream", "response.failed usage_not_included", "point"),
  failed_context_length: kind("stream", "response.failed context_length_exceeded", "point"),
  failed_invalid_prompt: kind("stream", "response.failed invalid_prompt", "point"),
  failed_policy: kind("stream", "response.failed cyber_policy", "point"),
  failed_unknown: kind("stream", "response.failed with a code nobody knows", "point", "code", "message"),
  error_event: kind(
    "stream",
    "a top-level `error` event, then the end of the stream",
    "point",
    "code",
    "message",
    "resetsInSeconds",
  ),
  incomplete: kind("stream", "response.incomplete, max_output_tokens if nothing else is said", "point", "reason"),
  // The stream breaks.
  cut: kind("stream", "the connection closes (FIN) without the last chunk", "point"),
  cut_reset: kind("stream", "the connection is reset (RST)", "point"),
  close_frame: kind(
    "stream",
    "a WebSocket is closed with a code (1011); a connection without frames just ends",
    "point",
    "status",
  ),
  stall: kind("stream", "no more bytes, the connection stays", "point"),
  pause: kind("stream", "no bytes for a while, then goes on", "point", "delayMs"),
  missing_completed: kind("stream", "the stream ends in order, but without response.completed"),
  // The stream is odd.
  done_marker: kind("stream", "`data: [DONE]` after response.completed"),
  bad_json_event: kind("stream", "an event whose data is not JSON", "point"),
  no_event_lines: kind("stream", "`data:` lines only"),
  no_final_blank_line: kind("stream", "the blank line after the last event is missing"),
  no_created: kind("stream", "starts without response.created and response.in_progress"),
  no_deltas: kind("stream", "finished items only, no deltas"),
  empty_output: kind("stream", "response.completed carries `output: []`"),
  crlf: kind("stream", "lines end in CR LF"),
  cr: kind("stream", "lines end in CR"),
  comments: kind("stream", "a comment line before every event"),
  byte_writes: kind("stream", "one byte a chunk"),
  one_write: kind("stream", "the whole stream in one chunk"),
  huge_event: kind("stream", "one text delta of 1 MiB or more", "bytes"),
  line_separator: kind("stream", "the text carries U+2028, U+2029 and an emoji, unescaped"),
  keepalive_events: kind("stream", "many `keepalive` events", "count", "point", "delayMs"),
  unknown_events: kind("stream", "events of types that nobody knows", "count", "point"),
  rate_limits_event: kind("stream", "a `codex.rate_limits` event first"),
  gzip: kind("stream", "content-encoding: gzip, although nobody asked"),
  wrong_content_type: kind("stream", "a good stream under content-type application/json"),
  model_header: kind("stream", "`openai-model` names another model than was asked for", "model"),
} as const satisfies Record<string, FaultKindRow>;

export type FaultKind = keyof typeof FAULT_KINDS;

export function isFaultKind(text: string): text is FaultKind {
  return Object.hasOwn(FAULT_KINDS, text);
}
