/** Faults inside a 200: told failures, breaks, and odd forms of the stream. */
import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import type { FaultKind, StreamPoint } from "../../src/simulator/faults.ts";
import type { JsonObject } from "../../src/simulator/json.ts";
import {
  eventsOf,
  rawAsk,
  rawExchange,
  startBench,
  startTimedBench,
  type TestBench,
  textOf,
  typesOf,
  until,
} from "./support.ts";

const TEXT = "SIM alpha says: hello";

async function streamWith(fault: Omit<FaultSpec, "at">, text = "hello"): Promise<{ response: Response; text: string }> {
  await using bench = await startBench();
  bench.fault({ at: "responses", ...fault } as FaultSpec);
  const response = await bench.ask(text);
  return { response, text: await response.text() };
}

/** The bytes of a stream, chunk framing included, and how the connection ended. */
async function rawWith(kind: FaultKind, point?: StreamPoint) {
  await using bench = await startBench();
  bench.fault({ at: "responses", kind, ...(point ? { point } : {}) });
  const result = await rawExchange(bench.sim.port, rawAsk(bench, "hello"));
  return { ...result, record: bench.sim.requests()[0]! };
}

const FAILURES: [FaultKind, string][] = [
  ["failed_overloaded", "server_is_overloaded"],
  ["failed_slow_down", "slow_down"],
  ["failed_usage_limit", "usage_limit_reached"],
  ["failed_rate_limit", "rate_limit_exceeded"],
  ["failed_quota", "insufficient_quota"],
  ["failed_not_included", "usage_not_included"],
  ["failed_context_length", "context_length_exceeded"],
  ["failed_invalid_prompt", "invalid_prompt"],
  ["failed_policy", "cyber_policy"],
  ["failed_unknown", "something_new"],
];

describe("failures told inside a 200", () => {
  test.each(FAILURES)("%s", async (kind, code) => {
    const { response, text } = await streamWith({ kind });
    expect(response.status).toBe(200);
    expect(typesOf(text)).toEqual(["response.created", "response.in_progress", "response.failed"]);
    const failed = eventsOf(text).at(-1)!.response as JsonObject;
    expect(failed).toMatchObject({ status: "failed", usage: null, error: { code } });
  });

  test("carry their details", async () => {
    const limit = await streamWith({ kind: "failed_usage_limit", resetsInSeconds: 60 });
    expect(limit.text).toContain('"resets_in_seconds":60');
    const rate = await streamWith({ kind: "failed_rate_limit", tryAgainIn: "6m0s" });
    expect(rate.text).toContain("try again in 6m0s");
  });

  test("before the first output nothing is charged, after it is", async () => {
    await using bench = await startBench({ accounts: [{ windows: [{ minutes: 300, capacityRequests: 4 }] }] });
    const [window] = bench.sim.account("alpha").buckets[0]!.windows;
    bench.fault({ at: "responses", kind: "failed_overloaded" });
    bench.fault({ at: "responses", kind: "failed_overloaded", point: "middle" });
    await (await bench.ask("hi")).text();
    expect(window!.used).toBe(0);
    await (await bench.ask("hi")).text();
    expect(window!.used).toBe(1);
  });

  test.each(["middle", "end"] as const)("can come at the %s", async (point) => {
    const { text } = await streamWith({ kind: "failed_overloaded", point });
    const types = typesOf(text);
    expect(types.at(-1)).toBe("response.failed");
    expect(types).toContain("response.output_text.delta");
    expect(types.includes("response.output_text.done")).toBe(point === "end");
    expect(TEXT).toStartWith(textOf(text));
  });

  test("an error event without a response, and one that is a limit", async () => {
    const plain = await streamWith({ kind: "error_event" });
    expect(typesOf(plain.text)).toEqual(["response.created", "response.in_progress", "error"]);
    expect(eventsOf(plain.text).at(-1)).toMatchObject({ error: { code: "server_error" } });
    const limit = await streamWith({ kind: "error_event", code: "usage_limit_reached", resetsInSeconds: 60 });
    expect(eventsOf(limit.text).at(-1)).toMatchObject({
      status: 429,
      error: { type: "usage_limit_reached", resets_in_seconds: 60 },
    });
  });

  test("incomplete", async () => {
    const { text } = await streamWith({ kind: "incomplete", point: "middle" });
    expect(eventsOf(text).at(-1)!.response).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
    });
  });
});

