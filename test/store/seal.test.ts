/** Envelopes and wrapped keys: what they give back, and that nothing else opens them. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { systemDice } from "../../src/base/id.ts";
import type { AccountId } from "../../src/domain/account.ts";
import { fingerprintOf } from "../../src/store/key-guard.ts";
import { createSeal, unwrapKey, wrapKey } from "../../src/store/seal.ts";
import { credentialsLike } from "../support/store-samples.ts";

const ALICE = "01AAAAAAAAAAAAAAAAAAAAAAAA" as AccountId;
const BOB = "01BBBBBBBBBBBBBBBBBBBBBBBB" as AccountId;
const dataKey = systemDice.bytes(32);
const seal = createSeal(1, dataKey, systemDice);

function refusal(open: () => unknown): string {
  try {
    open();
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? String(thrown);
  }
  return "opened";
}

describe("envelopes", () => {
  const texts = fc.string({ unit: "binary", maxLength: 300 });
  const anyCredentials = fc.record({
    accessToken: texts,
    refreshToken: texts,
    idToken: fc.option(texts, { nil: null }),
  });

  test("open to what was sealed, for any text", () => {
    fc.assert(
      fc.property(anyCredentials, (credentials) => {
        expect(seal.open(ALICE, seal.seal(ALICE, credentials))).toEqual(credentials);
      }),
    );
  });

  test("with any one bit flipped do not open", () => {
    const envelope = seal.seal(ALICE, credentialsLike(1));
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      const altered = Uint8Array.from(envelope);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      expect(refusal(() => seal.open(ALICE, altered))).toBe("store_damaged");
    }
    expect(seal.open(ALICE, envelope)).toEqual(credentialsLike(1));
  });

  test("cut or lengthened do not open", () => {
    const envelope = seal.seal(ALICE, credentialsLike(1));
    for (let length = 0; length < envelope.length; length++)
      expect(refusal(() => seal.open(ALICE, envelope.slice(0, length)))).toBe("store_damaged");
    expect(refusal(() => seal.open(ALICE, Uint8Array.from([...envelope, 0])))).toBe("store_damaged");
  });

  test("open for their own account and key only", () => {
    const envelope = seal.seal(ALICE, credentialsLike(1));
    expect(refusal(() => seal.open(BOB, envelope))).toBe("store_damaged");
    const other = createSeal(1, systemDice.bytes(32), systemDice);
    expect(refusal(() => other.open(ALICE, envelope))).toBe("store_damaged");
  });

  test("never repeat, and show nothing of what they hold", () => {
    const one = Buffer.from(seal.seal(ALICE, credentialsLike(1)));
    const two = Buffer.from(seal.seal(ALICE, credentialsLike(1)));
    expect(one.equals(two)).toBe(false);
    expect(one.includes("token-number")).toBe(false);
  });
});

describe("wrapped data keys", () => {
  const guardKey = systemDice.bytes(32);
  const wrapped = wrapKey(1, dataKey, guardKey, systemDice);

  test("open with the key and the number that they were wrapped with", () => {
    expect(unwrapKey(1, wrapped, guardKey)).toEqual(dataKey);
    expect(refusal(() => unwrapKey(2, wrapped, guardKey))).toBe("store_damaged");
    expect(refusal(() => unwrapKey(1, wrapped, systemDice.bytes(32)))).toBe("store_damaged");
  });

  test("with any byte changed or missing do not open", () => {
    fc.assert(
      fc.property(fc.nat(wrapped.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const altered = Uint8Array.from(wrapped);
        altered[at]! ^= change;
        expect(refusal(() => unwrapKey(1, altered, guardKey))).toBe("store_damaged");
        expect(refusal(() => unwrapKey(1, wrapped.slice(0, at), guardKey))).toBe("store_damaged");
      }),
    );
  });

  test("neither key is in what is kept of them", () => {
    expect(Buffer.from(wrapped).includes(Buffer.from(dataKey))).toBe(false);
    expect(Buffer.from(wrapped).includes(Buffer.from(guardKey))).toBe(false);
    expect(fingerprintOf(guardKey)).toMatch(/^[0-9a-f]{16}$/);
    expect(Buffer.from(guardKey).toString("hex")).not.toContain(fingerprintOf(guardKey));
  });
});
