/** WebSockets at the proxy's door, with a fake engine behind it: who comes in, what a request becomes, what the client is told. */
import { afterAll, describe, expect, test } from "bun:test";
import { wholeOf } from "../../src/base/body-bytes.ts";
import { AppError } from "../../src/base/errors.ts";
import type { ExchangeAnswer } from "../../src/pool/engine.ts";
import { CLIENT_KEY, COMPLETED, EVENT_STREAM, opened, refused, sse } from "../support/fake-exchange-engine.ts";
import { type Frame, handshakeStatus, openSocket, responseIdIn, typesIn } from "../support/ws-client.ts";
import { TURN, TURN_OVER_HTTP, WARM_UP } from "../vectors/frames.ts";
import { openDoor } from "./door.ts";

const door = openDoor();
afterAll(() => door.close());

const CODEX = "/backend-api/codex/responses";
const KEY = { authorization: `Bearer ${CLIENT_KEY}` };
const item = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });
const create = (more: object = {}) => ({
  type: "response.create",
  model: "gpt-5.5",
  stream: true,
  store: false,
  input: [item("hi")],
  ...more,
});
const sentBody = () => JSON.parse(Buffer.from(wholeOf(door.fake.last().body!)).toString()) as Record<string, unknown>;
const open = (path = CODEX, headers: Record<string, string> = KEY) => openSocket(door.url + path, headers);
/** Another place for tests that leave their engine in a state of its own. */
const withReply = (reply: () => ExchangeAnswer) => void (door.fake.reply = reply);

/** One answer whose id and item are told. */
function answerOf(id: string, text: string): ExchangeAnswer {
  return opened(
    sse([
      { type: "response.created", response: { id } },
      { type: "response.output_item.done", output_index: 0, item: { type: "message", id: `msg_${id}`, text } },
      { type: "response.completed", response: { id, usage: null } },
    ]),
    [...EVENT_STREAM, ["x-codex-turn-state", "state-1"], ["x-codex-primary-used-percent", "12.5"]],
  );
}

describe("who comes in", () => {
  test.each([
    ["no key", CODEX, {}, 401],
    ["a wrong key", CODEX, { authorization: "Bearer nonsense" }, 401],
    ["a foreign host", CODEX, { ...KEY, host: "rotor.example.org" }, 403],
    ["a page from elsewhere", CODEX, { ...KEY, origin: "https://example.org" }, 403],
    ["a key", CODEX, KEY, 101],
    ["a key, for SDKs", "/v1/responses", KEY, 101],
    ["a key in the path", `/k/${CLIENT_KEY}${CODEX}`, {}, 101],
    ["another version of the protocol", CODEX, { ...KEY, "sec-websocket-key": "" }, 426],
  ])("%s", async (_, path, headers, status) => {
    expect(await handshakeStatus(door.url + path, headers as Record<string, string>)).toBe(status);
  });

  test("a daemon that is not ready sends clients to HTTP, where they are told why", async () => {
    const locked = openDoor({ engine: () => null, state: () => ({ state: "locked", reason: "" }) });
    try {
      expect(await handshakeStatus(locked.url + CODEX, KEY)).toBe(426);
    } finally {
      await locked.close();
    }
  });
});

test("an SDK that asks for a background response is told where that is done; its socket goes on", async () => {
  withReply(() => answerOf("resp_1", "hello"));
  const socket = await open("/v1/responses");
  const [error] = await socket.ask(create({ background: true }));
  expect(error).toMatchObject({
    type: "error",
    status: 400,
    error: {
      code: "unsupported_parameter",
      param: "background",
      message: expect.stringContaining("POST /v1/responses"),
    },
  });
  expect(typesIn(await socket.ask(create({ background: false }))).at(-1)).toBe("response.completed");
  socket.close();
});

