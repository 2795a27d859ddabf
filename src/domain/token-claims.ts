/**
 * What Rotor reads from a JWT (wire §1.8). Signatures are not verified: the tokens come over the issuer's own TLS connection or from
 * the operator's own files, and nothing is decided on them but names and times.
 */

export interface TokenClaims {
  readonly userId: string | null;
  readonly workspaceId: string | null;
  readonly email: string | null;
  readonly tier: string | null;
  readonly expiresAtMs: number | null;
}

const AUTH_CLAIM = "https://api.openai.com/auth";
const PROFILE_CLAIM = "https://api.openai.com/profile";

/** null when the text is not a JWT with a JSON payload. */
export function readTokenClaims(jwt: string): TokenClaims | null {
  const payload = payloadOf(jwt);
  if (payload === null) return null;
  const auth = objectAt(payload, AUTH_CLAIM);
  const profile = objectAt(payload, PROFILE_CLAIM);
  const exp = payload.exp;
  return {
    userId: textAt(auth, "chatgpt_user_id") ?? textAt(auth, "user_id"),
    workspaceId: textAt(auth, "chatgpt_account_id") ?? textAt(payload, "chatgpt_account_id"),
    email: textAt(payload, "email") ?? textAt(profile, "email"),
    tier: textAt(auth, "chatgpt_plan_type"),
    expiresAtMs: typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : null,
  };
}

/** Claims of the id token first, filled up from the access token: each leaves out what the other has. The expiry is the access token's. */
export function readLoginClaims(idToken: string | null, accessToken: string): TokenClaims | null {
  const access = readTokenClaims(accessToken);
  const id = idToken === null ? null : readTokenClaims(idToken);
  if (access === null && id === null) return null;
  return {
    userId: id?.userId ?? access?.userId ?? null,
    workspaceId: id?.workspaceId ?? access?.workspaceId ?? null,
    email: id?.email ?? access?.email ?? null,
    tier: id?.tier ?? access?.tier ?? null,
    expiresAtMs: access?.expiresAtMs ?? null,
  };
}

/** Which sign-in an access token comes from, the same through all of its refreshes (`session_id`); null when it does not say. */
export function loginFamily(accessToken: string): string | null {
  const payload = payloadOf(accessToken);
  return payload === null ? null : textAt(payload, "session_id");
}

type Json = Record<string, unknown>;

function payloadOf(jwt: string): Json | null {
  const parts = jwt.split(".");
  if (parts.length !== 3) return null;
  try {
    const bytes = Uint8Array.from(atob(parts[1]!.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

function objectAt(value: Json, key: string): Json {
  const inner = value[key];
  return typeof inner === "object" && inner !== null ? (inner as Json) : {};
}

function textAt(value: Json, key: string): string | null {
  const inner = value[key];
  return typeof inner === "string" && inner !== "" ? inner : null;
}
