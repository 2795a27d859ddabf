/** A body in pieces is the same body. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { bodyOf, lengthOf, piecesOf, wholeOf } from "../../src/base/body-bytes.ts";

test("length, pieces and whole agree, whatever the pieces", () => {
  const sizes = fc.array(fc.oneof(fc.nat(50), fc.constantFrom(0, 65_535, 65_536, 70_000)), { maxLength: 6 });
  fc.assert(
    fc.property(sizes, (lengths) => {
      const pieces = lengths.map((length, nth) => new Uint8Array(length).fill(nth));
      const whole = Buffer.concat(pieces);
      const body = bodyOf(pieces);
      expect(lengthOf(body)).toBe(whole.length);
      expect(Buffer.concat(piecesOf(body)).equals(whole)).toBe(true);
      expect(Buffer.from(wholeOf(body)).equals(whole)).toBe(true);
    }),
  );
});

test("a short body is one piece, a long one is not copied", () => {
  const [head, long] = [new Uint8Array(1), new Uint8Array(1_000_000)];
  expect(bodyOf([head, head])).toBeInstanceOf(Uint8Array);
  expect(bodyOf([head, long])).toEqual([head, long]);
  expect(wholeOf(long)).toBe(long);
});
