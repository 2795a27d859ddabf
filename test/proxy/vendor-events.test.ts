/** The filter of vendor events under every way to cut a stream. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { VendorEventFilter } from "../../src/proxy/vendor-events.ts";
import { COMPLETED, sse } from "../support/fake-exchange-engine.ts";

const text = (parts: Uint8Array[]) => Buffer.concat(parts).toString();

function filtered(chunks: Uint8Array[]): string {
  const filter = new VendorEventFilter();
  return text([...chunks.map((chunk) => filter.feed(chunk)), filter.end()]);
}

/** Cuts `data` at the given places, each taken modulo its length. */
function cut(data: Buffer, places: number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (data.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((start, index) => data.subarray(start, at[index] ?? data.length));
}

const block = fc.oneof(
  fc.record({
    vendor: fc.constant(true),
    lines: fc.constantFrom(
      ["event: codex.rate_limits", 'data: {"type":"codex.rate_limits","x":1}'],
      ['data: {"type":"codex.response.metadata"}'],
      ['data:{ "type": "codex.x"}'],
      ["event:codex.rate_limits", "data: {}"],
    ),
  }),
  fc.record({
    vendor: fc.constant(false),
    lines: fc.constantFrom(
      ["event: response.created", 'data: {"type":"response.created"}'],
      ['data: {"type":"response.output_text.delta","delta":"codex.rate_limits"}'],
      ["event: response.output_text.delta", 'data: {"type":"response.output_text.delta","delta":"event: codex.x"}'],
      [": ping"],
      ["data: [DONE]"],
      ["event: codec", `data: ${"x".repeat(100)}`],
      ["e"],
    ),
  }),
);

describe("filter", () => {
  test("whole vendor events go and all else stays, wherever the chunks are cut", () => {
    fc.assert(
      fc.property(fc.array(block), fc.array(fc.nat()), fc.constantFrom("\n", "\r\n"), (blocks, places, lineEnd) => {
        const write = (list: typeof blocks) => list.map(({ lines }) => [...lines, "", ""].join(lineEnd)).join("");
        const chunks = cut(Buffer.from(write(blocks)), places);
        expect(filtered(chunks)).toBe(write(blocks.filter(({ vendor }) => !vendor)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("byte by byte too", () => {
    const events = [COMPLETED[0]!, { type: "codex.rate_limits", plan_type: "plus" }, ...COMPLETED.slice(1)];
    for (const lineEnd of ["\n", "\r\n"]) {
      const bytes = Buffer.from(sse(events, lineEnd));
      expect(filtered(Array.from(bytes, (byte) => Buffer.from([byte])))).toBe(sse(COMPLETED, lineEnd));
    }
  });

  test("whole events without a vendor's are handed on at once, uncopied", () => {
    const chunk = Buffer.from(sse(COMPLETED));
    const passed = new VendorEventFilter().feed(chunk);
    expect([passed.buffer, passed.byteOffset, passed.length]).toEqual([chunk.buffer, chunk.byteOffset, chunk.length]);
  });

  test("no event waits for the next one", () => {
    const filter = new VendorEventFilter();
    for (const event of [{ type: "codex.rate_limits" }, ...COMPLETED]) {
      const passed = filter.feed(Buffer.from(sse([event]))).toString();
      expect(passed).toBe(event.type.startsWith("codex.") ? "" : sse([event]));
    }
  });

  test("a stream cut inside an event ends as it was cut", () => {
    const whole = Buffer.from(sse(COMPLETED));
    for (let length = 0; length < whole.length; length += 7) {
      expect(filtered([whole.subarray(0, length)])).toBe(whole.toString("utf8", 0, length));
    }
  });
});
