/**
 * Refusals of upstream's over HTTP, one fact each; see refusal.ts.
 */
import { T0 } from "../support/manual-clock.ts";
import { json, type Refusal, row } from "./refusal.ts";
import { USAGE_LIMITS, usageLimit } from "./usage-limits.ts";

const HTML = "text/html; charset=UTF-8";

const tooFast = (message: string) => json({ error: { type: "tokens", code: "rate_limit_exceeded", message } });

const RATE_LIMITS: readonly Refusal[] = [
  ...(
    [
      ["1.3s", 1_300],
      ["750ms", 750],
      ["6m0s", 360_000],
      ["1h2m", 3_720_000],
      ["2 minutes", 120_000],
      ["20s", 20_000],
    ] as const
  ).map(([text, ms]) =>
    row(
      "wire 4.1 [O]",
      `too fast: ${text}`,
      429,
      tooFast(`Rate limit reached for gpt-5.5. Please try again in ${text}.`),
      {
        kind: "rate_limited",
        untilMs: T0 + ms,
      },
    ),
  ),
  row("wire 4.1 [O]", "too fast without a time", 429, tooFast("Rate limit reached"), {
    kind: "rate_limited",
    untilMs: null,
  }),
  row(
    "RFC 9110 10.2.3",
    "the longer of text and header",
    429,
    tooFast("try again in 1.3s"),
    { kind: "rate_limited", untilMs: T0 + 2_000 },
    {
      headers: { "retry-after": "2" },
    },
  ),
  row("RFC 9110 10.2.3", "a 429 that says nothing", 429, "", {
    kind: "rate_limited",
    untilMs: null,
    message: "HTTP 429",
  }),
  row("wire 4.5 [P]", "slow_down as 429", 429, json({ error: { code: "slow_down", message: "slow down" } }), {
    kind: "rate_limited",
  }),
];

const LOGIN: readonly Refusal[] = [
  row("wire 4.1 [O]", "401 with detail", 401, json({ detail: "Unauthorized" }), {
    kind: "unauthorized",
    message: "Unauthorized",
  }),
  row(
    "wire 4.1 [O]",
    "401 invalidated",
    401,
    json({ error: { code: "token_invalidated", message: "Your authentication token has been invalidated." } }),
    {
      kind: "unauthorized",
      message: /^token_invalidated: /,
    },
  ),
  row(
    "wire 3.7 [O]",
    "401 whose code is in a header",
    401,
    "",
    { kind: "unauthorized", message: "token_revoked" },
    {
      headers: { "x-error-json": Buffer.from(json({ error: { code: "token_revoked" } })).toString("base64") },
    },
  ),
  row(
    "wire 4.5 [P:LB]",
    "401 of a deactivated account",
    401,
    json({ error: { code: "account_deactivated", message: "gone" } }),
    {
      kind: "login_rejected",
      reason: "account_deactivated: gone",
    },
  ),
  row("wire 4.1 [O]", "402 deactivated workspace", 402, json({ detail: { code: "deactivated_workspace" } }), {
    kind: "login_rejected",
    reason: "deactivated_workspace",
  }),
  row("wire 3.10 [P]", "403 deactivated workspace", 403, json({ detail: { code: "deactivated_workspace" } }), {
    kind: "login_rejected",
    reason: "deactivated_workspace",
  }),
  row("wire 4.5 [P]", "known by its text alone", 403, json({ detail: "Your account has been suspended." }), {
    kind: "login_rejected",
  }),
];

const ROUTE: readonly Refusal[] = [
  row(
    "wire 4.1 [O]",
    "a Cloudflare challenge",
    403,
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><script>window.__cf_chl_opt={}</script></body></html>",
    { kind: "challenged", message: "HTTP 403 from the edge before upstream: Just a moment..." },
    { headers: { "content-type": HTML, "cf-mitigated": "challenge", "cf-ray": "8f0000000000-FRA" } },
  ),
  row(
    "wire 4.1 [O]",
    "known by the header alone",
    403,
    "",
    { kind: "challenged" },
    { headers: { "cf-mitigated": "challenge" } },
  ),
  row("wire 4.1 [O]", "any page with 403", 403, "<html><body>Access denied</body></html>", { kind: "challenged" }),
  row(
    "Cloudflare",
    "a challenge with 503",
    503,
    "<html><script src='/cdn-cgi/challenge-platform/h/b'></script></html>",
    { kind: "challenged" },
  ),
  row(
    "wire 1.5 [O]",
    "a region that is not served",
    403,
    json({
      error: {
        code: "unsupported_country_region_territory",
        message: "Country, region, or territory not supported",
        type: "request_forbidden",
      },
    }),
    {
      kind: "challenged",
    },
  ),
  row(
    "wire 4.1 [P:RS]",
    "the edge hides the path",
    404,
    "",
    { kind: "challenged" },
    { headers: { "cf-ray": "x" }, stream: true },
  ),
  row(
    "wire 4.1 [P:RS]",
    "an empty 404 of another path is just that",
    404,
    "",
    { kind: "request_rejected", status: 404 },
    { headers: { "cf-ray": "x" } },
  ),
];

