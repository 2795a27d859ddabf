/** The box: only its passphrase in its context opens it, accidents are told from wrong passphrases, and no file can ask for the moon. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import { systemDice } from "../../src/base/id.ts";
import {
  deriveKey,
  isPassphraseBox,
  KEY_PARAMS,
  openWithPassphrase,
  SALT_BYTES,
  sealWithPassphrase,
} from "../../src/base/passphrase-box.ts";

const plain = new TextEncoder().encode("what only the owner may read");
const seal = (context = "test/v1") => sealWithPassphrase(plain, "correct horse", context, systemDice);
const cheap = { memoryKib: 8, passes: 1, lanes: 1 };

test("its passphrase opens it, and nothing of the content shows", async () => {
  const box = await seal();
  expect(isPassphraseBox(box)).toBe(true);
  expect(Buffer.from(box).includes(Buffer.from("owner"))).toBe(false);
  expect(await openWithPassphrase(box, "correct horse", "test/v1")).toEqual({ ok: true, plain });
});

test("an empty content is a content", async () => {
  const box = await sealWithPassphrase(new Uint8Array(), "p", "c", systemDice);
  expect(await openWithPassphrase(box, "p", "c")).toEqual({ ok: true, plain: new Uint8Array() });
});

test("another passphrase or another context does not open it", async () => {
  const box = await seal();
  const wrong = { ok: false, reason: "wrong_passphrase" } as const;
  expect(await openWithPassphrase(box, "correct horse ", "test/v1")).toEqual(wrong);
  expect(await openWithPassphrase(box, "correct horse", "test/v2")).toEqual(wrong);
});

test("two boxes of the same content have nothing in common but the header", async () => {
  const [a, b] = [await seal(), await seal()];
  expect(a.subarray(0, 20)).toEqual(b.subarray(0, 20));
  expect(a.subarray(20, 36)).not.toEqual(b.subarray(20, 36));
  expect(a.subarray(72)).not.toEqual(b.subarray(72));
});

test("any flipped bit and any cut is damage, told without making a key", async () => {
  const box = await seal();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: box.length * 8 - 1 }), async (bit) => {
      const broken = Uint8Array.from(box);
      broken[bit >> 3]! ^= 1 << (bit & 7);
      // The empty passphrase would throw if a key were made from it.
      expect(await openWithPassphrase(broken, "", "test/v1")).toEqual({ ok: false, reason: "damaged" });
    }),
  );
  for (let length = 0; length < box.length; length++)
    expect(await openWithPassphrase(box.subarray(0, length), "", "test/v1")).toEqual({ ok: false, reason: "damaged" });
});

describe("a hostile header with a right checksum", () => {
  const hostile = (change: (head: Buffer) => void, box: Uint8Array) => {
    const bytes = Buffer.from(box);
    change(bytes);
    const digest = new Bun.CryptoHasher("sha256").update(bytes.subarray(0, 64)).update(bytes.subarray(72)).digest();
    bytes.set(digest.subarray(0, 8), 64);
    return bytes;
  };
  for (const [name, change] of [
    ["asks for 4 TiB of memory", (head: Buffer) => head.writeUInt32BE(0xffff_ffff, 8)],
    ["asks for more memory than we allow", (head: Buffer) => head.writeUInt32BE(256 * 1024 + 1, 8)],
    ["asks for four billion passes", (head: Buffer) => head.writeUInt32BE(0xffff_ffff, 12)],
    ["asks for both at their ends", (head: Buffer) => head.writeUInt32BE(16, head.writeUInt32BE(256 * 1024, 8))],
    ["asks for no pass", (head: Buffer) => head.writeUInt32BE(0, 12)],
    ["asks for a thousand lanes", (head: Buffer) => head.writeUInt32BE(1_000, 16)],
    ["has too little memory for its lanes", (head: Buffer) => head.writeUInt32BE(2, head.writeUInt32BE(8, 8) + 4)],
    ["is of a later version", (head: Buffer) => head.writeUInt8(2, 6)],
    ["names another derivation", (head: Buffer) => head.writeUInt8(2, 7)],
  ] as const) {
    test(name, async () => {
      const box = hostile(change, await seal());
      expect(await openWithPassphrase(box, "", "test/v1")).toEqual({ ok: false, reason: "damaged" });
    });
  }

  test("weaker parameters than were sealed with do not open it", async () => {
    const box = hostile((head) => head.writeUInt32BE(8, 8), await seal());
    expect(await openWithPassphrase(box, "correct horse", "test/v1")).toEqual({
      ok: false,
      reason: "wrong_passphrase",
    });
  });
});

describe("the key", () => {
  const salt = new Uint8Array(SALT_BYTES).fill(7);

  test("is a function of passphrase, salt and parameters", async () => {
    const key = await deriveKey("a", salt, cheap);
    expect(key).toHaveLength(32);
    expect(await deriveKey("a", salt, cheap)).toEqual(key);
    expect(await deriveKey("b", salt, cheap)).not.toEqual(key);
    expect(await deriveKey("a", new Uint8Array(SALT_BYTES), cheap)).not.toEqual(key);
    expect(await deriveKey("a", salt, { ...cheap, passes: 2 })).not.toEqual(key);
  });

  test("is the same for a letter in one piece and in two", async () => {
    expect(await deriveKey("\u00e9", salt, cheap)).toEqual(await deriveKey("e\u0301", salt, cheap));
  });

  test("is not made from nothing, nor beyond the bounds", async () => {
    await expect(deriveKey("", salt, KEY_PARAMS)).rejects.toThrow(AppError);
    await expect(deriveKey("a", salt, { ...KEY_PARAMS, passes: 17 })).rejects.toThrow(AppError);
  });
});
