/**
 * Answers of the token endpoint to a refresh, one fact each (wire §1.4, §1.5: observed on the real client's reactions and in peers' code,
 * 2026-11). No tokens.
 */
import type { RefreshResult } from "../../src/upstream/upstream.ts";

export interface RefreshAnswer {
  readonly fact: string;
  readonly status: number;
  readonly body: string;
  readonly means: RefreshResult["kind"];
  readonly code?: string;
}

const nested = (code: string) =>
  JSON.stringify({
    error: { message: "Please try signing in again.", type: "invalid_request_error", param: null, code },
  });

const refused = (status: number, fact: string, body: string, code: string): RefreshAnswer => ({
  fact,
  status,
  body,
  means: "refused",
  code,
});
const kept = (status: number, fact: string, body: string): RefreshAnswer => ({ fact, status, body, means: "failed" });

export const REFRESH_ANSWERS: readonly RefreshAnswer[] = [
  refused(401, "with the nested code", nested("refresh_token_reused"), "refresh_token_reused"),
  refused(400, "with the nested code", nested("refresh_token_reused"), "refresh_token_reused"),
  refused(400, "expired", nested("refresh_token_expired"), "refresh_token_expired"),
  refused(400, "invalidated", nested("refresh_token_invalidated"), "refresh_token_invalidated"),
  refused(400, "in OAuth's own form", '{"error":"invalid_grant","error_description":"no"}', "invalid_grant"),
  refused(400, "with the code on top", '{"code":"refresh_token_expired"}', "refresh_token_expired"),
  refused(400, "of an unknown client", '{"error":"invalid_client"}', "invalid_client"),
  refused(403, "of a deactivated account", nested("account_deactivated"), "account_deactivated"),
  ...[
    "token_expired",
    "token_invalidated",
    "app_session_terminated",
    "account_session_expired",
    "account_suspended",
    "account_deleted",
  ].map((code) => refused(400, code, nested(code), code)),
  refused(401, "with an empty body", "", "unauthorized"),
  refused(401, "with a page", "<html>no</html>", "unauthorized"),
  refused(401, "with a word that nobody knows", nested("brand_new"), "brand_new"),
  kept(403, "of a region", nested("unsupported_country_region_territory")),
  kept(403, "of a challenge", "<html><title>Just a moment...</title></html>"),
  kept(400, "of another kind", nested("something_else")),
  kept(429, "too many", nested("rate_limit_exceeded")),
  kept(429, "too many, with a word that would be final", nested("invalid_client")),
  kept(500, "bare", ""),
  kept(503, "with a word that would be final", nested("invalid_grant")),
  kept(302, "elsewhere", ""),
  kept(200, "without any token", '{"token_type":"Bearer"}'),
  kept(200, "that is not JSON", "<html>ok</html>"),
];
