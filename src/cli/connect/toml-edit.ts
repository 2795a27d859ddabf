/**
 * TOML as a {@link Format}: single keys set and taken out by their places in the text, however the file spells its tables: sections, dotted
 * keys, inline tables. Everything else keeps its bytes. Pure.
 */
import { type AST, getStaticTOMLValue, parseTOML } from "toml-eslint-parser";
import { type Format, type KeyPath, lineEndOf, lineStart, nextLine, splice, Unfit, type Value } from "./document.ts";

type Pair = AST.TOMLKeyValue;
type Section = AST.TOMLTable;
type Place = { readonly pair: Pair; readonly value: AST.TOMLContentNode };

export const TOML: Format = {
  textAt(text, path) {
    const top = parse(text);
    const place = find(top, path);
    if (place !== null) return text.slice(...place.value.range);
    const parts = sectionParts(top, text, path);
    return parts.length === 0 ? null : parts.map(([from, to]) => text.slice(from, to)).join("");
  },
  valueAt(text, path) {
    let value: unknown = getStaticTOMLValue(parse(text).parent);
    for (const key of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string, unknown>)[key];
    }
    return value;
  },
  set(text, path, literal) {
    const place = find(parse(text), path);
    if (place !== null) return checked(splice(text, ...place.value.range, literal), 0);
    // The text of a whole section, put back where sections end.
    if (isSection(literal, path)) return checked(append(text, literal.replace(/\r?\n$/, "")), 0);
    return insert(text, path, literal);
  },
  // No file of that kind that we edit keeps a list of ours.
  itemsAt: () => [],
  addItem: (text) => text,
  dropItem: (text) => text,
  unset(text, path, made) {
    const top = parse(text);
    const place = find(top, path);
    if (place === null) return cut(text, sectionParts(top, text, path));
    const bare = takePair(text, place.pair);
    return made === 0 ? bare : withoutEmptySection(bare, path.slice(0, -1));
  },
  literal,
};

function literal(value: Value): string {
  if (typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(literal).join(", ")}]`;
  const entries = Object.entries(value).map(([key, one]) => `${keyText(key)} = ${literal(one)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

function parse(text: string): AST.TOMLTopLevelTable {
  try {
    return parseTOML(text, { tomlVersion: "1.0" }).body[0];
  } catch (error) {
    const { lineNumber, message } = error as { lineNumber?: number; message: string };
    throw new Unfit(`line ${lineNumber ?? "?"} is not TOML: ${message}`);
  }
}

/** An edit that would leave something unreadable is none. */
function checked(text: string, made: number): { text: string; made: number } {
  parse(text);
  return { text, made };
}

const keyText = (key: string) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key));
const pathText = (path: KeyPath) => path.map(keyText).join(".");
const namesOf = ({ keys }: AST.TOMLKey) => keys.map((key) => (key.type === "TOMLBare" ? key.name : key.value));

const startsWith = (path: readonly (string | number)[], head: KeyPath) =>
  path.length >= head.length && head.every((name, i) => path[i] === name);

/** A pair outside of inline tables, with its whole path. Pairs in `[[arrays]]` have a number in it. */
interface Held {
  readonly pair: Pair;
  readonly path: readonly (string | number)[];
  readonly home: Section | null;
}

function pairsOf(top: AST.TOMLTopLevelTable): Held[] {
  return top.body.flatMap((node): Held | Held[] =>
    node.type === "TOMLKeyValue"
      ? [{ pair: node, path: namesOf(node.key), home: null }]
      : node.body.map((pair) => ({ pair, path: [...node.resolvedKey, ...namesOf(pair.key)], home: node })),
  );
}

function find(top: AST.TOMLTopLevelTable, path: KeyPath): Place | null {
  for (const one of pairsOf(top)) {
    if (!one.path.every((name, i) => name === path[i])) continue;
    const found = inside(one.pair, path.slice(one.path.length));
    if (found !== null) return found;
  }
  return null;
}

function inside(pair: Pair, rest: KeyPath): Place | null {
  if (rest.length === 0) return { pair, value: pair.value };
  if (pair.value.type !== "TOMLInlineTable") return null;
  for (const inner of pair.value.body) {
    const names = namesOf(inner.key);
    if (!names.every((name, i) => name === rest[i])) continue;
    const found = inside(inner, rest.slice(names.length));
    if (found !== null) return found;
  }
  return null;
}

function insert(text: string, path: KeyPath, value: string): { text: string; made: number } {
  const top = parse(text);
  const [parent, name] = [path.slice(0, -1), path.at(-1)!];
  for (let depth = parent.length; depth > 0; depth--) {
    const place = find(top, parent.slice(0, depth));
    if (place === null) continue;
    if (place.value.type !== "TOMLInlineTable") throw new Unfit(`${pathText(parent.slice(0, depth))} is not a table`);
    return checked(intoInline(text, place.value, `${pathText(path.slice(depth))} = ${value}`), 0);
  }
  const sections = top.body.filter((node): node is Section => node.type === "TOMLTable");
  if (sections.some(({ kind, key }) => kind === "array" && startsWith(path, namesOf(key))))
    throw new Unfit(`${pathText(parent)} is a list of tables`);
  const own = sections.find(({ resolvedKey }) => samePath(resolvedKey, parent));
  if (own !== undefined) return checked(lineAfter(text, own.body.at(-1) ?? own.key, `${keyText(name)} = ${value}`), 0);
  const relative = dottedHome(top, path);
  if (relative !== null) return checked(lineAfter(text, relative.pair, `${pathText(relative.rest)} = ${value}`), 0);
  if (parent.length > 0) {
    const end = lineEndOf(text);
    return checked(append(text, `[${pathText(parent)}]${end}${keyText(name)} = ${value}`), 1);
  }
  const last = top.body.filter((node) => node.type === "TOMLKeyValue").at(-1);
  const line = `${keyText(name)} = ${value}`;
  return checked(last ? lineAfter(text, last, line) : `${line}${lineEndOf(text)}${text}`, 0);
}

