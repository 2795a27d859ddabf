/** Upstream's stream as chat chunks: any chunking, every kind of item and end, and the same answer as without a stream. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ChatChunks } from "../../src/proxy/chat-chunks.ts";
import { completionOf } from "../../src/proxy/chat-completion.ts";
import type { ChatWants } from "../../src/proxy/chat-request.ts";
import { foldStream } from "../../src/proxy/fold.ts";
import {
  accumulate,
  chunksOf,
  type StreamShape,
  type TestItem,
  UPSTREAM_USAGE,
  USUAL,
  upstreamEvents,
  upstreamStream,
  WANTS,
} from "../support/chat-stream.ts";
import { sse, streamOf, type TestEvent } from "../support/fake-exchange-engine.ts";

type Json = Readonly<Record<string, unknown>>;
const NOW_MS = 1_750_000_000_000;
const nowMs = () => NOW_MS;

function translated(stream: string | readonly Uint8Array[], wants: ChatWants = WANTS): string {
  const filter = new ChatChunks(wants, nowMs);
  const chunks = typeof stream === "string" ? [Buffer.from(stream)] : stream;
  const out = chunks.map((chunk) => Buffer.from(filter.feed(chunk)));
  return Buffer.concat([...out, filter.end()]).toString();
}

const accumulated = (stream: string, wants?: ChatWants) => accumulate(chunksOf(translated(stream, wants)));

function cut(text: string, places: readonly number[]): Uint8Array[] {
  const data = Buffer.from(text);
  const at = places.map((place) => place % (data.length + 1)).toSorted((a, b) => a - b);
  return [0, ...at].map((start, index) => data.subarray(start, at[index] ?? data.length));
}

const TEXT: TestItem = { kind: "text", pieces: ['hel"lo', " ", "w\n\u2028ö😀"] };
const THOUGHT: TestItem = { kind: "thought", pieces: ["**a**", "b"] };
const CALL: TestItem = { kind: "function", name: "f", pieces: ['{"a"', ":1}"] };
const CUSTOM: TestItem = { kind: "custom", name: "sh", pieces: ["ls", "\n"] };
const REFUSAL: TestItem = { kind: "refusal", pieces: ["no", " way"] };

test("chunk by chunk, as the API says", () => {
  const chunks = chunksOf(translated(upstreamStream([{ kind: "text", pieces: ["a", "b"] }, CALL]))) as Json[];
  const head = {
    id: "chatcmpl-abc",
    object: "chat.completion.chunk",
    created: 1_760_000_000,
    model: "gpt-5.5",
    system_fingerprint: null,
  };
  const choice = (delta: Json, finish_reason: string | null = null) => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    usage: null,
  });
  const piece = (text: string) => choice({ tool_calls: [{ index: 0, function: { arguments: text } }] });
  expect(chunks).toEqual([
    choice({ role: "assistant", content: "", refusal: null }),
    choice({ content: "a" }),
    choice({ content: "b" }),
    choice({ tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "f", arguments: "" } }] }),
    piece('{"a"'),
    piece(":1}"),
    choice({}, "tool_calls"),
    {
      ...head,
      choices: [],
      usage: {
        prompt_tokens: 12,
        completion_tokens: 5,
        total_tokens: 17,
        prompt_tokens_details: { cached_tokens: 8, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 2, audio_tokens: 0 },
      },
    },
    "[DONE]" as unknown as Json,
  ]);
});

test("usage is told to whoever asks for it", () => {
  const quiet = chunksOf(translated(upstreamStream([TEXT]), { ...WANTS, includeUsage: false }));
  for (const chunk of quiet) if (typeof chunk !== "string") expect(chunk).not.toHaveProperty("usage");
  expect(quiet.at(-1)).toBe("[DONE]");
  expect(quiet.at(-2)).toMatchObject({ choices: [{ finish_reason: "stop" }] });
});

const pieces = fc.array(fc.string({ unit: "grapheme", maxLength: 6 }), { maxLength: 5 });
const anyItem: fc.Arbitrary<TestItem> = fc.oneof(
  fc.record({ kind: fc.constantFrom("text", "refusal", "thought"), pieces }),
  fc.record({ kind: fc.constantFrom("function", "custom"), name: fc.constantFrom("f", "g"), pieces }),
);
const anyShape: fc.Arbitrary<StreamShape> = fc.record({
  deltas: fc.boolean(),
  created: fc.boolean(),
  output: fc.boolean(),
  end: fc.constantFrom("response.completed", "response.incomplete"),
});
const anyWants: fc.Arbitrary<ChatWants> = fc.record({
  model: fc.constant("gpt-5.5"),
  includeUsage: fc.boolean(),
  stop: fc.oneof(
    fc.constant([]),
    fc.array(fc.string({ unit: fc.constantFrom("a", "b", "\n"), minLength: 1, maxLength: 4 }), { maxLength: 3 }),
  ),
  oldCalls: fc.boolean(),
});
/** Few letters, so that stop sequences are met. */
const shortItem: fc.Arbitrary<TestItem> = fc.record({
  kind: fc.constantFrom("text", "text", "refusal"),
  pieces: fc.array(fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 4 }), { maxLength: 6 }),
});
const items = fc.array(fc.oneof(anyItem, shortItem), { maxLength: 5 });

