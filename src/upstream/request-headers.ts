/**
 * The headers that go upstream: the client's own, with the account's identity in place of the client's (wire §3.2, proxy rule).
 * Everything that is not named here passes as it came.
 */
import { type HeaderList, withoutHopByHop } from "../base/header-list.ts";
import type { Secret } from "../base/secret.ts";
import { VERSION } from "../base/version.ts";

/** How Rotor names itself when the client has no name of its own. */
export interface SelfDescription {
  readonly originator: string;
  readonly userAgent: string;
  /** `version`: the Codex release whose wire this code speaks; upstream offers newer models to newer versions only. */
  readonly version: string;
}

/** An honest name: the official client's is taken from the official client alone, when it is the one that asks. */
export const DEFAULT_SELF: SelfDescription = { originator: "rotor", userAgent: `rotor/${VERSION}`, version: "0.169.0" };

/**
 * `host`, `content-length`: of this hop. `accept-encoding`: the bytes must be readable as they pass. `cookie`: whatever the client
 * collected belongs to another route; cookies of one account must never meet another.
 */
const REPLACED: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "expect",
  "authorization",
  "chatgpt-account-id",
  "cookie",
  "accept-encoding",
]);

export function headersFor(
  client: HeaderList,
  accessToken: Secret,
  workspaceId: string,
  self: SelfDescription,
): [string, string][] {
  const headers: [string, string][] = [];
  let hasVersion = false;
  let hasOriginator = false;
  let hasUserAgent = false;
  for (const [name, value] of withoutHopByHop(client)) {
    if (REPLACED.has(name)) continue;
    if (name === "version") hasVersion = true;
    else if (name === "originator") hasOriginator = true;
    else if (name === "user-agent") hasUserAgent = true;
    headers.push([name, value]);
  }
  if (!hasVersion) headers.push(["version", self.version]);
  if (!hasOriginator) headers.push(["originator", self.originator]);
  if (!hasUserAgent) headers.push(["user-agent", self.userAgent]);
  headers.push(
    ["accept-encoding", "identity"],
    ["authorization", `Bearer ${accessToken.reveal()}`],
    ["chatgpt-account-id", workspaceId],
  );
  return headers;
}

/** `content-length` is of this hop, and cookies are of the account's own route (wire §3.7): a client gets neither. */
const ANSWERS_OWN: ReadonlySet<string> = new Set(["content-length", "set-cookie"]);

export function answerHeaders(headers: HeaderList): HeaderList {
  return withoutHopByHop(headers, ANSWERS_OWN);
}
