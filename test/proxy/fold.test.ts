/** Folding a stream into one answer: any chunking, every kind of end. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { foldStream, ResponseFolder } from "../../src/proxy/fold.ts";
import { statusOfFailure } from "../../src/proxy/stream-error.ts";
import { COMPLETED, sse, streamOf, type TestEvent } from "../support/fake-exchange-engine.ts";

const signal = () => new AbortController().signal;
const fold = (text: string) => foldStream(streamOf([text]), signal());
const item = (index: number | null, id: string): TestEvent => ({
  type: "response.output_item.done",
  ...(index === null ? {} : { output_index: index }),
  item: { id, type: "message", content: [{ type: "output_text", text: `é "${id}"\n` }] },
});
const completed = (output: unknown[] = []): TestEvent => ({
  type: "response.completed",
  response: { id: "resp_1", status: "completed", output, usage: { total_tokens: 4 } },
});

test("the answer is the same wherever the chunks are cut, with either line end", async () => {
  const stream = sse([...COMPLETED.slice(0, 3), item(1, "b"), item(0, "a"), item(null, "z"), completed()]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 30 }), fc.boolean(), async (places, crlf) => {
      const data = Buffer.from(crlf ? stream.replaceAll("\n", "\r\n") : stream);
      const at = places.map((place) => place % data.length).toSorted((a, b) => a - b);
      const chunks = [0, ...at].map((start, index) => data.subarray(start, at[index] ?? data.length));
      const folded = await foldStream(streamOf(chunks), signal());
      if (folded.kind !== "response") throw new Error(folded.kind);
      const output = folded.response.output as { id: string; content: { text: string }[] }[];
      expect(output.map(({ id }) => id)).toEqual(["a", "b", "z"]);
      expect(output[0]!.content[0]!.text).toBe('é "a"\n');
      expect(folded.response).toMatchObject({ id: "resp_1", status: "completed", usage: { total_tokens: 4 } });
    }),
  );
});

test("an output that upstream gave stands; an empty one is filled from the items", async () => {
  const given = [{ id: "given" }];
  expect(await fold(sse([item(0, "a"), completed(given)]))).toMatchObject({ response: { output: given } });
  expect(await fold(sse([item(0, "a"), completed()]))).toMatchObject({ response: { output: [{ id: "a" }] } });
  expect(await fold(sse([completed()]))).toMatchObject({ response: { output: [] } });
});

test("an incomplete response is an answer that says so", async () => {
  const event = {
    type: "response.incomplete",
    response: { status: "incomplete", incomplete_details: { reason: "x" } },
  };
  expect(await fold(sse([item(0, "a"), event]))).toMatchObject({
    kind: "response",
    response: { status: "incomplete", incomplete_details: { reason: "x" }, output: [{ id: "a" }] },
  });
});

test("the last event counts without its blank line, and events without their event line", async () => {
  expect((await fold(sse([completed()]).trimEnd())).kind).toBe("response");
  expect((await fold(`data: ${JSON.stringify(completed())}\n\n`)).kind).toBe("response");
  expect((await fold('data: {"type":"response.completed",\ndata: "response":{"id":"r"}}\n\n')).kind).toBe("response");
});

describe("what goes wrong", () => {
  test.each([
    ["nothing at all", ""],
    ["no end", sse(COMPLETED.slice(0, 4))],
    ["only a sentinel", "data: [DONE]\n\n"],
  ])("%s is a cut", async (_, stream) => {
    expect((await fold(stream)).kind).toBe("cut");
  });

  test("a source that breaks is a cut", async () => {
    const broken = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("reset")) });
    expect((await foldStream(broken, signal())).kind).toBe("cut");
  });

  test("an event that is no JSON, or a response that is none", async () => {
    expect(await fold("event: response.completed\ndata: {oops\n\n")).toMatchObject({ kind: "malformed" });
    expect(await fold('data: {"type":"response.completed"}\n\n')).toMatchObject({ kind: "malformed" });
  });

  test("an event without an end is given up, and its source stopped", async () => {
    let cancelled = false;
    const source = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024).fill(0x61)),
        cancel: () => {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    expect(await foldStream(source, signal())).toMatchObject({ kind: "malformed" });
    expect(cancelled).toBe(true);
  });

  test.each([
    [
      { type: "response.failed", response: { error: { code: "server_is_overloaded", message: "m" } } },
      "server_is_overloaded",
      503,
    ],
    [{ type: "response.failed", response: { error: { code: "slow_down", message: "m" } } }, "slow_down", 503],
    [
      { type: "response.failed", response: { error: { code: "rate_limit_exceeded", message: "m" } } },
      "rate_limit_exceeded",
      429,
    ],
    [{ type: "error", error: { type: "usage_limit_reached", message: "m" } }, null, 429],
    [
      { type: "response.failed", response: { error: { code: "insufficient_quota", message: "m" } } },
      "insufficient_quota",
      429,
    ],
    [{ type: "error", code: "context_length_exceeded", message: "m", param: "input" }, "context_length_exceeded", 400],
    [{ type: "response.failed", response: { error: { code: "cyber_policy", message: "m" } } }, "cyber_policy", 400],
    [{ type: "response.failed", response: { error: { code: "token_expired", message: "m" } } }, "token_expired", 401],
    [{ type: "response.failed", response: { error: { code: "what_is_this", message: "m" } } }, "what_is_this", 502],
  ])("upstream's %o", async (event, code, status) => {
    const folded = await fold(sse([event]));
    if (folded.kind !== "failed") throw new Error(folded.kind);
    expect(folded.error).toMatchObject({ code, message: "m" });
    expect(statusOfFailure(folded.error)).toBe(status);
  });

  test("an error without words has some", async () => {
    const folded = await fold(sse([{ type: "response.failed", response: {} }]));
    expect(folded).toMatchObject({
      kind: "failed",
      error: { code: null, message: "upstream failed without saying why" },
    });
  });
});

test("the rest of the stream is read away, not cancelled: upstream would take that for a client that left", async () => {
  const events: string[] = [];
  let read = 0;
  const chunks = [sse(COMPLETED), "data: [DONE]\n\n", ": bye\n\n"];
  const source = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[read++];
        if (chunk === undefined) {
          events.push("closed");
          controller.close();
        } else controller.enqueue(Buffer.from(chunk));
      },
      cancel: () => void events.push("cancelled"),
    },
    { highWaterMark: 0 },
  );
  expect((await foldStream(source, signal())).kind).toBe("response");
  for (let i = 0; i < 20; i++) await Promise.resolve();
  expect(events).toEqual(["closed"]);
});

test("a client that hangs up cancels the source", async () => {
  const client = new AbortController();
  let reason: unknown = null;
  const source = new ReadableStream<Uint8Array>({
    pull: () => new Promise(() => {}),
    cancel: (why) => {
      reason = why;
    },
  });
  const folding = foldStream(source, client.signal);
  client.abort("left");
  await folding;
  expect(reason).toBe("left");
});

test("deltas are skipped unread: what is not JSON among them does not matter", () => {
  const folder = new ResponseFolder();
  folder.feed(Buffer.from('event: response.output_text.delta\ndata: {"type":"response.output_text.delta",oops\n\n'));
  expect(folder.folded).toBeNull();
  folder.feed(Buffer.from(sse([completed()])));
  expect(folder.folded).toMatchObject({ kind: "response" });
});
