/** The client of upstream against the simulator: two readings of the same wire, written apart. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { Secret } from "../../src/base/secret.ts";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import type { FaultKind } from "../../src/simulator/faults.ts";
import { createSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { createUpstream } from "../../src/upstream/codex-client.ts";
import { createIssuer } from "../../src/upstream/oauth-issuer.ts";
import type { AttemptRequest } from "../../src/upstream/upstream.ts";
import { drain, opened, request } from "./harness.ts";

let simulator: Simulator;
let auth: Simulator["accounts"][number];

beforeAll(async () => {
  simulator = await createSimulator({ clock: systemClock, dice: systemDice, scenario: { accounts: [{ alias: "a" }] } });
  auth = simulator.accounts[0]!;
});
afterAll(() => simulator.close());
beforeEach(() => simulator.clearFaults());

const BODY = {
  model: "gpt-5.5",
  instructions: "",
  input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "say hi" }] }],
  stream: true,
  filter: null,
  unpack: false,
  store: false,
};

function attempt(more: Partial<AttemptRequest> = {}) {
  const upstream = createUpstream({ baseUrl: simulator.url, clock: systemClock, dice: systemDice, log: silentLog });
  return upstream.attempt(
    request({
      body: new TextEncoder().encode(JSON.stringify(BODY)),
      accessToken: new Secret(auth.tokens.access_token),
      workspaceId: auth.tokens.account_id,
      ...more,
    }),
  );
}

describe("a stream of the simulator's", () => {
  test("is served, with usage and windows", async () => {
    const answer = await opened(attempt());
    const { text, broken } = await drain(answer.body);
    expect(broken).toBe(false);
    expect(text).toContain("response.completed");
    const { outcome, usage } = await answer.end;
    expect(outcome.kind).toBe("served");
    expect(usage!.inputTokens).toBeGreaterThan(0);
    expect(answer.observation.windows.map(({ limit, slot }) => `${limit}/${slot}`)).toContain("codex/primary");
  });

  test("a model list is a plain answer", async () => {
    const path = "/codex/models?client_version=0.169.0";
    const answer = await opened(attempt({ method: "GET", path, stream: false, body: null }));
    expect(JSON.parse((await drain(answer.body)).text)).toHaveProperty("models");
    expect((await answer.end).outcome.kind).toBe("served");
  });
});

/** What the attempt comes to; a stream that opens is read to its end first. */
async function comesTo(fault: FaultSpec): Promise<string> {
  simulator.addFault({ times: 1, ...fault });
  // Short where upstream says nothing more, and only there: a busy machine is no silent upstream.
  const isStall = fault.kind.startsWith("stall");
  const result = await attempt(isStall ? { timeouts: { connectMs: 1_000, firstByteMs: 300, silenceMs: 300 } } : {});
  if (result.kind === "failed") return result.outcome.kind;
  await drain(result.body);
  return `opened, ${(await result.end).outcome.kind}`;
}

type Told = readonly (readonly [FaultKind, string])[];

const REFUSALS: Told = [
  ["usage_limit", "window_exhausted"],
  ["usage_limit_resets_at_only", "window_exhausted"],
  ["usage_limit_resets_in_only", "window_exhausted"],
  ["usage_limit_headers_only", "window_exhausted"],
  ["usage_limit_retry_after_only", "window_exhausted"],
  ["usage_limit_text_only", "window_exhausted"],
  ["usage_limit_no_reset", "window_exhausted"],
  ["usage_limit_error_code", "window_exhausted"],
  ["usage_limit_as_404", "window_exhausted"],
  ["usage_not_included", "window_exhausted"],
  ["insufficient_quota", "window_exhausted"],
  ["rate_limit", "rate_limited"],
  ["rate_limit_tokens", "rate_limited"],
  ["rate_limit_no_time", "rate_limited"],
  ["rate_limit_retry_after", "rate_limited"],
  ["unauthorized", "unauthorized"],
  ["token_expired", "unauthorized"],
  ["token_invalidated", "unauthorized"],
  ["token_revoked", "unauthorized"],
  ["account_deactivated", "login_rejected"],
  ["deactivated_workspace", "login_rejected"],
  ["deactivated_workspace_forbidden", "login_rejected"],
  ["cloudflare_challenge", "challenged"],
  ["region_blocked", "challenged"],
  ["model_unsupported", "model_unsupported"],
  ["model_not_found", "model_unsupported"],
  ["context_length_exceeded", "request_rejected"],
  ["invalid_encrypted_content", "encrypted_content_rejected"],
  ["previous_response_not_found", "request_rejected"],
  ["invalid_request", "request_rejected"],
  ["not_found", "request_rejected"],
  ["not_found_empty", "challenged"],
  ["request_timeout", "request_rejected"],
  ["conflict", "request_rejected"],
  ["payload_too_large", "request_rejected"],
  ["unprocessable", "request_rejected"],
  ["server_error", "upstream_failed"],
  ["bad_gateway", "upstream_failed"],
  ["overloaded", "upstream_failed"],
  ["slow_down", "upstream_failed"],
  ["gateway_timeout", "upstream_failed"],
  ["html_instead_of_json", "upstream_failed"],
  ["empty_body", "upstream_failed"],
  ["broken_json", "upstream_failed"],
  ["reset_before_headers", "upstream_failed"],
  ["close_before_headers", "upstream_failed"],
  ["stall_before_headers", "timed_out"],
  ["stall_after_headers", "timed_out"],
  ["lost_answer", "upstream_failed"],
];

