/**
 * What a refusal of upstream's means: every row of product.md §4, from the catalogue in wire §4.1, §4.2 and §4.5.
 * Pure: time comes in as `nowMs`. Codes are trusted before texts, texts before the bare status.
 */
import { type HeaderList, headerValue } from "../base/header-list.ts";
import type { Observation, Outcome } from "../domain/outcome.ts";
import { activeLimit, readLimitHeaders, tierOf } from "./codex-headers.ts";
import type { Json } from "./json.ts";
import { instantAfter, instantInText, instantOf, retryAfter, saneInstant } from "./reset-time.ts";
import { safeText } from "./safe-text.ts";
import { readErrorAnswer, readErrorEvent, type UpstreamError } from "./upstream-error.ts";

export interface Verdict {
  readonly outcome: Outcome;
  readonly observation: Observation;
}

export interface RefusedAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  /** Decoded body, perhaps cut short. */
  readonly text: string;
  /** Was it an inference stream that was asked for? Its path exists for sure. */
  readonly stream: boolean;
}

/** An answer that is not what was asked for: any status from 400 up, redirects, pages and errors that came with 200. */
export function judgeAnswer(answer: RefusedAnswer, nowMs: number): Verdict {
  const error = readErrorAnswer(answer.status, answer.headers, answer.text);
  const outcome = isChallenge(answer, error) ? challenged(answer, error) : judge(error, nowMs);
  return { outcome, observation: observe(error, nowMs) };
}

/** A `response.failed` or `error` event. */
export function judgeEvent(event: Json, nowMs: number): Verdict {
  const error = readErrorEvent(event);
  return { outcome: judge(error, nowMs), observation: observe(error, nowMs) };
}

/** The allowance is used up or was never there: no use to wait seconds, another account may have some. */
const EXHAUSTED: ReadonlySet<string> = new Set([
  "usage_limit_reached",
  "workspace_owner_usage_limit_reached",
  "workspace_member_usage_limit_reached",
  "workspace_owner_credits_depleted",
  "workspace_member_credits_depleted",
  "usage_not_included",
  "insufficient_quota",
  "quota_exceeded",
  "credit_balance_exhausted",
  "billing_hard_limit",
  "billing_hard_limit_reached",
  "organization_spend_limit_exceeded",
  "project_spend_limit_exceeded",
]);
const PACED: ReadonlySet<string> = new Set([
  "rate_limit_exceeded",
  "rate_limit_error",
  "too_many_requests",
  "tokens",
  "requests",
]);
const GONE: ReadonlySet<string> = new Set([
  "deactivated_workspace",
  "workspace_deactivated",
  "workspace_not_found",
  "account_deactivated",
  "account_suspended",
  "account_deleted",
]);
const UNAUTHORIZED: ReadonlySet<string> = new Set([
  "token_expired",
  "token_invalidated",
  "token_revoked",
  "invalid_token",
  "app_session_terminated",
]);
const MODEL: ReadonlySet<string> = new Set(["model_not_found", "model_not_supported", "unsupported_model"]);
const REGION = "unsupported_country_region_territory";
const ENCRYPTED = "invalid_encrypted_content";
/** Refusals inside a stream that every account would give: of the input, its images, its policy, its options. */
const REQUEST_FAULT =
  /^(?:invalid_|unsupported_|image_|empty_|string_above_|context_length_exceeded|content_filter|flex_unavailable|previous_response_not_found|failed_to_download_image)|_(?:policy|policy_violation)$/;

