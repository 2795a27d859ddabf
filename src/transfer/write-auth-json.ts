/**
 * Writes one login into the `auth.json` of Codex or of OpenCode. What the file holds beside it stays as it is; a file that is not what it
 * should be is refused and never replaced. The bytes hold live tokens in plain text: who asks for them has said so.
 */
import { formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { ForeignAccount } from "./foreign-store.ts";
import { decodeUtf8, parseJson } from "./json-node.ts";

type Json = Record<string, unknown>;

/** `existing`: the file as it is now; null = there is none. */
export function writeCodexAuth(existing: Uint8Array | null, account: ForeignAccount): Uint8Array {
  const { accessToken, refreshToken, idToken } = checkedTokens(account);
  const before = existing === null ? {} : objectIn(existing, "auth.json of Codex");
  const tokensBefore = isObject(before.tokens) ? before.tokens : {};
  const { login_owner_id, oauth_provenance, ...others } = tokensBefore;
  const isSame = tokensBefore.account_id === account.claims.workspaceId;
  const provenance = isSame && isObject(oauth_provenance) ? oauth_provenance : {};
  const issued = account.issuer === null ? provenance : { ...provenance, issuer: account.issuer };
  return bytesOf({
    OPENAI_API_KEY: null,
    ...before,
    // It would go on using the API key otherwise.
    auth_mode: "chatgpt",
    tokens: {
      // Both of them speak of the login that they came with, and of no other one.
      ...(isSame && login_owner_id !== undefined ? { login_owner_id } : {}),
      ...(Object.keys(issued).length > 0 ? { oauth_provenance: issued } : {}),
      ...others,
      // Codex does not start without an id token; the access token says the same of the account.
      id_token: idToken ?? accessToken,
      access_token: accessToken,
      refresh_token: refreshToken,
      account_id: account.claims.workspaceId,
    },
    last_refresh: formatInstant(account.refreshedAtMs ?? 0),
  });
}

export function writeOpencodeAuth(existing: Uint8Array | null, account: ForeignAccount): Uint8Array {
  const { accessToken, refreshToken } = checkedTokens(account);
  const before = existing === null ? {} : objectIn(existing, "auth.json of OpenCode");
  const entry = isObject(before.openai) ? before.openai : {};
  if (typeof entry.refresh === "string" && entry.refresh.includes("||")) {
    throw new AppError(
      "export_refused",
      "the auth.json of OpenCode holds several logins in one; one would take the place of all",
      {
        hint: "rotor import opencode   (takes them over first)",
      },
    );
  }
  // An entry for an API key has fields that mean nothing beside a login.
  const kept = entry.type === "oauth" ? entry : {};
  const expires = account.claims.expiresAtMs ?? 0;
  const openai = {
    ...kept,
    type: "oauth",
    refresh: refreshToken,
    access: accessToken,
    expires,
    accountId: account.claims.workspaceId,
  };
  return bytesOf({ ...before, openai });
}

function checkedTokens(account: ForeignAccount): ForeignAccount["credentials"] {
  const { accessToken, refreshToken } = account.credentials;
  if (accessToken !== "" && refreshToken !== "" && account.isIdentified) return account.credentials;
  throw new AppError("export_refused", `${account.alias ?? "the account"} has no complete login yet`, {
    hint: `rotor account refresh ${account.alias ?? "ALIAS"}`,
  });
}

function objectIn(bytes: Uint8Array, what: string): Json {
  const refuse = (why: string) => new AppError("export_refused", `the ${what} ${why}; it is left as it is`);
  const source = decodeUtf8(bytes, refuse);
  if (source.trim() === "") return {};
  const parsed = parseJson(source);
  if (!parsed.ok || !isObject(parsed.value)) throw refuse("is not a JSON object");
  return parsed.value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bytesOf(value: Json): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
