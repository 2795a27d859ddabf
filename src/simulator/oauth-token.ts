/**
 * POST /oauth/token and /oauth/revoke (wire reference §1.3–1.5, §1.7).
 */

import { randomToken } from "../base/id.ts";
import type { SimAccount } from "./accounts.ts";
import { type Answer, errorAnswer, jsonAnswer } from "./answer.ts";
import type { FaultKind, FaultPlace } from "./faults.ts";
import { headerOf } from "./http-request.ts";
import { asObject, asText, type JsonObject, tryParseJson } from "./json.ts";
import type { OauthDesk } from "./oauth-desk.ts";
import { noteAccount, withoutSecrets } from "./recorder.ts";
import * as refusal from "./refusals.ts";
import { serve, type Target, takeFault, targetOf } from "./serve.ts";
import type { IssueOptions, TokenSet } from "./token-vault.ts";
import type { Call } from "./world.ts";

interface TokenRequest {
  form: boolean;
  fields: JsonObject;
}

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";

export async function handleToken(call: Call, desk: OauthDesk): Promise<void> {
  const request = readFields(call);
  const field = (name: string) => asText(request?.fields[name]) ?? "";
  const account = call.world.vault.ownerOf(field("refresh_token"));
  if (account) noteAccount(call.record, account.alias);
  const target = targetOf(placeOf(field("grant_type")), account);
  await serve(call, target, () => {
    if (!request) return jsonAnswer(400, { error: "invalid_request", error_description: "the body cannot be read" });
    if (field("client_id") !== call.world.oauth.clientId)
      return errorAnswer(401, { message: "The client is not known.", code: "invalid_client" });
    switch (field("grant_type")) {
      case "refresh_token":
        return refresh(call, target, field("refresh_token"));
      case "authorization_code":
        // Every client sends the code as a form; JSON is known for refreshes only.
        if (!request.form)
          return jsonAnswer(400, { error: "invalid_request", error_description: "a form is expected" });
        return exchangeCode(call, target, desk, field);
      case TOKEN_EXCHANGE:
        return exchangeForApiKey(call, field("subject_token"));
      default:
        return jsonAnswer(400, { error: "unsupported_grant_type", error_description: field("grant_type") });
    }
  });
}

function placeOf(grantType: string): FaultPlace {
  if (grantType === "refresh_token") return "refresh";
  return grantType === TOKEN_EXCHANGE ? "token_exchange" : "token";
}

function readFields(call: Call): TokenRequest | null {
  const { request } = call.exchange;
  const text = new TextDecoder().decode(request.body);
  const form = (headerOf(request.headers, "content-type") ?? "").includes("application/x-www-form-urlencoded");
  const fields = form ? Object.fromEntries(new URLSearchParams(text)) : asObject(tryParseJson(text));
  if (!fields) return null;
  call.record.body = withoutSecrets(fields);
  return { form, fields };
}

function refresh(call: Call, target: Target, refreshToken: string): Answer {
  const { world } = call;
  const fault = takeFault(call, target, ["tokens"]);
  const result = world.vault.refresh(refreshToken, changesBy(fault?.kind ?? null));
  if (!result.ok) return refusal.refreshRefusal(result.refusal, world.oauth.refusalStatus);
  return tokenAnswer(call, result.account, result.tokens, fault?.kind ?? null, result.rotated);
}

function exchangeCode(call: Call, target: Target, desk: OauthDesk, field: (name: string) => string): Answer {
  const { world } = call;
  const grant = desk.redeem(field("code"), {
    clientId: field("client_id"),
    redirectUri: field("redirect_uri"),
    verifier: field("code_verifier"),
  });
  if (typeof grant === "string") return refusal.invalidGrant(`the authorization code was refused: ${grant}`);
  noteAccount(call.record, grant.account.alias);
  const fault = takeFault(call, { ...target, account: grant.account }, ["tokens"]);
  const tokens = world.vault.login(grant.account, grant.scope, changesBy(fault?.kind ?? null));
  return tokenAnswer(call, grant.account, tokens, fault?.kind ?? null, true);
}

function changesBy(kind: FaultKind | null): IssueOptions {
  if (kind === "without_refresh_token") return { rotate: false };
  // A minute ago: past every allowance for clocks that differ by seconds.
  return kind === "already_expired" ? { accessTokenSeconds: -60 } : {};
}

function tokenAnswer(
  call: Call,
  account: SimAccount,
  tokens: TokenSet,
  kind: FaultKind | null,
  withRefreshToken: boolean,
): Answer {
  const { world } = call;
  const stranger = world.roster.list().find((other) => other !== account);
  const given = kind === "foreign_account" && stranger ? world.vault.login(stranger, tokens.scope) : tokens;
  const body: JsonObject = {
    id_token: given.idToken,
    access_token: given.accessToken,
    refresh_token: given.refreshToken,
    token_type: "Bearer",
    expires_in: kind === "already_expired" ? 0 : world.oauth.accessTokenSeconds,
    scope: given.scope,
  };
  if (!withRefreshToken || kind === "without_refresh_token") delete body.refresh_token;
  if (kind === "without_access_token") delete body.access_token;
  if (kind === "without_id_token") delete body.id_token;
  return jsonAnswer(200, body, [["cache-control", "no-store"]]);
}

/** After a browser login the client asks for an API key; most accounts get none, and the client goes on without. */
function exchangeForApiKey(call: Call, subjectToken: string): Answer {
  const { world } = call;
  if (!world.oauth.apiKeyExchange || subjectToken === "")
    return errorAnswer(401, { message: "This account has no API organization.", code: "invalid_subject_token" });
  return jsonAnswer(200, { access_token: `sk-sim-${randomToken(world.dice, 24)}` });
}

export async function handleRevoke(call: Call): Promise<void> {
  const fields = readFields(call)?.fields ?? {};
  const token = asText(fields.token) ?? "";
  const owner = call.world.vault.ownerOf(token);
  if (owner) noteAccount(call.record, owner.alias);
  await serve(call, targetOf("revoke", owner), () => {
    call.world.vault.revoke(token);
    // RFC 7009 §2.2: an unknown token is no error.
    return jsonAnswer(200, {});
  });
}