describe("breaks", () => {
  const lastChunk = "0\r\n\r\n";
  test.each([
    ["cut", "opening", "fin"],
    ["cut", "middle", "fin"],
    ["cut", "end", "fin"],
    ["cut_reset", "opening", "reset"],
    ["cut_reset", "middle", "reset"],
    ["cut_reset", "end", "reset"],
  ] as const)("%s at the %s", async (kind, point, end) => {
    const result = await rawWith(kind, point);
    expect(result.end).toBe(end);
    expect(result.record).toMatchObject({ end: "cut", status: 200 });
    if (end === "reset" && result.text === "") return; // The peer may drop what it had not read when it sees the reset.
    expect(result.text).toContain("response.in_progress");
    expect(result.text).not.toContain("response.completed");
    expect(result.text).not.toEndWith(lastChunk);
    expect(result.text.includes("response.output_text.delta")).toBe(point !== "opening");
    expect(result.text.includes("response.output_text.done")).toBe(point === "end");
  });

  test("missing_completed ends in order", async () => {
    const result = await rawWith("missing_completed");
    expect(result.end).toBe("fin");
    expect(result.text).not.toContain("response.completed");
    expect(result.text).toEndWith(lastChunk);
  });

  test.each(["opening", "middle", "end"] as const)("stall at the %s holds until the client leaves", async (point) => {
    await using bench = await startBench();
    bench.fault({ at: "responses", kind: "stall", point });
    const leave = new AbortController();
    const response = await fetch(`${bench.sim.url}/codex/responses`, {
      method: "POST",
      headers: bench.headers(),
      body: JSON.stringify({ ...askBody(), stream: true }),
      signal: leave.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    const [record] = bench.sim.requests();
    const sent = { opening: 2, middle: 5, end: 9 }[point];
    await until(() => record!.eventsSent === sent);
    expect(record!.end).toBe("open");
    leave.abort();
    await until(() => record!.end === "client_closed");
    expect(record!.eventsSent).toBe(sent);
    expect(record!.eventsPlanned!).toBeGreaterThan(sent);
  });

  test("pause goes on after its time", async () => {
    await using bench = await startTimedBench();
    bench.fault({ at: "responses", kind: "pause", point: "middle", delayMs: 60_000 });
    const response = await bench.ask("hello");
    const text = response.text();
    await until(() => bench.time.pending() === 1);
    expect(bench.sim.gauges.openStreams).toBe(1);
    await bench.time.advance(60_000);
    expect(typesOf(await text).at(-1)).toBe("response.completed");
  });
});

function askBody(): JsonObject {
  return {
    model: "gpt-5.5",
    instructions: "",
    input: [{ role: "user", content: "hello" }],
    store: false,
    reasoning: { effort: "none" },
  };
}

/** The chunks of a raw answer (RFC 9112 §7.1), the last empty one left out. */
function chunksOf(answer: string): string[] {
  const chunks: string[] = [];
  let rest = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  for (;;) {
    const line = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, line), 16);
    if (size === 0) return chunks;
    chunks.push(rest.slice(line + 2, line + 2 + size));
    rest = rest.slice(line + 2 + size + 2);
  }
}