test("wherever the stream is cut into chunks, with any line end, the chunks are the same", () => {
  fc.assert(
    fc.property(
      items,
      anyShape,
      anyWants,
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.constantFrom("\n", "\r\n", "\r"),
      (said, shape, wants, places, lineEnd) => {
        const whole = translated(upstreamStream(said, shape), wants);
        expect(translated(cut(upstreamStream(said, shape, lineEnd), places), wants)).toBe(whole);
      },
    ),
  );
});

test("the chunks together are the answer that comes without a stream", async () => {
  await fc.assert(
    fc.asyncProperty(items, anyShape, anyWants, async (said, shape, wants) => {
      const stream = upstreamStream(said, shape);
      const { message, finish, done, error, usage } = accumulated(stream, wants);
      const folded = await foldStream(streamOf([stream]), new AbortController().signal);
      if (folded.kind !== "response") throw new Error(folded.kind);
      const completion = completionOf(folded.response, wants, NOW_MS) as {
        choices: { message: Json; finish_reason: string }[];
        usage: Json;
      };
      const { role: _, annotations, ...whole } = completion.choices[0]!.message;
      // A text of which nothing is left before a stop sequence is "" here and no delta there.
      const content = whole.content === "" ? null : whole.content;
      const cited = (annotations as Json[]).length === 0 ? {} : { annotations };
      expect(message).toEqual({ ...whole, ...cited, content });
      expect([finish, done, error]).toEqual([completion.choices[0]!.finish_reason, true, null]);
      if (wants.includeUsage) expect(usage).toEqual(completion.usage);
    }),
  );
});

test("what cites a page is told behind its text, at its place in the whole answer; what cites a file is not", () => {
  const long: TestItem = { kind: "text", pieces: ["first ", "text"] };
  const { message } = accumulated(upstreamStream([long, CALL, long]));
  const citation = (start_index: number) => ({
    type: "url_citation",
    url_citation: { url: "https://example.test/a", title: "A", start_index, end_index: start_index + 10 },
  });
  expect(message).toMatchObject({ content: "first text\n\nfirst text", annotations: [citation(0), citation(12)] });
});

