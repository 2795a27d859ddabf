/**
 * Chat Completions through the real daemon: the same pool, moves and ends as any other exchange, in the words of that API. Streamed and
 * whole answers are the same answer.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import { FAILURE_TABLE, type Row } from "./failure-table.ts";
import { askChat, openChat, readChat } from "./support/chat.ts";
import { type Lane, openLane } from "./support/lane.ts";
import type { Trio } from "./support/trio.ts";
import { until } from "./support/until.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

const STREAM = { stream: true, stream_options: { include_usage: true } };
const ask = (text: string, more: object = {}) => askChat(lane.client, text, more);
const speaker = (content: unknown) => /SIM (\S+) says/.exec(String(content))?.[1] ?? null;

describe("a good stream, however it is written", () => {
  const kinds: readonly Pick<FaultSpec, "kind" | "bytes" | "point">[] = [
    ...(["crlf", "cr", "comments", "byte_writes", "one_write", "line_separator", "no_event_lines"] as const),
    ...([
      "no_final_blank_line",
      "no_created",
      "empty_output",
      "no_deltas",
      "done_marker",
      "rate_limits_event",
    ] as const),
    ...(["gzip", "wrong_content_type"] as const),
  ].map((kind) => ({ kind }));
  const odd = [
    ...kinds,
    { kind: "huge_event", bytes: 6 * 1024 * 1024 },
    { kind: "keepalive_events", point: "middle" },
    { kind: "unknown_events", point: "middle" },
  ] as const;
  for (const oddity of odd) {
    test(`${oddity.kind}: the same answer, streamed and whole, of the first account`, () =>
      lane.withTrio(async (trio) => {
        trio.order({ ...oddity, times: 2 });
        const here = { prompt_cache_key: trio.alias("A") };
        const streamed = await ask("hello", { ...STREAM, ...here });
        const whole = await ask("hello", here);
        expect(streamed.message.content === whole.message.content).toBe(true);
        expect(trio.place(speaker(whole.message.content))).toBe("A");
        for (const { finish, done, error, received, usage } of [streamed, whole]) {
          expect([finish, done, error, received.whole]).toEqual(["stop", true, null, true]);
          expect(usage).toMatchObject({ completion_tokens_details: { reasoning_tokens: 20 } });
        }
        expect(trio.tried()).toBe("AA");
      }));
  }
});

describe("every row of the product's table", () => {
  for (const chapter of FAILURE_TABLE) {
    for (const row of chapter.rows) {
      for (const stream of [true, false]) {
        test(`${chapter.says}: ${row.name} (${stream ? "streamed" : "whole"})`, () =>
          lane.withTrio(async (trio) => {
            // Told apart in time: what arrives together with the break of a connection may go down with it.
            lane.stage.sim.pacing.delayMs = typeof row.client === "string" ? 0 : 3;
            for (const fault of row.faults) trio.order(fault);
            const answer = await ask("hello", stream ? STREAM : {});
            expect(trio.tried()).toBe(row.tried);
            lane.stage.sim.pacing.delayMs = 0;
            expectEnd(row, stream, answer, trio);
          }));
      }
    }
  }
});

function expectEnd(row: Row, stream: boolean, answer: Awaited<ReturnType<typeof ask>>, trio: Trio): void {
  const { received, message, finish, done, error } = answer;
  if (row.client === "served") {
    expect([received.status, done, error]).toEqual([200, true, null]);
    expect(trio.place(speaker(message.content))).toBe(row.tried.at(-1)!);
    return;
  }
  if (row.client === "passed") {
    expect(received.status).toBeGreaterThanOrEqual(400);
    return;
  }
  if (!stream || row.client.isUnbegun) {
    expect(received.status).toBe(row.client.folded);
    expect(done).toBe(row.client.folded === 200);
    return;
  }
  expect([received.status, received.whole]).toEqual([200, row.client.whole]);
  if (row.client.ends === "response.incomplete") {
    expect([finish, done]).toEqual(["length", true]);
  } else {
    // What the SDKs raise; where the connection broke they raise that.
    expect([finish, done]).toEqual([null, false]);
    if (row.client.whole) expect(error?.message).toEqual(expect.any(String));
  }
}

describe("ends of a stream", () => {
  test("a limit inside a 200 moves on before the first chunk", () =>
    lane.withTrio(async (trio) => {
      trio.order({ kind: "failed_usage_limit" });
      const { received, message, error } = await ask("hello", STREAM);
      expect([trio.tried(), error]).toEqual(["AB", null]);
      expect(trio.place(speaker(message.content))).toBe("B");
      const exchange = await lane.control.exchange(received.headers.get("x-rotor-exchange")!);
      expect(exchange.attempts!.map(({ outcome }) => outcome)).toEqual(["window_exhausted", "served"]);
    }));

  test("after it, the limit is an error chunk in upstream's words, and the next request goes elsewhere", () =>
    lane.withTrio(async (trio) => {
      trio.order({ kind: "failed_usage_limit", point: "middle" });
      const { error, finish, done, message } = await ask("hello", STREAM);
      expect(error).toMatchObject({ code: "usage_limit_reached" });
      expect([finish, done, String(message.content) !== ""]).toEqual([null, false, true]);
      expect(trio.place(speaker((await ask("hello", STREAM)).message.content))).toBe("B");
    }));

  test("incomplete says why", () =>
    lane.withTrio(async (trio) => {
      trio.order({ kind: "incomplete", point: "end", reason: "content_filter", times: 2 });
      for (const more of [STREAM, {}]) {
        const answer = await ask("hello", { ...more, prompt_cache_key: trio.alias("A") });
        expect(answer).toMatchObject({ finish: "content_filter", done: true });
      }
    }));

  test("a client that hangs up cancels upstream, and nobody is blamed", () =>
    lane.withTrio(async (trio) => {
      const { pacing } = lane.stage.sim;
      const before = { ...pacing };
      Object.assign(pacing, { deltas: 20_000, delayMs: 2 });
      try {
        const request = openChat(lane.client, "hello", STREAM);
        request.received.catch(() => {});
        await until(() => request.text().split("chat.completion.chunk").length > 10, "output");
        request.hangUp();
        const seen = () => trio.requests("/backend-api/codex/responses");
        await until(() => seen().every(({ end }) => end !== "open"), "the close at upstream");
        expect(seen().map(({ end }) => end)).toEqual(["client_closed"]);
        await until(async () => (await lane.control.openLeases()) === 0, "the end of the lease");
        expect((await trio.account("A")).holds ?? []).toEqual([]);
      } finally {
        Object.assign(pacing, before);
      }
    }));

  test("nobody left: 429 with the true time to wait, in OpenAI's form", () =>
    lane.withTrio(async (trio) => {
      for (const on of ["A", "B", "C"] as const) trio.order({ on, kind: "usage_limit", resetsInSeconds: 7200 });
      for (const more of [STREAM, {}]) {
        const { received, error } = await ask("hello", more);
        expect(received.status).toBe(429);
        expect(error).toMatchObject({ type: "usage_limit_reached", code: "pool_exhausted" });
        expect(Number(received.headers.get("retry-after"))).toBeGreaterThan(7000);
        expect(received.headers.get("x-rotor-exchange")).not.toBeNull();
      }
    }));
});

describe("what is asked and answered", () => {
  beforeAll(() => {
    // Texts as they were ordered, not filled up to a number of deltas.
    lane.stage.sim.pacing.deltas = null;
  });
  afterAll(() => {
    lane.stage.sim.pacing.deltas = 6;
  });

  const tool = (name: string) => ({
    type: "function",
    function: { name, parameters: { type: "object", properties: { cmd: { type: "string" } }, required: ["cmd"] } },
  });

  test.each([true, false])("a whole turn with two calls side by side (stream %p)", (stream) =>
    lane.withTrio(async (trio) => {
      const messages: object[] = [
        { role: "system", content: "be brief" },
        { role: "user", content: 'say: let me see\ncall: f {"cmd":"a"}\ncall: g {"cmd":"b"}' },
      ];
      const more = { ...(stream ? STREAM : {}), tools: [tool("f"), tool("g")], messages };
      const first = await ask("", more);
      const calls = first.message.tool_calls as { id: string; function: { name: string; arguments: string } }[];
      expect(first).toMatchObject({ finish: "tool_calls", message: { content: "let me see" } });
      expect(calls.map((call) => call.function)).toEqual([
        { name: "f", arguments: '{"cmd":"a"}' },
        { name: "g", arguments: '{"cmd":"b"}' },
      ]);
      messages.push({ role: "assistant", ...first.message });
      for (const { id, function: called } of calls)
        messages.push({ role: "tool", tool_call_id: id, content: `did ${called.name}` });
      messages.push({ role: "user", content: "and?" });
      const second = await ask("", more);
      expect(second.finish).toBe("stop");
      expect(trio.tried()).toHaveLength(2);
    }),
  );

  test.each([true, false])(
    "a refusal, a custom tool, an old function, a schema, a stop sequence, an effort (stream %p)",
    (stream) =>
      lane.withTrio(async () => {
        const as = (text: string, more: object = {}) => ask(text, { ...(stream ? STREAM : {}), ...more });
        expect(await as("refuse: no way")).toMatchObject({
          finish: "stop",
          message: { content: null, refusal: "no way" },
        });
        const custom = { type: "custom", custom: { name: "sh" } };
        expect(await as("call: sh ls -l", { tools: [custom] })).toMatchObject({
          finish: "tool_calls",
          message: { tool_calls: [{ type: "custom", custom: { name: "sh", input: "ls -l" } }] },
        });
        expect(await as('call: f {"cmd":"a"}\ncall: f {}', { functions: [tool("f").function] })).toMatchObject({
          finish: "function_call",
          message: { function_call: { name: "f", arguments: '{"cmd":"a"}' } },
        });
        const schema = {
          type: "object",
          properties: { n: { type: "integer" } },
          required: ["n"],
          additionalProperties: false,
        };
        const response_format = { type: "json_schema", json_schema: { name: "n", strict: true, schema } };
        expect(JSON.parse(String((await as("hi", { response_format })).message.content))).toEqual({ n: 1 });
        expect(await as("say: one two END three", { stop: ["END"] })).toMatchObject({
          finish: "stop",
          message: { content: "one two " },
          usage: { completion_tokens: expect.any(Number) },
        });
        expect((await as("hello", { reasoning_effort: "low" })).message.reasoning_content).toBe("**Thinking**");
      }),
  );

  test("a lite model is asked in the form that it wants, and calls its tools all the same", () =>
    lane.withTrio(async (trio) => {
      const messages = [
        { role: "system", content: "be brief" },
        { role: "user", content: 'call: f {"cmd":"a"}' },
      ];
      const answer = await ask("", { ...STREAM, model: "gpt-6-sol", messages, tools: [tool("f")] });
      expect(answer).toMatchObject({ finish: "tool_calls", message: { tool_calls: [{ function: { name: "f" } }] } });
      const [seen] = trio.requests("/backend-api/codex/responses");
      const body = seen!.body as Readonly<Record<string, unknown>>;
      expect(body).toMatchObject({
        input: [{ type: "additional_tools", tools: [{ name: "f" }] }, { role: "developer" }, { role: "user" }],
        parallel_tool_calls: false,
        reasoning: { context: "all_turns" },
      });
      expect(body).not.toHaveProperty("tools");
      expect(new Map(seen!.headers).get("x-openai-internal-codex-responses-lite")).toBe("true");
    }));

  test("what upstream refuses comes in OpenAI's form", () =>
    lane.withTrio(async () => {
      const { received, error } = await ask("hello", { tools: [{ type: "computer_use" }] });
      expect(received.status).toBe(400);
      expect(error).toMatchObject({ message: "Unsupported tool type: computer_use" });
      const orphan = await ask("", { messages: [{ role: "tool", tool_call_id: "c", content: "x" }] });
      expect([orphan.received.status, String(orphan.error?.message)]).toEqual([
        400,
        expect.stringContaining("No tool call found"),
      ]);
    }));

  test("usage is learnt as of any exchange", () =>
    lane.withTrio(async () => {
      const { received, usage } = await ask("hello", STREAM);
      const id = received.headers.get("x-rotor-exchange")!;
      await until(async () => (await lane.control.exchange(id)).endTime !== undefined, "the end of the exchange");
      const exchange = await lane.control.exchange(id);
      expect(Number(exchange.usage?.inputTokens)).toBe((usage as { prompt_tokens: number }).prompt_tokens);
      expect(readChat(received).done).toBe(true);
    }));
});
