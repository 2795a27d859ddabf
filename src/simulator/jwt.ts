/**
 * JSON Web Tokens (RFC 7519) with HS256, and the claims that upstream's tokens carry (wire reference §1.8). The key
 * lives and dies with the simulator.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { type Dice, randomToken } from "../base/id.ts";
import { randomUuid, type SimAccount } from "./accounts.ts";
import { asObject, type JsonObject, tryParseJson } from "./json.ts";
import { isWorkspacePlan } from "./plans.ts";

export interface TokenSigner {
  sign(claims: JsonObject): string;
  /** The claims when the signature is ours, else null. Expiry is the caller's question. */
  read(token: string): JsonObject | null;
}

export function createTokenSigner(dice: Dice): TokenSigner {
  const key = dice.bytes(32);
  const header = encode({ alg: "HS256", typ: "JWT", kid: "simulator" });
  const mac = (text: string) => createHmac("sha256", key).update(text).digest();
  return {
    sign(claims) {
      const text = `${header}.${encode(claims)}`;
      return `${text}.${mac(text).toString("base64url")}`;
    },
    read(token) {
      const [head, payload, signature] = token.split(".");
      if (!head || !payload || !signature) return null;
      const given = Buffer.from(signature, "base64url");
      const wanted = mac(`${head}.${payload}`);
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
      return asObject(tryParseJson(Buffer.from(payload, "base64url").toString()));
    },
  };
}

export interface ClaimContext {
  issuer: string;
  clientId: string;
  nowMs: number;
  scope: string;
  /** Which login (token family) the tokens belong to. */
  familyId: string;
  dice: Dice;
}

/** `exp - iat` of both tokens in seconds. */
export interface Lifetimes {
  accessTokenSeconds: number;
  idTokenSeconds: number;
}

export function accessTokenClaims(account: SimAccount, context: ClaimContext, lifetimes: Lifetimes): JsonObject {
  const iat = Math.floor(context.nowMs / 1_000);
  return {
    iss: context.issuer,
    aud: ["https://api.openai.com/v1"],
    client_id: context.clientId,
    scp: context.scope.split(" "),
    sub: subjectOf(account),
    iat,
    nbf: iat,
    exp: iat + lifetimes.accessTokenSeconds,
    // The epoch lets the control API expire every access token of an account at once without a list of them.
    jti: `${randomUuid(context.dice)}.${account.accessEpoch}`,
    session_id: context.familyId,
    "https://api.openai.com/auth": { ...accountClaims(account), amr: ["pwd"] },
    "https://api.openai.com/profile": { email: account.email, email_verified: true },
  };
}

export function idTokenClaims(account: SimAccount, context: ClaimContext, lifetimes: Lifetimes): JsonObject {
  const iat = Math.floor(context.nowMs / 1_000);
  const iso = (days: number) => new Date(context.nowMs + days * 86_400_000).toISOString().replace("Z", "+00:00");
  return {
    iss: context.issuer,
    aud: [context.clientId],
    sub: subjectOf(account),
    email: account.email,
    email_verified: true,
    auth_provider: "password",
    iat,
    exp: iat + lifetimes.idTokenSeconds,
    jti: randomUuid(context.dice),
    sid: randomToken(context.dice, 12),
    "https://api.openai.com/auth": {
      ...accountClaims(account),
      chatgpt_subscription_active_start: iso(-30),
      chatgpt_subscription_active_until: iso(30),
      chatgpt_subscription_last_checked: iso(0),
      groups: [],
      localhost: true,
      organizations: [{ id: account.organizationId, is_default: true, role: "owner", title: titleOf(account) }],
      organization_id: account.organizationId,
      project_id: `proj_${account.organizationId.slice(4)}`,
      completed_platform_onboarding: true,
      is_org_owner: true,
    },
  };
}

function accountClaims(account: SimAccount): JsonObject {
  return {
    chatgpt_account_id: account.accountId,
    chatgpt_account_user_id: `${account.userId}__${account.accountId}`,
    chatgpt_plan_type: account.plan,
    chatgpt_user_id: account.userId,
    user_id: account.userId,
    chatgpt_compute_residency: "no_constraint",
    chatgpt_account_is_fedramp: false,
  };
}

function subjectOf(account: SimAccount): string {
  return `auth0|${account.userId.replace(/^user-/, "")}`;
}

export function titleOf(account: SimAccount): string {
  return isWorkspacePlan(account.plan) ? `${account.alias} workspace` : "Personal";
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
