/**
 * Which header fields cross the proxy, in both directions. What is not named here passes as it came (wire §3.2, §3.7).
 * Never lets a client's credentials or cookies go upstream, nor upstream's cookies come back: those belong to one account.
 */
import { type HeaderField, type HeaderList, withoutHopByHop } from "../base/header-list.ts";

/** Fields that name the client, its credentials, or the way to us. */
const CLIENTS_OWN: ReadonlySet<string> = new Set([
  "accept-encoding",
  "api-key",
  "authorization",
  "chatgpt-account-id",
  "content-length",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "origin",
  "referer",
  "via",
  "x-api-key",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-real-ip",
  "x-rotor-profile",
  "x-rotor-project",
]);

/** Platform fields that name another billing account than the one that serves; of an SDK's request only, Codex bytes are its own. */
const PLATFORM: readonly string[] = ["openai-organization", "openai-project"];

/** What of an SDK's header stays behind when its body goes on in its own encoding, and when it does not. */
const REPACKED: ReadonlySet<string> = new Set([...CLIENTS_OWN, ...PLATFORM, "accept"]);
const REWRITTEN: ReadonlySet<string> = new Set([...REPACKED, "content-encoding"]);

/** What arrived, as a list: Bun has merged repeated fields already. */
export function headerListOf(headers: Headers): HeaderList {
  const list: HeaderField[] = [];
  // One native call instead of one for each field. Names are lower case; only `set-cookie`, which no client sends, is a list of values.
  const values: Record<string, string | readonly string[]> = headers.toJSON();
  for (const name in values) list.push([name, String(values[name])]);
  return list;
}

/** What of a client's header may go upstream. */
export function forUpstream(headers: HeaderList): HeaderList {
  return withoutHopByHop(headers, CLIENTS_OWN);
}

/** An SDK's header for a request that we rewrote: upstream always answers with a stream. */
export function forUpstreamRewritten(headers: HeaderList, keepEncoding: boolean): HeaderField[] {
  const kept = withoutHopByHop(headers, keepEncoding ? REPACKED : REWRITTEN);
  kept.push(EVENTS);
  return kept;
}

const EVENTS: HeaderField = ["accept", "text/event-stream"];

/** `date` and `content-length` are written anew by the server; the others bind a browser to upstream's own host, or are one account's cookies. */
const UPSTREAMS_OWN: ReadonlySet<string> = new Set([
  "alt-svc",
  "content-length",
  "date",
  "nel",
  "report-to",
  "set-cookie",
  "strict-transport-security",
]);

/** What of upstream's header the client gets. */
export function forClient(headers: HeaderList): HeaderList {
  return withoutHopByHop(headers, UPSTREAMS_OWN);
}
