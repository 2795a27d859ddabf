/**
 * Law 2, first half: `domain` is pure. Looks at imports and at names that reach out of a function.
 */
import { expect, test } from "bun:test";
import { isIdentifier, isPropertyAccessExpression, SyntaxKind } from "typescript/unstable/ast";
import { at, type HouseFile, loadHouse, parseTexts, productFiles, walk } from "./house-tree.ts";
import { type Breach, expectKept, namedFiles } from "./law.ts";

/** What of `base` is itself pure. null = all of it; else only these names. */
const PURE_BASE: Readonly<Record<string, readonly string[] | null>> = {
  "src/base/bounds.ts": null,
  "src/base/errors.ts": null,
  "src/base/header-list.ts": null,
  "src/base/secret.ts": null,
  "src/base/token-shape.ts": null,
  "src/base/clock.ts": ["formatInstant", "parseInstant"],
  "src/base/id.ts": ["isUlid", "sha256Hex"],
};

/** Names that reach out of a pure function: the world, other people's time, or later. */
const IMPURE_NAMES = new Set([
  "process",
  "Bun",
  "console",
  "fetch",
  "performance",
  "crypto",
  "Promise",
  "globalThis",
  "setTimeout",
  "queueMicrotask",
]);

function impure(house: readonly HouseFile[]): Breach[] {
  const found: Breach[] = [];
  for (const file of productFiles(house, "domain")) {
    for (const item of file.imports) {
      if (item.target?.startsWith("src/domain/")) continue;
      const allowed = item.target === null ? undefined : PURE_BASE[item.target];
      const extra = allowed && item.names ? item.names.filter((name) => !allowed.includes(name)) : [];
      if (allowed === undefined || extra.length > 0 || (allowed && !item.names))
        found.push(`${file.path}:${item.line} imports ${extra.join(", ") || item.specifier}`);
    }
    walk(file.tree, (node) => {
      if (node.kind === SyntaxKind.AsyncKeyword || node.kind === SyntaxKind.AwaitExpression)
        found.push(`${at(file, node)} waits`);
      if (!isIdentifier(node) || !IMPURE_NAMES.has(node.text)) return;
      const isMember = isPropertyAccessExpression(node.parent) && node.parent.name === node;
      const isKey = "name" in node.parent && node.parent.name === node;
      if (!isMember && !isKey) found.push(`${at(file, node)} uses ${node.text}`);
    });
  }
  return found;
}

test("domain is pure: no clock, no await, no I/O", async () => {
  expectKept(
    "Every decision about accounts is a function of its arguments, so that it can be tested in thousands of cases and explained after the fact. " +
      "Time enters as nowMs, dice as numbers; what has to be done leaves as data.",
    impure(await loadHouse()),
  );
});

test("the purity law bites", async () => {
  const broken = await parseTexts({
    "src/domain/waits.ts": "export async function f() { await g(); }",
    "src/domain/reads.ts": 'import { readFileSync } from "node:fs";',
    "src/domain/clock.ts": 'import type { Clock } from "../base/clock.ts";',
    "src/domain/logs.ts": 'import { silentLog } from "../base/log.ts";',
    "src/domain/dice.ts": 'import { createUlid } from "../base/id.ts";',
    "src/domain/env.ts": "export const home = () => process.env.HOME;",
    "src/domain/later.ts": "export type T = Promise<number>;",
    "src/domain/fine.ts":
      'import { AppError } from "../base/errors.ts"; import { formatInstant } from "../base/clock.ts"; export const x = { process: 1 }; export const y = x.process;',
  });
  const all = Object.keys(Object.groupBy(broken, (file) => file.path));
  expect(namedFiles(impure(broken))).toEqual(all.filter((path) => path !== "src/domain/fine.ts").sort());
});
