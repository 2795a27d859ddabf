/** The key file: made once, ours alone, several keys side by side, and what is damaged or foreign is never overwritten. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemDice } from "../../src/base/id.ts";
import { createKeyFileGuard } from "../../src/store/key-file-guard.ts";
import { fingerprintOf } from "../../src/store/key-guard.ts";
import { expectCode } from "../contract/store.suite.ts";

const DAEMON = { given: null, isPerson: false };

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotor-key-file-"));
  path = join(folder, "config", "rotor.key");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const guard = () => createKeyFileGuard(path);
const load = (key: Uint8Array) => guard().load({ fingerprint: fingerprintOf(key), recipe: "" }, DAEMON);

async function keep(): Promise<Uint8Array> {
  const { key } = await guard().make(systemDice, null);
  await guard().keep(key, DAEMON);
  return key;
}

test("is ours alone, holds keys side by side, and gives each back by its fingerprint", async () => {
  const [one, two] = [await keep(), await keep()];
  expect(readdirSync(join(folder, "config"))).toEqual(["rotor.key"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await load(one)).toEqual({ kind: "key", key: one });
  expect(await load(two)).toEqual({ kind: "key", key: two });
  const text = readFileSync(path, "utf8");
  await guard().keep(one, DAEMON);
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("loses one key and no other, and goes with its last", async () => {
  const [one, two] = [await keep(), await keep()];
  await guard().forget(fingerprintOf(one));
  expect((await load(one)).kind).toBe("absent");
  expect(await load(two)).toEqual({ kind: "key", key: two });
  await guard().forget("0000000000000000");
  await guard().forget(fingerprintOf(two));
  await guard().forget(fingerprintOf(two));
  expect(readdirSync(join(folder, "config"))).toEqual([]);
});

test("missing and foreign are told apart, and so is damage, which nothing is written over", async () => {
  const key = systemDice.bytes(32);
  expect(await load(key)).toMatchObject({ kind: "absent", words: expect.stringContaining(`${path} is missing`) });
  const other = await keep();
  expect(await load(key)).toMatchObject({ kind: "absent", words: expect.stringContaining("not the one") });
  const cut = readFileSync(path, "utf8").slice(0, -10);
  writeFileSync(path, cut);
  expect((await expectCode(load(other), "seal_key_missing")).message).toContain("damaged");
  await expectCode(guard().keep(key, DAEMON), "seal_key_missing");
  expect(readFileSync(path, "utf8")).toBe(cut);
  writeFileSync(path, "");
  expect((await expectCode(load(other), "seal_key_missing")).message).toContain("damaged");
});

test("a folder that cannot be written is told in words", async () => {
  writeFileSync(join(folder, "config"), "");
  await expectCode(guard().keep(systemDice.bytes(32), DAEMON), "seal_key_missing");
  rmSync(join(folder, "config"));
  mkdirSync(path, { recursive: true });
  await expectCode(guard().keep(systemDice.bytes(32), DAEMON), "seal_key_missing");
});

test("what a crash left of a write holds a key, and goes when the file is opened next", async () => {
  const key = await keep();
  writeFileSync(`${path}.new`, "half a key");
  expect(await load(key)).toEqual({ kind: "key", key });
  expect(readdirSync(join(folder, "config"))).toEqual(["rotor.key"]);
});
