/** A stream's beginning for SDKs: upstream's own as it is, one made for streams without, under every way to cut them. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { sdkEvents } from "../../src/proxy/sdk-events.ts";
import { COMPLETED, sse, type TestEvent } from "../support/fake-exchange-engine.ts";

const NOW_MS = 1_760_000_000_500;

function filtered(chunks: readonly Uint8Array[]): string {
  const filter = sdkEvents(() => NOW_MS)("gpt-5.5");
  return Buffer.concat([...chunks.map((chunk) => filter.feed(chunk)), filter.end()]).toString();
}

/** Cuts `data` at the given places, each taken modulo its length. */
function cut(data: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (data.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((start, index) => data.subarray(start, at[index] ?? data.length));
}

/** The event that was supplied; fails when what follows it is not `after`, byte for byte. */
function suppliedBefore(
  stream: string,
  chunks: readonly Uint8Array[] = [Buffer.from(stream)],
  after = stream,
): TestEvent {
  const text = filtered(chunks);
  expect(text.slice(-after.length)).toBe(after);
  const [, data] = /^event: response\.created\ndata: (.*)\n\n$/.exec(text.slice(0, -after.length))!;
  return JSON.parse(data!) as TestEvent;
}

const [, ...OUTPUT] = COMPLETED as readonly [TestEvent, ...TestEvent[]];
const RESPONSE = {
  id: "resp_1",
  object: "response",
  created_at: 1_750_000_000,
  model: "gpt-5.5-2026-01-01",
  tools: [{ type: "function", name: "look" }],
};
const IN_PROGRESS = { type: "response.in_progress", response: { ...RESPONSE, status: "in_progress" } };
const numbered = (events: readonly TestEvent[], first: number) =>
  events.map((event, index) => ({ ...event, sequence_number: first + index }));
const UNTOUCHED: readonly (readonly TestEvent[])[] = [
  COMPLETED,
  numbered(COMPLETED, 0),
  [{ type: "keepalive" }, ...COMPLETED],
  [{ type: "response.novelty_1" }, ...COMPLETED],
  [{ type: "response.failed", response: { id: "resp_1", status: "failed" } }],
  [{ type: "error", error: { code: "server_error" } }],
  [{ type: "response.metadata" }],
];
/** With what is made of them. */
const STARTLESS: readonly (readonly [readonly TestEvent[], readonly TestEvent[]])[] = [
  [OUTPUT, OUTPUT],
  [numbered(OUTPUT, 1), numbered(OUTPUT, 1)],
  [numbered(OUTPUT, 0), numbered(OUTPUT, 1)],
  [
    numbered([...OUTPUT, ...OUTPUT, ...OUTPUT, ...OUTPUT], 0),
    numbered([...OUTPUT, ...OUTPUT, ...OUTPUT, ...OUTPUT], 1),
  ],
  [
    [IN_PROGRESS, ...OUTPUT],
    [IN_PROGRESS, ...OUTPUT],
  ],
  [[OUTPUT.at(-1)!], [OUTPUT.at(-1)!]],
];

describe("a stream", () => {
  test("that begins as it should passes byte for byte, wherever it is cut", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...UNTOUCHED),
        fc.array(fc.nat()),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.constantFrom("", ": ping\n\n"),
        (events, places, lineEnd, before) => {
          const stream = before + sse(events, lineEnd);
          expect(filtered(cut(Buffer.from(stream), places))).toBe(stream);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("without a beginning gets one, the same wherever it is cut, and nothing else changes", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STARTLESS),
        fc.array(fc.nat()),
        fc.constantFrom("\n", "\r\n", "\r"),
        ([events, after], places, lineEnd) => {
          const stream = sse(events, lineEnd);
          const made = sse(after, lineEnd);
          const bytes = Buffer.from(stream);
          expect(suppliedBefore(stream, cut(bytes, places), made)).toEqual(suppliedBefore(stream, [bytes], made));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("byte by byte, without its last blank line, and after what is no response's", () => {
    const stream = sse(OUTPUT);
    expect(
      suppliedBefore(
        stream,
        Array.from(Buffer.from(stream), (byte) => Buffer.from([byte])),
      ),
    ).toMatchObject({
      response: { status: "in_progress" },
    });
    const lone = sse([OUTPUT.at(-1)!]).trimEnd();
    expect(suppliedBefore(lone).response).toMatchObject({ id: "resp_1", status: "in_progress" });
    const before = `: ping\n\n${sse([{ type: "keepalive" }, { type: "response.novelty_1" }])}`;
    const text = filtered([Buffer.from(before + sse([{ type: "codex.rate_limits" }]) + stream)]);
    expect(text.startsWith(`${before}event: response.created\n`)).toBe(true);
    expect(text.endsWith(stream)).toBe(true);
    expect(text.match(/"type":"response\.created"/g)).toHaveLength(1);
  });

  test("cut inside an event ends as it was cut", () => {
    const whole = sse(COMPLETED);
    for (let length = 0; length < whole.length; length += 7) {
      const part = whole.slice(0, length);
      expect(filtered([Buffer.from(part)])).toBe(part);
    }
    const broken = sse([IN_PROGRESS]).slice(0, -20);
    expect(filtered([Buffer.from(broken)])).toBe(broken);
  });
});

describe("the beginning that is supplied", () => {
  test("says of the response what the first event says, before anything was done", () => {
    const supplied = suppliedBefore(sse([IN_PROGRESS, ...OUTPUT]));
    const fresh = { status: "in_progress", error: null, incomplete_details: null, output: [], usage: null };
    expect(supplied).toMatchObject({ type: "response.created", response: { ...RESPONSE, ...fresh } });
    const done = {
      ...RESPONSE,
      status: "completed",
      completed_at: 1_750_000_009,
      output: [{ id: "msg_1" }],
      usage: {},
    };
    const { response } = suppliedBefore(sse([{ type: "response.completed", response: done }]));
    expect(response).toMatchObject({ ...RESPONSE, ...fresh });
    expect(response).not.toHaveProperty("completed_at");
  });

  test("has an id of its own, the model and the time where no event says them", () => {
    const { response } = suppliedBefore(sse(OUTPUT)) as { response?: { id: string } };
    expect(response).toMatchObject({ object: "response", model: "gpt-5.5", created_at: 1_760_000_000, output: [] });
    expect(response!.id).toMatch(/^resp_rotor_[0-9a-f]{40}$/);
    const other = suppliedBefore(sse([{ ...OUTPUT[0]!, item: { id: "msg_2" } }])) as { response?: { id: string } };
    expect(other.response!.id).not.toBe(response!.id);
  });

  test.each([
    [numbered(OUTPUT, 7), 6],
    [numbered(OUTPUT, 1), 0],
    [OUTPUT, undefined],
    [OUTPUT.map((event) => ({ ...event, sequence_number: -1 })), undefined],
  ] as const)("is numbered one less than what follows, or not at all (%#)", (events, number) => {
    expect(suppliedBefore(sse(events)).sequence_number).toBe(number);
  });

  test.each([
    ["where upstream counts from 0", []],
    ["where something before it took a number", [{ type: "keepalive" }]],
  ] as const)("moves the rest one further %s: numbers stay apart, rise, and leave none out", (_, before) => {
    const text = filtered([Buffer.from(sse(numbered([...before, ...OUTPUT], 0)))]);
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as TestEvent);
    expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((__, place) => place));
    expect(events[before.length]).toMatchObject({ type: "response.created" });
    const unnumbered = events.toSpliced(before.length, 1).map(({ sequence_number: _number, ...event }) => event);
    expect(unnumbered).toEqual([...before, ...OUTPUT]);
  });

  test("has the id that the first event names", () => {
    const [first, ...others] = OUTPUT;
    const { response } = suppliedBefore(sse([{ ...first!, response_id: "resp_7" }, ...others]));
    expect(response).toMatchObject({ id: "resp_7", status: "in_progress" });
  });
});

describe("what it costs", () => {
  test("a chunk that begins with upstream's own is handed on uncopied, and so is all after a supplied one", () => {
    const filter = sdkEvents(() => NOW_MS)(null);
    for (const chunk of [Buffer.from(sse(COMPLETED.slice(0, 2))), Buffer.from(sse(COMPLETED.slice(2)))]) {
      const passed = filter.feed(chunk);
      expect([passed.buffer, passed.byteOffset, passed.length]).toEqual([chunk.buffer, chunk.byteOffset, chunk.length]);
    }
    const late = sdkEvents(() => NOW_MS)(null);
    late.feed(Buffer.from(sse(OUTPUT.slice(0, 1))));
    const chunk = Buffer.from(sse(OUTPUT.slice(1)));
    const passed = late.feed(chunk);
    expect([passed.buffer, passed.byteOffset, passed.length]).toEqual([chunk.buffer, chunk.byteOffset, chunk.length]);
  });

  test("no event waits for the next one", () => {
    for (const events of [COMPLETED, OUTPUT, [{ type: "keepalive" }, ...OUTPUT]]) {
      const filter = sdkEvents(() => NOW_MS)(null);
      for (const event of events) expect(filter.feed(Buffer.from(sse([event]))).toString()).toEndWith(sse([event]));
    }
  });
});
