/**
 * Where the members of a JSON object and the elements of a JSON array lie in their bytes, without building values.
 * A request body can be megabytes of history of which we need five small members; parsing all of it would cost more than
 * everything else that the proxy does. Tokens and their order are checked at every depth; the inside of long strings is not
 * (that is upstream's business). Never re-serialises anything: edits are splices, see json-splice.ts.
 */
import { nameOf } from "./json-names.ts";

export interface JsonSpan {
  readonly valueStart: number;
  /** Exclusive. */
  readonly valueEnd: number;
}

export interface JsonMember extends JsonSpan {
  /** Decoded. */
  readonly key: string;
  readonly keyStart: number;
}

export interface JsonProblem {
  readonly ok: false;
  /** Byte offset of what could not be read; the length of the text when it ends too early. */
  readonly at: number;
}

export type MemberScan = { readonly ok: true; readonly members: readonly JsonMember[] } | JsonProblem;
export type ElementScan = { readonly ok: true; readonly elements: readonly JsonSpan[] } | JsonProblem;

/** Deeper nesting than any client sends (upstream's own parser stops at 128), bounded so that a hostile body costs nothing. */
const DEEPEST = 1_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** The members of the object that is all of `bytes[start, end)` but for white space, in their order, repeated keys included. */
export function scanMembers(bytes: Uint8Array, start = 0, end = bytes.length): MemberScan {
  const text = bufferOf(bytes);
  let at = skipSpace(text, start, end);
  if (at >= end || text[at] !== OPEN_OBJECT) return { ok: false, at };
  const members: JsonMember[] = [];
  at = skipSpace(text, at + 1, end);
  if (at < end && text[at] === CLOSE_OBJECT) return finish(text, at + 1, end, { ok: true, members });
  for (;;) {
    const keyStart = at;
    const keyEnd = skipKeyText(text, at, end);
    if (keyEnd < 0) return { ok: false, at: ~keyEnd };
    const valueStart = skipColon(text, keyEnd, end);
    if (valueStart < 0) return { ok: false, at: ~valueStart };
    const valueEnd = skipValue(text, valueStart, end);
    if (valueEnd < 0) return { ok: false, at: ~valueEnd };
    members.push({ key: nameOf(text, keyStart + 1, keyEnd - 1), keyStart, valueStart, valueEnd });
    at = skipSpace(text, valueEnd, end);
    if (at < end && text[at] === CLOSE_OBJECT) return finish(text, at + 1, end, { ok: true, members });
    if (at >= end || text[at] !== COMMA) return { ok: false, at };
    at = skipSpace(text, at + 1, end);
  }
}

/** The elements of the array that is all of `bytes[start, end)` but for white space. */
export function scanElements(bytes: Uint8Array, start = 0, end = bytes.length): ElementScan {
  const text = bufferOf(bytes);
  let at = skipSpace(text, start, end);
  if (at >= end || text[at] !== OPEN_ARRAY) return { ok: false, at };
  const elements: JsonSpan[] = [];
  at = skipSpace(text, at + 1, end);
  if (at < end && text[at] === CLOSE_ARRAY) return finish(text, at + 1, end, { ok: true, elements });
  for (;;) {
    const valueEnd = skipValue(text, at, end);
    if (valueEnd < 0) return { ok: false, at: ~valueEnd };
    elements.push({ valueStart: at, valueEnd });
    at = skipSpace(text, valueEnd, end);
    if (at < end && text[at] === CLOSE_ARRAY) return finish(text, at + 1, end, { ok: true, elements });
    if (at >= end || text[at] !== COMMA) return { ok: false, at };
    at = skipSpace(text, at + 1, end);
  }
}

/** The member that a JSON parser would keep: the last one of that name. */
export function findMember(members: readonly JsonMember[], key: string): JsonMember | null {
  for (let i = members.length - 1; i >= 0; i--) if (members[i]!.key === key) return members[i]!;
  return null;
}

/** Parses one value; for small ones. Throws a SyntaxError where the scan was too lenient (see the header). */
export function readSpan(bytes: Uint8Array, span: JsonSpan): unknown {
  return JSON.parse(bufferOf(bytes).toString("utf8", span.valueStart, span.valueEnd));
}

/** The value as a string, or null when it is absent or something else. Throws like {@link readSpan}. */
export function readText(bytes: Uint8Array, span: JsonSpan | null): string | null {
  if (span === null || bytes[span.valueStart] !== QUOTE) return null;
  const start = span.valueStart + 1;
  const end = span.valueEnd - 1;
  return isPlain(bytes, start, end)
    ? bufferOf(bytes).toString("latin1", start, end)
    : (readSpan(bytes, span) as string);
}

/** Longer texts than names and ids are the parser's to judge. */
const PLAIN_MAX_BYTES = 64;

/** ASCII that stands for itself between quotes. */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > PLAIN_MAX_BYTES) return false;
  for (let at = start; at < end; at++) {
    const c = bytes[at]!;
    if (c < 0x20 || c > 0x7e || c === BACKSLASH) return false;
  }
  return true;
}

/** `true` and `false` as such, null for everything else. */
export function readFlag(bytes: Uint8Array, span: JsonSpan | null): boolean | null {
  if (span === null) return null;
  const first = bytes[span.valueStart];
  return first === 0x74 ? true : first === 0x66 ? false : null;
}

export function isNull(bytes: Uint8Array, span: JsonSpan): boolean {
  return bytes[span.valueStart] === 0x6e;
}

export function isText(bytes: Uint8Array, span: JsonSpan): boolean {
  return bytes[span.valueStart] === QUOTE;
}

