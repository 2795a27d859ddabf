/**
 * What somebody who comes from another product types, sets and looks for, and what it is here: the form of those tables, and their look.
 */
import { wrapText } from "../text/table.ts";

export interface OldWord {
  /** As it was there; several that became the same stand together, with commas. */
  readonly old: string;
  /** What to type or set here, or why there is nothing. */
  readonly now: string;
}

export interface OldWords {
  /** What the names of most of its variables begin with; the table leaves it out. */
  readonly prefix: string;
  readonly commands: readonly OldWord[];
  readonly variables: readonly OldWord[];
  readonly files: readonly OldWord[];
}

/** Terminals of old, and what a page of paper holds. */
const WIDTH = 80;
/** Wider where one word is. */
const OLD_WIDTH = 36;

/** Both columns wrapped, side by side. */
function tableOf(header: string, words: readonly OldWord[], prefix: string): string[] {
  const rows = [{ old: header, now: "ROTOR" }, ...words].map((row) => ({
    left: wrapText(row.old.replaceAll(prefix, "…_"), OLD_WIDTH),
    now: row.now,
  }));
  const width = Math.max(OLD_WIDTH, ...rows.flatMap(({ left }) => left.map((line) => line.length)));
  return rows.flatMap(({ left, now }) => {
    const right = wrapText(now, WIDTH - width - 2);
    return Array.from({ length: Math.max(left.length, right.length) }, (_, i) =>
      `${(left[i] ?? "").padEnd(width)}  ${right[i] ?? ""}`.trimEnd(),
    );
  });
}

export function movingText(product: string, { prefix, commands, variables, files }: OldWords): string {
  return [
    product.toUpperCase(),
    "",
    "What was typed, set and kept there, and what it is here. How to move:",
    "rotor help moving.",
    "",
    ...tableOf("COMMAND", commands, prefix),
    "",
    `Names of variables that begin with …_ begin with ${prefix}`,
    "A setting is changed with rotor setting set NAME VALUE.",
    "",
    ...tableOf("SETTING OR VARIABLE", variables, prefix),
    "",
    ...tableOf("FILE", files, prefix),
  ].join("\n");
}
