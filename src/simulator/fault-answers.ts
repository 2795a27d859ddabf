/**
 * What each `answer` fault says instead of the real answer. Pure: a fault and the facts of the request in, bytes out.
 */
import { windowHeaders } from "./allowance-wire.ts";
import { type Answer, detailAnswer, errorAnswer, htmlAnswer, jsonAnswer } from "./answer.ts";
import type { FaultKind, FaultParams } from "./faults.ts";
import type { HeaderList } from "./http-request.ts";
import * as refusal from "./refusals.ts";

export interface FaultScene {
  nowMs: number;
  planType: string | null;
  model: string | null;
}

/** An hour, as long as a five-hour window has left on average after its busy part. */
const DEFAULT_RESET_SECONDS = 3_600;
/** The wait that upstream's own example message states. */
const DEFAULT_TRY_AGAIN = "1.3s";

export function resetAtMsOf(params: FaultParams, nowMs: number): number {
  return nowMs + (params.resetsInSeconds ?? DEFAULT_RESET_SECONDS) * 1_000;
}

/** Null when the kind is not one that replaces the answer. */
export function faultAnswer(kind: FaultKind, params: FaultParams, scene: FaultScene): Answer | null {
  return limitAnswer(kind, params, scene) ?? loginAnswer(kind, params) ?? otherAnswer(kind, params, scene);
}

function limitAnswer(kind: FaultKind, params: FaultParams, scene: FaultScene): Answer | null {
  const { nowMs } = scene;
  const resetsAtMs = resetAtMsOf(params, nowMs);
  const planType = params.planType === undefined ? scene.planType : params.planType;
  const limit = (fields: refusal.LimitFacts["fields"], headers: HeaderList = []) =>
    refusal.usageLimitRefusal({ planType, resetsAtMs, nowMs, fields }, headers);
  const full = windowHeaders(
    "x-codex",
    { slot: "primary", usedPercent: 100, minutes: 300, resetAtMs: resetsAtMs },
    nowMs,
  );
  const tryAgainIn = params.tryAgainIn ?? DEFAULT_TRY_AGAIN;
  const rateLimit = (type: string, wait: string | null, headers: HeaderList = []) =>
    errorAnswer(429, { message: refusal.rateLimitMessage(wait), type, code: "rate_limit_exceeded" }, headers);
  switch (kind) {
    case "usage_limit":
      return limit("both", full);
    case "usage_limit_resets_at_only":
      return limit("resets_at");
    case "usage_limit_resets_in_only":
      return limit("resets_in_seconds");
    case "usage_limit_headers_only":
      return limit("none", full);
    case "usage_limit_retry_after_only":
      return limit("none", [["retry-after", String(params.resetsInSeconds ?? DEFAULT_RESET_SECONDS)]]);
    case "usage_limit_no_reset":
      return limit("none");
    case "usage_limit_text_only":
      return jsonAnswer(429, {
        error: { message: `You've hit your usage limit. Try again in ${params.tryAgainIn ?? "2h5m"}.` },
      });
    case "usage_limit_error_code": {
      const error = refusal.usageLimitError({ planType, resetsAtMs, nowMs, fields: "both" });
      return jsonAnswer(429, { error: { ...error, type: "invalid_request_error", code: "usage_limit_reached" } }, full);
    }
    case "usage_limit_as_404":
      return detailAnswer(404, "The usage limit has been reached");
    case "usage_not_included":
      return jsonAnswer(429, {
        error: { type: "usage_not_included", message: "Your plan does not include Codex", plan_type: planType },
      });
    case "insufficient_quota":
      return errorAnswer(429, {
        message: "You exceeded your current quota, please check your plan and billing details.",
        type: "insufficient_quota",
        code: "insufficient_quota",
      });
    case "rate_limit":
      return rateLimit("rate_limit_exceeded", tryAgainIn);
    case "rate_limit_tokens":
      return rateLimit("tokens", tryAgainIn);
    case "rate_limit_no_time":
      return rateLimit("rate_limit_exceeded", null);
    case "rate_limit_retry_after":
      return rateLimit("rate_limit_exceeded", null, [["retry-after", String(params.retryAfterSeconds ?? 30)]]);
    default:
      return null;
  }
}

