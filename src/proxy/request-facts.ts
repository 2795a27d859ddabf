/**
 * What the proxy itself must know of a request body: its top-level members, and a handful of their values. Reads, never edits.
 */
import { AppError } from "../base/errors.ts";
import { findMember, type JsonMember, readText, scanMembers } from "./json-members.ts";

/** A body whose top level was found to be a JSON object. */
export interface ScannedBody {
  readonly bytes: Uint8Array;
  readonly members: readonly JsonMember[];
}

/** Rejects with `invalid_json`, which names the byte. */
export function scanBody(bytes: Uint8Array): ScannedBody {
  const scan = scanMembers(bytes);
  if (!scan.ok) throw invalidJson(bytes, scan.at);
  return { bytes, members: scan.members };
}

/** A member's text, or null when it is absent or no text. */
export function textOf(body: ScannedBody, key: string): string | null {
  const member = findMember(body.members, key);
  try {
    return readText(body.bytes, member);
  } catch {
    throw invalidJson(body.bytes, member!.valueStart);
  }
}

function invalidJson(bytes: Uint8Array, at: number): AppError {
  const words =
    bytes.length === 0
      ? "the request has no body; it must be a JSON object"
      : `the body is not a JSON object that can be read: byte ${at} of ${bytes.length} is not what JSON has there`;
  return new AppError("invalid_json", words, { facts: { at } });
}
