/**
 * Which client key a request shows. Always asked for, loopback too: other programs and web pages share this machine (contracts §8).
 * Never logs, echoes or forwards what was shown.
 */
import { AppError } from "../base/errors.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";
import type { KeyPass } from "../pool/client-desk.ts";
import type { Engine } from "../pool/engine.ts";

/** What the key stands for. Throws `missing_client_key`, `invalid_client_key` or `foreign_login`. */
export function authenticate(headers: HeaderList, surface: Surface, engine: Pick<Engine, "keys" | "clients">): KeyPass {
  const shown = shownKey(headers);
  if (shown === null) throw new AppError("missing_client_key", "the request shows no client key of Rotor");
  const key = engine.keys.verify(shown);
  if (key !== null) return { keyId: key.id, only: null, profile: null, project: null };
  const peer = engine.clients.admit(shown);
  if (peer !== null) return peer;
  if (surface === "codex" && isJwt(shown)) {
    throw new AppError(
      "foreign_login",
      "the request shows a ChatGPT login where Rotor wants a client key; Codex in that mode needs the key in its base URL",
    );
  }
  throw new AppError("invalid_client_key", "the client key is not one of Rotor's, or it was revoked or has expired");
}

/**
 * The request's header as if it had said itself what its key stands for: a profile of the key goes before the request's, a project only
 * where it names none.
 */
export function withPass(headers: HeaderList, { profile, project }: KeyPass): HeaderList {
  const own = profile === null ? headers : [...withoutHeaders(headers, PROFILE), [PROFILE_NAME, profile] as const];
  if (project === null || headerValue(own, PROJECT_NAME) !== null) return own;
  return [...own, [PROJECT_NAME, project]];
}

const PROJECT_NAME = "x-rotor-project";
const PROFILE_NAME = "x-rotor-profile";
const PROFILE: ReadonlySet<string> = new Set([PROFILE_NAME]);

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