function loginAnswer(kind: FaultKind, params: FaultParams): Answer | null {
  switch (kind) {
    case "unauthorized":
    case "token_expired":
    case "token_invalidated":
    case "token_revoked":
    case "account_deactivated":
      return refusal.accessRefusal(kind);
    case "deactivated_workspace":
      return refusal.deactivatedWorkspace(402);
    case "deactivated_workspace_forbidden":
      return refusal.deactivatedWorkspace(403);
    case "cloudflare_challenge":
      return refusal.cloudflareChallenge();
    case "region_blocked":
      return errorAnswer(403, {
        message: "Country, region, or territory not supported",
        type: "request_forbidden",
        code: "unsupported_country_region_territory",
      });
    case "refresh_token_reused":
    case "refresh_token_expired":
    case "refresh_token_invalidated":
      return refusal.refreshRefusal(kind, params.status ?? 401);
    case "app_session_terminated":
      return refusal.refreshRefusal(kind, 401);
    case "invalid_grant":
      return refusal.invalidGrant("the grant is not valid");
    default:
      return null;
  }
}

function otherAnswer(kind: FaultKind, params: FaultParams, scene: FaultScene): Answer | null {
  const model = params.model ?? scene.model ?? "gpt-x";
  const overload = (code: "server_is_overloaded" | "slow_down") =>
    jsonAnswer(
      503,
      { error: refusal.overloadError(code) },
      params.retryAfterSeconds === undefined ? [] : [["retry-after", String(params.retryAfterSeconds)]],
    );
  switch (kind) {
    case "model_unsupported":
      return refusal.modelUnsupported(model);
    case "model_not_found":
      return errorAnswer(404, {
        message: `The model '${model}' does not exist or you do not have access to it.`,
        code: "model_not_found",
      });
    case "context_length_exceeded":
      return errorAnswer(400, {
        message: "Your input exceeds the context window of this model. Please adjust your input and try again.",
        param: "input",
        code: "context_length_exceeded",
      });
    case "invalid_encrypted_content":
      return refusal.invalidEncryptedContent(
        "Encrypted content organization_id did not match the target organization.",
      );
    case "connection_limit":
      return errorAnswer(400, {
        message:
          "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue.",
        code: "websocket_connection_limit_reached",
      });
    case "upgrade_required":
      return detailAnswer(426, "Upgrade Required");
    case "previous_response_not_found":
      return errorAnswer(400, {
        message: "Previous response with id 'resp_unknown' not found.",
        param: "previous_response_id",
        code: "previous_response_not_found",
      });
    case "invalid_request":
      return errorAnswer(400, { message: "Invalid value for 'input'.", param: "input", code: "invalid_value" });
    case "server_error":
      return errorAnswer(500, {
        message: "The server had an error while processing your request. Sorry about that!",
        type: "server_error",
        code: "server_error",
      });
    case "overloaded":
      return overload("server_is_overloaded");
    case "slow_down":
      return overload("slow_down");
    case "bad_gateway":
      return refusal.edgeErrorPage(502);
    case "gateway_timeout":
      return refusal.edgeErrorPage(504);
    default:
      return plainAnswer(kind, params);
  }
}

function plainAnswer(kind: FaultKind, params: FaultParams): Answer | null {
  switch (kind) {
    case "not_found":
      return detailAnswer(404, "Not Found");
    case "not_found_empty":
      return { status: 404, headers: [["server", "cloudflare"]], body: "" };
    case "request_timeout":
      return detailAnswer(408, "Request timeout");
    case "conflict":
      return detailAnswer(409, "Conflict");
    case "payload_too_large":
      return detailAnswer(413, "Request body too large");
    case "unprocessable":
      return detailAnswer(422, [{ loc: ["body", "input"], msg: "value is not valid", type: "value_error" }]);
    case "html_instead_of_json":
      return htmlAnswer(200, "<!DOCTYPE html><html><head><title>Hello</title></head><body>Hello</body></html>");
    case "empty_body":
      return { status: 200, headers: [["content-type", "application/json"]], body: "" };
    case "broken_json":
      return { status: 200, headers: [["content-type", "application/json"]], body: '{"models":[{"slug":"gpt' };
    case "custom": {
      const isText = typeof params.body === "string";
      const headers: HeaderList = Object.entries(params.headers ?? {});
      if (!headers.some(([name]) => name.toLowerCase() === "content-type"))
        headers.push(["content-type", isText ? "text/plain" : "application/json"]);
      const body = isText ? (params.body as string) : JSON.stringify(params.body ?? {});
      return { status: params.status ?? 500, headers, body };
    }
    default:
      return null;
  }
}
