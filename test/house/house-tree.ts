/**
 * The source tree as the laws see it: files with their syntax trees, imports and exports. Reads, never judges.
 * TypeScript's own parser does the reading; its programming interface is marked unstable, which the exact pin in package.json makes harmless.
 */
import { dirname, join, relative, resolve } from "node:path";
import {
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isNamedImports,
  isNamespaceImport,
  isStringLiteral,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API } from "typescript/unstable/async";
import { createVirtualFileSystem } from "typescript/unstable/fs";

export interface Import {
  specifier: string;
  /** Path below the root for a file of ours, else null. */
  target: string | null;
  /** Vanishes at run time; still counts for every law about who may know whom. */
  typeOnly: boolean;
  /** What is taken from it; null = everything (namespace, `export *`, `import()`). */
  names: readonly string[] | null;
  line: number;
}

export interface HouseFile {
  /** Below the root, with forward slashes: `src/domain/hold.ts`. */
  path: string;
  /** First folder below `src`: `domain`; `attic` for a file that lies directly in `src`; null outside `src`. */
  room: string | null;
  text: string;
  tree: SourceFile;
  imports: readonly Import[];
}

export const ROOT = resolve(import.meta.dir, "..", "..");

/** Generated code obeys its generator, not us. */
const GENERATED = "src/gen/";

let ours: Promise<readonly HouseFile[]> | null = null;

/** Every TypeScript file of src, test and build; parsed once a process. */
export function loadHouse(): Promise<readonly HouseFile[]> {
  ours ??= parse(ROOT, undefined);
  return ours;
}

/** A tree that exists only in the test: paths below the root → text. */
export function parseTexts(texts: Record<string, string>): Promise<readonly HouseFile[]> {
  const root = "/house";
  const config = { compilerOptions: { noLib: true, types: [], noResolve: true }, include: ["src", "test", "build"] };
  const files = Object.entries(texts).map(([path, text]) => [`${root}/${path}`, text] as const);
  const all = Object.fromEntries([[`${root}/tsconfig.json`, JSON.stringify(config)] as const, ...files]);
  return parse(root, all);
}

async function parse(root: string, virtual: Record<string, string> | undefined): Promise<readonly HouseFile[]> {
  const api = new API(virtual ? { cwd: root, fs: createVirtualFileSystem(virtual) } : { cwd: root });
  try {
    const snapshot = await api.updateSnapshot({ openProjects: [join(root, "tsconfig.json")] });
    const project = snapshot.getProjects()[0];
    if (!project) throw new Error("tsconfig.json names no project");
    const files: HouseFile[] = [];
    for (const name of project.rootFiles) {
      const tree = await project.program.getSourceFile(name);
      if (tree) files.push(describe(relative(root, name).replaceAll("\\", "/"), tree));
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  } finally {
    await api.close();
  }
}

function describe(path: string, tree: SourceFile): HouseFile {
  const parts = path.split("/");
  const room = parts[0] !== "src" ? null : parts.length === 2 ? "attic" : parts[1]!;
  return { path, room, text: tree.text, tree, imports: readImports(path, tree) };
}

/** Hand-written product files, or those of one room. */
export function productFiles(house: readonly HouseFile[], room?: string): readonly HouseFile[] {
  return house.filter((file) => (room ? file.room === room : file.room !== null) && !file.path.startsWith(GENERATED));
}

/** Calls `visit` for a node and everything below it. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i !== -1 && i < offset; i = text.indexOf("\n", i + 1)) line++;
  return line;
}

/** `path:line` of a node, for messages. */
export function at(file: HouseFile, node: Node): string {
  return `${file.path}:${lineAt(file.text, node.getStart(file.tree))}`;
}

/** Static and dynamic imports, `import("…")` types and `export … from`, whatever the depth. */
function readImports(path: string, tree: SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: Node, specifier: string, typeOnly: boolean, names: readonly string[] | null) => {
    const target = specifier.startsWith(".") ? join(dirname(path), specifier).replaceAll("\\", "/") : null;
    found.push({ specifier, target, typeOnly, names, line: lineAt(tree.text, node.getStart(tree)) });
  };
  walk(tree, (node) => {
    if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
      const clause = node.importClause;
      const wholeType = clause?.phaseModifier === SyntaxKind.TypeKeyword;
      const bindings = clause?.namedBindings;
      if (bindings && isNamedImports(bindings)) {
        const everyType = bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly);
        const names = bindings.elements.map((element) => (element.propertyName ?? element.name).text);
        add(node, node.moduleSpecifier.text, wholeType || everyType, clause?.name ? ["default", ...names] : names);
      } else if (bindings && isNamespaceImport(bindings)) add(node, node.moduleSpecifier.text, wholeType, null);
      else add(node, node.moduleSpecifier.text, wholeType, clause?.name ? ["default"] : []);
    } else if (isExportDeclaration(node) && node.moduleSpecifier && isStringLiteral(node.moduleSpecifier)) {
      const clause = node.exportClause;
      const names = clause && "elements" in clause ? clause.elements.map((e) => (e.propertyName ?? e.name).text) : null;
      add(node, node.moduleSpecifier.text, node.isTypeOnly, names);
    } else if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
      const argument = node.arguments[0];
      if (argument && isStringLiteral(argument)) add(node, argument.text, false, null);
    } else if (isImportTypeNode(node) && isLiteralTypeNode(node.argument) && isStringLiteral(node.argument.literal)) {
      add(node, node.argument.literal.text, true, null);
    }
  });
  return found;
}
