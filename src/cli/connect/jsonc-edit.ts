/**
 * JSON with comments as a {@link Format}: single properties set and taken out by their places in the text. Comments, order, indentation and
 * trailing commas of all else stay. Pure.
 */
import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { type Format, type KeyPath, lineEndOf, lineStart, nextLine, splice, Unfit, type Value } from "./document.ts";

export const JSONC: Format = {
  textAt(text, path) {
    const node = nodeAt(parse(text), path);
    return node === null ? null : text.slice(node.offset, endOf(node));
  },
  valueAt(text, path) {
    const node = nodeAt(parse(text), path);
    return node === null ? undefined : getNodeValue(node);
  },
  set(text, path, literal, isAsItWas = false) {
    const start = text.trim() === "" ? `{}${lineEndOf(text)}` : text;
    const root = parse(start);
    const node = nodeAt(root, path);
    if (node !== null) {
      const put = isAsItWas ? literal : reindent(start, literal, indentAt(start, node.offset));
      return checked(splice(start, node.offset, endOf(node), put), 0);
    }
    let depth = path.length - 1;
    while (nodeAt(root, path.slice(0, depth)) === null) depth--;
    const home = nodeAt(root, path.slice(0, depth))!;
    if (home.type !== "object") throw new Unfit(`${path.slice(0, depth).join(".") || "the file"} is not an object`);
    const made = path.length - 1 - depth;
    return checked(insert(start, home, path[depth]!, wrap(path.slice(depth + 1), literal)), made);
  },
  itemsAt(text, path) {
    const list = nodeAt(parse(text), path);
    const items = list?.type === "array" ? list.children! : [];
    return items.map((item) => ({ text: text.slice(item.offset, endOf(item)), value: getNodeValue(item) }));
  },
  addItem(text, path, literal) {
    const last = nodeAt(parse(text), path)!.children!.at(-1)!;
    const isOneLine = !/\n[ \t]*$/.test(text.slice(0, last.offset));
    const indent = indentAt(text, last.offset);
    const gap = isOneLine ? " " : lineEndOf(text) + indent;
    return checked(splice(text, endOf(last), endOf(last), `,${gap}${reindent(text, literal, indent)}`), 0).text;
  },
  dropItem(text, path, index) {
    const items = nodeAt(parse(text), path)!.children!;
    const [before, item, next] = [items[index - 1], items[index]!, items[index + 1]];
    const home = item.parent!;
    // With the comma and the blanks between it and its neighbour, but not with a remark there.
    const [from, to] = before !== undefined ? [endOf(before), endOf(item)] : [item.offset, next?.offset ?? endOf(item)];
    const isBare = !/\/[/*]/.test(text.slice(from, to).replace(text.slice(item.offset, endOf(item)), ""));
    if (isBare) return checked(splice(text, from, to, ""), 0).text;
    const comma = commaAfter(text, endOf(item), endOf(home));
    const bare = splice(text, item.offset, comma === null ? endOf(item) : comma + 1, "");
    const stale = comma === null && before !== undefined ? commaAfter(text, endOf(before), item.offset) : null;
    return checked(stale === null ? bare : splice(bare, stale, stale + 1, ""), 0).text;
  },
  unset(text, path, made) {
    const node = nodeAt(parse(text), path);
    if (node === null) return text;
    const bare = takeProperty(text, node.parent!);
    if (made === 0) return bare;
    const home = nodeAt(parse(bare), path.slice(0, -1));
    const isEmpty = home?.type === "object" && bare.slice(home.offset + 1, endOf(home) - 1).trim() === "";
    return isEmpty ? this.unset(bare, path.slice(0, -1), made - 1) : bare;
  },
  literal: (value: Value) => JSON.stringify(value, null, 2),
};

const endOf = ({ offset, length }: Node) => offset + length;

function parse(text: string): Node {
  const errors: ParseError[] = [];
  const root = parseTree(text.trim() === "" ? "{}" : text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined) {
    const line = text.slice(0, first.offset).split("\n").length;
    throw new Unfit(`line ${line} is not JSON: ${printParseErrorCode(first.error)}`);
  }
  if (root?.type !== "object") throw new Unfit("it holds no object");
  return root;
}

function checked(text: string, made: number): { text: string; made: number } {
  parse(text);
  return { text, made };
}

/** The last of several properties of one name counts, as it does for whoever reads the file. */
function nodeAt(root: Node, path: KeyPath): Node | null {
  let node: Node = root;
  for (const key of path) {
    const property = (node.type === "object" ? node.children! : []).findLast(
      ({ children }) => children?.[0]?.value === key,
    );
    const value = property?.children?.[1];
    if (value === undefined) return null;
    node = value;
  }
  return node;
}

/** `literal` inside the objects that are not there yet. */
function wrap(names: KeyPath, literal: string): string {
  const reversed = [...names].reverse();
  return reversed.reduce(
    (inner, name) => `{\n  ${JSON.stringify(name)}: ${inner.replaceAll("\n", "\n  ")}\n}`,
    literal,
  );
}

/** Behind the last property, before the comment that may stand behind that on its line. */
function insert(text: string, home: Node, name: string, literal: string): string {
  const end = lineEndOf(text);
  const outer = indentAt(text, home.offset);
  const last = home.children?.at(-1);
  const property = (indent: string) => `${JSON.stringify(name)}: ${reindent(text, literal, indent)}`;
  if (last === undefined) {
    const inner = outer + unitOf(text);
    const isBare = text.slice(home.offset + 1, endOf(home) - 1).trim() === "";
    if (isBare) return splice(text, home.offset, endOf(home), `{${end}${inner}${property(inner)}${end}${outer}}`);
    // Comments alone: in front of them.
    return splice(text, home.offset + 1, home.offset + 1, `${end}${inner}${property(inner)}`);
  }
  const isOneLine = !text.slice(home.offset, last.offset).includes("\n");
  const comma = commaAfter(text, endOf(last), endOf(home));
  const at = comma === null ? endOf(last) : comma + 1;
  const sign = comma === null ? "," : "";
  if (isOneLine) {
    const flat = JSON.stringify(JSON.parse(literal));
    return splice(text, at, at, `${sign} ${JSON.stringify(name)}: ${flat}`);
  }
  const indent = indentAt(text, last.offset);
  const line = `${indent}${property(indent)}${comma === null ? "" : ","}`;
  const lineEnd = endOfLine(text, at, endOf(home) - 1);
  return splice(splice(text, lineEnd, lineEnd, `${end}${line}`), endOf(last), endOf(last), comma === null ? "," : "");
}

/** The end of the line that `offset` lies in, without what ends it, or `limit` when that comes first. A comment may not be cut. */
function endOfLine(text: string, offset: number, limit: number): number {
  const rest = /^[ \t]*(?:\/\*[^\n]*?\*\/[ \t]*)*(?:\/\/[^\r\n]*)?/.exec(text.slice(offset, limit))![0];
  return /^\r?\n/.test(text.slice(offset + rest.length)) ? offset + rest.length : offset;
}

/** Where the next comma is, when only blanks and comments come before it. */
function commaAfter(text: string, from: number, limit: number): number | null {
  const between = /^(?:\s|\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text.slice(from, limit))![0];
  return text[from + between.length] === "," ? from + between.length : null;
}

function takeProperty(text: string, property: Node): string {
  const home = property.parent!;
  const siblings = home.children!;
  const at = siblings.indexOf(property);
  const comma = commaAfter(text, endOf(property), endOf(home));
  const end = comma === null ? endOf(property) : comma + 1;
  const [from, to] = [lineStart(text, property.offset), nextLine(text, end)];
  const isAlone = text.slice(from, property.offset).trim() === "" && text.slice(end, to).trim() === "";
  if (siblings.length === 1 && text.slice(home.offset + 1, property.offset).trim() === "") {
    const rest = text.slice(end, endOf(home) - 1);
    if (rest.trim() === "") return splice(text, home.offset, endOf(home), "{}");
  }
  const before = siblings[at - 1];
  // The comma before the last one would be left alone.
  const stale = comma === null && before !== undefined ? commaAfter(text, endOf(before), property.offset) : null;
  const bare = isAlone
    ? splice(text, from, to, "")
    : splice(text, stale !== null ? stale + 1 : property.offset, end + (comma === null ? 0 : blanksAt(text, end)), "");
  return stale === null ? bare : splice(bare, stale, stale + 1, "");
}

const blanksAt = (text: string, offset: number) => /^[ \t]*/.exec(text.slice(offset))![0].length;

function indentAt(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(lineStart(text, offset)))![0];
}

/** What this file indents with: what its first indented line begins with, else two blanks. */
function unitOf(text: string): string {
  return /\n(\t| +)\S/.exec(text)?.[1] ?? "  ";
}

/** Text of a value as `JSON.stringify` lays it out, at its place and with the indentation of the file. */
function reindent(text: string, literal: string, indent: string): string {
  const [end, unit] = [lineEndOf(text), unitOf(text)];
  return literal.replaceAll(/\r?\n( *)/g, (_, blanks: string) => end + indent + unit.repeat(blanks.length / 2));
}
