/**
 * What `fetch` throws → an outcome. Messages name the system's error code only: the thrown text may quote a header, and with it a token.
 */
import type { Outcome } from "../domain/outcome.ts";

/** The name did not resolve, nothing listens, there is no way there, or the two could not agree on TLS: no request was sent. */
const NOT_SENT: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "ENODATA",
  "ENETUNREACH",
  "ENETDOWN",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "EADDRNOTAVAIL",
  "EACCES",
  "EPERM",
  "ConnectionRefused",
  "FailedToOpenSocket",
  "ERR_INVALID_URL",
]);

/** Certificate and handshake errors in the names of OpenSSL and Bun. */
const TLS =
  /^(?:EPROTO$|ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|UNKNOWN_CERTIFICATE|HOSTNAME_MISMATCH)/;

/**
 * Bun's `fetch` does not tell a reset of a fresh connection from one of a connection that was kept open and closed by upstream at that
 * moment (seen with 1.4.5 on 2026-11-21: both are ECONNRESET), so after a reset the request counts as sent.
 */
export function outcomeOfThrown(thrown: unknown): Outcome {
  const code = codeOf(thrown);
  if (code !== null && (NOT_SENT.has(code) || TLS.test(code))) return { kind: "unreachable", message: sentence(code) };
  if (code === "ETIMEDOUT") return { kind: "timed_out", phase: "connect", message: sentence(code) };
  return { kind: "upstream_failed", status: null, message: sentence(code), retryAtMs: null };
}

/** The same in words alone, for a connection that nothing was to be sent on. */
export function connectionFailure(thrown: unknown): string {
  return sentence(codeOf(thrown));
}

export function codeOf(thrown: unknown): string | null {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[A-Za-z0-9_]{1,60}$/.test(code) ? code : null;
}

const SENTENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing accepts connections there",
  ConnectionRefused: "nothing accepts connections there",
  ENOTFOUND: "the host name does not resolve",
  EAI_AGAIN: "the host name does not resolve now",
  ENETUNREACH: "no route to the network",
  EHOSTUNREACH: "no route to the host",
  ETIMEDOUT: "the connection was not accepted in time",
  ECONNRESET: "upstream closed the connection before it answered",
  Malformed_HTTP_Response: "the answer is not HTTP",
  Malformed_WebSocket_Event: "upstream sent a frame that is no event",
};

function sentence(code: string | null): string {
  if (code === null) return "the connection failed";
  const words = SENTENCES[code] ?? (TLS.test(code) ? "no TLS connection that can be trusted" : undefined);
  return words === undefined ? code : `${words} (${code})`;
}
