/** Faults that replace an answer, bend a token answer, or act on the connection before it. */
import { describe, expect, test } from "bun:test";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import type { FaultKind } from "../../src/simulator/faults.ts";
import { jsonOf, rawAsk, rawExchange, startBench, startTimedBench, textOf, until } from "./support.ts";

type Wanted = { status: number; body?: string[]; without?: string[]; headers?: Record<string, string> };

/** Kind → what the client must see. Kinds that are missing here are met in the other tests (fault-kinds.test.ts counts them). */
const ANSWERS: Partial<Record<FaultKind, Wanted>> = {
  usage_limit: {
    status: 429,
    body: ['"type":"usage_limit_reached"', '"resets_at":', '"resets_in_seconds":3600', '"plan_type":"plus"'],
    headers: { "x-codex-primary-used-percent": "100" },
  },
  usage_limit_resets_at_only: { status: 429, body: ['"resets_at":'], without: ["resets_in_seconds"] },
  usage_limit_resets_in_only: { status: 429, body: ['"resets_in_seconds":3600'], without: ["resets_at"] },
  usage_limit_headers_only: {
    status: 429,
    body: ["usage_limit_reached"],
    without: ["resets_"],
    headers: { "x-codex-primary-used-percent": "100", "x-codex-primary-reset-after-seconds": "3600" },
  },
  usage_limit_retry_after_only: { status: 429, without: ["resets_"], headers: { "retry-after": "3600" } },
  usage_limit_text_only: { status: 429, body: ["hit your usage limit", "2h5m"], without: ["resets_", '"type"'] },
  usage_limit_no_reset: { status: 429, body: ['"type":"usage_limit_reached"'], without: ["resets_"] },
  usage_limit_error_code: { status: 429, body: ['"code":"usage_limit_reached"', '"type":"invalid_request_error"'] },
  usage_limit_as_404: { status: 404, body: ["usage limit has been reached"] },
  usage_not_included: { status: 429, body: ["usage_not_included"] },
  insufficient_quota: { status: 429, body: ['"code":"insufficient_quota"'] },
  rate_limit: { status: 429, body: ['"code":"rate_limit_exceeded"', "Please try again in 1.3s"] },
  rate_limit_tokens: { status: 429, body: ['"type":"tokens"', "Please try again in 1.3s"] },
  rate_limit_no_time: { status: 429, body: ["rate_limit_exceeded"], without: ["try again"] },
  rate_limit_retry_after: { status: 429, headers: { "retry-after": "30" } },
  unauthorized: { status: 401, body: ['{"detail":"Unauthorized"}'] },
  token_expired: { status: 401, body: ['"code":"token_expired"'] },
  token_invalidated: { status: 401, body: ['"code":"token_invalidated"'] },
  token_revoked: { status: 401, body: ['"code":"token_revoked"'] },
  account_deactivated: { status: 401, body: ['"code":"account_deactivated"'] },
  deactivated_workspace: { status: 402, body: ['{"detail":{"code":"deactivated_workspace"}}'] },
  deactivated_workspace_forbidden: { status: 403, body: ["deactivated_workspace"] },
  cloudflare_challenge: {
    status: 403,
    body: ["<title>Just a moment...</title>", "__cf_chl", "/cdn-cgi/challenge-platform"],
    headers: { "cf-mitigated": "challenge" },
  },
  region_blocked: { status: 403, body: ["unsupported_country_region_territory"] },
  model_unsupported: { status: 400, body: ["The 'gpt-5.5' model is not supported when using Codex"] },
  model_not_found: { status: 404, body: ["model_not_found"] },
  context_length_exceeded: { status: 400, body: ["context_length_exceeded"] },
  invalid_encrypted_content: {
    status: 400,
    body: ["invalid_encrypted_content", "did not match the target organization"],
  },
  previous_response_not_found: { status: 400, body: ["previous_response_not_found"] },
  invalid_request: { status: 400, body: ["invalid_request_error"] },
  not_found: { status: 404, body: ['{"detail":"Not Found"}'] },
  not_found_empty: { status: 404, headers: { "content-length": "0" } },
  request_timeout: { status: 408 },
  conflict: { status: 409 },
  payload_too_large: { status: 413 },
  unprocessable: { status: 422 },
  server_error: { status: 500, body: ["server_error"] },
  bad_gateway: { status: 502, body: ["<html>"] },
  overloaded: { status: 503, body: ['"code":"server_is_overloaded"'] },
  slow_down: { status: 503, body: ['"code":"slow_down"'] },
  gateway_timeout: { status: 504, body: ["<html>"] },
  html_instead_of_json: { status: 200, body: ["<html>"], headers: { "content-type": "text/html; charset=utf-8" } },
  empty_body: { status: 200, headers: { "content-length": "0" } },
  broken_json: { status: 200, body: ['{"models":[{"slug":"gpt'], headers: { "content-type": "application/json" } },
};