const EXHAUSTED_TEXT = /usage limit has been reached|hit your usage limit|reached your usage limit/i;
const GONE_TEXT = /(?:account|workspace) (?:has been|is|was) (?:deactivated|suspended|deleted)/i;
const MODEL_TEXT = /^the ['"`]([^'"`]+)['"`] model is not supported/i;
const MODEL_ABSENT_TEXT = /^the model ['"`]([^'"`]+)['"`] does not exist/i;
const ENCRYPTED_TEXT = /encrypted content .{0,80}could not be verified/i;

function judge(error: UpstreamError, nowMs: number): Outcome {
  const { status, codes, message } = error;
  const has = (set: ReadonlySet<string>) => codes.some((code) => set.has(code));
  if (codes.includes(ENCRYPTED) || ENCRYPTED_TEXT.test(message)) return { kind: "encrypted_content_rejected" };
  const model = MODEL_TEXT.exec(message)?.[1] ?? MODEL_ABSENT_TEXT.exec(message)?.[1] ?? null;
  if (model !== null || has(MODEL)) return { kind: "model_unsupported", model, message: describe(error) };
  if (has(EXHAUSTED) || (status !== 400 && EXHAUSTED_TEXT.test(message))) {
    return { kind: "window_exhausted", untilMs: resetOf(error, nowMs), message: describe(error) };
  }
  if (has(GONE) || GONE_TEXT.test(message)) return { kind: "login_rejected", reason: describe(error) };
  if (codes.includes(REGION)) return { kind: "challenged", message: describe(error) };
  // An error that comes with a 200 is as good as one in a stream: its status says nothing.
  const isStatusTelling = status !== null && status >= 300;
  return isStatusTelling ? judgeStatus(error, status, nowMs) : judgeCodes(error, nowMs);
}

function judgeStatus(error: UpstreamError, status: number, nowMs: number): Outcome {
  const message = describe(error);
  if (status === 401) return { kind: "unauthorized", message };
  // A 402 of another kind is about money all the same: this account cannot pay for the request, another may.
  if (status === 402) return { kind: "window_exhausted", untilMs: resetOf(error, nowMs), message };
  if (status === 429) return { kind: "rate_limited", untilMs: pauseOf(error, nowMs), message };
  // A redirect is not something that upstream does: a portal or a proxy in between speaks.
  if (status < 400 || status >= 500) return failed(error, nowMs);
  return { kind: "request_rejected", status };
}

/** No status that says anything: only the words say what it is. An unknown word is upstream's failure, never the account's. */
function judgeCodes(error: UpstreamError, nowMs: number): Outcome {
  const { codes } = error;
  if (codes.some((code) => UNAUTHORIZED.has(code))) return { kind: "unauthorized", message: describe(error) };
  if (codes.some((code) => PACED.has(code))) {
    return { kind: "rate_limited", untilMs: pauseOf(error, nowMs), message: describe(error) };
  }
  if (codes.some((code) => REQUEST_FAULT.test(code))) return { kind: "request_rejected", status: 400 };
  return failed(error, nowMs);
}

function failed(error: UpstreamError, nowMs: number): Outcome {
  return { kind: "upstream_failed", status: error.status, message: describe(error), retryAtMs: pauseOf(error, nowMs) };
}

/** When the allowance comes back, in product.md's order: instant, seconds, the used-up window's reset, `Retry-After`, text. */
function resetOf(error: UpstreamError, nowMs: number): number | null {
  return (
    saneInstant(instantOf(error.resetsAt), nowMs) ??
    instantAfter(error.resetsInSeconds, nowMs) ??
    resetOfExhausted(error.headers, nowMs) ??
    retryAfter(error.headers, nowMs) ??
    instantInText(error.message, nowMs)
  );
}

/** The latest reset among the used-up windows: the account serves again only after all of them. The limit in force goes first. */
function resetOfExhausted(headers: HeaderList, nowMs: number): number | null {
  const exhausted = readLimitHeaders(headers, nowMs).windows.filter((window) => window.usedPercent >= 100);
  const active = activeLimit(headers);
  const inForce = exhausted.filter((window) => window.limit === active);
  let latest: number | null = null;
  for (const { resetsAtMs } of inForce.length > 0 ? inForce : exhausted) {
    if (resetsAtMs !== null && (latest === null || resetsAtMs > latest)) latest = resetsAtMs;
  }
  return latest;
}

/**
 * How long to leave upstream alone: the longest of what it states. The text is exact to the millisecond and the header is rounded,
 * in either direction; too long costs a moment, too short costs a refused attempt.
 */
function pauseOf(error: UpstreamError, nowMs: number): number | null {
  const stated = [
    instantInText(error.message, nowMs),
    retryAfter(error.headers, nowMs),
    saneInstant(instantOf(error.resetsAt), nowMs),
    instantAfter(error.resetsInSeconds, nowMs),
  ].filter((atMs) => atMs !== null);
  return stated.length === 0 ? null : Math.max(...stated);
}

/** Marks of a Cloudflare page (wire §4.1). The bare word "cloudflare" is no mark: it stands on every error page of theirs. */
const CHALLENGE_MARKS =
  /just a moment|__cf_chl|\/cdn-cgi\/challenge-platform|attention required!|enable javascript and cookies/i;

function isChallenge(answer: RefusedAnswer, error: UpstreamError): boolean {
  const { status, headers, text } = answer;
  if (headerValue(headers, "cf-mitigated")?.toLowerCase() === "challenge") return true;
  // Upstream itself refuses in JSON: a page with 403 comes from what stands before it.
  if (error.isPage) return status === 403 || CHALLENGE_MARKS.test(text);
  // The edge hides the inference path behind an empty 404 when it dislikes the caller (seen by codex-proxy-rs, wire §4.1).
  return status === 404 && answer.stream && text.trim() === "" && headerValue(headers, "cf-ray") !== null;
}

function challenged(answer: RefusedAnswer, error: UpstreamError): Outcome {
  const title = error.isPage ? /<title[^>]*>([^<]{1,120})/i.exec(answer.text)?.[1] : null;
  const said = title ? `: ${safeText(title)}` : "";
  return { kind: "challenged", message: `HTTP ${answer.status} from the edge before upstream${said}` };
}

function observe(error: UpstreamError, nowMs: number): Observation {
  const seen = readLimitHeaders(error.headers, nowMs);
  const tier = tierOf(error.planType);
  if (tier === null) return seen;
  return { ...seen, from: seen.windows.length > 0 ? "header" : "error", tier };
}

/** `code: message`, fit for logs and screens. */
function describe(error: UpstreamError): string {
  const code = error.codes[0] ?? null;
  const said = [code, error.message === "" ? null : error.message].filter((part) => part !== null).join(": ");
  if (said !== "") return safeText(said);
  return error.status === null ? "upstream failed without saying why" : `HTTP ${error.status}`;
}
