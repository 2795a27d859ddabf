/** One attempt on the wire: what is sent, what each way of failing is called, what is passed on. */

import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { ERROR_BODY_MAX_BYTES } from "../../src/base/bounds.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { createUpstream } from "../../src/upstream/codex-client.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { WHOLE_STREAM } from "../vectors/streams.ts";
import { advancing, drain, failed, opened, request, useHarness } from "./harness.ts";

const h = useHarness();
const JSON_TYPE = { "content-type": "application/json" };

describe("what is sent", () => {
  test("is the client's request with the account's identity", async () => {
    const { call, result } = await h.begin({
      path: "/codex/responses?x=%2F1",
      headers: [
        ["content-type", "application/json"],
        ["content-encoding", "zstd"],
        ["authorization", "Bearer of-the-client"],
        ["chatgpt-account-id", "of-the-client"],
        ["cookie", "a=b"],
        ["host", "127.0.0.1:4747"],
        ["connection", "keep-alive, x-private"],
        ["x-private", "1"],
        ["accept-encoding", "gzip, br"],
        ["user-agent", "codex_exec/0.169.0"],
        ["x-codex-turn-metadata", '{"a":"b, c"}'],
        ["x-unknown", "ä"],
      ],
    });
    expect(call.requestLine).toBe("POST /codex/responses?x=%2F1 HTTP/1.1");
    expect(call.body).toBe('{"model":"gpt-5.5"}');
    expect(call.header("authorization")).toBe("Bearer access-token-of-the-account");
    expect(call.header("chatgpt-account-id")).toBe("workspace-1");
    expect(call.header("accept-encoding")).toBe("identity");
    expect(call.header("content-encoding")).toBe("zstd");
    expect(call.header("user-agent")).toBe("codex_exec/0.169.0");
    expect(call.header("x-codex-turn-metadata")).toBe('{"a":"b, c"}');
    expect(call.header("originator")).toBe("rotor");
    expect(call.header("version")).toMatch(/^\d+\.\d+\.\d+$/);
    expect(call.header("cookie")).toBeNull();
    expect(call.header("x-private")).toBeNull();
    expect(call.head).not.toContain("of-the-client");
    call.reset();
    await result;
  });

  test("cannot leave the host through the path", async () => {
    const { call, result } = await h.begin({ path: "@example.com/x" });
    expect(call.requestLine).toBe("POST /@example.com/x HTTP/1.1");
    call.reset();
    await result;
  });

  test("a GET goes without a body", async () => {
    const { call, result } = await h.begin({ method: "GET", path: "/codex/models", stream: false });
    expect(call.header("content-length")).toBeNull();
    call.answer(200, JSON_TYPE, '{"models":[]}');
    await drain((await opened(result)).body);
  });
});

describe("a plain answer", () => {
  test("passes as it came, and is served at its end", async () => {
    const { call, result } = await h.begin({ method: "GET", path: "/codex/models", stream: false });
    const headers = { ...JSON_TYPE, etag: '"7"', "set-cookie": "route=1", "x-codex-plan-type": "pro" };
    call.answer(200, headers, '{"models":[]}');
    const answer = await opened(result);
    expect(answer.status).toBe(200);
    expect(answer.headers).toContainEqual(["etag", '"7"']);
    const names = answer.headers.map(([name]) => name);
    for (const name of ["set-cookie", "transfer-encoding", "connection"]) expect(names).not.toContain(name);
    expect(answer.observation.tier).toBe("pro");
    expect(await drain(answer.body)).toEqual({ text: '{"models":[]}', broken: false });
    expect((await answer.end).outcome).toEqual({ kind: "served", usage: null });
    expect(h.clock.pending()).toBe(0);
  });

  test("packed bytes stay packed", async () => {
    const packed = gzipSync("data: x\n\n");
    const { call, result } = await h.begin();
    call.answer(200, { "content-type": "text/event-stream", "content-encoding": "gzip" }, packed);
    const answer = await opened(result);
    expect(answer.headers).toContainEqual(["content-encoding", "gzip"]);
    expect(Buffer.from(await new Response(answer.body).arrayBuffer())).toEqual(packed);
  });

  test("without a body is over at once", async () => {
    const { call, result } = await h.begin({ method: "HEAD", path: "/codex/responses", stream: false });
    call.socket.write("HTTP/1.1 204 X\r\n\r\n");
    expect((await (await opened(result)).end).outcome.kind).toBe("served");
  });

  test("that breaks off is cut", async () => {
    const { call, result } = await h.begin({ stream: false });
    call.open(200, JSON_TYPE).write('{"mod');
    const answer = await opened(result);
    const got = drain(answer.body);
    call.socket.end();
    expect((await got).broken).toBe(true);
    expect((await answer.end).outcome.kind).toBe("cut");
  });
});