/** Refusals of the token endpoint. */
const REFRESH_ANSWERS: Partial<Record<FaultKind, Wanted>> = {
  refresh_token_reused: { status: 401, body: ['"code":"refresh_token_reused"'] },
  refresh_token_expired: { status: 401, body: ['"code":"refresh_token_expired"'] },
  refresh_token_invalidated: { status: 401, body: ['"code":"refresh_token_invalidated"'] },
  app_session_terminated: { status: 401, body: ['"code":"app_session_terminated"'] },
  invalid_grant: { status: 400, body: ['"error":"invalid_grant"'] },
  rate_limit: { status: 429 },
  server_error: { status: 500 },
  html_instead_of_json: { status: 200, body: ["<html>"] },
};

async function expectAnswer(response: Response, wanted: Wanted): Promise<void> {
  const text = await response.text();
  expect(response.status).toBe(wanted.status);
  for (const part of wanted.body ?? []) expect(text).toContain(part);
  for (const part of wanted.without ?? []) expect(text).not.toContain(part);
  for (const [name, value] of Object.entries(wanted.headers ?? {})) expect(response.headers.get(name)).toBe(value);
}

describe("answers", () => {
  test.each(Object.entries(ANSWERS) as [FaultKind, Wanted][])("%s", async (kind, wanted) => {
    await using bench = await startBench();
    bench.fault({ at: "responses", kind });
    await expectAnswer(await bench.ask("hi"), wanted);
    expect(bench.sim.requests()[0]!.faults).toEqual([kind]);
    expect(textOf(await (await bench.ask("hi")).text())).toBe("SIM alpha says: hi");
  });

  test.each(Object.entries(REFRESH_ANSWERS) as [FaultKind, Wanted][])("%s at refresh", async (kind, wanted) => {
    await using bench = await startBench();
    const { refresh_token } = bench.auth().tokens;
    bench.fault({ at: "refresh", kind });
    await expectAnswer(await bench.refresh(refresh_token), wanted);
    // The token was not touched: the next try is its first use.
    expect((await bench.refresh(refresh_token)).status).toBe(200);
    expect(bench.sim.account("alpha").counters.refreshes).toBe(1);
  });

  test("parameters reach the answer", async () => {
    await using bench = await startBench();
    const check = async (spec: FaultSpec, wanted: Wanted) => {
      bench.fault(spec);
      await expectAnswer(await bench.ask("hi"), wanted);
    };
    await check(
      { at: "responses", kind: "usage_limit", resetsInSeconds: 90, planType: null },
      { status: 429, body: ['"resets_in_seconds":90', '"plan_type":null'] },
    );
    await check(
      { at: "responses", kind: "rate_limit", tryAgainIn: "6m0s" },
      { status: 429, body: ["try again in 6m0s"] },
    );
    await check(
      { at: "responses", kind: "overloaded", retryAfterSeconds: 7 },
      { status: 503, headers: { "retry-after": "7" } },
    );
    await check({ at: "responses", kind: "model_unsupported", model: "gpt-z" }, { status: 400, body: ["'gpt-z'"] });
    await check(
      { at: "responses", kind: "custom", status: 418, body: { a: 1 }, headers: { "x-tea": "yes" } },
      { status: 418, body: ['{"a":1}'], headers: { "x-tea": "yes", "content-type": "application/json" } },
    );
    await check({ at: "responses", kind: "custom", body: "plain" }, { status: 500, body: ["plain"] });
  });

  test.each([
    ["models", "/codex/models"],
    ["usage", "/wham/usage"],
    ["accounts_check", "/wham/accounts/check"],
    ["config_bundle", "/wham/config/bundle"],
    ["settings", "/wham/settings/user"],
    ["reset_credits", "/wham/rate-limit-reset-credits"],
    ["account_other", "/wham/profiles/me"],
  ] as const)("strike at %s", async (at, path) => {
    await using bench = await startBench();
    bench.fault({ at, kind: "bad_gateway" });
    expect((await bench.get(path)).status).toBe(502);
    expect((await bench.get(path)).status).toBe(200);
  });
});