describe("how it ends", () => {
  const endsWith = (event: TestEvent, before: readonly TestItem[] = [TEXT]) =>
    accumulated(sse([...upstreamEvents(before).slice(0, -1), event]));
  const incomplete = (reason: string | null): TestEvent => ({
    type: "response.incomplete",
    response: {
      id: "resp_abc",
      status: "incomplete",
      incomplete_details: reason === null ? null : { reason },
      usage: UPSTREAM_USAGE,
    },
  });

  test.each([
    ["max_output_tokens", "length"],
    ["content_filter", "content_filter"],
    ["something new", "length"],
    [null, "length"],
  ])("incomplete for %s is %s", (reason, finish) => {
    expect(endsWith(incomplete(reason))).toMatchObject({ finish, done: true, error: null });
    expect(endsWith(incomplete(reason), [CALL])).toMatchObject({ finish });
  });

  test.each([
    [[TEXT], "stop"],
    [[CALL, TEXT], "tool_calls"],
    [[CUSTOM], "tool_calls"],
    [[REFUSAL], "stop"],
    [[], "stop"],
  ] as [TestItem[], string][])("%o is %s", (said, finish) => {
    expect(accumulated(upstreamStream(said))).toMatchObject({ finish, done: true });
  });

  test("a failure is an error chunk in upstream's words, and nothing after it", () => {
    const failed = {
      type: "response.failed",
      response: { error: { code: "rate_limit_exceeded", message: "slow down" } },
    };
    const { error, finish, done } = endsWith(failed);
    expect(error).toEqual({ message: "slow down", type: "rate_limit_error", code: "rate_limit_exceeded", param: null });
    expect([finish, done]).toEqual([null, false]);
    const top = endsWith({ type: "error", error: { type: "usage_limit_reached", message: "m" } }, []);
    expect(top.error).toEqual({ message: "m", type: "usage_limit_reached", code: null, param: null });
  });

  test("a stream that just stops says that it is no whole answer", () => {
    for (const stream of ["", sse(upstreamEvents([TEXT]).slice(0, 3))]) {
      const { error, finish, done } = accumulated(stream);
      expect(error).toMatchObject({ code: "upstream_cut", type: "server_error" });
      expect([finish, done]).toEqual([null, false]);
    }
  });

  test.each([
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"bro\n\n',
    'data: {"type":"response.completed","response":7}\n\n',
    'data: {"type":"response.output_item.done","item":{"a":tru}}\n\n',
  ])("an event that cannot be read ends it: %s", (event) => {
    const { error, done } = accumulated(sse(upstreamEvents([TEXT]).slice(0, 2)) + event + sse(upstreamEvents([])));
    expect(error).toMatchObject({ code: "upstream_malformed" });
    expect(done).toBe(false);
  });

  test("an event without an end is given up", () => {
    const filter = new ChatChunks(WANTS, nowMs);
    let said = "";
    for (let mib = 0; mib < 20; mib++)
      said += Buffer.from(filter.feed(new Uint8Array(1024 * 1024).fill(0x61))).toString();
    expect(accumulate(chunksOf(said)).error).toMatchObject({ code: "upstream_malformed" });
  });

  test("what follows the end is not passed on", () => {
    const whole = upstreamStream([TEXT]);
    expect(translated(`${whole}data: [DONE]\n\n${whole}`)).toBe(translated(whole));
    expect(translated(whole.trimEnd())).toBe(translated(whole));
  });
});