const REQUEST: readonly Refusal[] = [
  row(
    "wire 4.1 [O]",
    "the model is not for this account",
    400,
    json({ detail: "The 'gpt-x' model is not supported when using Codex with a ChatGPT account." }),
    {
      kind: "model_unsupported",
      model: "gpt-x",
    },
  ),
  row(
    "wire 4.5 [P]",
    "no such model",
    404,
    json({
      error: { code: "model_not_found", message: "The model `gpt-y` does not exist or you do not have access to it." },
    }),
    {
      kind: "model_unsupported",
      model: "gpt-y",
    },
  ),
  row(
    "wire 3.3 [P]",
    "an effort that the model lacks is the request's fault",
    400,
    json({
      error: {
        code: "unsupported_value",
        message: "Unsupported value: 'xhigh' is not supported with the 'gpt-x' model. Supported values are: low",
      },
    }),
    {
      kind: "request_rejected",
      status: 400,
    },
  ),
  row(
    "wire 4.1 [O]",
    "reasoning of another account",
    400,
    json({ error: { code: "invalid_encrypted_content", message: "no" } }),
    { kind: "encrypted_content_rejected" },
  ),
  row(
    "wire 7 [I]",
    "reasoning of another account, by its text",
    400,
    json({
      error: {
        type: "invalid_request_error",
        message:
          "The encrypted content gAAA could not be verified. Reason: Encrypted content organization_id did not match the target organization.",
      },
    }),
    {
      kind: "encrypted_content_rejected",
    },
  ),
  row(
    "wire 4.1 [O]",
    "the context is full",
    400,
    json({
      error: {
        code: "context_length_exceeded",
        type: "invalid_request_error",
        message: "Your input exceeds the context window of this model.",
        param: "input",
      },
    }),
    {
      kind: "request_rejected",
      status: 400,
    },
  ),
  ...[400, 404, 408, 409, 413, 422].map((status) =>
    row("wire 4.1 [O]", `other ${status}`, status, json({ detail: "Not Found" }), {
      kind: "request_rejected" as const,
      status,
    }),
  ),
  row(
    "product 4",
    "a refusal by policy",
    403,
    json({ error: { code: "policy", message: "You may not use this effort" } }),
    { kind: "request_rejected", status: 403 },
  ),
  row(
    "wire 3.3 [P]",
    "a parameter that is not known",
    400,
    json({ detail: "Unsupported parameter: max_output_tokens" }),
    { kind: "request_rejected", status: 400 },
  ),
];

const FAILURES: readonly Refusal[] = [
  ...[500, 502, 520, 529].map((status) =>
    row("wire 4.1 [O]", `a bare ${status}`, status, "<html>Bad gateway</html>", {
      kind: "upstream_failed" as const,
      status,
      message: `HTTP ${status}`,
      retryAtMs: null,
    }),
  ),
  row(
    "wire 4.1 [O]",
    "overloaded",
    503,
    json({ error: { code: "server_is_overloaded", message: "busy" } }),
    { kind: "upstream_failed", status: 503, message: "server_is_overloaded: busy", retryAtMs: T0 + 1_000 },
    {
      headers: { "retry-after": "1" },
    },
  ),
  row("wire 4.1 [O]", "slow down", 503, json({ error: { code: "slow_down", message: "slow down" } }), {
    kind: "upstream_failed",
    status: 503,
  }),
  row("RFC 6585 6", "a captive portal redirects", 302, "", { kind: "upstream_failed", status: 302 }),
  row("product 4", "a page instead of a stream", 200, "<!doctype html><title>Hotel</title>", {
    kind: "upstream_failed",
    status: 200,
  }),
  row("product 4", "an error in a 200 of JSON", 200, usageLimit({ resets_in_seconds: 60 }), {
    kind: "window_exhausted",
    untilMs: T0 + 60_000,
  }),
];

export const REFUSALS: readonly Refusal[] = [
  ...USAGE_LIMITS,
  ...RATE_LIMITS,
  ...LOGIN,
  ...ROUTE,
  ...REQUEST,
  ...FAILURES,
];