const OPENINGS: Told = [
  ["failed_overloaded", "upstream_failed"],
  ["failed_slow_down", "upstream_failed"],
  ["failed_usage_limit", "window_exhausted"],
  ["failed_rate_limit", "rate_limited"],
  ["failed_quota", "window_exhausted"],
  ["failed_not_included", "window_exhausted"],
  ["failed_context_length", "opened, request_rejected"],
  ["failed_invalid_prompt", "opened, request_rejected"],
  ["failed_policy", "opened, request_rejected"],
  ["failed_unknown", "upstream_failed"],
  ["incomplete", "opened, served"],
  ["cut", "upstream_failed"],
  ["cut_reset", "upstream_failed"],
  ["stall", "timed_out"],
];

/** Without cut and cut_reset: Bun drops what was not read yet when a connection breaks, so that output may not have been seen. */
const MIDDLES: Told = [
  ["failed_overloaded", "opened, upstream_failed"],
  ["failed_usage_limit", "opened, window_exhausted"],
  ["failed_context_length", "opened, request_rejected"],
  ["incomplete", "opened, served"],
  ["stall", "opened, timed_out"],
  ["bad_json_event", "opened, served"],
  ["unknown_events", "opened, served"],
];

const ODDITIES: Told = [
  ["missing_completed", "opened, cut"],
  ...(
    [
      "done_marker",
      "no_event_lines",
      "no_final_blank_line",
      "no_created",
      "empty_output",
      "no_deltas",
      "crlf",
      "cr",
      "comments",
      "byte_writes",
      "one_write",
      "huge_event",
      "line_separator",
      "keepalive_events",
      "rate_limits_event",
      "gzip",
      "wrong_content_type",
      "model_header",
    ] as const
  ).map((kind) => [kind, "opened, served"] as const),
];

describe("a fault of the simulator's", () => {
  for (const [kind, wanted] of [...REFUSALS, ...ODDITIES]) {
    test(`${kind}: ${wanted}`, async () => expect(await comesTo({ at: "responses", kind })).toBe(wanted));
  }
  for (const [kind, wanted] of OPENINGS) {
    test(`${kind} before output: ${wanted}`, async () => {
      expect(await comesTo({ at: "responses", kind, point: "opening" })).toBe(wanted);
    });
  }
  for (const [kind, wanted] of MIDDLES) {
    test(`${kind} after output: ${wanted}`, async () => {
      expect(await comesTo({ at: "responses", kind, point: "middle" })).toBe(wanted);
    });
  }
});

describe("a refresh of the simulator's", () => {
  const refresh = (token: string) => {
    const clientId = "app_EMoamEEZ73f0CkXaXp7hrann";
    const issuer = createIssuer({ issuer: simulator.issuer, clientId, clock: systemClock, log: silentLog });
    return issuer.refresh(new Secret(token), "forced", new AbortController().signal);
  };

  test("renews the login, and a token that was used is refused for good after the grace time", async () => {
    const { refresh_token } = simulator.accounts[0]!.tokens;
    expect((await refresh(refresh_token)).kind).toBe("refreshed");
    simulator.clock.advance(2 * simulator.oauth.graceSeconds * 1_000);
    expect(await refresh(refresh_token)).toMatchObject({ kind: "refused", code: "refresh_token_reused" });
  });

  const faults: Told = [
    ["refresh_token_reused", "refused"],
    ["refresh_token_expired", "refused"],
    ["refresh_token_invalidated", "refused"],
    ["invalid_grant", "refused"],
    ["app_session_terminated", "refused"],
    ["unauthorized", "refused"],
    ["account_deactivated", "refused"],
    ["without_refresh_token", "refreshed"],
    ["without_id_token", "refreshed"],
    ["without_access_token", "refreshed"],
    ["region_blocked", "failed"],
    ["cloudflare_challenge", "failed"],
    ["rate_limit", "failed"],
    ["server_error", "failed"],
    ["bad_gateway", "failed"],
    ["reset_before_headers", "failed"],
    ["html_instead_of_json", "failed"],
    ["broken_json", "failed"],
  ];
  test.each(faults)("%s: %s", async (kind, wanted) => {
    const { refresh_token } = simulator.login("a").tokens;
    simulator.addFault({ at: "refresh", kind, times: 1 });
    expect((await refresh(refresh_token)).kind).toBe(wanted as "failed");
  });
});
