/**
 * Identifiers and randomness: ULIDs sort by time, tokens keep all their bits, the system's dice are fair enough to be dice.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createUlid, type Dice, isUlid, randomToken, sha256Hex, systemDice } from "../../src/base/id.ts";

const diceOf = (byte: number): Dice => ({ bytes: (length) => new Uint8Array(length).fill(byte), fraction: () => 0 });
const instant = fc.integer({ min: 0, max: 2 ** 48 - 1 });

test("every ULID is one, whatever the time and the dice", () => {
  fc.assert(
    fc.property(instant, fc.integer({ min: 0, max: 255 }), (atMs, byte) => isUlid(createUlid(atMs, diceOf(byte)))),
  );
});

test("ULIDs of different milliseconds sort by time, whatever the dice", () => {
  fc.assert(
    fc.property(instant, instant, (a, b) => {
      fc.pre(a < b);
      return createUlid(a, diceOf(255)) < createUlid(b, diceOf(0));
    }),
  );
});

test("a known ULID", () => {
  // The time part of the example in github.com/ulid/spec.
  expect(createUlid(1_469_918_176_385, diceOf(0))).toBe("01ARYZ6S410000000000000000");
});

test("what is no ULID is refused", () => {
  const real = createUlid(0, systemDice);
  for (const text of [
    "",
    real.slice(1),
    `${real}0`,
    real.toLowerCase(),
    `8${real.slice(1)}`,
    real.replace(/.$/, "U"),
    ` ${real}`,
  ])
    expect(isUlid(text)).toBe(text === real);
});

test("ULIDs of one millisecond do not collide", () => {
  const ids = new Set(Array.from({ length: 5_000 }, () => createUlid(1, systemDice)));
  expect(ids.size).toBe(5_000);
});

test("a token carries exactly its bytes, in an alphabet that URLs and headers take", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
      const token = randomToken({ bytes: () => bytes, fraction: () => 0 }, bytes.length);
      expect(token).toMatch(/^[\w-]+$/);
      expect(new Uint8Array(Buffer.from(token, "base64url"))).toEqual(bytes);
    }),
  );
});

test("fractions lie in [0, 1) and are not all on one side", () => {
  const rolls = Array.from({ length: 2_000 }, () => systemDice.fraction());
  expect(rolls.every((roll) => roll >= 0 && roll < 1)).toBe(true);
  // 2,000 fair rolls fall outside this band once in more than 10^20 runs.
  const low = rolls.filter((roll) => roll < 0.5).length;
  expect(low).toBeGreaterThan(780);
  expect(low).toBeLessThan(1_220);
});

test("SHA-256 of text is SHA-256 of its UTF-8 bytes", () => {
  // FIPS 180-2, appendix B.1.
  expect(sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => sha256Hex(text) === sha256Hex(new TextEncoder().encode(text))),
  );
});