describe("a request", () => {
  test("is what it would have been over HTTP, its members byte for byte", async () => {
    withReply(() => answerOf("resp_1", "hello"));
    const socket = await open(CODEX, {
      ...KEY,
      "session-id": "s-1",
      originator: "codex_exec",
      "openai-beta": "responses_websockets=2026-02-06",
    });
    const odd = `{"type":"response.create","model":"gpt-5.5", "stream":true,"input":[ {"a":1.50,"b":"\\u00e9"} ],"x":{"n":1e3}}`;
    const frames = await socket.ask(odd);
    const { body, headers, conversation, upstreamPath, method } = door.fake.last();
    expect(Buffer.from(wholeOf(body!)).toString()).toBe(
      `{"model":"gpt-5.5", "stream":true,"input":[ {"a":1.50,"b":"\\u00e9"} ],"x":{"n":1e3}}`,
    );
    expect([method, upstreamPath, conversation]).toEqual(["POST", "/codex/responses", "0123456789/s-1"]);
    const names = headers.map(([name]) => name);
    expect(names).toContain("originator");
    for (const gone of ["sec-websocket-key", "upgrade", "connection", "openai-beta", "authorization"])
      expect(names).not.toContain(gone);
    expect(frames.slice(0, 2)).toEqual([
      {
        type: "codex.rate_limits",
        plan_type: null,
        rate_limits: {
          allowed: true,
          limit_reached: false,
          primary: { used_percent: 12.5, window_minutes: null, reset_at: null },
          secondary: null,
        },
      },
      {
        type: "codex.response.metadata",
        headers: { "x-codex-turn-state": "state-1", "x-rotor-exchange": "01JTESTEXCHANGE00000000000" },
      },
    ]);
    expect(typesIn(frames).slice(2)).toEqual(["response.created", "response.output_item.done", "response.completed"]);
    socket.close();
  });

  test("what a WebSocket carries inside its body stands in the header over HTTP", async () => {
    withReply(() => answerOf("resp_1", "hello"));
    const socket = await open(CODEX, { ...KEY, "x-codex-turn-metadata": '{"request_kind":"prewarm"}' });
    const client_metadata = {
      "x-codex-turn-state": "abc",
      "x-codex-turn-metadata": '{"request_kind":"turn"}',
      ws_request_header_x_openai_internal_codex_responses_lite: "true",
      ws_request_header_host: "evil",
      thread_id: "t",
    };
    await socket.ask(create({ client_metadata }));
    const headers = door.fake.last().headers.filter(([name]) => name.startsWith("x-") || name === "host");
    expect(headers).toEqual([
      ["x-codex-turn-state", "abc"],
      ["x-codex-turn-metadata", '{"request_kind":"turn"}'],
      ["x-openai-internal-codex-responses-lite", "true"],
    ]);
    socket.close();
  });

  test("with only what is new is completed from what this socket was told before", async () => {
    const socket = await open();
    withReply(() => opened(sse([{ type: "response.completed", response: { id: "resp_0" } }])));
    const warm = await socket.ask(create({ generate: false, input: [item("prompt")] }));
    expect(door.fake.last().socket).toEqual({ warmUp: true, since: null });
    expect(sentBody()).not.toHaveProperty("generate");
    withReply(() => answerOf("resp_1", "one"));
    await socket.ask(create({ previous_response_id: responseIdIn(warm), input: [item("first")] }));
    expect(sentBody().input).toEqual([item("prompt"), item("first")]);
    expect(sentBody()).not.toHaveProperty("previous_response_id");
    const { warmUp, since } = door.fake.last().socket!;
    expect([warmUp, since!.responseId]).toEqual([false, "resp_0"]);
    const { type: _type, ...shorter } = create({ previous_response_id: "resp_0", input: [item("first")] });
    expect(JSON.parse(Buffer.from(since!.body).toString())).toEqual(shorter);
    withReply(() => answerOf("resp_2", "two"));
    await socket.ask(create({ previous_response_id: "resp_1", input: [item("second")] }));
    const told = { type: "message", id: "msg_resp_1", text: "one" };
    expect(sentBody().input).toEqual([item("prompt"), item("first"), told, item("second")]);
    socket.close();
  });

  test("whose input is a text is a message like any other: in its own turn, and in those that refer to it", async () => {
    const socket = await open("/v1/responses");
    const message = (text: string) => ({ role: "user", content: [{ type: "input_text", text }] });
    withReply(() => answerOf("resp_1", "one"));
    await socket.ask(create({ input: "first" }));
    expect(sentBody().input).toEqual([message("first")]);
    await socket.ask(create({ previous_response_id: "resp_1", input: "second" }));
    const told = { type: "message", text: "one" };
    expect(sentBody().input).toEqual([message("first"), told, message("second")]);
    socket.close();
  });

  test("of the real Codex, recorded: warm-up and turn are one body over HTTP", async () => {
    const socket = await open();
    withReply(() => opened(sse([{ type: "response.completed", response: { id: "resp_fake_1" } }])));
    await socket.ask(WARM_UP);
    withReply(() => answerOf("resp_fake_2", "hi"));
    await socket.ask(TURN);
    expect(JSON.stringify(sentBody())).toBe(JSON.stringify(TURN_OVER_HTTP));
    const metadata = door.fake.last().headers.find(([name]) => name === "x-codex-turn-metadata");
    expect(metadata![1]).toContain('"request_kind":"turn"');
    socket.close();
  });

  test("that refers to something unknown is answered so that the client sends everything again", async () => {
    const socket = await open();
    const asked = door.fake.requests.length;
    const [error] = await socket.ask(create({ previous_response_id: "resp_else" }));
    expect(error).toMatchObject({
      type: "error",
      status: 400,
      error: { code: "previous_response_not_found", param: "previous_response_id" },
    });
    expect(door.fake.requests).toHaveLength(asked);
    socket.close();
  });

  test.each([
    ["no JSON", "hello", "invalid_json"],
    ["a list", "[]", "invalid_json"],
    ["another type", '{"type":"session.update"}', "invalid_request"],
  ])("%s is an error frame with a status, and the socket goes on", async (_, text, code) => {
    withReply(() => answerOf("resp_1", "hello"));
    const socket = await open();
    expect((await socket.ask(text))[0]).toMatchObject({ type: "error", status: 400, error: { code } });
    socket.send('{"type":"response.processed","response_id":"resp_0"}');
    socket.send('{"type":"response.interrupt","response_id":"resp_0","mode":"discard_partial_items"}');
    expect(typesIn(await socket.ask(create())).at(-1)).toBe("response.completed");
    socket.close();
  });

  test("whose model stands for another one gets that one, with its effort and tier; its other members are byte for byte as sent", async () => {
    withReply(() => answerOf("resp_1", "hello"));
    const mapping = { asked: "quick", sent: "gpt-5.5", effort: null, serviceTier: null };
    const socket = await open();
    const odd = (model: string, reasoning: string, tier: string) =>
      `{"model" : "${model}","stream":true, "input":[ {"a":1.50,"b":"\\u00e9"} ],"reasoning":${reasoning},"x":{"n":1e3}${tier}}`;
    for (const [name, change, said, want, tier] of [
      ["quick", {}, "null", "null", ""],
      [
        "gpt-5.5-high",
        { effort: "high" },
        `{"effort" : "low","summary" : "auto"}`,
        `{"effort" : "high","summary" : "auto"}`,
        "",
      ],
      [
        "gpt-5.5-fast",
        { serviceTier: "priority" },
        `{"effort":"low"}`,
        `{"effort":"low"}`,
        `,"service_tier":"priority"`,
      ],
    ] as const) {
      door.fake.mappings.set(name, { ...mapping, asked: name, ...change });
      const frames = await socket.ask(odd(name, said, "").replace("{", `{"type":"response.create",`));
      expect(typesIn(frames).at(-1)).toBe("response.completed");
      const { body, model } = door.fake.last();
      expect(Buffer.from(wholeOf(body!)).toString()).toBe(odd("gpt-5.5", want, tier));
      expect([model, door.fake.last().mapping]).toEqual(["gpt-5.5", { ...mapping, asked: name, ...change }]);
    }
    door.fake.mappings.clear();
    socket.close();
  });

  test("of an SDK is normalised, and it gets no vendor's events", async () => {
    withReply(() =>
      opened(sse([{ type: "codex.rate_limits" }, ...COMPLETED]), [
        ...EVENT_STREAM,
        ["x-codex-primary-used-percent", "1"],
      ]),
    );
    const socket = await open("/v1/responses");
    const frames = await socket.ask({ type: "response.create", model: "gpt-5.5", input: "hi", temperature: 1 });
    expect(sentBody()).toMatchObject({ stream: true, store: false, input: [{ role: "user" }] });
    expect(sentBody()).not.toHaveProperty("temperature");
    expect(typesIn(frames)).toEqual(COMPLETED.map((event) => (event as Frame).type));
    socket.close();
  });

  test("of an SDK is told of its beginning, also where upstream says nothing of it; Codex is not", async () => {
    withReply(() => opened(sse(COMPLETED.slice(1))));
    const sdk = await open("/v1/responses");
    const frames = await sdk.ask({ type: "response.create", model: "gpt-5.5", input: "hi" });
    expect(typesIn(frames)).toEqual(COMPLETED.map((event) => (event as Frame).type));
    expect(frames[0]).toMatchObject({ response: { object: "response", model: "gpt-5.5", status: "in_progress" } });
    sdk.close();
    const codex = await open("/backend-api/codex/responses");
    expect(typesIn(await codex.ask({ type: "response.create", model: "gpt-5.5", input: [] }))).not.toContain(
      "response.created",
    );
    codex.close();
  });
});

