/** Refreshing: what is sent, which refusals are for good, and that the refresh token shows nowhere. */
import { describe, expect, test } from "bun:test";
import { type LogFields, silentLog } from "../../src/base/log.ts";
import { Secret } from "../../src/base/secret.ts";
import { createIssuer, readBrokenAnswer, readRefreshAnswer } from "../../src/upstream/oauth-issuer.ts";
import type { RefreshResult } from "../../src/upstream/upstream.ts";
import { REFRESH_ANSWERS } from "../vectors/refresh-answers.ts";
import type { Call } from "./fake-upstream.ts";
import { useHarness } from "./harness.ts";

const h = useHarness();
const TOKEN = "refresh-token-of-the-account";
const JSON_TYPE = { "content-type": "application/json" };

async function begin(signal = new AbortController().signal) {
  const logged: string[] = [];
  const note = (event: string, fields?: LogFields) => void logged.push(JSON.stringify({ event, ...fields }));
  const log = { ...silentLog, debug: note, info: note, warn: note, error: note };
  const issuer = createIssuer({ issuer: `${h.fake.url}/`, clientId: "app_1", clock: h.clock, log });
  const result = issuer.refresh(new Secret(TOKEN), "proactive_expiry", signal);
  const call: Call = await h.fake.next();
  return { call, result, logged };
}

describe("an answer", () => {
  for (const { fact, status, body, means, code } of REFRESH_ANSWERS) {
    test(`${status} ${fact}: ${means}`, () => {
      const result = readRefreshAnswer(status, [], body);
      expect(result.kind).toBe(means);
      if (result.kind === "refused" && code !== undefined) expect(result.code).toBe(code);
    });
  }

  test("of success gives what it has", () => {
    const result = readRefreshAnswer(200, [], '{"access_token":"a","refresh_token":"r","expires_in":864000}');
    const tokens = { accessToken: "a", refreshToken: "r", idToken: null };
    expect(result).toEqual({ kind: "refreshed", tokens });
  });
});

describe("an answer whose connection broke", () => {
  const read = (status: number, text: string) => readBrokenAnswer(status, [], text, "broke off");

  test("is taken when its tokens came whole: the old one may be gone", () => {
    expect(read(200, '{"access_token":"a","refresh_token":"r"}').kind).toBe("refreshed");
  });
  test("keeps the login when they did not", () => {
    expect(read(200, '{"access_token":"a')).toEqual({ kind: "failed", message: "broke off" });
  });
  test("is final all the same when its status is", () => {
    expect(read(401, "").kind).toBe("refused");
  });
});

describe("a refresh", () => {
  test("is the official client's request", async () => {
    const { call, result, logged } = await begin();
    expect(call.requestLine).toBe("POST /oauth/token HTTP/1.1");
    expect(call.header("content-type")).toBe("application/json");
    expect(JSON.parse(call.body)).toEqual({
      client_id: "app_1",
      grant_type: "refresh_token",
      refresh_reason: "proactive_expiry",
      refresh_token: TOKEN,
    });
    call.answer(200, JSON_TYPE, '{"access_token":"a","id_token":"i"}');
    const tokens = { accessToken: "a", refreshToken: null, idToken: "i" };
    expect(await result).toEqual({ kind: "refreshed", tokens });
    expect(logged.join()).not.toContain(TOKEN);
    expect(h.clock.pending()).toBe(0);
  });

  test("never repeats the token, even when the issuer does", async () => {
    const { call, result, logged } = await begin();
    const looksReal = `r${"t_"}${"0123456789abcdef".repeat(2)}`;
    call.answer(400, JSON_TYPE, JSON.stringify({ error: "invalid_grant", error_description: `unknown ${looksReal}` }));
    expect(await result).toEqual({ kind: "refused", code: "invalid_grant", message: "unknown [removed]" });
    expect(logged.join()).not.toContain(looksReal);
  });

  test("is not carried elsewhere by a redirect", async () => {
    const { call, result } = await begin();
    call.answer(307, { location: "http://127.0.0.1:1/" }, "");
    expect((await result).kind).toBe("failed");
  });

  test("that breaks off keeps the login", async () => {
    for (const how of ["reset", "end"] as const) {
      const { call, result } = await begin();
      if (how === "reset") call.reset();
      else {
        call.open(200, JSON_TYPE).write('{"access_token":"');
        call.socket.end();
      }
      expect((await result).kind).toBe("failed");
    }
  });

  test("that hangs is given up", async () => {
    const { call, result } = await begin();
    await h.clock.advance(20_000);
    expect(await result).toEqual({ kind: "failed", message: "no answer from the issuer within 20 s" });
    await call.closed;
  });

  test("is stopped by its signal, before and during", async () => {
    const stop = new AbortController();
    const { call, result } = await begin(stop.signal);
    stop.abort();
    expect(await result).toEqual({ kind: "failed", message: "stopped" });
    await call.closed;
    const issuer = createIssuer({ issuer: h.fake.url, clientId: "app_1", clock: h.clock, log: silentLog });
    const before: RefreshResult = await issuer.refresh(new Secret(TOKEN), "forced", stop.signal);
    expect(before.kind).toBe("failed");
    expect(h.clock.pending()).toBe(0);
  });

  test("without an issuer to reach keeps the login", async () => {
    const issuer = createIssuer({ issuer: "http://127.0.0.1:1", clientId: "app_1", clock: h.clock, log: silentLog });
    const result = await issuer.refresh(new Secret(TOKEN), "scheduled", new AbortController().signal);
    expect(result).toEqual({ kind: "failed", message: "the issuer cannot be reached (ECONNREFUSED)" });
  });
});
