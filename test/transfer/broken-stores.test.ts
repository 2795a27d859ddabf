/**
 * Stores that were cut or altered: an error with its place, or a result that misses nothing without saying so. Nothing else is thrown, and
 * no token or e-mail address shows.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import type { ForeignStore } from "../../src/transfer/foreign-store.ts";
import type { ForeignFile } from "../../src/transfer/json-node.ts";
import { readForeign } from "../../src/transfer/read-foreign.ts";
import {
  aLogin,
  CANARY,
  cliProxyApi,
  codexAuth,
  codexLbExport,
  codexMultiBundle,
  codexMultiV1,
  codexMultiV3,
  fileOf,
  multiplexedOpencodeAuth,
  ocCodexMulti,
  opencodeAuth,
  opencodeMultiArray,
  opencodeMultiEnvelope,
  opencodeMultiMap,
  pr97,
} from "../support/foreign-stores.ts";

const STORES: readonly (readonly [name: string, value: unknown])[] = [
  ["auth.json", codexAuth(aLogin(1))],
  ["a list of auth.json", [codexAuth(aLogin(1)), codexAuth(aLogin(2))]],
  ["OpenCode's auth.json", opencodeAuth(aLogin(1))],
  ["several logins in one refresh text", multiplexedOpencodeAuth([aLogin(1), aLogin(2)])],
  ["the map store, v1", opencodeMultiMap(1)],
  ["the map store, v2", opencodeMultiMap(2)],
  ["the array store", opencodeMultiArray()],
  ["the file of pull request 97", pr97()],
  ["codex-multi-auth v3", codexMultiV3()],
  ["codex-multi-auth v1", codexMultiV1()],
  ["oc-codex-multi-auth", ocCodexMulti()],
  ["CLIProxyAPI", cliProxyApi(aLogin(1))],
  ["an export of codex-lb", codexLbExport(aLogin(1))],
];

/** The store, or null when it was refused as it should be. */
async function readOrRefuse(files: readonly ForeignFile[]): Promise<ForeignStore | null> {
  try {
    const store = await readForeign(files, "correct horse");
    expect(store.remarks.join("\n")).not.toContain(CANARY);
    return store;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.code).toBe("invalid_import");
    expect(`${error.message} ${JSON.stringify(error.facts)} ${error.hint}`).not.toContain(CANARY);
    return null;
  }
}

describe("cut at every 64th byte it is refused", () => {
  const envelope = ["the envelope", opencodeMultiEnvelope(opencodeMultiMap(2), "correct horse")] as const;
  for (const [name, value] of [...STORES, envelope]) {
    test(name, async () => {
      const { bytes } = fileOf(value);
      for (let length = 0; length < bytes.length; length += 64)
        expect(await readOrRefuse([{ name: "cut", bytes: bytes.subarray(0, length) }])).toBeNull();
    });
  }

  test("and so is a whole installation in which one file is cut, but for the end of its ledger", async () => {
    const files = codexMultiBundle();
    for (const [index, file] of files.entries()) {
      if (file.name.endsWith(".jsonl")) continue;
      for (let length = 0; length < file.bytes.length; length += 64) {
        const cut = files.with(index, { ...file, bytes: file.bytes.subarray(0, length) });
        expect(await readOrRefuse(cut)).toBeNull();
      }
    }
  });
});

type Path = readonly (string | number)[];

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, one]) =>
    pathsIn(one, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return path.length === 0 ? inner : [path, ...inner];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce((holder, key) => (holder as Record<string | number, unknown>)[key], value);
}

function altered(value: unknown, path: Path, wrong: unknown): unknown {
  const copy: unknown = structuredClone(value);
  (at(copy, path.slice(0, -1)) as Record<string | number, unknown>)[path.at(-1)!] = wrong;
  return copy;
}

const kindOf = (value: unknown) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);
const WRONG: readonly unknown[] = [null, true, 7, -1.5, "x", "", [], {}, [{}], { x: {} }];

/** Fewer accounts only with a word more. */
function expectNothingLost(before: ForeignStore, after: ForeignStore | null): void {
  if (after === null || after.accounts.length >= before.accounts.length) return;
  expect(after.remarks.filter((remark) => !before.remarks.includes(remark))).not.toEqual([]);
}

describe("a value of another type anywhere loses no account without a word", () => {
  for (const [name, value] of STORES) {
    test(name, async () => {
      const before = await readForeign([fileOf(value)], null);
      for (const path of pathsIn(value)) {
        for (const wrong of WRONG.filter((one) => kindOf(one) !== kindOf(at(value, path))))
          expectNothingLost(before, await readOrRefuse([fileOf(altered(value, path, wrong))]));
      }
    });
  }

  test("in any file of a whole installation", async () => {
    const files = codexMultiBundle();
    const before = await readForeign(files, null);
    for (const [index, file] of files.entries()) {
      if (file.name.endsWith(".jsonl")) continue;
      const value: unknown = JSON.parse(new TextDecoder().decode(file.bytes));
      for (const path of pathsIn(value)) {
        for (const wrong of WRONG.filter((one) => kindOf(one) !== kindOf(at(value, path)))) {
          const after = await readOrRefuse(files.with(index, fileOf(altered(value, path, wrong), file.name)));
          expectNothingLost(before, after);
        }
      }
    }
  });
});

test("whatever JSON stands in whatever place, nothing but an AppError is thrown", async () => {
  const anywhere = fc
    .constantFrom(...STORES)
    .chain(([, value]) => fc.tuple(fc.constant(value), fc.constantFrom(...pathsIn(value))));
  await fc.assert(
    fc.asyncProperty(anywhere, fc.jsonValue(), async ([value, path], wrong) => {
      await readOrRefuse([fileOf(altered(value, path, wrong))]);
    }),
    { numRuns: 300 },
  );
});

test("whatever bytes they are, nothing but an AppError is thrown", async () => {
  const jsonBytes = fc.jsonValue().map((value) => new TextEncoder().encode(JSON.stringify(value)));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array(), jsonBytes), { maxLength: 3 }), async (several) => {
      await readOrRefuse(several.map((bytes, n) => ({ name: `${n}`, bytes })));
    }),
    { numRuns: 300 },
  );
});