describe("what the client is told", () => {
  test("every account is out: the status, the reset, and the socket stays", async () => {
    const retryAtMs = door.clock.nowMs() + 60_000;
    withReply(() => refused(new AppError("pool_exhausted", "all out", { retryAtMs })));
    const socket = await open();
    const [error] = await socket.ask(create());
    expect(error).toMatchObject({
      status: 429,
      error: { type: "usage_limit_reached", resets_in_seconds: 60 },
      headers: { "retry-after": "60" },
    });
    withReply(() => answerOf("resp_1", "hello"));
    expect(typesIn(await socket.ask(create())).at(-1)).toBe("response.completed");
    socket.close();
  });

  test("an overload is the one event that Codex takes as final", async () => {
    withReply(() => refused(new AppError("upstream_overloaded", "too much")));
    const socket = await open();
    const [failed] = await socket.ask(create());
    expect(failed).toMatchObject({ type: "response.failed", response: { error: { code: "server_is_overloaded" } } });
    socket.close();
  });

  test("upstream's own refusal, in its own words", async () => {
    const body = Buffer.from('{"detail":"Unsupported parameter: x"}');
    withReply(() => ({
      kind: "rejected",
      exchangeId: "01J" as never,
      status: 400,
      headers: [["x-request-id", "r"]],
      body,
    }));
    const socket = await open();
    const [error] = await socket.ask(create());
    expect(error).toMatchObject({
      status: 400,
      error: { message: "Unsupported parameter: x" },
      headers: { "x-request-id": "r" },
    });
    socket.close();
  });

  test("an error inside a stream gets the status that a frame needs", async () => {
    withReply(() =>
      opened(sse([COMPLETED[0]!, { type: "error", error: { code: "rate_limit_exceeded", message: "slow" } }])),
    );
    const socket = await open();
    expect((await socket.ask(create())).at(-1)).toMatchObject({ type: "error", status: 429 });
    socket.close();
  });

  test("an answer that breaks off closes the socket", async () => {
    withReply(() => opened(sse([COMPLETED[0]!])));
    const socket = await open();
    socket.send(create());
    expect(await socket.closed).toEqual({ code: 1011, reason: "upstream broke off the answer" });
  });

  test("binary messages, and more requests than are taken", async () => {
    const binary = await open();
    binary.ws.send(new Uint8Array([1]));
    expect((await binary.closed).code).toBe(1003);
    const never = Promise.withResolvers<ExchangeAnswer>();
    door.fake.reply = () => never.promise;
    const greedy = await open();
    for (let n = 0; n < 20; n++) greedy.send(create());
    expect((await greedy.closed).code).toBe(1008);
    never.resolve(answerOf("resp_1", "hello"));
  });
});