describe("a refusal", () => {
  test("is judged and kept byte for byte", async () => {
    const body = '{"error": {"type":"usage_limit_reached","resets_in_seconds":60}}';
    const { call, result } = await h.begin();
    call.answer(429, { ...JSON_TYPE, "x-codex-primary-used-percent": "100", "x-request-id": "r1" }, body);
    const { outcome, observation, answer } = await failed(result);
    expect(outcome).toMatchObject({ kind: "window_exhausted", untilMs: T0 + 60_000 });
    expect(observation.windows).toHaveLength(1);
    expect(answer?.status).toBe(429);
    expect(answer?.headers).toContainEqual(["x-request-id", "r1"]);
    expect(Buffer.from(answer!.body).toString()).toBe(body);
    expect(h.clock.pending()).toBe(0);
  });

  test("packed without being asked is read all the same", async () => {
    const packed = gzipSync('{"detail":{"code":"deactivated_workspace"}}');
    const { call, result } = await h.begin();
    call.answer(402, { ...JSON_TYPE, "content-encoding": "gzip" }, packed);
    const { outcome, answer } = await failed(result);
    expect(outcome).toMatchObject({ kind: "login_rejected" });
    expect(Buffer.from(answer!.body)).toEqual(packed);
  });

  test("that unpacks to more than the bound is judged by its status", async () => {
    const { call, result } = await h.begin();
    call.answer(429, { ...JSON_TYPE, "content-encoding": "gzip" }, gzipSync(Buffer.alloc(64 * 1024 * 1024)));
    expect((await failed(result)).outcome.kind).toBe("rate_limited");
  });

  test("without end is read to the bound", async () => {
    const { call, result } = await h.begin();
    call.open(500, { "content-type": "text/html" });
    const page = "x".repeat(ERROR_BODY_MAX_BYTES + 70_000);
    call.write(page);
    const { outcome, answer } = await failed(result);
    expect(outcome).toMatchObject({ kind: "upstream_failed", status: 500 });
    expect(answer?.body.length).toBe(ERROR_BODY_MAX_BYTES);
    await call.closed;
  });

  test("that breaks off is not passed on", async () => {
    const { call, result } = await h.begin();
    call.open(429, JSON_TYPE).write('{"error":');
    call.socket.end();
    const { outcome, answer } = await failed(result);
    // Bun reports the end of the connection instead of the head when both arrive at once.
    expect(["rate_limited", "upstream_failed"]).toContain(outcome.kind);
    expect(answer).toBeNull();
  });

  test("that falls silent is judged by its status", async () => {
    const timeouts = { connectMs: 1, firstByteMs: 1e12, silenceMs: 1_000 };
    const { call, result } = await h.begin({ timeouts });
    call.open(503, JSON_TYPE).write("{");
    const { outcome, answer } = await failed(advancing(h.clock, 500, result));
    expect(outcome).toMatchObject({ kind: "upstream_failed", status: 503 });
    expect(answer).toBeNull();
    await call.closed;
  });

  test("a redirect is not followed", async () => {
    const { call, result } = await h.begin();
    call.answer(302, { location: "http://127.0.0.1:1/stolen" }, "");
    expect((await failed(result)).outcome).toMatchObject({ kind: "upstream_failed", status: 302 });
  });
});

