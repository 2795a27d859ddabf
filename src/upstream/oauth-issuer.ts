/**
 * The issuer's token endpoint for refreshing (wire §1.4, §1.5), and the one for revoking (§1.7). One request, one verdict: gone for good, or try again later.
 * The refresh token is in the request body and nowhere else: no message, no log line, no error carries it.
 */
import type { Clock } from "../base/clock.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import { callIssuer, type IssuerRequest } from "./issuer-call.ts";
import { type Json, parseObject, textAt } from "./json.ts";
import { DEFAULT_SELF, type SelfDescription } from "./request-headers.ts";
import { safeText } from "./safe-text.ts";
import type { Issuer, RefreshReason, RefreshResult, RevokeResult } from "./upstream.ts";
import { readErrorAnswer } from "./upstream-error.ts";

export interface IssuerOptions {
  /** E.g. `https://auth.openai.com`. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly self?: SelfDescription;
}

export function createIssuer(options: IssuerOptions): Issuer {
  const base = options.issuer.replace(/\/+$/, "");
  const url = `${base}/oauth/token`;
  return {
    revoke: (refreshToken) => revoke(options, `${base}/oauth/revoke`, refreshToken),
    async refresh(refreshToken, reason, signal) {
      const startedMs = options.clock.monotonicMs();
      const result = await refresh(options, url, refreshToken, reason, signal);
      const tookMs = Math.round(options.clock.monotonicMs() - startedMs);
      options.log.debug("issuer.answered", { kind: result.kind, reason, took_ms: tookMs });
      return result;
    },
  };
}

async function refresh(
  options: IssuerOptions,
  url: string,
  refreshToken: Secret,
  reason: RefreshReason,
  signal: AbortSignal,
): Promise<RefreshResult> {
  const answer = await callIssuer(options.clock, requestOf(options, url, refreshToken, reason), signal);
  if (answer.kind === "unanswered") return { kind: "failed", message: answer.message };
  const { status, headers, text, broken } = answer;
  return broken === null ? readRefreshAnswer(status, headers, text) : readBrokenAnswer(status, headers, text, broken);
}

/** RFC 7009 §2.2: any 2xx, also for a token that was unknown. */
async function revoke(options: IssuerOptions, url: string, refreshToken: Secret): Promise<RevokeResult> {
  const fields = { token: refreshToken.reveal(), token_type_hint: "refresh_token", client_id: options.clientId };
  const request = { url, headers: headersOf(options), body: JSON.stringify(fields) };
  // Begun, it is not taken back: it is bounded by the time that every call to the issuer has.
  const answer = await callIssuer(options.clock, request, new AbortController().signal);
  if (answer.kind === "unanswered") return { kind: "failed", message: answer.message };
  const { status, headers, text } = answer;
  if (status >= 200 && status < 300) return { kind: "revoked" };
  const said = safeText(readErrorAnswer(status, headers, text).message);
  return { kind: "failed", message: `the issuer answered ${status}${said === "" ? "" : `: ${said}`}` };
}

function headersOf(options: IssuerOptions): IssuerRequest["headers"] {
  const self = options.self ?? DEFAULT_SELF;
  return [
    ["content-type", "application/json"],
    ["originator", self.originator],
    ["user-agent", self.userAgent],
  ];
}

function requestOf(options: IssuerOptions, url: string, refreshToken: Secret, reason: RefreshReason): IssuerRequest {
  return {
    url,
    headers: headersOf(options),
    body: JSON.stringify({
      client_id: options.clientId,
      grant_type: "refresh_token",
      refresh_reason: reason,
      refresh_token: refreshToken.reveal(),
    }),
  };
}

/** Words that end a login for good; the first four are the official client's, the others its careful peers' (wire §1.5). */
const PERMANENT: ReadonlySet<string> = new Set([
  "invalid_grant",
  "refresh_token_reused",
  "refresh_token_expired",
  "refresh_token_invalidated",
  "token_expired",
  "token_invalidated",
  "token_revoked",
  "app_session_terminated",
  "account_session_expired",
  "account_deactivated",
  "account_suspended",
  "account_deleted",
  "invalid_client",
]);

/** Pure: what an answer of the token endpoint means. */
export function readRefreshAnswer(status: number, headers: HeaderList, text: string): RefreshResult {
  if (status >= 200 && status < 300) return readTokens(parseObject(text));
  const error = readErrorAnswer(status, headers, text);
  const permanent = error.codes.find((code) => PERMANENT.has(code));
  const words = safeText(error.message);
  // Every 401 is final, whatever its body. A known word is not, when it comes with a status that says "later".
  if (status === 401 || (permanent !== undefined && status >= 400 && status < 500 && status !== 429)) {
    const code = permanent ?? error.codes[0] ?? "unauthorized";
    return { kind: "refused", code: safeText(code), message: words };
  }
  const said = words === "" ? "" : `: ${words}`;
  return { kind: "failed", message: `the issuer answered ${status}${said}` };
}

/** Pure: an answer whose connection broke. Tokens that came whole are taken: they may have replaced the old one already. */
export function readBrokenAnswer(status: number, headers: HeaderList, text: string, why: string): RefreshResult {
  const result = readRefreshAnswer(status, headers, text);
  // Otherwise the old token may still work for another try, within the grace window or because nothing was rotated.
  return result.kind === "refreshed" || status >= 400 ? result : { kind: "failed", message: why };
}

/** Every field is optional (wire §1.4): a new refresh token alone must be kept too, for the old one is on its way out. */
function readTokens(body: Json | null): RefreshResult {
  const tokens = {
    accessToken: body === null ? null : textAt(body, "access_token"),
    refreshToken: body === null ? null : textAt(body, "refresh_token"),
    idToken: body === null ? null : textAt(body, "id_token"),
  };
  if (tokens.accessToken === null && tokens.refreshToken === null) {
    return { kind: "failed", message: "the issuer's answer holds no access token" };
  }
  return { kind: "refreshed", tokens };
}
