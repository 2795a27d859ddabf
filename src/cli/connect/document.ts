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
  /** Takes the value out, and up to `made` containers around it that are left empty. */
  unset(text: string, path: KeyPath, made: number): string;
  literal(value: Value): string;
}

export interface Setting {
  readonly path: KeyPath;
  /** null = it is to go. */
  readonly value: Value | null;
}

/** Puts every setting in its place. Claims stand in the order in which they must be undone. */
export function putAll(
  format: Format,
  text: string,
  settings: readonly Setting[],
): { readonly text: string; readonly claims: readonly Claim[] } {
  let now = text;
  const claims: Claim[] = [];
  for (const { path, value } of settings) {
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
    // Somebody has taken it out already.
    if (claim.before === null && format.valueAt(now, claim.path) === undefined) continue;
    if (!stands(format, now, claim)) kept.push(claim.path);
    else if (claim.before === null) now = format.unset(now, claim.path, claim.made);
    else now = format.set(now, claim.path, claim.before, true).text;
  }
  return { text: now, kept };
}

/** Whether a place is as we left it. */
export function stands(format: Format, text: string, { path, wrote }: Claim): boolean {
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
