/**
 * Every exported name is used by another file: what nobody takes is either dead or private.
 */
import { expect, test } from "bun:test";
import {
  isClassDeclaration,
  isEnumDeclaration,
  isExportDeclaration,
  isFunctionDeclaration,
  isIdentifier,
  isInterfaceDeclaration,
  isTypeAliasDeclaration,
  isTypeReferenceNode,
  isVariableStatement,
  type Node,
  SyntaxKind,
} from "typescript/unstable/ast";
import { at, type HouseFile, loadHouse, parseTexts, productFiles, walk } from "./house-tree.ts";
import { type Breach, expectKept, namedFiles } from "./law.ts";

interface Exported {
  name: string;
  node: Node;
  isType: boolean;
}

function exportsOf(file: HouseFile): Exported[] {
  const found: Exported[] = [];
  const add = (name: Node | undefined, node: Node, isType: boolean) => {
    if (name && isIdentifier(name)) found.push({ name: name.text, node, isType });
  };
  file.tree.forEachChild((node) => {
    if (isExportDeclaration(node)) {
      const clause = node.exportClause;
      if (clause && "elements" in clause) for (const element of clause.elements) add(element.name, element, false);
      return;
    }
    const modifiers = "modifiers" in node ? ((node.modifiers as readonly Node[] | undefined) ?? []) : [];
    if (!modifiers.some((modifier) => modifier.kind === SyntaxKind.ExportKeyword)) return;
    if (isVariableStatement(node))
      for (const declaration of node.declarationList.declarations) add(declaration.name, declaration, false);
    else if (isFunctionDeclaration(node) || isClassDeclaration(node) || isEnumDeclaration(node))
      add(node.name, node, false);
    else if (isInterfaceDeclaration(node) || isTypeAliasDeclaration(node)) add(node.name, node, true);
  });
  return found;
}

/** Types that another exported declaration of the same file speaks of: whoever takes that one may have to name them. */
function spokenTypes(exported: readonly Exported[]): Set<string> {
  const names = new Set<string>();
  for (const { name, node } of exported) {
    walk(node, (inner) => {
      if (isTypeReferenceNode(inner) && isIdentifier(inner.typeName) && inner.typeName.text !== name)
        names.add(inner.typeName.text);
    });
  }
  return names;
}

function unused(house: readonly HouseFile[]): Breach[] {
  const taken = new Map<string, Set<string> | "all">();
  for (const file of house) {
    for (const { target, names } of file.imports) {
      if (target === null) continue;
      const known = taken.get(target) ?? new Set<string>();
      if (names === null || known === "all") taken.set(target, "all");
      else taken.set(target, known.union(new Set(names)));
    }
  }
  return productFiles(house).flatMap((file) => {
    const names = taken.get(file.path) ?? new Set<string>();
    // The porch is loaded by OpenCode, the attic by the runtime.
    if (names === "all" || file.room === "plugin" || file.room === "attic") return [];
    const exported = exportsOf(file);
    const spoken = spokenTypes(exported);
    return exported
      .filter(({ name, isType }) => !names.has(name) && !(isType && spoken.has(name)))
      .map(({ name, node }) => `${at(file, node)} exports ${name}, which no other file takes`);
  });
}

test("every exported name is used by another file", async () => {
  const house = await loadHouse();
  // The law speaks of a finished house: while rooms are missing, their callers are missing too.
  if (!house.some((file) => file.path === "src/main.ts")) return;
  expectKept("An export is a promise to somebody. Without that somebody it is dead code, or private.", unused(house));
});

test("the law of exports bites", async () => {
  const broken = await parseTexts({
    "src/pool/a.ts":
      "export const used = 1; export const dead = 2; export interface Shape { inner: Inner } export interface Inner { x: number }",
    "src/pool/b.ts": 'import { used, type Shape } from "./a.ts"; export function go(s: Shape) { return used; }',
    "src/pool/c.ts": "export type Lonely = string;",
    "test/pool/b.test.ts": 'import { go } from "../../src/pool/b.ts"; go;',
  });
  expect(namedFiles(unused(broken))).toEqual(["src/pool/a.ts", "src/pool/c.ts"]);
  expect(unused(broken)).toHaveLength(2);
});
