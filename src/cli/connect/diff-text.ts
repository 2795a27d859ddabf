/** What would change in a file, for people: a unified diff with the keys in it made unreadable. */
import { structuredPatch } from "diff";
import type { Style } from "../print.ts";
import { printable } from "../print.ts";
import { type Change, isIdle, isPart } from "./change.ts";

/** A client key, as far as it is secret. */
const SECRET = /rtr_([A-Za-z0-9]+)_[\w-]+/g;

const masked = (text: string) => text.replace(SECRET, "rtr_$1_…");

/** Conversations are too many to be shown one by one; their number is said elsewhere. */
export function isShown(change: Change): boolean {
  const kept = change.trace ?? change.former;
  return !isIdle(change) && (kept === null || !isPart(kept));
}

export function diffLines(change: Change, style: Style): readonly string[] {
  const { look, after, mode } = change;
  const before = textOf(look.content);
  const patch = structuredPatch(look.path, look.path, before, textOf(after), undefined, undefined, { context: 2 });
  const name = printable(look.path);
  const head = look.content === null ? `${name} (new)` : after === null ? `${name} (removed)` : name;
  const lines = patch.hunks.flatMap(({ oldStart, newStart, lines }) => [
    style.dim(`@@ line ${after === null ? oldStart : newStart} @@`),
    ...lines.map((line) => painted(masked(printable(line)), style)),
  ]);
  const isTightened = look.mode !== null && after !== null && look.mode !== mode;
  const note = isTightened ? [style.dim(`mode ${look.mode!.toString(8)} becomes ${mode.toString(8)}`)] : [];
  return [style.bold(head), ...note, ...lines];
}

function painted(line: string, style: Style): string {
  if (line.startsWith("+")) return style.good(line);
  return line.startsWith("-") ? style.bad(line) : line;
}

function textOf(content: Uint8Array | null): string {
  return content === null ? "" : new TextDecoder().decode(content).replace(/^\ufeff/, "");
}
