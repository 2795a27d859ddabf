/**
 * The account calls of the backend (`/wham/…`) and the model list (wire reference §3.1, §3.6, §3.10).
 */

import { type ResetCredit, redeemResetCredit, type SimAccount } from "./accounts.ts";
import { availableResetCredits, usageBody } from "./allowance-wire.ts";
import { type Answer, detailAnswer, jsonAnswer } from "./answer.ts";
import { identify } from "./backend-identity.ts";
import type { FaultPlace } from "./faults.ts";
import { headerOf } from "./http-request.ts";
import { asText, type JsonObject } from "./json.ts";
import { titleOf } from "./jwt.ts";
import { modelsBody } from "./models.ts";
import { isWorkspacePlan } from "./plans.ts";
import * as refusal from "./refusals.ts";
import { readBody } from "./responses.ts";
import { sendAnswer, serve, targetOf } from "./serve.ts";
import type { Call } from "./world.ts";

interface AccountRoute {
  at: FaultPlace;
  answer(call: Call, account: SimAccount): Answer;
}

/** `METHOD path`, below `/backend-api` (or `/api/codex` for the few that exist there). */
export const ACCOUNT_ROUTES: Readonly<Record<string, AccountRoute>> = {
  "GET /codex/models": { at: "models", answer: models },
  "GET /wham/accounts/check": { at: "accounts_check", answer: accountsCheck },
  "GET /wham/usage": {
    at: "usage",
    answer: (call, account) => jsonAnswer(200, usageBody(account, call.world.clock.nowMs())),
  },
  "GET /wham/settings/user": { at: "settings", answer: () => jsonAnswer(200, {}) },
  "GET /wham/config/bundle": { at: "config_bundle", answer: () => jsonAnswer(200, {}) },
  "GET /wham/security-setup": { at: "account_other", answer: () => jsonAnswer(200, { required: false }) },
  "GET /wham/workspace-messages": { at: "account_other", answer: () => jsonAnswer(200, { messages: [] }) },
  "GET /wham/profiles/me": { at: "account_other", answer: (_call, account) => profile(account) },
  "GET /wham/rate-limit-reset-credits": { at: "reset_credits", answer: (_call, account) => resetCredits(account) },
  "POST /wham/rate-limit-reset-credits/consume": { at: "reset_credits", answer: consume },
  "POST /wham/accounts/send_add_credits_nudge_email": { at: "account_other", answer: () => jsonAnswer(200, {}) },
};

export async function handleAccountRoute(call: Call, route: AccountRoute): Promise<void> {
  const identity = identify(call);
  if (identity.refused) return sendAnswer(call, identity.refused);
  await serve(call, targetOf(route.at, identity.account), () => {
    if (identity.account.deactivated) return refusal.deactivatedWorkspace(402);
    return route.answer(call, identity.account);
  });
}

/** What the account may use; nothing when the client names the list that it has. */
function models(call: Call, account: SimAccount): Answer {
  const { text, etag } = modelsBody(account);
  if (headerOf(call.exchange.request.headers, "if-none-match") === etag)
    return { status: 304, headers: [["etag", etag]], body: "" };
  return {
    status: 200,
    headers: [
      ["content-type", "application/json"],
      ["etag", etag],
    ],
    body: text,
  };
}

/** All accounts of the same user: one login may see several workspaces. */
function accountsCheck(call: Call, account: SimAccount): Answer {
  const own = call.world.roster.list().filter((other) => other.userId === account.userId);
  return jsonAnswer(200, {
    accounts: own.map((other) => ({
      id: other.accountId,
      plan_type: other.plan,
      name: titleOf(other),
      structure: isWorkspacePlan(other.plan) ? "workspace" : "personal",
      profile_picture_url: null,
      // The client insists on an https origin here, whatever host it talks to.
      workspace_backend_origin: "https://chatgpt.com",
      account_routing_override: "NO_CONSTRAINT",
      is_deactivated: other.deactivated,
    })),
    account_ordering: own.map((other) => other.accountId),
    default_account_id: own[0]!.accountId,
  });
}

function profile(account: SimAccount): Answer {
  return jsonAnswer(200, { id: account.userId, email: account.email, name: account.alias, picture: null });
}

function creditView(credit: ResetCredit): JsonObject {
  const iso = (atMs: number) => new Date(atMs).toISOString();
  return {
    id: credit.id,
    status: credit.status,
    reset_type: "codex_rate_limits",
    granted_at: iso(credit.grantedAtMs),
    expires_at: iso(credit.grantedAtMs + 30 * 86_400_000),
    title: "Limit reset",
    description: "Empties your Codex windows once.",
  };
}

function resetCredits(account: SimAccount): Answer {
  return jsonAnswer(200, {
    credits: account.resetCredits.map(creditView),
    available_count: availableResetCredits(account),
    total_earned_count: account.resetCredits.length,
  });
}

function consume(call: Call, account: SimAccount): Answer {
  const read = readBody(call);
  if (!read.ok) return read.refused;
  const requestId = asText(read.body.redeem_request_id);
  if (requestId === null) return detailAnswer(422, "redeem_request_id is required");
  const result = redeemResetCredit(account, requestId, asText(read.body.credit_id));
  const credit = result.credit ? creditView(result.credit) : null;
  return jsonAnswer(200, { code: result.code, windows_reset: result.reset, credit });
}
