/** The portable pool file: what is written is read, only with its passphrase, and nothing of it shows. */
import { describe, expect, test } from "bun:test";
import { AppError } from "../../src/base/errors.ts";
import { systemDice } from "../../src/base/id.ts";
import { sealWithPassphrase } from "../../src/base/passphrase-box.ts";
import type { ForeignStore } from "../../src/transfer/foreign-store.ts";
import { writePoolFile } from "../../src/transfer/pool-file.ts";
import { readForeign } from "../../src/transfer/read-foreign.ts";
import { CANARY, codexMultiBundle, fileOf, opencodeMultiMap } from "../support/foreign-stores.ts";
import { T0 } from "../support/manual-clock.ts";

const write = (store: ForeignStore) => writePoolFile(store, "correct horse", T0, systemDice);
const read = (bytes: Uint8Array, passphrase: string | null) => readForeign([{ name: "pool.rotor", bytes }], passphrase);

async function codeOf(reading: Promise<unknown>): Promise<string> {
  const error = await reading.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AppError);
  return (error as AppError).code;
}

describe("what is written is read", () => {
  for (const [name, files] of [
    ["a pool with everything beside it", codexMultiBundle()],
    ["a pool with windows, a pin with an end, weights", [fileOf(opencodeMultiMap())]],
  ] as const) {
    test(name, async () => {
      const store = await readForeign(files, null);
      const bytes = await write(store);
      expect(Buffer.from(bytes).includes(Buffer.from(CANARY))).toBe(false);
      expect(await read(bytes, "correct horse")).toEqual({ ...store, format: "rotor-pool-file", remarks: [] });
    });
  }
});

test("no passphrase, a wrong one, and damage are three different things", async () => {
  const bytes = await write(await readForeign([fileOf(opencodeMultiMap())], null));
  expect(await codeOf(read(bytes, null))).toBe("passphrase_required");
  expect(await codeOf(read(bytes, "Correct horse"))).toBe("passphrase_wrong");
  for (let length = 6; length < bytes.length; length += 64)
    expect(await codeOf(read(bytes.subarray(0, length), "correct horse"))).toBe("invalid_import");
  await expect(writePoolFile({ ...(await read(bytes, "correct horse")) }, "", T0, systemDice)).rejects.toThrow(
    AppError,
  );
});

test("it comes alone", async () => {
  const bytes = await write(await readForeign([fileOf(opencodeMultiMap())], null));
  const together = readForeign([fileOf(opencodeMultiMap()), { name: "pool.rotor", bytes }], "correct horse");
  expect(await codeOf(together)).toBe("invalid_import");
});

describe("what somebody else put into a box of ours", () => {
  const boxed = async (value: unknown, context = "rotor/pool-file/v1") =>
    sealWithPassphrase(new TextEncoder().encode(JSON.stringify(value)), "p", context, systemDice);
  for (const [name, value] of [
    ["another format", { format: "x", version: 1, createdAtMs: T0, store: {} }],
    ["a later version", { format: "rotor-pool-file", version: 2, createdAtMs: T0, store: {} }],
    ["a store without accounts", { format: "rotor-pool-file", version: 1, createdAtMs: T0, store: {} }],
    ["a list", []],
  ] as const) {
    test(name, async () => {
      expect(await codeOf(read(await boxed(value), "p"))).toBe("invalid_import");
    });
  }

  test("a box for another purpose does not open", async () => {
    expect(await codeOf(read(await boxed({}, "rotor/backup/v1"), "p"))).toBe("passphrase_wrong");
  });
});
