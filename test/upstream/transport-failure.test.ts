/** Error codes of Bun's fetch (1.4.5, seen 2026-11-21 on loopback and on a name that does not exist) against what they are called. */
import { expect, test } from "bun:test";
import { outcomeOfThrown } from "../../src/upstream/transport-failure.ts";

const thrown = (code: unknown) => Object.assign(new TypeError("Header 'authorization' has invalid value"), { code });

test.each([
  ["ECONNREFUSED", "unreachable"],
  ["ENOTFOUND", "unreachable"],
  ["EHOSTUNREACH", "unreachable"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "unreachable"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "unreachable"],
  ["EPROTO", "unreachable"],
  ["ETIMEDOUT", "timed_out"],
  ["ECONNRESET", "upstream_failed"],
  ["Malformed_HTTP_Response", "upstream_failed"],
  [23, "upstream_failed"],
  [undefined, "upstream_failed"],
  ["not a code: 'secret'", "upstream_failed"],
] as const)("%p is %s", (code, kind) => {
  const outcome = outcomeOfThrown(thrown(code));
  expect(outcome.kind).toBe(kind);
  expect(JSON.stringify(outcome)).not.toMatch(/authorization|secret/);
});

test("whatever is thrown", () => {
  for (const value of [null, undefined, "text", 7, new Error("x")]) {
    expect(outcomeOfThrown(value).kind).toBe("upstream_failed");
  }
});
