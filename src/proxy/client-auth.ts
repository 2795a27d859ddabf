/**
 * Which client key a request shows. Always asked for, loopback too: other programs and web pages share this machine (contracts §8).
 * Never logs, echoes or forwards what was shown.
 */
import { AppError } from "../base/errors.ts";
import { type HeaderList, headerValue } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";
import type { KeyDesk } from "../pool/key-desk.ts";

/** Id of the key. Throws `missing_client_key`, `invalid_client_key` or `foreign_login`. */
export function authenticate(headers: HeaderList, surface: Surface, keys: Pick<KeyDesk, "verify">): string {
  const shown = shownKey(headers);
  if (shown === null) throw new AppError("missing_client_key", "the request shows no client key of Rotor");
  const key = keys.verify(shown);
  if (key !== null) return key.id;
  if (surface === "codex" && isJwt(shown)) {
    throw new AppError(
      "foreign_login",
      "the request shows a ChatGPT login where Rotor wants a client key; Codex in that mode needs the key in its base URL",
    );
  }
  throw new AppError("invalid_client_key", "the client key is not one of Rotor's, or it was revoked or has expired");
}

/** As OpenAI's SDKs send it, or in the header that Azure-style clients use. */
function shownKey(headers: HeaderList): string | null {
  const authorization = headerValue(headers, "authorization");
  const bearer = authorization === null ? null : /^bearer +(\S+) *$/i.exec(authorization);
  return bearer?.[1] ?? headerValue(headers, "api-key") ?? headerValue(headers, "x-api-key");
}

function isJwt(text: string): boolean {
  return text.startsWith("eyJ") && text.split(".").length === 3;
}

/** A path-scoped key taken apart: `/k/<key>/rest`. null when the path has none. */
export function splitPathKey(path: string): { key: string; rest: string } | null {
  const match = /^\/k\/([^/]+)(\/.*)$/.exec(path);
  // Once is enough: a second one would only hide what the rest of the path is.
  if (match === null || match[2]!.startsWith("/k/")) return null;
  return { key: match[1]!, rest: match[2]! };
}
