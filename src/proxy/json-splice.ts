/**
 * Edits of JSON bytes in place of parse and re-serialise: what is not named stays byte for byte what the client sent.
 * Works on spans found by json-members.ts. Never looks inside a value.
 */
import { findMember, type JsonMember, type JsonSpan } from "./json-members.ts";

/** New bytes of a value, or null to take the member or element out. */
export type Edit = Uint8Array | null;

const OPEN_OBJECT = Buffer.from("{");
const CLOSE_OBJECT = Buffer.from("}");
const OPEN_ARRAY = Buffer.from("[");
const CLOSE_ARRAY = Buffer.from("]");
const COMMA = Buffer.from(",");

/** The object with `edits` applied: replaced where the key stands (every time it stands), added at the end where it does not. */
export function spliceMembers(
  bytes: Uint8Array,
  members: readonly JsonMember[],
  edits: ReadonlyMap<string, Edit>,
): Uint8Array {
  return Buffer.concat(memberPieces(bytes, members, edits));
}

/** The same in pieces, most of them views of `bytes`: members that follow each other unedited are one. */
export function memberPieces(
  bytes: Uint8Array,
  members: readonly JsonMember[],
  edits: ReadonlyMap<string, Edit>,
): Uint8Array[] {
  const parts: Uint8Array[] = [];
  // From the first of the members that stay to the end of the last of them, or of the key of one that is edited: one view.
  let from = -1;
  let to = -1;
  for (const member of members) {
    const edit = edits.get(member.key);
    if (edit === null) {
      if (from !== -1) parts.push(parts.length === 0 ? OPEN_OBJECT : COMMA, bytes.subarray(from, to));
      from = -1;
      continue;
    }
    if (from === -1) from = member.keyStart;
    to = member.valueEnd;
    if (edit === undefined) continue;
    parts.push(parts.length === 0 ? OPEN_OBJECT : COMMA, bytes.subarray(from, member.valueStart), edit);
    from = -1;
  }
  if (from !== -1) parts.push(parts.length === 0 ? OPEN_OBJECT : COMMA, bytes.subarray(from, to));
  for (const [key, edit] of edits) {
    if (edit === null || findMember(members, key) !== null) continue;
    parts.push(parts.length === 0 ? OPEN_OBJECT : COMMA, Buffer.from(`${JSON.stringify(key)}:`), edit);
  }
  if (parts.length === 0) parts.push(OPEN_OBJECT);
  parts.push(CLOSE_OBJECT);
  return parts;
}

/** The array with the elements at the indexes of `edits` replaced or taken out. */
export function spliceElements(
  bytes: Uint8Array,
  elements: readonly JsonSpan[],
  edits: ReadonlyMap<number, Edit>,
): Uint8Array {
  const parts: Uint8Array[] = [];
  elements.forEach((element, index) => {
    const edit = edits.get(index);
    if (edit === null) return;
    parts.push(parts.length === 0 ? OPEN_ARRAY : COMMA);
    parts.push(edit ?? bytes.subarray(element.valueStart, element.valueEnd));
  });
  if (parts.length === 0) parts.push(OPEN_ARRAY);
  parts.push(CLOSE_ARRAY);
  return Buffer.concat(parts);
}

/** Bytes of a small value of our own. */
export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
