/**
 * Edits of JSON bytes in place of parse and re-serialise: what is not named stays byte for byte what the client sent.
 * Works on spans found by json-members.ts. Never looks inside a value.
 */
import type { JsonMember, JsonSpan } from "./json-members.ts";

/** New bytes of a value, or null to take the member or element out. */
export type Edit = Uint8Array | null;

const OPEN_OBJECT = Buffer.from("{");
const CLOSE_OBJECT = Buffer.from("}");
const OPEN_ARRAY = Buffer.from("[");
const CLOSE_ARRAY = Buffer.from("]");
const COMMA = Buffer.from(",");
const COLON = Buffer.from(":");

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
  const add = (...piece: Uint8Array[]) => {
    parts.push(parts.length === 0 ? OPEN_OBJECT : COMMA, ...piece);
  };
  const present = new Set<string>();
  // Members that stay as they are, from the first of them to the end of the last.
  let from = -1;
  let to = -1;
  const flush = () => {
    if (from !== -1) add(bytes.subarray(from, to));
    from = -1;
  };
  for (const member of members) {
    const edit = edits.get(member.key);
    present.add(member.key);
    if (edit === undefined) {
      if (from === -1) from = member.keyStart;
      to = member.valueEnd;
      continue;
    }
    flush();
    if (edit !== null) add(bytes.subarray(member.keyStart, member.valueStart), edit);
  }
  flush();
  for (const [key, edit] of edits) {
    if (edit !== null && !present.has(key)) add(Buffer.from(JSON.stringify(key)), COLON, edit);
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