describe("something else than the stream that was asked for", () => {
  const cases = [
    ["a page", { "content-type": "text/html" }, "<html><title>Hotel</title></html>", "upstream_failed"],
    ["a challenge", { "content-type": "text/html" }, "<html><title>Just a moment...</title></html>", "challenged"],
    ["an error", JSON_TYPE, '{"error":{"code":"rate_limit_exceeded"}}', "rate_limited"],
    ["a limit", JSON_TYPE, '{"error":{"type":"usage_limit_reached"}}', "window_exhausted"],
  ] as const;
  for (const [name, headers, body, kind] of cases) {
    test(`${name} is no stream`, async () => {
      const { call, result } = await h.begin();
      call.answer(200, headers, body);
      const { outcome, answer } = await failed(result);
      expect(outcome.kind).toBe(kind);
      expect(answer).toBeNull();
      expect(h.warnings.map(({ event }) => event)).toEqual(["upstream.answered_strangely"]);
    });
  }

  test("a stream without a content type is a stream", async () => {
    const { call, result } = await h.begin();
    call.answer(200, {}, WHOLE_STREAM);
    expect((await drain((await opened(result)).body)).text).toBe(WHOLE_STREAM);
  });
});

describe("no answer", () => {
  test("nothing listens: unreachable", async () => {
    const upstream = createUpstream({
      baseUrl: "http://127.0.0.1:1",
      clock: createManualClock(),
      dice: systemDice,
      log: silentLog,
    });
    const { outcome, answer } = await failed(upstream.attempt(request()));
    expect(outcome).toEqual({ kind: "unreachable", message: "nothing accepts connections there (ECONNREFUSED)" });
    expect(answer).toBeNull();
  });

  test("no such name: unreachable", async () => {
    const baseUrl = "http://name-that-does-not-exist.invalid";
    const upstream = createUpstream({ baseUrl, clock: createManualClock(), dice: systemDice, log: silentLog });
    expect((await failed(upstream.attempt(request()))).outcome.kind).toBe("unreachable");
  });

  test("plain HTTP where TLS is spoken to: not sent or not answered, never a crash", async () => {
    const baseUrl = h.fake.url.replace("http:", "https:");
    const upstream = createUpstream({ baseUrl, clock: h.clock, dice: systemDice, log: silentLog });
    const hangUp = new AbortController();
    const result = upstream.attempt(request({ signal: hangUp.signal }));
    await new Promise((resolve) => setImmediate(resolve));
    hangUp.abort();
    expect((await failed(result)).outcome.kind).toBe("client_gone");
  });

  test.each(["reset", "end"] as const)("the connection goes by %s before the head: upstream failed", async (how) => {
    const { call, result } = await h.begin();
    if (how === "reset") call.reset();
    else call.socket.end();
    expect((await failed(result)).outcome).toMatchObject({ kind: "upstream_failed", status: null });
  });

  test("an answer that is not HTTP", async () => {
    const { call, result } = await h.begin();
    call.socket.write("SSH-2.0 nonsense here\r\nx: y\r\n\r\n");
    expect((await failed(result)).outcome).toMatchObject({ kind: "upstream_failed", status: null });
  });

  test("first byte too late", async () => {
    const { call, result } = await h.begin();
    await h.clock.advance(59_999);
    expect(h.clock.pending()).toBe(1);
    await h.clock.advance(1);
    expect((await failed(result)).outcome).toEqual({
      kind: "timed_out",
      phase: "first_byte",
      message: "no answer within 60 s",
    });
    await call.closed;
  });

  test("the client hangs up first", async () => {
    const { call, result, hangUp } = await h.begin();
    hangUp();
    expect((await failed(result)).outcome).toEqual({ kind: "client_gone" });
    await call.closed;
    expect(h.clock.pending()).toBe(0);
  });

  test("the client was gone before", async () => {
    const outcome = (await failed(h.upstream.attempt(request({ signal: AbortSignal.abort() })))).outcome;
    expect(outcome).toEqual({ kind: "client_gone" });
  });

  test("no message quotes a header that cannot be sent", async () => {
    const { outcome } = await failed(h.upstream.attempt(request({ workspaceId: "bad\nvalue" })));
    expect(JSON.stringify(outcome)).not.toContain("value");
    expect(outcome.kind).toBe("upstream_failed");
  });
});
