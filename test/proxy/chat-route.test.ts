/** `POST /v1/chat/completions` at the door: what the pool is asked, and what each of its answers becomes. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { wholeOf } from "../../src/base/body-bytes.ts";
import { AppError } from "../../src/base/errors.ts";
import { accumulate, chunksOf, type TestItem, upstreamStream } from "../support/chat-stream.ts";
import { EVENT_STREAM, EXCHANGE_ID, opened, sse, type TestEvent } from "../support/fake-exchange-engine.ts";
import { type Door, openDoor } from "./door.ts";

let door: Door;
beforeEach(() => {
  door = openDoor();
});
afterEach(() => door.close());

const CHAT = { model: "gpt-5.5", messages: [{ role: "user", content: "hi" }] };
const TEXT: TestItem = { kind: "text", pieces: ["hel", "lo"] };
const CALL: TestItem = { kind: "function", name: "f", pieces: ["{}"] };
const ask = (more: object = {}, headers: Record<string, string> = {}) =>
  door.post("/v1/chat/completions", { ...CHAT, ...more }, headers);
const streamed = async (more: object = {}) => accumulate(chunksOf(await (await ask({ stream: true, ...more })).text()));
const errorOf = async (response: Response) => ((await response.json()) as { error: Record<string, unknown> }).error;
const failing = (event: TestEvent) => {
  door.fake.reply = () => opened(sse([event]));
};

test("it is an ordinary exchange of an SDK, on upstream's one path", async () => {
  await ask({ prompt_cache_key: "k", temperature: 1 });
  const { surface, path, upstreamPath, stream, model, conversation, filter, unpack, body, plainBody } =
    door.fake.last();
  expect({ surface, path, upstreamPath, stream, model, unpack }).toEqual({
    surface: "sdk",
    path: "/v1/chat/completions",
    upstreamPath: "/codex/responses",
    stream: true,
    model: "gpt-5.5",
    unpack: true,
  });
  expect(conversation).toEndWith("/k");
  expect(filter).toBeNull();
  expect(plainBody).toBe(body);
  expect(JSON.parse(new TextDecoder().decode(wholeOf(body!)))).toEqual({
    model: "gpt-5.5",
    input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }],
    prompt_cache_key: "k",
    instructions: "",
    include: ["reasoning.encrypted_content"],
    store: false,
    stream: true,
  });
});

test("whoever speaks it is an SDK, whatever its headers say; packed bodies are read", async () => {
  const body = Bun.gzipSync(JSON.stringify(CHAT));
  await door.post("/chat/completions", body, { originator: "codex_exec", "content-encoding": "gzip" });
  const { surface, headers } = door.fake.last();
  expect(surface).toBe("sdk");
  expect(headers.map(([name]) => name)).not.toContain("content-encoding");
});

describe("without a stream", () => {
  test("one object", async () => {
    door.fake.reply = () => opened(upstreamStream([TEXT, CALL]), [...EVENT_STREAM, ["x-request-id", "r"]]);
    const response = await ask();
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-rotor-exchange")).toBe(EXCHANGE_ID);
    expect(response.headers.get("x-request-id")).toBe("r");
    expect(await response.json()).toEqual({
      id: "chatcmpl-abc",
      object: "chat.completion",
      created: 1_760_000_000,
      model: "gpt-5.5",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "hello",
            refusal: null,
            annotations: [
              {
                type: "url_citation",
                url_citation: { url: "https://example.test/a", title: "A", start_index: 0, end_index: 5 },
              },
            ],
            tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: "{}" } }],
          },
          logprobs: null,
          finish_reason: "tool_calls",
        },
      ],
      usage: {
        prompt_tokens: 12,
        completion_tokens: 5,
        total_tokens: 17,
        prompt_tokens_details: { cached_tokens: 8, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 2, audio_tokens: 0 },
      },
      service_tier: null,
      system_fingerprint: null,
    });
  });

  test("a failure inside the stream has the status it would have had", async () => {
    failing({ type: "response.failed", response: { error: { code: "context_length_exceeded", message: "too long" } } });
    const response = await ask();
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ code: "context_length_exceeded", message: "too long" });
    door.fake.reply = () => opened("");
    expect((await ask()).status).toBe(502);
  });
});

test("with a stream, chunks", async () => {
  door.fake.reply = () => opened(upstreamStream([TEXT]));
  const response = await ask({ stream: true });
  expect(response.headers.get("content-type")).toStartWith("text/event-stream");
  expect(response.headers.get("x-rotor-exchange")).toBe(EXCHANGE_ID);
  expect(accumulate(chunksOf(await response.text()))).toMatchObject({
    message: { content: "hello" },
    done: true,
    usage: undefined,
  });
  expect(await streamed({ stream_options: { include_usage: true } })).toMatchObject({ usage: { total_tokens: 17 } });
});

test("a stream that fails after it was promised ends in an error chunk", async () => {
  failing({ type: "response.failed", response: { error: { code: "context_length_exceeded", message: "too long" } } });
  expect(await streamed()).toMatchObject({ error: { code: "context_length_exceeded" }, done: false });
});

describe("refusals", () => {
  test("what cannot be served is said with its place, before anybody is asked", async () => {
    const response = await ask({ n: 2 });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({
      type: "invalid_request_error",
      code: "unsupported_parameter",
      param: "n",
    });
    expect((await door.post("/v1/chat/completions", "{")).status).toBe(400);
    expect(door.fake.requests).toHaveLength(0);
  });

  test("the pool's own by the one table", async () => {
    const retryAtMs = door.clock.nowMs() + 90_000;
    door.fake.reply = () => ({
      kind: "refused",
      exchangeId: EXCHANGE_ID,
      error: new AppError("pool_exhausted", "all out", { retryAtMs }),
    });
    for (const stream of [true, false]) {
      const response = await ask({ stream });
      expect([response.status, response.headers.get("retry-after")]).toEqual([429, "90"]);
      expect(response.headers.get("x-rotor-exchange")).toBe(EXCHANGE_ID);
      expect(await errorOf(response)).toMatchObject({ type: "usage_limit_reached" });
    }
  });

  test("upstream's in OpenAI's form, and byte for byte where they have it", async () => {
    const rejected = (body: string) => {
      const headers = [["content-type", "application/json"]] as const;
      door.fake.reply = () => ({
        kind: "rejected",
        exchangeId: EXCHANGE_ID,
        status: 400,
        headers,
        body: Buffer.from(body),
      });
      return ask();
    };
    expect(await errorOf(await rejected('{"detail":"Not like this"}'))).toMatchObject({ message: "Not like this" });
    expect(await errorOf(await rejected('{"detail":[{"loc":1}]}'))).toMatchObject({ message: '[{"loc":1}]' });
    const own = '{ "error": {"message":"m"} }';
    expect(await (await rejected(own)).text()).toBe(own);
    expect(await (await rejected("<html>")).text()).toBe("<html>");
  });
});
