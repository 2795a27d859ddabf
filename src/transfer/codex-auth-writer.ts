/**
 * Writes a login into the bytes of a Codex `auth.json` (wire §2): what the file says beside the login stays as it is. Pure; the caller
 * puts the bytes where they belong. Must never write over something that it cannot read.
 */
import { formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Credentials } from "../domain/credentials.ts";

export interface WrittenLogin {
  readonly credentials: Credentials;
  readonly workspaceId: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly refreshedAtMs: number;
}

/** Members of `tokens` that speak of the login that was there, not of the next one. */
const OF_THE_LOGIN = ["id_token", "access_token", "refresh_token", "account_id", "oauth_provenance", "login_owner_id"];

/** The file with this login in it. `before` null = there is none yet. Throws `login_file_broken` when `before` is not a JSON object. */
export function writeCodexAuth(before: Uint8Array | null, login: WrittenLogin): Uint8Array {
  const text = before === null ? "{}" : new TextDecoder().decode(before);
  const file = parseObject(text);
  const kept = Object.entries(isObject(file.tokens) ? file.tokens : {}).filter(([key]) => !OF_THE_LOGIN.includes(key));
  const { credentials } = login;
  const next = {
    ...file,
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      // The client demands an id token and reads no more than names from it; the access token has the same claims.
      id_token: credentials.idToken ?? credentials.accessToken,
      access_token: credentials.accessToken,
      refresh_token: credentials.refreshToken,
      account_id: login.workspaceId,
      oauth_provenance: { issuer: login.issuer, client_id: login.clientId },
      ...Object.fromEntries(kept),
    },
    last_refresh: formatInstant(login.refreshedAtMs),
  };
  return new TextEncoder().encode(JSON.stringify(next, null, 2) + (text.endsWith("\n") ? "\n" : ""));
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new AppError("login_file_broken", "the file is not a JSON object; it was left as it is");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