test("a client that leaves aborts its exchange", async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  door.fake.reply = (request) => {
    asked.resolve(request.signal);
    return opened(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(sse([COMPLETED[0]!]))) }));
  };
  const socket = await open();
  socket.send(create());
  await socket.next();
  const signal = await asked.promise;
  expect(signal.aborted).toBe(false);
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  socket.close();
  await aborted;
});

test("a socket that nobody uses is closed in order after an hour", async () => {
  const socket = await open();
  await door.clock.advance(60 * 60_000);
  expect(await socket.closed).toEqual({ code: 1000, reason: "idle" });
});

test("a stopping door lets an answer end and closes the others", async () => {
  const stopping = openDoor();
  const rest = Promise.withResolvers<void>();
  const first = sse([COMPLETED[0]!]);
  stopping.fake.reply = () =>
    opened(
      new ReadableStream({
        async start(controller) {
          controller.enqueue(Buffer.from(first));
          await rest.promise;
          controller.enqueue(Buffer.from(sse(COMPLETED.slice(1))));
          controller.close();
        },
      }),
    );
  const idle = await openSocket(stopping.url + CODEX, KEY);
  const busy = await openSocket(stopping.url + CODEX, KEY);
  busy.send(create());
  await busy.next();
  stopping.sockets.leave();
  expect((await idle.closed).code).toBe(1001);
  rest.resolve();
  expect(typesIn(await busy.answer()).at(-1)).toBe("response.completed");
  expect((await busy.closed).code).toBe(1001);
  await stopping.close();
});

test("a reader that stops stops the pulling", async () => {
  let pulled = 0;
  const chunk = sse([{ type: "response.output_text.delta", delta: "x".repeat(64 * 1024) }]);
  door.fake.reply = () =>
    opened(
      new ReadableStream(
        {
          pull(controller) {
            pulled++;
            if (pulled <= 2_000) controller.enqueue(Buffer.from(chunk));
            else {
              controller.enqueue(Buffer.from(sse(COMPLETED.slice(-1))));
              controller.close();
            }
          },
        },
        { highWaterMark: 0 },
      ),
    );
  const socket = await open();
  const flow = socket.ws as unknown as { pause(): void; resume(): void };
  flow.pause();
  socket.send(create());
  let before = -1;
  // It has come to rest when nothing is pulled between two looks that let everything else run.
  for (let looks = 0; looks < 20 || pulled === 0 || before !== pulled; looks++) {
    before = pulled;
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (looks > 2_000) throw new Error("it never rests");
  }
  expect(pulled).toBeLessThan(1_500);
  flow.resume();
  expect(typesIn(await socket.answer()).at(-1)).toBe("response.completed");
  expect(pulled).toBeGreaterThan(2_000);
  socket.close();
});
