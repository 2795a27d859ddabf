/**
 * How much one reader can hold: lines a file, lines a function, a header on each file, nothing put off.
 */
import { expect, test } from "bun:test";
import {
  isArrowFunction,
  isConstructorDeclaration,
  isFunctionDeclaration,
  isFunctionExpression,
  isGetAccessorDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isPropertyAssignment,
  isVariableDeclaration,
  type Node,
} from "typescript/unstable/ast";
import { type HouseFile, lineAt, loadHouse, parseTexts, productFiles, walk } from "./house-tree.ts";
import { type Breach, expectKept, namedFiles } from "./law.ts";

const FILE_LINES = 300;
const FILE_LINES_AT_MOST = 400;
const FUNCTION_LINES = 70;
/** A `create…` function is the body of a class in other clothes: its functions are counted one by one, and the whole like this. */
const MAKER_LINES = 200;
const TEST_FILE_LINES = 500;

/** Files between 300 and 400 lines, each with the reason why two files would be worse. */
const LONG_FILES: Readonly<Record<string, string>> = {};

function lineCount(file: HouseFile): number {
  return file.text.trimEnd().split("\n").length;
}

function longFiles(house: readonly HouseFile[], excused: Readonly<Record<string, string>>): Breach[] {
  return house.flatMap((file) => {
    if (file.path.startsWith("src/gen/")) return [];
    const limit = file.room === null ? TEST_FILE_LINES : excused[file.path] ? FILE_LINES_AT_MOST : FILE_LINES;
    const lines = lineCount(file);
    return lines > limit ? [`${file.path} has ${lines} lines, ${limit} are allowed`] : [];
  });
}

test("no file is longer than a reader's patience", async () => {
  const house = await loadHouse();
  expectKept(
    "A file that does not fit one reading has more than one subject. Split it by subject (never by line count); a table may go to 400 lines with its reason in LONG_FILES.",
    longFiles(house, LONG_FILES),
  );
  const stale = Object.keys(LONG_FILES).filter(
    (path) => !house.some((file) => file.path === path && lineCount(file) > FILE_LINES),
  );
  expectKept(
    "An excuse that nobody needs any more is a trap for the next reader.",
    stale.map((path) => `${path} is excused in LONG_FILES and needs it no more`),
  );
});

test("the law of file length bites", async () => {
  const broken = await parseTexts({
    "src/pool/long.ts": "// x\n".repeat(301),
    "src/pool/fits.ts": "// x\n".repeat(300),
    "src/pool/excused.ts": "// x\n".repeat(400),
    "src/pool/beyond.ts": "// x\n".repeat(401),
    "test/pool/long.test.ts": "// x\n".repeat(501),
  });
  const excused = { "src/pool/excused.ts": "a table", "src/pool/beyond.ts": "a table" };
  expect(namedFiles(longFiles(broken, excused))).toEqual([
    "src/pool/beyond.ts",
    "src/pool/long.ts",
    "test/pool/long.test.ts",
  ]);
});

function isFunction(node: Node): boolean {
  return (
    isFunctionDeclaration(node) ||
    isArrowFunction(node) ||
    isFunctionExpression(node) ||
    isMethodDeclaration(node) ||
    isConstructorDeclaration(node) ||
    isGetAccessorDeclaration(node)
  );
}

function functionName(node: Node): string {
  const named = isVariableDeclaration(node.parent) || isPropertyAssignment(node.parent) ? node.parent : node;
  return "name" in named && named.name && isIdentifier(named.name as Node)
    ? (named.name as { text: string }).text
    : "a function";
}

function longFunctions(house: readonly HouseFile[]): Breach[] {
  return house.flatMap((file) => {
    // In tests the body of a `describe` is a chapter, not a function.
    if (file.path.startsWith("src/gen/") || /\.(?:test|suite)\.ts$/.test(file.path)) return [];
    const found: Breach[] = [];
    walk(file.tree, (node) => {
      if (!isFunction(node)) return;
      const name = functionName(node);
      const first = lineAt(file.text, node.getStart(file.tree));
      const lines = linesOf(file, node);
      const isMaker = /^create[A-Z]/.test(name);
      const own = isMaker ? lines - nestedLines(file, node) : lines;
      if (own > FUNCTION_LINES) found.push(`${file.path}:${first} ${name} has ${own} lines`);
      else if (lines > MAKER_LINES)
        found.push(`${file.path}:${first} ${name} has ${lines} lines with all that it makes`);
    });
    return found;
  });
}

