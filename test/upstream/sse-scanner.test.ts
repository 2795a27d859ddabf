/** The scanner against a plain reading of the grammar, whatever the chunks; and every oddity of streams seen or allowed. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EVENT_TYPES, type EventType, isEventType } from "../../src/upstream/sse-events.ts";
import { createSseScanner } from "../../src/upstream/sse-scanner.ts";
import { completed, created, delta, inProgress, sse, WHOLE_STREAM } from "../vectors/streams.ts";

type Seen = readonly [type: EventType | null, data: string | null];

/** Feeds `bytes` cut at `cuts`. Each chunk is overwritten after it was fed: the scanner may keep nothing of it. */
function scan(bytes: Uint8Array, cuts: readonly number[] = []): Seen[] {
  const seen: Seen[] = [];
  const scanner = createSseScanner((type, data) =>
    seen.push([type, data === null ? null : new TextDecoder().decode(data)]),
  );
  const edges = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < edges.length; i++) {
    const chunk = bytes.slice(edges[i - 1], edges[i]);
    const before = chunk.slice();
    scanner.feed(chunk);
    expect(chunk).toEqual(before);
    chunk.fill(0x58);
  }
  scanner.finish();
  return seen;
}

const scanText = (text: string, cuts?: readonly number[]) => scan(new TextEncoder().encode(text), cuts);

/** The same by splitting lines and parsing everything. */
function readPlainly(text: string): Seen[] {
  const seen: Seen[] = [];
  let data: string[] = [];
  let named: string | null = null;
  for (const line of [...text.split(/\r\n|\r|\n/), ""]) {
    if (line === "") {
      if (data.length > 0) seen.push(readEvent(named, data.join("\n")));
      data = [];
      named = null;
    } else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    else if (line.startsWith("event:") && data.length === 0) named = line.slice(6).replace(/^ /, "");
  }
  return seen;
}

function readEvent(named: string | null, data: string): Seen {
  let type: string | null = named;
  try {
    type = JSON.parse(data).type ?? named;
  } catch {}
  if (type === null || !isEventType(type)) return [null, null];
  return [type, EVENT_TYPES[type] === "nothing" ? null : data];
}

const END = JSON.stringify(completed);

describe("a whole stream", () => {
  test("is read as what it is", () => {
    expect(scanText(WHOLE_STREAM)).toEqual([
      ["response.created", null],
      ["response.in_progress", null],
      [null, null],
      [null, null],
      [null, null],
      ["response.completed", END],
    ]);
  });

  test("byte by byte", () => {
    const cuts = Array.from({ length: WHOLE_STREAM.length }, (_, at) => at);
    expect(scanText(WHOLE_STREAM, cuts)).toEqual(scanText(WHOLE_STREAM));
  });

  test.each(["\n", "\r\n", "\r"])("with line end %j, cut anywhere", (lineEnd) => {
    const text = [created, inProgress, delta("x"), completed].map((event) => sse(event, lineEnd)).join("");
    const whole = scanText(text);
    expect(whole.map(([type]) => type)).toEqual([
      "response.created",
      "response.in_progress",
      null,
      "response.completed",
    ]);
    for (let cut = 0; cut <= text.length; cut++) expect(scanText(text, [cut])).toEqual(whole);
  });
});

describe("an oddity", () => {
  const cases: readonly (readonly [string, string, readonly Seen[]])[] = [
    ["no event line", `data: ${END}\n\n`, [["response.completed", END]]],
    ["no space after the colon", `event:response.completed\ndata:${END}\n\n`, [["response.completed", END]]],
    ["no final blank line", `data: ${END}\n`, [["response.completed", END]]],
    ["no final line end", `data: ${END}`, [["response.completed", END]]],
    ["comments between and within", `: ping\n\n: a\ndata: ${END}\n: b\n\n:\n\n`, [["response.completed", END]]],
    ["[DONE] is no event that matters", "data: [DONE]\n\n", [[null, null]]],
    ["a name without data is none", "event: response.completed\n\n", []],
    ["a name does not reach the next event", `event: error\n\ndata: [DONE]\n\n`, [[null, null]]],
    ["id and retry lines", `id: 7\nretry: 10\ndata: ${END}\n\n`, [["response.completed", END]]],
    ["a field that only begins like data", `database: ${END}\n\n`, []],
    ["the JSON's type decides", `event: ping\ndata: ${END}\n\n`, [["response.completed", END]]],
    ["the JSON's type decides the other way", 'event: error\ndata: {"type":"x"}\n\n', [[null, null]]],
    ["the name helps where the type is hidden", 'event: error\ndata: {"a":1}\n\n', [["error", '{"a":1}']]],
    ["type not first", 'data: {"a":1,"type":"error"}\n\n', [["error", '{"a":1,"type":"error"}']]],
    ["type with spaces", 'data:  { "type" : "error" }\n\n', [["error", ' { "type" : "error" }']]],
    ["type not first, of no interest", 'data: {"a":1,"type":"response.created"}\n\n', [["response.created", null]]],
    ["data over several lines", 'data: {\ndata: "type":"error"}\n\n', [["error", '{\n"type":"error"}']]],
    [
      "data over several lines, type first",
      'data: {"type":"error",\ndata: "a":1}\n\n',
      [["error", '{"type":"error",\n"a":1}']],
    ],
    ["a longer name with a known start", 'data: {"type":"response.completed.x"}\n\n', [[null, null]]],
    ["a type that is cut off", 'data: {"type":"response.comp', [[null, null]]],
    ["nested type", 'data: {"type":"x","response":{"type":"error"}}\n\n', [[null, null]]],
    ["not JSON at all", "data: {nonsense\n\n", [[null, null]]],
    ["an empty stream", "", []],
  ];
  for (const [name, text, wanted] of cases) {
    test(name, () => {
      expect(scanText(text)).toEqual([...wanted]);
      for (let cut = 0; cut <= text.length; cut++) expect(scanText(text, [cut])).toEqual([...wanted]);
    });
  }
});