describe("what it says", () => {
  test("messages and thoughts are paragraphs", () => {
    const { message } = accumulated(upstreamStream([THOUGHT, TEXT, THOUGHT, { kind: "text", pieces: ["bye"] }]));
    expect(message).toMatchObject({ content: 'hel"lo w\n\u2028ö😀\n\nbye', reasoning_content: "**a**b\n\n**a**b" });
  });

  test("a refusal is no content", () => {
    expect(accumulated(upstreamStream([REFUSAL])).message).toEqual({ content: null, refusal: "no way" });
  });

  test("calls side by side, of both kinds", () => {
    expect(accumulated(upstreamStream([CALL, CUSTOM, CALL])).message.tool_calls).toEqual([
      { id: "call_0", type: "function", function: { name: "f", arguments: '{"a":1}' } },
      { id: "call_1", type: "custom", custom: { name: "sh", input: "ls\n" } },
      { id: "call_2", type: "function", function: { name: "f", arguments: '{"a":1}' } },
    ]);
  });

  test("the old form has one call", () => {
    const { message, finish } = accumulated(upstreamStream([CALL, CALL]), { ...WANTS, oldCalls: true });
    expect(message).toEqual({ content: null, refusal: null, function_call: { name: "f", arguments: '{"a":1}' } });
    expect(finish).toBe("function_call");
  });

  test("a stream without its first event has an id all the same", () => {
    const [first] = chunksOf(translated(upstreamStream([TEXT], { ...USUAL, created: false }))) as Json[];
    expect(first).toMatchObject({ id: "chatcmpl-0", created: NOW_MS / 1_000, model: "gpt-5.5" });
  });

  test("events that chat has no word for are never looked into", () => {
    const odd =
      'event: response.novelty\ndata: {"type":"response.novelty",oops\n\n: ping\n\ndata: {"type":"codex.rate_limits",oops\n\n';
    expect(translated(odd + upstreamStream([TEXT]))).toBe(translated(upstreamStream([TEXT])));
  });

  test("the type decides, wherever it stands; data may be several lines", () => {
    const delta =
      'event: response.in_progress\ndata: {"delta":"x",\ndata: "output_index":0,"type":"response.output_text.delta"}\n\n';
    expect(accumulated(delta + upstreamStream([])).message.content).toBe("x");
  });
});

describe("stop sequences", () => {
  const stopped = (texts: readonly string[], ...stop: string[]) =>
    accumulated(upstreamStream([{ kind: "text", pieces: texts }, CALL]), { ...WANTS, stop });

  test.each([
    [["one END two"], ["END"], "one "],
    [["one E", "N", "D two"], ["END"], "one "],
    [["one EN", "EN", "D"], ["END"], "one EN"],
    [["aab"], ["ab", "b"], "a"],
    [["aab"], ["b", "ab"], "a"],
    [["abc"], ["abc", "b"], "a"],
    [["END"], ["END"], null],
    [["a\n", "\nb"], ["\n\n"], "a"],
  ])("%o with %o", (texts, stop, content) => {
    expect(stopped(texts, ...stop)).toMatchObject({ finish: "stop", done: true, message: { content } });
  });

  test("the finish is said at once, usage when upstream is done, and what comes between is not shown", () => {
    const filter = new ChatChunks({ ...WANTS, stop: ["END"] }, nowMs);
    const [created, added, delta, ...rest] = upstreamEvents([
      { kind: "text", pieces: ["hi END and more", "still more"] },
      CALL,
    ]);
    const first = Buffer.from(filter.feed(Buffer.from(sse([created!, added!, delta!])))).toString();
    expect(chunksOf(first).at(-1)).toMatchObject({ choices: [{ finish_reason: "stop" }] });
    const last = Buffer.from(filter.feed(Buffer.from(sse(rest)))).toString();
    expect(chunksOf(last)).toMatchObject([{ choices: [], usage: { completion_tokens: 5 } }, "[DONE]"]);
  });

  test("whatever becomes of the rest, the answer was whole", () => {
    const filter = () => new ChatChunks({ ...WANTS, stop: ["END"] }, nowMs);
    const open = sse(upstreamEvents([{ kind: "text", pieces: ["hi END"] }]).slice(0, 3));
    for (const rest of ["", sse([{ type: "response.failed", response: { error: { code: "x" } } }])]) {
      const one = filter();
      const said = Buffer.concat([
        Buffer.from(one.feed(Buffer.from(open))),
        Buffer.from(one.feed(Buffer.from(rest))),
        one.end(),
      ]);
      expect(accumulate(chunksOf(said.toString()))).toMatchObject({ finish: "stop", done: true, error: null });
    }
  });

  test("what only looked like one is shown", () => {
    expect(stopped(["one EN"], "END")).toMatchObject({ finish: "tool_calls", message: { content: "one EN" } });
  });
});