describe("which request is struck", () => {
  test("times, skip, account and model choose it", async () => {
    await using bench = await startBench();
    bench.fault({ at: "responses", kind: "conflict", account: "beta", skip: 1, times: 2 });
    bench.fault({ at: "responses", kind: "unprocessable", onModel: "gpt-6-luna", times: "always" });
    const status = async (index: number, model = "gpt-5.5") =>
      (await bench.ask("hi", { model }, bench.auth(index))).status;
    expect([await status(0), await status(1), await status(1), await status(1), await status(1)]).toEqual([
      200, 200, 409, 409, 200,
    ]);
    expect([await status(0, "gpt-6-luna"), await status(0, "gpt-6-luna"), await status(0)]).toEqual([422, 422, 200]);
    bench.sim.clearFaults();
    expect(await status(0, "gpt-6-luna")).toBe(200);
  });

  test("two faults at one place strike one after the other", async () => {
    await using bench = await startBench();
    bench.fault({ at: "usage", kind: "server_error" });
    bench.fault({ at: "usage", kind: "not_found" });
    const status = async () => (await bench.get("/wham/usage")).status;
    expect([await status(), await status(), await status()]).toEqual([500, 404, 200]);
  });

  test("a stranger spends no fault, and is still recorded under the account whose token it was", async () => {
    await using bench = await startBench();
    bench.fault({ at: "responses", kind: "conflict" });
    bench.sim.expireAccess("alpha");
    expect((await bench.ask("hi")).status).toBe(401);
    expect(bench.sim.requests()[0]).toMatchObject({ account: "alpha", faults: [] });
    expect((await bench.ask("hi", {}, bench.sim.login("alpha"))).status).toBe(409);
  });

  test("a refresh is known by its token's owner", async () => {
    await using bench = await startBench();
    bench.fault({ at: "refresh", kind: "invalid_grant", account: "beta" });
    expect((await bench.refresh(bench.auth(0).tokens.refresh_token)).status).toBe(200);
    expect((await bench.refresh(bench.auth(1).tokens.refresh_token)).status).toBe(400);
  });
});

describe("token answers", () => {
  const refresh = async (kind: FaultKind) => {
    const bench = await startBench();
    bench.fault({ at: "refresh", kind });
    const body = await jsonOf(await bench.refresh(bench.auth().tokens.refresh_token));
    return { bench, body };
  };
  const claimsOf = (token: unknown) => JSON.parse(Buffer.from(String(token).split(".")[1]!, "base64url").toString());

  test("without_refresh_token keeps the old one good", async () => {
    const { bench, body } = await refresh("without_refresh_token");
    await using _ = bench;
    expect(body.refresh_token).toBeUndefined();
    expect(body.access_token).toBeString();
    bench.sim.clock.advance(7_200_000);
    expect((await bench.refresh(bench.auth().tokens.refresh_token)).status).toBe(200);
  });

  test("without_access_token and without_id_token leave one out", async () => {
    const access = await refresh("without_access_token");
    const id = await refresh("without_id_token");
    await using _ = access.bench;
    await using __ = id.bench;
    expect(Object.keys(access.body)).not.toContain("access_token");
    expect(Object.keys(id.body)).not.toContain("id_token");
    expect(id.body.refresh_token).toBeString();
  });

  test("foreign_account and already_expired", async () => {
    const foreign = await refresh("foreign_account");
    const expired = await refresh("already_expired");
    await using _ = foreign.bench;
    await using __ = expired.bench;
    expect(claimsOf(foreign.body.id_token).email).toBe("beta@example.test");
    expect(claimsOf(expired.body.access_token).exp * 1_000).toBeLessThan(expired.bench.sim.clock.nowMs());
  });
});