export function isArray(bytes: Uint8Array, span: JsonSpan): boolean {
  return bytes[span.valueStart] === OPEN_ARRAY;
}

export function isObject(bytes: Uint8Array, span: JsonSpan): boolean {
  return bytes[span.valueStart] === OPEN_OBJECT;
}

/** Does `needle` occur between the two offsets? A native search: gigabytes a second. */
export function spanIncludes(bytes: Uint8Array, span: JsonSpan, needle: string): boolean {
  const at = bufferOf(bytes).indexOf(needle, span.valueStart, "latin1");
  return at >= 0 && at + needle.length <= span.valueEnd;
}

/** A Buffer over the same bytes: its indexOf is memchr. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function finish<T>(text: Buffer, from: number, end: number, found: T): T | JsonProblem {
  const at = skipSpace(text, from, end);
  return at === end ? found : { ok: false, at };
}

// The skippers return the offset after what they skipped, or the complement (~) of the offset where it is wrong.

function skipSpace(text: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const c = text[at];
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
    at++;
  }
  return at;
}

/** A key, its colon and the space around it: the start of the value. */
function skipKey(text: Buffer, from: number, end: number): number {
  const keyEnd = skipKeyText(text, from, end);
  return keyEnd < 0 ? keyEnd : skipColon(text, keyEnd, end);
}

function skipKeyText(text: Buffer, from: number, end: number): number {
  return from >= end || text[from] !== QUOTE ? ~from : skipString(text, from, end);
}

function skipColon(text: Buffer, from: number, end: number): number {
  const colon = skipSpace(text, from, end);
  if (colon >= end || text[colon] !== COLON) return ~colon;
  return skipSpace(text, colon + 1, end);
}

function skipValue(text: Buffer, from: number, end: number): number {
  if (from >= end) return ~end;
  const c = text[from];
  if (c === QUOTE) return skipString(text, from, end);
  if (c === OPEN_OBJECT || c === OPEN_ARRAY) return skipContainer(text, from, end);
  return skipScalar(text, from, end);
}

function skipContainer(text: Buffer, from: number, end: number): number {
  const closers: number[] = [];
  let at = from;
  for (;;) {
    // At a value.
    const c = at < end ? text[at]! : 0;
    if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (closers.length === DEEPEST) return ~at;
      const closer = c === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      closers.push(closer);
      at = skipSpace(text, at + 1, end);
      if (at >= end || text[at] !== closer) {
        if (closer === CLOSE_OBJECT && (at = skipKey(text, at, end)) < 0) return at;
        continue;
      }
    } else {
      at = skipValue(text, at, end);
      if (at < 0) return at;
      at = skipSpace(text, at, end);
    }
    // After a value, or at the closer of an empty container: close as many as close here.
    while (at < end && text[at] === closers[closers.length - 1]) {
      closers.pop();
      if (closers.length === 0) return at + 1;
      at = skipSpace(text, at + 1, end);
    }
    if (at >= end || text[at] !== COMMA) return ~at;
    at = skipSpace(text, at + 1, end);
    if (closers[closers.length - 1] === CLOSE_OBJECT && (at = skipKey(text, at, end)) < 0) return at;
  }
}

/** Strings up to this length are walked byte by byte; a native search costs as much as walking some forty bytes. */
const NEAR_BYTES = 48;

/** `from` is at the opening quote. */
function skipString(text: Buffer, from: number, end: number): number {
  let at = from + 1;
  // A string that goes on beyond that is long, and quotes inside it are what a search finds next: it is not walked again.
  const near = Math.min(at + NEAR_BYTES, end);
  for (;;) {
    while (at < near) {
      const c = text[at]!;
      if (c === QUOTE) return at + 1;
      if (c === BACKSLASH) at += 2;
      else if (c < 0x20) return ~at;
      else at++;
    }
    if (at >= end) return ~end;
    const quote = text.indexOf(QUOTE, at);
    if (quote < 0 || quote >= end) return ~end;
    let before = quote - 1;
    while (before >= at && text[before] === BACKSLASH) before--;
    if (((quote - 1 - before) & 1) === 0) return quote + 1;
    at = quote + 1;
  }
}

function skipScalar(text: Buffer, from: number, end: number): number {
  switch (text[from]) {
    case 0x74:
      return skipWord(text, from, end, "true");
    case 0x66:
      return skipWord(text, from, end, "false");
    case 0x6e:
      return skipWord(text, from, end, "null");
    default:
      return skipNumber(text, from, end);
  }
}

function skipWord(text: Buffer, from: number, end: number, word: string): number {
  for (let i = 0; i < word.length; i++) {
    if (from + i >= end || text[from + i] !== word.charCodeAt(i)) return ~Math.min(from + i, end);
  }
  return from + word.length;
}

/** RFC 8259 §6. */
function skipNumber(text: Buffer, from: number, end: number): number {
  let at = from;
  if (at < end && text[at] === 0x2d) at++;
  if (at < end && text[at] === 0x30) at++;
  else if ((at = skipDigits(text, at, end)) < 0) return at;
  if (at < end && text[at] === 0x2e && (at = skipDigits(text, at + 1, end)) < 0) return at;
  if (at < end && (text[at] === 0x65 || text[at] === 0x45)) {
    at++;
    if (at < end && (text[at] === 0x2b || text[at] === 0x2d)) at++;
    return skipDigits(text, at, end);
  }
  return at;
}

function skipDigits(text: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && text[at]! >= 0x30 && text[at]! <= 0x39) at++;
  return at === from ? ~at : at;
}
