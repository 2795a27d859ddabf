/** Framing comes off the same way wherever the bytes are cut, and what is no framing is a fault. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type BodyDecoder, createBodyDecoder } from "../../src/upstream/body-decoder.ts";
import { HttpFault } from "../../src/upstream/http-client.ts";

const bytesOf = (text: string) => Buffer.from(text, "latin1");

/** Feeds `wire` in pieces that end at `cuts`; stops when the decoder is done. */
function decode(decoder: BodyDecoder, wire: Uint8Array, cuts: readonly number[]): { body: Buffer; unread: number } {
  const pieces: Buffer[] = [];
  const ends = [...new Set([...cuts.map((cut) => cut % (wire.length + 1)), wire.length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of ends) {
    if (decoder.done) break;
    // A copy each time, as a socket hands them out: the decoder may rearrange what it is given.
    pieces.push(Buffer.from(decoder.feed(Uint8Array.from(wire.subarray(from, to)))));
    from = to;
  }
  return { body: Buffer.concat(pieces), unread: decoder.excess + wire.length - from };
}

const extensionOf = (n: number) => ["", ";a", ";a=b", ' ;a="b;c"'][n % 4]!.replace(" ", "");

test("chunks in any sizes, with extensions and trailers, cut anywhere", () => {
  const chunk = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 70 }), fc.nat(3), fc.boolean());
  const cuts = fc.array(fc.nat(4_000), { maxLength: 60 });
  const trailers = fc.constantFrom("", "x: y\r\n", "a: b\r\nlonger: with a value\r\n");
  const behind = fc.uint8Array({ maxLength: 5 });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), cuts, trailers, behind, (chunks, at, trailer, excess) => {
      const parts = chunks.flatMap(([data, extension, upper]) => {
        const size = data.length.toString(16);
        return [bytesOf(`${upper ? size.toUpperCase() : size}${extensionOf(extension)}\r\n`), data, bytesOf("\r\n")];
      });
      const wire = Buffer.concat([...parts, bytesOf(`0\r\n${trailer}\r\n`), excess]);
      const decoder = createBodyDecoder({ kind: "chunked" });
      const { body, unread } = decode(decoder, wire, at);
      expect(body.equals(Buffer.concat(chunks.map(([data]) => data)))).toBe(true);
      expect(decoder.done).toBe(true);
      expect(unread).toBe(excess.length);
    }),
    { numRuns: 500 },
  );
});

test("a stated length, cut anywhere, and not a byte more", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(300),
      fc.array(fc.nat(400), { maxLength: 10 }),
      (wire, length, cuts) => {
        const decoder = createBodyDecoder({ kind: "length", bytes: length });
        const { body, unread } = decode(decoder, wire, cuts);
        expect(body.equals(Buffer.from(wire.subarray(0, length)))).toBe(true);
        expect(decoder.done).toBe(wire.length >= length);
        expect(unread).toBe(Math.max(0, wire.length - length));
      },
    ),
  );
});

test("a body until the end of the connection is never done by itself", () => {
  const decoder = createBodyDecoder({ kind: "close" });
  expect(decode(decoder, bytesOf("anything"), [3]).body.toString()).toBe("anything");
  expect(decoder.done).toBe(false);
});

describe("no chunk", () => {
  test.each([
    ["no size", "\r\n"],
    ["not hexadecimal", "g\r\n"],
    ["a sign", "-1\r\n"],
    ["a prefix", "0x1\r\n"],
    ["a blank first", " 1\r\na\r\n0\r\n\r\n"],
    ["a blank after", "1 \r\na\r\n0\r\n\r\n"],
    ["LF alone after the size", "1\na\r\n0\r\n\r\n"],
    ["LF alone after the data", "1\r\na\n0\r\n\r\n"],
    ["CR and something else", "1\rXa\r\n"],
    ["more data than said", "1\r\nab\r\n0\r\n\r\n"],
    ["a size without end", `${"0".repeat(13)}\r\n\r\n`],
    ["LF in an extension", "1;a\nb\r\n"],
    ["an extension without end", `1;${"x".repeat(20_000)}`],
    ["trailers without end", `0\r\n${"x: y\r\n".repeat(5_000)}`],
    ["LF alone in a trailer", "0\r\nx: y\n\r\n"],
  ])("%s", (_, wire) => {
    for (const cuts of [[], Array.from({ length: Math.min(wire.length, 100) }, (_, at) => at)]) {
      expect(() => decode(createBodyDecoder({ kind: "chunked" }), bytesOf(wire), cuts)).toThrow(HttpFault);
    }
  });
});

test("any bytes at all: the same in one piece as in many", () => {
  const noise = fc.array(fc.constantFrom("0", "1", "5", "a", ";", "\r\n", "\r", "\n", "hello"), { maxLength: 40 });
  const outcome = (wire: Uint8Array, cuts: readonly number[]) => {
    const decoder = createBodyDecoder({ kind: "chunked" });
    try {
      const { body, unread } = decode(decoder, wire, cuts);
      return `${body.toString("hex")} ${decoder.done} ${decoder.done ? unread : 0}`;
    } catch {
      return "fault";
    }
  };
  fc.assert(
    fc.property(noise, fc.array(fc.nat(100), { maxLength: 30 }), (pieces, cuts) => {
      const wire = bytesOf(pieces.join(""));
      expect(outcome(wire, cuts)).toBe(outcome(wire, []));
    }),
    { numRuns: 2_000 },
  );
});
