/** The seal: what it gives back, what it refuses, and that a lost key is told and never replaced. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { systemDice } from "../../src/base/id.ts";
import type { AccountId } from "../../src/domain/account.ts";
import { createKeyFileGuard } from "../../src/store/key-guard.ts";
import { createSeal, openSeal, type WrappedKey } from "../../src/store/seal.ts";
import { expectCode } from "../contract/store.suite.ts";
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

describe("key file", () => {
  let folder: string;
  let path: string;
  let saved: WrappedKey | null;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rotor-seal-"));
    path = join(folder, "config", "rotor.key");
    saved = null;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const open = (mayStartAnew = false) =>
    openSeal({
      guard: createKeyFileGuard(path),
      saved,
      mayStartAnew,
      dice: systemDice,
      save: (key) => {
        saved = key;
      },
    });

  test("is made once, ours alone, and opens the same seal again", async () => {
    const envelope = (await open()).seal(ALICE, credentialsLike(1));
    expect(readdirSync(join(folder, "config"))).toEqual(["rotor.key"]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    const key = saved;
    expect((await open()).open(ALICE, envelope)).toEqual(credentialsLike(1));
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(saved).toBe(key);
  });

  test("missing, foreign or damaged it is told, and nothing is replaced", async () => {
    await open();
    const text = readFileSync(path, "utf8");
    const key = saved;
    rmSync(path);
    const missing = await expectCode(open(), "seal_key_missing");
    expect(missing.message).toContain(path);
    expect(readdirSync(join(folder, "config"))).toEqual([]);
    await createKeyFileGuard(path).create(systemDice);
    const foreign = readFileSync(path, "utf8");
    expect((await expectCode(open(), "seal_key_missing")).message).toContain("not the one");
    expect(readFileSync(path, "utf8")).toBe(foreign);
    writeFileSync(path, text.slice(0, -10));
    expect((await expectCode(open(true), "seal_key_missing")).message).toContain("damaged");
    expect(saved).toBe(key);
    writeFileSync(path, text);
    await open();
  });

  test("with nothing sealed a new one may start, under another key id", async () => {
    const envelope = (await open()).seal(ALICE, credentialsLike(1));
    rmSync(path);
    const fresh = await open(true);
    expect(saved!.id).toBe(2);
    expect(refusal(() => fresh.open(ALICE, envelope))).toBe("store_damaged");
    expect((await open()).open(ALICE, fresh.seal(ALICE, credentialsLike(2)))).toEqual(credentialsLike(2));
  });

  test("a second creation does not overwrite it", async () => {
    const guard = createKeyFileGuard(path);
    const key = await guard.create(systemDice);
    await expectCode(guard.create(systemDice), "start_failed");
    expect(await guard.load()).toEqual(key);
  });

  test("a wrapped key that was altered is damage, not a missing key", async () => {
    await open();
    const wrapped = Uint8Array.from(saved!.wrapped);
    wrapped[20]! ^= 1;
    saved = { ...saved!, wrapped };
    await expectCode(open(), "store_damaged");
    saved = { ...saved!, id: 7 };
    await expectCode(open(), "store_damaged");
  });

  test("neither the data key nor the guard key is in what is kept of them", async () => {
    await open();
    const key = await createKeyFileGuard(path).load();
    expect(Buffer.from(saved!.wrapped).includes(Buffer.from(key!))).toBe(false);
    expect(saved!.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(Buffer.from(key!).toString("hex")).not.toContain(saved!.fingerprint);
  });
});
