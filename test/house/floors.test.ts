/**
 * Law 1: who may know whom. Law 2, second half: no cycles, no barrels.
 */
import { expect, test } from "bun:test";
import { isExportDeclaration } from "typescript/unstable/ast";
import { at, type HouseFile, loadHouse, parseTexts, productFiles } from "./house-tree.ts";
import { type Breach, expectKept, namedFiles } from "./law.ts";
import { isKnownRoom, refuseImport } from "./rooms.ts";

function wrongImports(house: readonly HouseFile[]): Breach[] {
  return productFiles(house).flatMap((file) => {
    if (!isKnownRoom(file.room!)) return [`${file.path} lies in a room that test/house/rooms.ts does not know`];
    return file.imports.flatMap((item) => {
      const refusal = refuseImport(file, item);
      return refusal === null ? [] : [`${file.path}:${item.line} ${refusal}`];
    });
  });
}

test("a file imports its own room and lower floors", async () => {
  expectKept(
    "Knowledge flows downwards: only so can a floor be read, tested and replaced without the ones above it (src/README.md has the picture).",
    wrongImports(await loadHouse()),
  );
});

test("the floor law bites", async () => {
  const broken = await parseTexts({
    "src/domain/up.ts": 'import { Keeper } from "../pool/keeper.ts";',
    "src/domain/type-up.ts": 'import type { Keeper } from "../pool/keeper.ts";',
    "src/store/wing.ts": 'export type { Upstream } from "../upstream/upstream.ts";',
    "src/proxy/door.ts": 'const other = await import("../control/server.ts");',
    "src/cli/too-deep.ts": 'import type { Hold } from "../domain/hold.ts";',
    "src/pool/wire.ts": 'import { AccountSchema } from "../gen/rotor/v1/account_pb.ts";',
    "src/simulator/ours.ts": 'import type { Account } from "../domain/account.ts";',
    "src/daemon/simulates.ts": 'import { start } from "../simulator/http-server.ts";',
    "src/plugin/opencode.ts": 'import { paths } from "../base/paths.ts";',
    "src/upstream/framework.ts": 'import { Elysia } from "elysia";',
    "src/attached/room.ts": "export const x = 1;",
    "src/main.ts": 'import { run } from "./simulator/main.ts"; import { runCli } from "./cli/main.ts";',
    "src/control/fine.ts":
      'import { AccountSchema } from "../gen/rotor/v1/account_pb.ts"; import { x } from "../pool/engine.ts";',
    "src/plugin/fine.ts": 'import type { Account } from "../gen/rotor/v1/account_pb.ts";',
  });
  expect(namedFiles(wrongImports(broken))).toEqual([
    "src/attached/room.ts",
    "src/cli/too-deep.ts",
    "src/daemon/simulates.ts",
    "src/domain/type-up.ts",
    "src/domain/up.ts",
    "src/plugin/opencode.ts",
    "src/pool/wire.ts",
    "src/proxy/door.ts",
    "src/simulator/ours.ts",
    "src/store/wing.ts",
    "src/upstream/framework.ts",
  ]);
});

/** Groups of files that reach each other (Tarjan's strongly connected components). */
function cycles(house: readonly HouseFile[]): Breach[] {
  const files = new Map(productFiles(house).map((file) => [file.path, file]));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: Breach[] = [];
  const connect = (path: string): number => {
    order.set(path, order.size);
    low.set(path, order.get(path)!);
    stack.push(path);
    for (const { target } of files.get(path)!.imports) {
      if (target === null || !files.has(target)) continue;
      if (!order.has(target)) low.set(path, Math.min(low.get(path)!, connect(target)));
      else if (stack.includes(target)) low.set(path, Math.min(low.get(path)!, order.get(target)!));
      if (target === path) found.push(`${path} imports itself`);
    }
    if (low.get(path) === order.get(path)) {
      const knot = stack.splice(stack.indexOf(path));
      if (knot.length > 1) found.push(`${knot.join(" ⇄ ")}`);
    }
    return low.get(path)!;
  };
  for (const path of files.keys()) if (!order.has(path)) connect(path);
  return found;
}

test("no import cycles, type imports counted", async () => {
  expectKept(
    "Files in a cycle can only be understood together; a type that two files need belongs in a third.",
    cycles(await loadHouse()),
  );
});

test("the cycle law bites", async () => {
  const broken = await parseTexts({
    "src/domain/a.ts": 'import type { B } from "./b.ts";',
    "src/domain/b.ts": 'import { c } from "./c.ts";',
    "src/domain/c.ts": 'import { a } from "./a.ts"; import { d } from "./d.ts";',
    "src/domain/d.ts": "export const d = 1;",
  });
  expect(cycles(broken)).toHaveLength(1);
  expect(cycles(broken)[0]).toContain("src/domain/c.ts");
  expect(cycles(broken)[0]).not.toContain("src/domain/d.ts");
});

function barrels(house: readonly HouseFile[]): Breach[] {
  return productFiles(house).flatMap((file) => {
    if (/\/index\.tsx?$/.test(file.path)) return [`${file.path} is a barrel by name`];
    const reExports: Breach[] = [];
    file.tree.forEachChild((node) => {
      if (isExportDeclaration(node) && node.moduleSpecifier)
        reExports.push(`${at(file, node)} re-exports another file`);
    });
    return reExports;
  });
}

test("no barrels, nothing is re-exported", async () => {
  expectKept(
    "A name has one address. Barrels tie unrelated files together and hide where a thing lives; import it from its own file.",
    barrels(await loadHouse()),
  );
});

test("the barrel law bites", async () => {
  const broken = await parseTexts({
    "src/pool/index.ts": "export const x = 1;",
    "src/pool/all.ts": 'export * from "./keeper.ts"; export { y } from "./y.ts";',
    "src/pool/fine.ts": "const x = 1; export { x };",
  });
  expect(namedFiles(barrels(broken))).toEqual(["src/pool/all.ts", "src/pool/index.ts"]);
});

/** The two vocabularies meet in one folder: one file a noun. */
function twoTongued(house: readonly HouseFile[]): Breach[] {
  return productFiles(house).flatMap((file) => {
    const gen = file.imports.find((item) => item.target?.startsWith("src/gen/rotor/"));
    const domain = file.imports.find((item) => item.target?.startsWith("src/domain/"));
    if (!gen || !domain || file.path.startsWith("src/control/convert/")) return [];
    return [`${file.path}:${Math.max(gen.line, domain.line)} knows ${gen.target} and ${domain.target}`];
  });
}

test("only control/convert/ knows both proto and domain types", async () => {
  expectKept(
    "Translation in one folder, one file a noun: a service hands domain values to convert/ and gets messages back, so a new field has one place to be forgotten.",
    twoTongued(await loadHouse()),
  );
});

test("the translation law bites", async () => {
  const both =
    'import type { Account } from "../domain/account.ts"; import type { Account as P } from "../gen/rotor/v1/account_pb.ts";';
  const broken = await parseTexts({
    "src/control/convert/accounts.ts": both.replaceAll("../", "../../"),
    "src/control/account-service.ts": both,
  });
  expect(namedFiles(twoTongued(broken))).toEqual(["src/control/account-service.ts"]);
});
