/**
 * Law 3: no module-level mutable state. Judges what stands at the top level of a file, and what the file does to it.
 */
import { expect, test } from "bun:test";
import {
  isBinaryExpression,
  isCallExpression,
  isClassDeclaration,
  isDeleteExpression,
  isElementAccessExpression,
  isIdentifier,
  isNewExpression,
  isPostfixUnaryExpression,
  isPrefixUnaryExpression,
  isPropertyAccessExpression,
  isPropertyDeclaration,
  isVariableStatement,
  type Node,
  NodeFlags,
  SyntaxKind,
  type VariableDeclaration,
} from "typescript/unstable/ast";
import { at, type HouseFile, loadHouse, parseTexts, productFiles, walk } from "./house-tree.ts";
import { type Breach, expectKept, namedFiles } from "./law.ts";

const MUTATORS = new Set("push pop shift unshift splice sort reverse fill copyWithin set add delete clear".split(" "));

/** Objects that hold nothing between calls. */
const STATELESS = new Set([
  "TextEncoder",
  "TextDecoder",
  "RegExp",
  "URL",
  "Uint8Array",
  "Set",
  "Map",
  "AppError",
  "Error",
]);

/** `create…` functions whose result holds nothing: a context key is an identity, like a symbol. */
const STATELESS_MAKERS = new Set(["createContextKey"]);

/** The identifier at the left end of `a.b[c].d`. */
function rootName(node: Node): string | null {
  if (isIdentifier(node)) return node.text;
  if (isPropertyAccessExpression(node) || isElementAccessExpression(node)) return rootName(node.expression);
  return null;
}

/** Names whose content is changed somewhere in the file: assigned below, deleted from, or given to a mutating method. */
function mutatedNames(file: HouseFile): Set<string> {
  const names = new Set<string>();
  const add = (node: Node) => {
    const name = rootName(node);
    if (name) names.add(name);
  };
  walk(file.tree, (node) => {
    if (isBinaryExpression(node)) {
      const operator = node.operatorToken.kind;
      if (operator >= SyntaxKind.FirstAssignment && operator <= SyntaxKind.LastAssignment && !isIdentifier(node.left))
        add(node.left);
    } else if (isCallExpression(node) && isPropertyAccessExpression(node.expression)) {
      if (MUTATORS.has(node.expression.name.text)) add(node.expression.expression);
    } else if (isDeleteExpression(node)) add(node.expression);
    else if ((isPrefixUnaryExpression(node) || isPostfixUnaryExpression(node)) && !isIdentifier(node.operand)) {
      if (node.operator === SyntaxKind.PlusPlusToken || node.operator === SyntaxKind.MinusMinusToken) add(node.operand);
    }
  });
  return names;
}

function judgeConstant(file: HouseFile, declaration: VariableDeclaration, mutated: ReadonlySet<string>): Breach[] {
  const place = at(file, declaration);
  const name = isIdentifier(declaration.name) ? declaration.name.text : "";
  if (mutated.has(name)) return [`${place} is a top-level ${name} whose content changes`];
  const value = declaration.initializer;
  if (!value) return [];
  if (isNewExpression(value)) {
    const type = isIdentifier(value.expression) ? value.expression.text : "";
    if (!STATELESS.has(type)) return [`${place} makes a ${type} at load time`];
    const isReadonly = declaration.type && /^Readonly(Map|Set)\b/.test(declaration.type.getText(file.tree));
    if ((type === "Map" || type === "Set") && !isReadonly)
      return [`${place} is a top-level ${type} not typed Readonly${type}`];
    if (type === "Map" && !value.arguments?.length) return [`${place} is an empty top-level Map`];
  }
  if (!isCallExpression(value) || !isIdentifier(value.expression)) return [];
  const maker = value.expression.text;
  return /^create[A-Z]/.test(maker) && !STATELESS_MAKERS.has(maker) ? [`${place} calls ${maker} at load time`] : [];
}

function moduleState(house: readonly HouseFile[]): Breach[] {
  const found: Breach[] = [];
  for (const file of productFiles(house)) {
    const mutated = mutatedNames(file);
    file.tree.forEachChild((node) => {
      if (isVariableStatement(node)) {
        const isConst = (node.declarationList.flags & NodeFlags.Const) !== 0;
        const isAmbient = node.modifiers?.some((modifier) => modifier.kind === SyntaxKind.DeclareKeyword);
        if (!isConst && !isAmbient) found.push(`${at(file, node)} has a top-level let or var`);
        else
          for (const declaration of node.declarationList.declarations)
            found.push(...judgeConstant(file, declaration, mutated));
      } else if (isClassDeclaration(node)) {
        for (const member of node.members) {
          if (!isPropertyDeclaration(member)) continue;
          const kinds = member.modifiers?.map((modifier) => modifier.kind) ?? [];
          if (kinds.includes(SyntaxKind.StaticKeyword) && !kinds.includes(SyntaxKind.ReadonlyKeyword))
            found.push(`${at(file, member)} is a static field that can change`);
        }
      }
    });
  }
  return found;
}

test("no module-level mutable state", async () => {
  expectKept(
    "State lives in objects that daemon/start.ts builds and connects: two daemons in one process must not share a thing, and a test must not need a reset.",
    moduleState(await loadHouse()),
  );
});

test("the state law bites", async () => {
  const broken = await parseTexts({
    "src/pool/let.ts": "let count = 0; export const next = () => ++count;",
    "src/pool/map.ts": "const cache = new Map<string, number>();",
    "src/pool/empty.ts": "const cache: ReadonlyMap<string, number> = new Map();",
    "src/pool/push.ts": "export const list: string[] = []; export function f() { list.push('x'); }",
    "src/pool/assign.ts": "const box = { value: 1 }; export function f() { box.value = 2; }",
    "src/pool/made.ts": "export const keeper = createKeeper();",
    "src/pool/instance.ts": "export const emitter = new EventEmitter();",
    "src/pool/static.ts": "export class A { static count = 0; }",
    "src/pool/fine.ts": [
      "const NAMES: ReadonlySet<string> = new Set(['a']); const encoder = new TextEncoder(); declare const X: string;",
      "export const TABLE = { a: 1 } as const; export function f() { let x = 1; x = 2; const m = new Map(); m.set(x, 1); return m; }",
      "export class B { static readonly kind = 'b'; count = 0; }",
    ].join("\n"),
  });
  const all = broken.map((file) => file.path).filter((path) => path !== "src/pool/fine.ts");
  expect(namedFiles(moduleState(broken))).toEqual(all);
});
