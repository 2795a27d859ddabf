/**
 * The words of upstream's refusals, one function a refusal, from the error catalogue of the wire reference (§1.5, §3.3,
 * §4.1). Used where the simulator itself refuses and where a fault makes it refuse.
 */

import { secondsUntil, unixSeconds } from "./allowance-wire.ts";
import { type Answer, detailAnswer, errorAnswer, htmlAnswer, jsonAnswer } from "./answer.ts";
import type { HeaderList } from "./http-request.ts";
import type { JsonObject } from "./json.ts";

export interface LimitFacts {
  planType: string | null;
  resetsAtMs: number | null;
  nowMs: number;
  /** Which of the two reset fields the body carries. */
  fields: "both" | "resets_at" | "resets_in_seconds" | "none";
}

export function usageLimitError(facts: LimitFacts): JsonObject {
  const { resetsAtMs, nowMs, fields } = facts;
  const error: JsonObject = {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: facts.planType,
  };
  if (resetsAtMs !== null && (fields === "both" || fields === "resets_at")) error.resets_at = unixSeconds(resetsAtMs);
  if (resetsAtMs !== null && (fields === "both" || fields === "resets_in_seconds"))
    error.resets_in_seconds = secondsUntil(resetsAtMs, nowMs);
  error.eligible_promo = null;
  return error;
}

export function usageLimitRefusal(facts: LimitFacts, headers: HeaderList): Answer {
  return jsonAnswer(429, { error: usageLimitError(facts) }, headers);
}

/** The 401 bodies. `x-openai-authorization-error` carries the code for clients that do not read bodies. */
export function accessRefusal(
  code: "unauthorized" | "token_expired" | "token_invalidated" | "token_revoked" | "account_deactivated",
): Answer {
  if (code === "unauthorized") return detailAnswer(401, "Unauthorized");
  const messages = {
    token_expired: "Provided authentication token is expired. Please try signing in again.",
    token_invalidated: "Your authentication token has been invalidated. Please try signing in again.",
    token_revoked: "Encountered invalidated oauth token for user, failing request",
    account_deactivated: "Your OpenAI account has been deactivated, please check your email for more information.",
  };
  return errorAnswer(401, { message: messages[code], code }, [["x-openai-authorization-error", code]]);
}

export function refreshRefusal(
  code: "refresh_token_reused" | "refresh_token_expired" | "refresh_token_invalidated" | "app_session_terminated",
  status: number,
): Answer {
  const messages = {
    refresh_token_reused:
      "Your refresh token has already been used to generate a new access token. Please try signing in again.",
    refresh_token_expired: "Could not validate your refresh token. Please try signing in again.",
    refresh_token_invalidated: "Your refresh token has been invalidated. Please try signing in again.",
    app_session_terminated: "Your session has ended. Please sign in again.",
  };
  return errorAnswer(status, { message: messages[code], code });
}

export function invalidGrant(description: string): Answer {
  return jsonAnswer(400, { error: "invalid_grant", error_description: description });
}

export function modelUnsupported(model: string): Answer {
  return detailAnswer(400, `The '${model}' model is not supported when using Codex with a ChatGPT account.`);
}

export function invalidEncryptedContent(reason: string): Answer {
  return errorAnswer(400, {
    message: `The encrypted content could not be verified. Reason: ${reason}`,
    code: "invalid_encrypted_content",
  });
}

export function deactivatedWorkspace(status: 402 | 403): Answer {
  return detailAnswer(status, { code: "deactivated_workspace" });
}

/** The challenge page of the edge, with the marks that clients look for. */
export function cloudflareChallenge(): Answer {
  return htmlAnswer(
    403,
    `<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title><meta name="robots" content="noindex,nofollow"></head>
<body><noscript>Enable JavaScript and cookies to continue</noscript>
<script>window._cf_chl_opt={cType:"managed"};</script><script src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1?__cf_chl_tk=sim"></script></body></html>`,
    [
      ["cf-mitigated", "challenge"],
      ["server", "cloudflare"],
      ["cache-control", "private, max-age=0, no-store, no-cache, must-revalidate"],
    ],
  );
}

export function edgeErrorPage(status: 502 | 504): Answer {
  const name = status === 502 ? "Bad gateway" : "Gateway time-out";
  return htmlAnswer(
    status,
    `<!DOCTYPE html><html><head><title>chatgpt.com | ${status}: ${name}</title></head><body><h1>${name} Error code ${status}</h1></body></html>`,
    [["server", "cloudflare"]],
  );
}

export function overloadError(code: "server_is_overloaded" | "slow_down"): JsonObject {
  const message =
    code === "slow_down"
      ? "Too many requests in a short time. Please slow down."
      : "Our servers are currently overloaded. Please try again later.";
  return { message, type: "server_error", param: null, code };
}

export function rateLimitMessage(tryAgainIn: string | null): string {
  const base = "Rate limit reached for this model in organization on tokens per min (TPM): Limit 30000, Used 29000.";
  return tryAgainIn === null ? base : `${base} Please try again in ${tryAgainIn}.`;
}