const samePath = (a: readonly (string | number)[], b: KeyPath) => a.length === b.length && startsWith(a, b);

/** Where a family of dotted keys lives that the new one belongs to: `model_providers.x.name = …` above the sections, for one. */
function dottedHome(top: AST.TOMLTopLevelTable, path: KeyPath): { pair: Pair; rest: KeyPath } | null {
  let best: { pair: Pair; rest: KeyPath; shared: number } | null = null;
  for (const one of pairsOf(top)) {
    const depth = one.home?.resolvedKey.length ?? 0;
    let shared = 0;
    while (shared < path.length - 1 && shared < one.path.length - 1 && one.path[shared] === path[shared]) shared++;
    if (shared > depth && (best === null || shared >= best.shared))
      best = { pair: one.pair, rest: path.slice(depth), shared };
  }
  return best;
}

function intoInline(text: string, table: AST.TOMLInlineTable, entry: string): string {
  const last = table.body.at(-1);
  if (last !== undefined) return splice(text, last.range[1], last.range[1], `, ${entry}`);
  return splice(text, ...table.range, `{ ${entry} }`);
}

function lineAfter(text: string, { range }: { range: AST.Range }, line: string): string {
  const end = lineEndOf(text);
  const at = nextLine(text, range[1]);
  return text[at - 1] === "\n" ? splice(text, at, at, line + end) : `${text}${end}${line}`;
}

/** At the end, behind one empty line. */
function append(text: string, block: string): string {
  const end = lineEndOf(text);
  const closed = text === "" || text.endsWith("\n") ? text : text + end;
  const gap = closed === "" || /\n\r?\n$/.test(closed) ? "" : end;
  return `${closed}${gap}${block}${end}`;
}

/** A pair with its line; in an inline table with its comma. */
function takePair(text: string, pair: Pair): string {
  const [from, to] = pair.range;
  if (pair.parent.type !== "TOMLInlineTable") return splice(text, lineStart(text, from), nextLine(text, to), "");
  const siblings = pair.parent.body;
  const at = siblings.indexOf(pair);
  if (at > 0) return splice(text, siblings[at - 1]!.range[1], to, "");
  const next = siblings[1];
  return next ? splice(text, from, next.range[0], "") : splice(text, ...pair.parent.range, "{}");
}

/** A section that holds nothing, not even a comment, with the empty line before it. */
function withoutEmptySection(text: string, path: KeyPath): string {
  const top = parse(text);
  const sections = top.body.filter((node): node is Section => node.type === "TOMLTable");
  const own = sections.find(({ kind, resolvedKey }) => kind === "standard" && samePath(resolvedKey, path));
  if (own === undefined || own.body.length > 0) return text;
  const [from, to] = [lineStart(text, own.range[0]), sectionEnd(top, own, text)];
  if (text.slice(nextLine(text, own.key.range[1]), to).trim() !== "") return text;
  const empty = /(?:^|\n)(\r?\n)$/.exec(text.slice(0, from))?.[1] ?? "";
  return splice(text, from - empty.length, nextLine(text, own.key.range[1]), "");
}

function sectionEnd(top: AST.TOMLTopLevelTable, section: Section, text: string): number {
  const next = top.body[top.body.indexOf(section) + 1];
  return next === undefined ? text.length : lineStart(text, next.range[0]);
}

/** The lines of a section and of all below it, and of its dotted keys elsewhere. */
function sectionParts(top: AST.TOMLTopLevelTable, text: string, path: KeyPath): [number, number][] {
  return top.body.flatMap((node): [number, number][] => {
    if (node.type === "TOMLTable" && startsWith(node.resolvedKey, path)) {
      const last = node.body.at(-1)?.range[1] ?? node.key.range[1];
      return [[lineStart(text, node.range[0]), nextLine(text, last)]];
    }
    const pairs = node.type === "TOMLTable" ? node.body : [node];
    const head = node.type === "TOMLTable" ? node.resolvedKey : [];
    return pairs.flatMap((pair): [number, number][] =>
      startsWith([...head, ...namesOf(pair.key)], path)
        ? [[lineStart(text, pair.range[0]), nextLine(text, pair.range[1])]]
        : [],
    );
  });
}

function cut(text: string, parts: readonly [number, number][]): string {
  return [...parts].reverse().reduce((kept, [from, to]) => splice(kept, from, to, ""), text);
}

/** Whether a text is a section of that path, as {@link sectionParts} takes one out. */
function isSection(text: string, path: KeyPath): boolean {
  try {
    return sectionParts(parse(text), text, path).length > 0;
  } catch {
    return false;
  }
}
