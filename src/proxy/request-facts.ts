/**
 * What the proxy itself must know of a request body: its top-level members, and a handful of their values. Reads, never edits.
 */
import { AppError } from "../base/errors.ts";
import { projectKeyOf } from "../base/project-key.ts";
import { isProject } from "../domain/budget.ts";
import { findMember, isObject, type JsonMember, readText, scanMembers } from "./json-members.ts";

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

/** A member's text, or null when it is absent or no text. Throws `invalid_json` where the scan was too lenient. */
export function textOf({ bytes, members }: ScannedBody, key: string): string | null {
  return textAt(bytes, findMember(members, key));
}

export function textAt(bytes: Uint8Array, member: JsonMember | null): string | null {
  try {
    return readText(bytes, member);
  } catch {
    throw invalidJson(bytes, member!.valueStart);
  }
}

/** What the ledger and the terms of a client key want to know of a turn. Throws `invalid_request` for a project that is none. */
export function turnFacts(header: Header, body: ScannedBody | null): TurnFacts {
  return {
    project: projectOf(header),
    effort: body === null ? null : effortOf(body),
    tier: body === null ? null : textOf(body, "service_tier"),
  };
}

/** A header of the request by its name; null = it has none. */
type Header = (name: string) => string | null;

interface TurnFacts {
  readonly project: string | null;
  readonly effort: string | null;
  readonly tier: string | null;
}

function projectOf(header: Header): string | null {
  const said = header("x-rotor-project") ?? "";
  if (said === "") return workspaceOf(header("x-codex-turn-metadata"));
  if (isProject(said)) return said;
  throw new AppError("invalid_request", "x-rotor-project takes 1 to 64 of A-Z a-z 0-9 . _ : @ + -", {
    facts: { param: "x-rotor-project" },
  });
}

/**
 * Codex tells the repository that it works in, and sends nothing else that would say the project when only its address is ours (wire §3.4).
 * A linked worktree is told as itself.
 */
function workspaceOf(metadata: string | null): string | null {
  if (metadata === null || !metadata.includes('"workspaces"')) return null;
  try {
    const { workspaces } = JSON.parse(metadata) as { workspaces?: unknown };
    const [path] = typeof workspaces === "object" && workspaces !== null ? Object.keys(workspaces) : [];
    return path === undefined || !ABSOLUTE.test(path) ? null : projectKeyOf(path);
  } catch {
    // Theirs to get right; a request is served without it.
    return null;
  }
}

const ABSOLUTE = /^(?:\/.*[^/]|[A-Za-z]:[\\/].*[^\\/])$/;

/** `reasoning.effort`. */
function effortOf({ bytes, members }: ScannedBody): string | null {
  const reasoning = findMember(members, "reasoning");
  if (reasoning === null || !isObject(bytes, reasoning)) return null;
  const inner = scanMembers(bytes, reasoning.valueStart, reasoning.valueEnd);
  return inner.ok ? textOf({ bytes, members: inner.members }, "effort") : null;
}

function invalidJson(bytes: Uint8Array, at: number): AppError {
  const words =
    bytes.length === 0
      ? "the request has no body; it must be a JSON object"
      : `the body is not a JSON object that can be read: byte ${at} of ${bytes.length} is not what JSON has there`;
  return new AppError("invalid_json", words, { facts: { at } });
}
