/** Streams through the door: no event waits for the next, hang-ups reach upstream, a stalled reader stops the pulling. */
import { afterAll, describe, expect, test } from "bun:test";
import type { ExchangeRequest } from "../../src/pool/engine.ts";
import { CLIENT_KEY, COMPLETED, EXCHANGE_ID, opened, sse } from "../support/fake-exchange-engine.ts";
import { openDoor, TURN } from "./door.ts";

const door = openDoor();
afterAll(() => door.close());

const PATHS = ["/v1/responses", "/backend-api/codex/responses"];

/** A body that the test feeds, and what became of it. */
function controlled() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const gone = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>(
    { start: (created) => void (controller = created), cancel: () => gone.resolve() },
    { highWaterMark: 0 },
  );
  return {
    body,
    gone: gone.promise,
    send: (text: string) => controller.enqueue(Buffer.from(text)),
    end: () => controller.close(),
  };
}

describe.each(PATHS)("%s", (path) => {
  test("each event arrives before the next one is made", async () => {
    const upstream = controlled();
    door.fake.reply = () => opened(upstream.body);
    upstream.send(sse([COMPLETED[0]!]));
    const response = await door.post(path, TURN);
    const reader = response.body!.getReader();
    for (const [index, event] of COMPLETED.entries()) {
      expect(Buffer.from((await reader.read()).value!).toString()).toBe(sse([event]));
      if (index + 1 < COMPLETED.length) upstream.send(sse([COMPLETED[index + 1]!]));
    }
    upstream.end();
    expect((await reader.read()).done).toBe(true);
  });

  test("a client that hangs up while its exchange waits aborts the engine's signal", async () => {
    const asked = Promise.withResolvers<ExchangeRequest>();
    const late = controlled();
    const answer = Promise.withResolvers<void>();
    door.fake.reply = async (request) => {
      asked.resolve(request);
      await answer.promise;
      return opened(late.body);
    };
    const client = new AbortController();
    const response = door.ask(path, { method: "POST", body: JSON.stringify(TURN), signal: client.signal });
    response.catch(() => {});
    const { signal } = await asked.promise;
    expect(signal.aborted).toBe(false);
    client.abort();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    // What opens after that has nobody to read it: it is cancelled, not left open.
    answer.resolve();
    await late.gone;
  });

  test("a client that hangs up in the middle cancels the body", async () => {
    const upstream = controlled();
    door.fake.reply = () => opened(upstream.body);
    upstream.send(sse([COMPLETED[0]!]));
    const client = new AbortController();
    const response = await door.ask(path, { method: "POST", body: JSON.stringify(TURN), signal: client.signal });
    await response.body!.getReader().read();
    client.abort();
    await upstream.gone;
  });

  test("a reader that stalls stops the pulling", async () => {
    let pulls = 0;
    const chunk = Buffer.from(`data: ${"x".repeat(256 * 1024)}\n\n`);
    const cancelled = Promise.withResolvers<void>();
    const endless = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          pulls++;
          controller.enqueue(chunk);
          await new Promise((resolve) => setImmediate(resolve));
        },
        cancel: () => cancelled.resolve(),
      },
      { highWaterMark: 0 },
    );
    door.fake.reply = () => opened(endless);
    const body = JSON.stringify(TURN);
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: door.port,
      socket: { data: (connection) => void connection.pause(), open() {}, error() {} },
    });
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    // What the kernel's buffers take is taken; after that the count stands still, however long the loop turns.
    let seen = -1;
    for (let still = 0; still < 200; ) {
      await new Promise((resolve) => setImmediate(resolve));
      still = pulls > 0 && pulls === seen ? still + 1 : 0;
      seen = pulls;
      if (pulls > 400) break;
    }
    expect(pulls).toBeLessThan(100);
    socket.terminate();
    await cancelled.promise;
  });
});

test("a folded answer is cancelled with its client", async () => {
  const upstream = controlled();
  const asked = Promise.withResolvers<void>();
  door.fake.reply = () => {
    asked.resolve();
    return opened(upstream.body);
  };
  const client = new AbortController();
  const response = door.ask("/v1/responses", {
    method: "POST",
    body: JSON.stringify({ ...TURN, stream: false }),
    signal: client.signal,
  });
  response.catch(() => {});
  await asked.promise;
  upstream.send(sse([COMPLETED[0]!]));
  client.abort();
  await upstream.gone;
});

test("an encoded or unknown body is passed on unread", async () => {
  const bytes = new Uint8Array([0x1f, 0x8b, 1, 2, 3]);
  door.fake.reply = () => ({
    kind: "opened",
    exchangeId: EXCHANGE_ID,
    status: 200,
    headers: [["content-type", "application/octet-stream"]],
    body: new Response(bytes).body!,
  });
  const response = await door.post("/v1/responses", { ...TURN, stream: false });
  expect(await response.bytes()).toEqual(bytes);
});

test.each([
  [
    "response.failed",
    { response: { error: { code: "server_is_overloaded", message: "busy" } } },
    503,
    "server_error",
    "5",
  ],
  [
    "response.failed",
    { response: { error: { code: "rate_limit_exceeded", message: "slow" } } },
    429,
    "rate_limit_error",
    "5",
  ],
  [
    "error",
    { error: { type: "invalid_request_error", code: "context_length_exceeded", message: "long" } },
    400,
    "invalid_request_error",
    null,
  ],
] as const)("a folded %s keeps upstream's words under its status", async (type, event, status, errorType, wait) => {
  door.fake.reply = () => opened(sse([COMPLETED[0]!, { type, ...event }]));
  const response = await door.post("/v1/responses", { ...TURN, stream: false });
  expect([response.status, response.headers.get("retry-after")]).toEqual([status, wait]);
  expect(response.headers.get("x-rotor-exchange")).toBe(EXCHANGE_ID);
  const words = "response" in event ? event.response.error : event.error;
  expect(await response.json()).toEqual({
    error: { message: words.message, type: errorType, code: words.code, param: null },
  });
});

test("a folded stream that was cut is 502 with a code, and with a time to come back", async () => {
  door.fake.reply = () => opened(sse(COMPLETED.slice(0, 3)));
  const response = await door.post("/v1/responses", { ...TURN, stream: false });
  expect([response.status, response.headers.get("retry-after")]).toEqual([502, "5"]);
  expect(await response.json()).toMatchObject({ error: { code: "upstream_cut" } });
});