function linesOf(file: HouseFile, node: Node): number {
  return lineAt(file.text, node.end) - lineAt(file.text, node.getStart(file.tree)) + 1;
}

/** Lines of the outermost functions inside `node`. */
function nestedLines(file: HouseFile, node: Node): number {
  let lines = 0;
  const visit = (child: Node) => {
    if (isFunction(child)) lines += linesOf(file, child);
    else child.forEachChild(visit);
  };
  node.forEachChild(visit);
  return lines;
}

test("no function is longer than a screen", async () => {
  expectKept(
    `Above ${FUNCTION_LINES} lines the beginning is out of sight at the end. Give a step a name and move it out.`,
    longFunctions(await loadHouse()),
  );
});

test("the law of function length bites", async () => {
  const body = "\n  g();".repeat(69);
  const broken = await parseTexts({
    "src/pool/long.ts": `export function f() {${body}\n}`,
    "src/pool/fits.ts": `export function f() {${body.slice(0, -7)}\n}`,
    "src/pool/arrow.ts": `export const h = { f: () => {${body}\n} };`,
    "src/pool/maker.ts": `export function createF() {\nconst a = () => {${body.slice(0, -7)}\n};\nreturn { a };\n}`,
    "src/pool/fat-maker.ts": `export function createF() {${`\nconst a = () => {${body.slice(0, -7)}\n};`.repeat(3)}\n}`,
  });
  expect(namedFiles(longFunctions(broken))).toEqual(["src/pool/arrow.ts", "src/pool/fat-maker.ts", "src/pool/long.ts"]);
  expect(longFunctions(broken).at(-1)).toContain(" f has 71 lines");
});

/** Long enough to say something: `// types` is not a header. */
const HEADER_CHARACTERS = 30;

function headless(house: readonly HouseFile[]): Breach[] {
  return house.flatMap((file) => {
    if (file.path.startsWith("src/gen/")) return [];
    const opening = /^(?:#![^\n]*\n)?\s*(\/\*[\s\S]*?\*\/|(?:\/\/[^\n]*\n)+)/.exec(file.text)?.[1] ?? "";
    const said = opening.replace(/[/*\s]+/g, " ").trim();
    return said.length >= HEADER_CHARACTERS
      ? []
      : [`${file.path}:1 opens with ${said ? `only "${said}"` : "no comment"}`];
  });
}

test("every file opens by saying what it is", async () => {
  expectKept(
    "A reader decides from the first lines whether this is the right file: say what it is and what it must never do.",
    headless(await loadHouse()),
  );
});

test("the header law bites", async () => {
  const broken = await parseTexts({
    "src/pool/none.ts": "export const x = 1;",
    "src/pool/short.ts": "// types\nexport const x = 1;",
    "src/pool/late.ts":
      "export const x = 1;\n/** What this is and what it must never do, but too late to help anybody. */",
    "src/pool/fine.ts": "/**\n * What this is and what it must never do, in a line or two.\n */\nexport const x = 1;",
    "src/pool/lines.ts": "// What this is and what it must never do,\n// in a line or two.\nexport const x = 1;",
  });
  expect(namedFiles(headless(broken))).toEqual(["src/pool/late.ts", "src/pool/none.ts", "src/pool/short.ts"]);
});

test("product files mirror the law of names: kebab-case", async () => {
  expectKept(
    "One spelling for file names, so that nobody has to guess and no file system folds two into one.",
    productFiles(await loadHouse())
      .filter((file) => !/^src\/(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.(?:d\.)?tsx?$/.test(file.path))
      .map((file) => `${file.path} is not kebab-case`),
  );
});