describe("any stream in any chunks", () => {
  const types = fc.constantFrom(...(Object.keys(EVENT_TYPES) as EventType[]), "response.output_text.delta", "x");
  const event = fc.record({
    type: types,
    text: fc.oneof(
      fc.string({ unit: "binary", maxLength: 100 }),
      fc.constantFrom("\u2028", "é".repeat(90), '"usage":{'),
    ),
    named: fc.boolean(),
    typeFirst: fc.boolean(),
    before: fc.constantFrom("", ": ping", "id: 1", ": ping\n"),
  });
  const text = fc
    .tuple(fc.array(event, { maxLength: 12 }), fc.constantFrom("\n", "\r\n", "\r"), fc.boolean())
    .map(([events, lineEnd, finalBlank]) => {
      const blocks = events.map(({ type, text, named, typeFirst, before }) => {
        const json = JSON.stringify(typeFirst ? { type, text } : { text, type });
        const lines = [...before.split("\n"), named ? `event: ${type}` : "", `data: ${json}`].filter((line) => line);
        return `${lines.join(lineEnd)}${lineEnd}${lineEnd}`;
      });
      const whole = blocks.join("");
      return finalBlank ? whole : whole.slice(0, Math.max(0, whole.length - lineEnd.length));
    });

  test("is read the same, and as a plain reading would", () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 40 }), (sent, cuts) => {
        const whole = scanText(sent);
        expect(whole).toEqual(readPlainly(sent));
        expect(scanText(sent, cuts)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  test("bytes of no grammar at all do no harm", () => {
    const soup = fc.array(
      fc.constantFrom("data: ", "event: error", "\r", "\n", ":", '{"type":"error"', "}", "\u0000", "data"),
    );
    fc.assert(
      fc.property(soup, fc.array(fc.nat(), { maxLength: 20 }), (parts, cuts) => {
        const bytes = new TextEncoder().encode(parts.join(""));
        expect(scan(bytes, cuts)).toEqual(scan(bytes));
      }),
      { numRuns: 300 },
    );
  });
});

describe("a huge event", () => {
  const huge = "x".repeat(20 * 1024 * 1024);
  const chunks = (text: string) => Array.from({ length: text.length / 65_536 }, (_, i) => i * 65_536);

  test("of output is passed over", () => {
    const text = sse(delta(huge)) + sse(completed);
    expect(scanText(text, chunks(text)).map(([type]) => type)).toEqual([null, "response.completed"]);
  });

  test("that ends the stream keeps its last bytes only", () => {
    const end = { ...completed, response: { output: huge, usage: { input_tokens: 1 } } };
    const [seen] = scanText(sse(end), chunks(sse(end)));
    expect(seen![0]).toBe("response.completed");
    expect(seen![1]!.length).toBeLessThan(200 * 1024);
    expect(seen![1]!.endsWith('"usage":{"input_tokens":1}}}')).toBe(true);
  });

  test("that failed is known as failed, without its data", () => {
    const failed = { type: "response.failed", response: { instructions: huge } };
    expect(scanText(sse(failed), chunks(sse(failed)))).toEqual([["response.failed", null]]);
  });
});

test("the type of an event is known before its end", () => {
  const scanner = createSseScanner(() => {});
  const types: (EventType | null)[] = [];
  const text = `event: response.failed\ndata: {"type":"response.failed","response":{"id":"resp_1","status":"failed","error":`;
  for (const part of [text, "{}}", "}\n", "\n"]) {
    scanner.feed(new TextEncoder().encode(part));
    types.push(scanner.openType());
  }
  expect(types).toEqual(["response.failed", "response.failed", "response.failed", null]);
});
