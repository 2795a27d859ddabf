/**
 * An object in its bytes, opened by member name, and putting such values together again without parsing them: a data URL of megabytes is
 * moved, never decoded. Reads and joins; what a value means is the caller's.
 */
import {
  findMember,
  isNull,
  isObject,
  type JsonMember,
  type JsonSpan,
  readFlag,
  readText,
  scanMembers,
} from "./json-members.ts";
import type { ScannedBody } from "./request-facts.ts";

/** JSON text, or bytes of it that came from elsewhere. */
export type Piece = string | Uint8Array;

export class JsonView {
  readonly bytes: Uint8Array;
  readonly members: readonly JsonMember[];

  constructor({ bytes, members }: ScannedBody) {
    this.bytes = bytes;
    this.members = members;
  }

  /** The member, unless it is absent or `null`: both mean "not said". */
  at(key: string): JsonMember | null {
    const member = findMember(this.members, key);
    return member === null || isNull(this.bytes, member) ? null : member;
  }

  /** A text, or null for anything else. */
  text(key: string): string | null {
    try {
      return readText(this.bytes, findMember(this.members, key));
    } catch {
      return null;
    }
  }

  flag(key: string): boolean | null {
    return readFlag(this.bytes, findMember(this.members, key));
  }

  object(key: string): JsonView | null {
    const member = this.at(key);
    return member === null ? null : viewObject(this.bytes, member);
  }

  raw(span: JsonSpan): Uint8Array {
    return this.bytes.subarray(span.valueStart, span.valueEnd);
  }
}

/** The object at `span`, or null when there is none that can be read. */
export function viewObject(bytes: Uint8Array, span: JsonSpan): JsonView | null {
  if (!isObject(bytes, span)) return null;
  const scan = scanMembers(bytes, span.valueStart, span.valueEnd);
  return scan.ok ? new JsonView({ bytes, members: scan.members }) : null;
}

/** `[a,b,…]` of values that are pieces themselves. */
export function listOf(values: readonly (readonly Piece[])[]): Piece[] {
  const pieces: Piece[] = ["["];
  values.forEach((value, index) => {
    if (index > 0) pieces.push(",");
    pieces.push(...value);
  });
  pieces.push("]");
  return pieces;
}

/** `{"a":…,"b":…}`; members that are null are left out. */
export function objectOf(members: Readonly<Record<string, Piece | readonly Piece[] | null>>): Piece[] {
  const pieces: Piece[] = [];
  for (const [key, value] of Object.entries(members)) {
    if (value === null) continue;
    pieces.push(`${pieces.length === 0 ? "{" : ","}${JSON.stringify(key)}:`);
    if (typeof value === "string" || value instanceof Uint8Array) pieces.push(value);
    else pieces.push(...value);
  }
  if (pieces.length === 0) pieces.push("{");
  pieces.push("}");
  return pieces;
}

/** One object of `members` in order, already scanned: where they lie is known from writing them. */
export function writeObject(members: Readonly<Record<string, Piece | readonly Piece[] | null>>): ScannedBody {
  const buffers: Uint8Array[] = [];
  const scanned: JsonMember[] = [];
  let at = 0;
  const write = (piece: Piece) => {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    buffers.push(bytes);
    at += bytes.length;
  };
  for (const [key, value] of Object.entries(members)) {
    if (value === null) continue;
    write(scanned.length === 0 ? "{" : ",");
    const keyStart = at;
    write(`${JSON.stringify(key)}:`);
    const valueStart = at;
    if (typeof value === "string" || value instanceof Uint8Array) write(value);
    else for (const piece of value) write(piece);
    scanned.push({ key, keyStart, valueStart, valueEnd: at });
  }
  write(scanned.length === 0 ? "{}" : "}");
  return { bytes: Buffer.concat(buffers, at), members: scanned };
}