describe("the connection", () => {
  test("reset_before_headers resets, close_before_headers ends, nothing is done", async () => {
    await using bench = await startBench();
    bench.fault({ at: "responses", kind: "reset_before_headers" });
    bench.fault({ at: "responses", kind: "close_before_headers" });
    expect(await rawExchange(bench.sim.port, rawAsk(bench, "hi"))).toEqual({ text: "", end: "reset" });
    expect(await rawExchange(bench.sim.port, rawAsk(bench, "hi"))).toEqual({ text: "", end: "fin" });
    expect(bench.sim.requests().map((record) => [record.status, record.end])).toEqual([
      [null, "cut"],
      [null, "cut"],
    ]);
    expect(bench.sim.account("alpha").buckets[0]!.windows[0]!.used).toBe(0);
  });

  test("slow_first_byte does nothing until its time has come", async () => {
    await using bench = await startTimedBench();
    bench.fault({ at: "refresh", kind: "slow_first_byte", delayMs: 5_000 });
    const answer = bench.refresh(bench.auth().tokens.refresh_token);
    await until(() => bench.time.pending() === 1);
    expect(bench.sim.account("alpha").counters.refreshes).toBe(0);
    await bench.time.advance(4_999);
    expect(bench.sim.requests()[0]!.end).toBe("open");
    await bench.time.advance(1);
    expect((await answer).status).toBe(200);
    expect(bench.sim.account("alpha").counters.refreshes).toBe(1);
  });

  test("late_answer has done it, and waits", async () => {
    await using bench = await startTimedBench();
    bench.fault({ at: "refresh", kind: "late_answer", delayMs: 5_000 });
    const answer = bench.refresh(bench.auth().tokens.refresh_token);
    await until(() => bench.time.pending() === 1);
    expect(bench.sim.account("alpha").counters.refreshes).toBe(1);
    await bench.time.advance(5_000);
    expect((await answer).status).toBe(200);
  });

  test("lost_answer rotates the token and tells nobody; the grace saves it", async () => {
    await using bench = await startBench();
    const { refresh_token } = bench.auth().tokens;
    bench.fault({ at: "refresh", kind: "lost_answer" });
    expect(bench.refresh(refresh_token)).rejects.toThrow();
    await until(() => bench.sim.requests()[0]?.end === "cut");
    expect(bench.sim.account("alpha").counters.refreshes).toBe(1);
    expect((await bench.refresh(refresh_token)).status).toBe(200);
    bench.sim.clock.advance(3_601_000);
    expect((await bench.refresh(refresh_token)).status).toBe(401);
  });

  test.each(["stall_before_headers", "stall_after_headers"] as const)(
    "%s ends when the client leaves",
    async (kind) => {
      await using bench = await startBench();
      bench.fault({ at: "responses", kind });
      const leave = new AbortController();
      const asked = fetch(`${bench.sim.url}/codex/responses`, {
        method: "POST",
        headers: bench.headers(),
        body: JSON.stringify({}),
        signal: leave.signal,
      });
      const settled = asked.then((response) => response.status).catch(() => "left");
      await until(() => bench.sim.requests()[0]?.faults.length === 1);
      if (kind === "stall_after_headers") expect(await settled).toBe(200);
      leave.abort();
      await until(() => bench.sim.requests()[0]!.end === "client_closed");
      expect(bench.sim.requests()[0]!.status).toBe(kind === "stall_after_headers" ? 200 : null);
      if (kind === "stall_before_headers") expect(await settled).toBe("left");
    },
  );
});
