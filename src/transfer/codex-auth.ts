/**
 * Reads logins from the bytes of Codex `auth.json` objects: one object, a JSON array of them, or JSON lines (contracts §21).
 * Read-only and pure: what to do with them is decided elsewhere. Never puts a token into a message.
 */

import { parseInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Credentials } from "../domain/credentials.ts";
import { readLoginClaims, type TokenClaims } from "../domain/token-claims.ts";
import { decodeUtf8, type JsonNode, parseJson } from "./json-node.ts";

export interface FoundLogin {
  /** Where in the data it stands, for messages: `entry 3`, or `the file` when there is only one. */
  readonly place: string;
  readonly credentials: Credentials;
  readonly claims: TokenClaims & { readonly workspaceId: string };
  /** OAuth issuer that the file names; null when it names none. */
  readonly issuer: string | null;
  readonly refreshedAtMs: number | null;
}

/** Whether a document, or the first entry of a list, has the look of an `auth.json`. */
export function isCodexAuth(doc: JsonNode): boolean {
  const one = Array.isArray(doc.value) ? doc.items()[0] : doc;
  if (one === undefined) return true;
  const tokens = one.get("tokens");
  if (tokens.isObject) return !tokens.has("accessToken") && !tokens.has("refreshToken");
  return (
    ["auth_mode", "OPENAI_API_KEY", "last_refresh"].some((key) => Object.hasOwn(Object(one.value), key)) &&
    !one.has("type")
  );
}

/** Every login in `data`, in its order. Throws `invalid_import` naming the place; never returns a part. */
export function readCodexAuth(data: Uint8Array, name = ""): readonly FoundLogin[] {
  const entries = readEntries(data);
  if (entries.length === 0) throw new AppError("invalid_import", "there is no login in the data");
  return entries.map(({ place, value }) => readLogin(name === "" ? place : `${name}: ${place}`, value));
}

interface Entry {
  readonly place: string;
  readonly value: unknown;
}

function readEntries(data: Uint8Array): readonly Entry[] {
  const text = decodeUtf8(data, (what, cause) => new AppError("invalid_import", `the data ${what}`, { cause }));
  if (text.trim() === "") throw new AppError("invalid_import", "the data is empty");
  const whole = parseJson(text);
  if (whole.ok) {
    if (!Array.isArray(whole.value)) return [{ place: "the file", value: whole.value }];
    return whole.value.map((value, index) => ({ place: `entry ${index + 1}`, value }));
  }
  const lines = text.split(/\r?\n/).map((line, index) => ({ line, place: `line ${index + 1}` }));
  const filled = lines.filter(({ line }) => line.trim() !== "");
  // A broken single document is more likely than JSON lines whose very first line is broken.
  if (filled.length < 2 || !parseJson(filled[0]!.line).ok) throw notJson("the file", whole.reason);
  return filled.map(({ line, place }) => {
    const parsed = parseJson(line);
    if (!parsed.ok) throw notJson(place, parsed.reason);
    return { place, value: parsed.value };
  });
}

function notJson(place: string, reason: string): AppError {
  return new AppError("invalid_import", `${place}: ${reason}`);
}

function readLogin(place: string, value: unknown): FoundLogin {
  const wrong = (what: string) => new AppError("invalid_import", `${place}: ${what}`);
  if (!isObject(value)) throw wrong("a login must be an object");
  const { tokens } = value;
  if (tokens === undefined || tokens === null) {
    throw wrong(
      value.OPENAI_API_KEY ? "an API key is not a ChatGPT login; there is nothing to pool" : "there are no tokens",
    );
  }
  if (!isObject(tokens)) throw wrong("tokens must be an object");
  const accessToken = textOf(tokens, "access_token", wrong);
  const refreshToken = textOf(tokens, "refresh_token", wrong);
  const idToken = tokens.id_token === undefined || tokens.id_token === null ? null : textOf(tokens, "id_token", wrong);
  const claims = readLoginClaims(idToken, accessToken);
  const stated = tokens.account_id;
  if (stated !== undefined && stated !== null && typeof stated !== "string")
    throw wrong("tokens.account_id must be a text");
  const workspaceId = stated || claims?.workspaceId;
  if (!workspaceId) throw wrong("neither the file nor its tokens name a ChatGPT account id");
  const refreshed = value.last_refresh;
  if (refreshed !== undefined && refreshed !== null && typeof refreshed !== "string")
    throw wrong("last_refresh must be a text");
  return {
    place,
    credentials: { accessToken, refreshToken, idToken },
    claims: { ...(claims ?? NO_CLAIMS), workspaceId },
    issuer: issuerOf(tokens),
    refreshedAtMs: refreshed ? parseInstant(refreshed) : null,
  };
}

const NO_CLAIMS: TokenClaims = { userId: null, workspaceId: null, email: null, tier: null, expiresAtMs: null };

function issuerOf(tokens: Record<string, unknown>): string | null {
  const provenance = tokens.oauth_provenance;
  return isObject(provenance) && typeof provenance.issuer === "string" ? provenance.issuer.replace(/\/+$/, "") : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(object: Record<string, unknown>, key: string, wrong: (what: string) => AppError): string {
  const value = object[key];
  if (typeof value !== "string" || value === "") throw wrong(`tokens.${key} is missing or not a text`);
  return value;
}
