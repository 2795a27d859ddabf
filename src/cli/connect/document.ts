/**
 * A configuration file as text in which single values are set and taken out, and all else stays as it was, byte for byte. What was done is
 * told as claims, from which it can be undone after others have edited the file. Pure: opens no file.
 */

import { sha256Hex } from "../../base/id.ts";

/** What a value may be in either format. */
export type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value };

export type KeyPath = readonly string[];

/** One place in a document that we answer for. Kept in receipts. */
export interface Claim {
  readonly path: KeyPath;
  /** Digest of what we put there, which may hold a key; null = we took out what was there. */
  readonly wrote: string | null;
  /** The text of the value (or of the whole section) that was there before, as it stood; null = nothing. */
  readonly before: string | null;
  /** How many tables or objects around it were made for it. */
  readonly made: number;
  /** The value is an item of the list at `path`; of what was taken out, `item` is its digest. */
  readonly item?: string;
}

/** Why a document cannot be edited without harm; the caller knows which file it is. */
export class Unfit extends Error {}

/** One way of writing documents. Every function throws {@link Unfit} for a text that is none, and for a place that cannot be. */
export interface Format {
  /** The text of the value at `path`; null = nothing. A section that is spread over the file counts as one text. */
  textAt(text: string, path: KeyPath): string | null;
  /** What the value at `path` says; undefined = nothing. */
  valueAt(text: string, path: KeyPath): unknown;
  /** `literal` is text of this format; with `isAsItWas` it stood in this file and is laid out for it. */
  set(
    text: string,
    path: KeyPath,
    literal: string,
    isAsItWas?: boolean,
  ): { readonly text: string; readonly made: number };
  /** The items of the list at `path`, as text; empty when there is none. */
  itemsAt(text: string, path: KeyPath): readonly { readonly text: string; readonly value: unknown }[];
  /** Puts an item behind the others of a list that has some. */
  addItem(text: string, path: KeyPath, literal: string): string;
  dropItem(text: string, path: KeyPath, index: number): string;
  /** Takes the value out, and up to `made` containers around it that are left empty. */
  unset(text: string, path: KeyPath, made: number): string;
  literal(value: Value): string;
}

export interface Setting {
  readonly path: KeyPath;
  /** null = it is to go. */
  readonly value: Value | null;
  /** An item of the list at `path`: `value` is to be among them, or with `false` for `isIn` not. */
  readonly item?: { readonly value: Value; readonly isIn: boolean };
}

/** Puts every setting in its place. Claims stand in the order in which they must be undone. */
export function putAll(
  format: Format,
  text: string,
  settings: readonly Setting[],
): { readonly text: string; readonly claims: readonly Claim[] } {
  let now = text;
  const claims: Claim[] = [];
  for (const { path, value, item } of settings) {
    if (item !== undefined) {
      const done = putItem(format, now, path, item);
      if (done !== null) claims.unshift(done.claim);
      now = done?.text ?? now;
      continue;
    }
    const before = format.textAt(now, path);
    if (value === null) {
      if (before === null) continue;
      now = format.unset(now, path, 0);
      claims.unshift({ path, wrote: null, before, made: 0 });
      continue;
    }
    // What says the same already is left as it is spelt, and is not ours.
    if (digestOf(format.valueAt(now, path)) === digestOf(value)) continue;
    const done = format.set(now, path, format.literal(value));
    now = done.text;
    claims.unshift({ path, wrote: digestOf(value), before, made: done.made });
  }
  return { text: now, claims };
}

/** Takes back what still stands as we wrote it. `kept` are the places that somebody has changed since; they stay. */
export function takeBack(
  format: Format,
  text: string,
  claims: readonly Claim[],
): { readonly text: string; readonly kept: readonly KeyPath[] } {
  let now = text;
  const kept: KeyPath[] = [];
  for (const claim of claims) {
    if (claim.item !== undefined) {
      now = takeItemBack(format, now, claim);
      continue;
    }
    // Somebody has taken it out already.
    if (claim.before === null && format.valueAt(now, claim.path) === undefined) continue;
    if (!stands(format, now, claim) && !leadsHere(format.valueAt(now, claim.path))) kept.push(claim.path);
    else if (claim.before === null) now = format.unset(now, claim.path, claim.made);
    else now = format.set(now, claim.path, claim.before, true).text;
  }
  return { text: now, kept };
}

/** An address with a client key in it is ours whoever has edited it: left behind, it would lead nowhere. */
function leadsHere(value: unknown): boolean {
  return typeof value === "string" && /\/k\/rtr_/.test(value);
}

function indexOf(format: Format, text: string, path: KeyPath, digest: string): number {
  return format.itemsAt(text, path).findIndex(({ value }) => digestOf(value) === digest);
}

/** null when it is so already. */
function putItem(
  format: Format,
  text: string,
  path: KeyPath,
  { value, isIn }: { value: Value; isIn: boolean },
): { text: string; claim: Claim } | null {
  const item = digestOf(value);
  const at = indexOf(format, text, path, item);
  if ((at !== -1) === isIn) return null;
  if (!isIn) {
    const before = format.itemsAt(text, path)[at]!.text;
    return { text: format.dropItem(text, path, at), claim: { path, wrote: null, before, made: 0, item } };
  }
  const literal = format.literal(value);
  if (format.itemsAt(text, path).length > 0)
    return { text: format.addItem(text, path, literal), claim: { path, wrote: item, before: null, made: 0, item } };
  // With the list, when that was made for it.
  const isNew = format.textAt(text, path) === null;
  const done = format.set(text, path, format.literal([value]));
  return { text: done.text, claim: { path, wrote: item, before: null, made: isNew ? done.made + 1 : 0, item } };
}

function takeItemBack(format: Format, text: string, claim: Claim): string {
  const { path, wrote, before, made, item } = claim;
  if (!stands(format, text, claim)) return text;
  const items = format.itemsAt(text, path);
  if (wrote === null) {
    if (items.length > 0) return format.addItem(text, path, before!);
    return format.set(text, path, `[${before}]`, true).text;
  }
  const isLast = items.length === 1;
  if (isLast && made > 0) return format.unset(text, path, made - 1);
  return format.dropItem(text, path, indexOf(format, text, path, item!));
}

/** Whether a place is as we left it. */
export function stands(format: Format, text: string, { path, wrote, item }: Claim): boolean {
  if (item !== undefined) return (indexOf(format, text, path, item) !== -1) === (wrote !== null);
  const value = format.valueAt(text, path);
  return wrote === (value === undefined ? null : digestOf(value));
}

/** The same for whatever says the same, however it is spelt. */
function digestOf(value: unknown): string {
  const sorted = (_: string, one: unknown): unknown =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : typeof one === "bigint"
        ? String(one)
        : one;
  return sha256Hex(JSON.stringify(value, sorted) ?? "");
}

/** What ends the lines of a text; `\n` where there is none yet. */
export function lineEndOf(text: string): "\r\n" | "\n" {
  return /^[^\n]*\r\n/.test(text) ? "\r\n" : "\n";
}

/** Where the line that `offset` lies in begins. */
export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** Just behind the end of the line that `offset` lies in. */
export function nextLine(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end === -1 ? text.length : end + 1;
}

export function splice(text: string, from: number, to: number, put: string): string {
  return text.slice(0, from) + put + text.slice(to);
}