describe("odd forms", () => {
  test("done_marker follows the end", async () => {
    const { text } = await streamWith({ kind: "done_marker" });
    expect(text).toEndWith("data: [DONE]\n\n");
  });

  test("bad_json_event stands between good ones", async () => {
    const { text } = await streamWith({ kind: "bad_json_event", point: "middle" });
    const data = text.split("\n").filter((line) => line.startsWith("data: "));
    const broken = data.filter((line) => {
      try {
        JSON.parse(line.slice(6));
        return false;
      } catch {
        return true;
      }
    });
    expect(broken).toHaveLength(1);
    expect(text).toContain("event: response.completed");
  });

  test("no_event_lines, no_final_blank_line", async () => {
    const bare = await streamWith({ kind: "no_event_lines" });
    expect(bare.text).not.toContain("event: ");
    expect(textOf(bare.text)).toBe(TEXT);
    const open = await streamWith({ kind: "no_final_blank_line" });
    expect(open.text).toEndWith("}\n");
    expect(open.text).not.toEndWith("\n\n");
    expect(textOf(open.text)).toBe(TEXT);
  });

  test("crlf and cr", async () => {
    const crlf = (await streamWith({ kind: "crlf" })).text;
    expect(crlf.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    const cr = (await streamWith({ kind: "cr" })).text;
    expect(cr).not.toContain("\n");
    for (const text of [crlf, cr]) expect(textOf(text)).toBe(TEXT);
  });

  test("comments, unknown events and keepalives are there and harm nothing", async () => {
    const comments = await streamWith({ kind: "comments" });
    expect(comments.text.match(/^: ping$/gm)!.length).toBe(typesOf(comments.text).length);
    const unknown = await streamWith({ kind: "unknown_events", count: 2 });
    expect(typesOf(unknown.text).slice(2, 4)).toEqual(["response.novelty_0", "response.novelty_1"]);
    const alive = await streamWith({ kind: "keepalive_events", count: 200, point: "opening" });
    expect(typesOf(alive.text).filter((type) => type === "keepalive")).toHaveLength(200);
    for (const { text } of [comments, unknown, alive]) expect(textOf(text)).toBe(TEXT);
  });

  test("keepalives can take their time", async () => {
    await using bench = await startTimedBench();
    bench.fault({ at: "responses", kind: "keepalive_events", count: 3, delayMs: 10_000 });
    const text = (await bench.ask("hello")).text();
    for (let n = 0; n < 3; n++) {
      await until(() => bench.time.pending() === 1);
      await bench.time.advance(10_000);
    }
    expect(typesOf(await text).at(-1)).toBe("response.completed");
  });

  test("byte_writes: every chunk is one byte", async () => {
    const { text } = await rawWith("byte_writes");
    const sizes = chunksOf(text).map((chunk) => chunk.length);
    expect(sizes.length).toBeGreaterThan(2_000);
    expect(new Set(sizes)).toEqual(new Set([1]));
    const whole = await streamWith({ kind: "byte_writes" }, "héllo 😀");
    expect(textOf(whole.text)).toBe("SIM alpha says: héllo 😀");
  });

  test("one_write: one chunk holds it all", async () => {
    const { text } = await rawWith("one_write");
    const chunks = chunksOf(text);
    expect(chunks).toHaveLength(1);
    expect(textOf(chunks[0]!)).toBe(TEXT);
  });

  test("huge_event and line_separator", async () => {
    const huge = await streamWith({ kind: "huge_event", bytes: 2_000_000 });
    const longest = Math.max(...huge.text.split("\n\n").map((block) => block.length));
    expect(longest).toBeGreaterThan(2_000_000);
    expect(textOf(huge.text).length).toBe(2_000_000 + TEXT.length);
    const odd = await streamWith({ kind: "line_separator" });
    expect(odd.text).toContain("\u2028\u2029\u{1F600}");
    expect(textOf(odd.text)).toContain("\u2028");
  });

  test("gzip although nobody asked, and a wrong content type", async () => {
    await using bench = await startBench();
    bench.fault({ at: "responses", kind: "gzip" });
    const response = await fetch(`${bench.sim.url}/codex/responses`, {
      method: "POST",
      headers: { ...bench.headers(), "accept-encoding": "identity" },
      body: JSON.stringify({ ...askBody(), stream: true }),
      decompress: false,
    });
    expect(response.headers.get("content-encoding")).toBe("gzip");
    expect(textOf(gunzipSync(await response.bytes()).toString())).toBe(TEXT);
    const mislabelled = await streamWith({ kind: "wrong_content_type" });
    expect(mislabelled.response.headers.get("content-type")).toBe("application/json");
    expect(textOf(mislabelled.text)).toBe(TEXT);
  });

  test("no_deltas: the finished items alone tell it", async () => {
    const { text } = await streamWith({ kind: "no_deltas" });
    expect(typesOf(text).filter((type) => type.endsWith(".delta"))).toEqual([]);
    expect(typesOf(text).at(-1)).toBe("response.completed");
    expect(text).toContain(TEXT);
  });

  test("no_created, empty_output, rate_limits_event, model_header", async () => {
    const bare = await streamWith({ kind: "no_created" });
    expect(typesOf(bare.text)[0]).toBe("response.output_item.added");
    const empty = await streamWith({ kind: "empty_output" });
    expect((eventsOf(empty.text).at(-1)!.response as JsonObject).output).toEqual([]);
    const limits = await streamWith({ kind: "rate_limits_event" });
    expect(eventsOf(limits.text)[0]).toMatchObject({
      type: "codex.rate_limits",
      plan_type: "plus",
      rate_limits: { allowed: true, primary: { window_minutes: 300 } },
    });
    const model = await streamWith({ kind: "model_header", model: "gpt-other" });
    expect(model.response.headers.get("openai-model")).toBe("gpt-other");
  });
});

describe("pace and the client's close", () => {
  test("deltas, their size and the time between them are settings", async () => {
    await using bench = await startTimedBench({
      pacing: { deltas: 5, deltaChars: 4, firstDelayMs: 500, headDelayMs: 100 },
    });
    const text = (await bench.ask("hello")).text();
    for (const delayMs of [100, 500]) {
      await until(() => bench.time.pending() === 1);
      await bench.time.advance(delayMs);
    }
    expect(eventsOf(await text).filter((event) => event.type === "response.output_text.delta")).toHaveLength(5);
    expect(textOf(await text)).toHaveLength(20);
  });

  test("a client's close is seen, and said with the events that had left", async () => {
    await using bench = await startTimedBench({ pacing: { deltas: 100, delayMs: 1_000 } });
    const leave = new AbortController();
    const response = await fetch(`${bench.sim.url}/codex/responses`, {
      method: "POST",
      headers: bench.headers(),
      body: JSON.stringify({ ...askBody(), stream: true }),
      signal: leave.signal,
    });
    const [record] = bench.sim.requests();
    await step(bench, 20);
    await until(() => record!.eventsSent === 21);
    leave.abort();
    await until(() => record!.end === "client_closed");
    expect(record).toMatchObject({ status: 200, eventsSent: 21 });
    expect(record!.eventsPlanned).toBeGreaterThan(100);
    expect(bench.sim.gauges.openStreams).toBe(0);
    expect(response.status).toBe(200);
  });

  async function step(
    bench: TestBench & { time: { advance(ms: number): Promise<void>; pending(): number } },
    times: number,
  ) {
    for (let n = 0; n < times; n++) {
      await until(() => bench.time.pending() === 1);
      await bench.time.advance(1_000);
    }
  }
});
