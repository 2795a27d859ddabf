/**
 * The other form of a request, for models that upstream calls "responses-lite" (wire §3.3): tools and instructions travel as the first items
 * of the input, calls come one at a time, reasoning sees all turns. What the official client sends them, as far as an SDK's request has it.
 */
import { findMember, isObject, isText, type JsonSpan, scanElements, scanMembers } from "./json-members.ts";
import { type Edit, jsonBytes, spliceMembers } from "./json-splice.ts";
import type { ScannedBody } from "./request-facts.ts";

/** What tells upstream which form it is (wire §3.2). */
export const LITE_HEADER: readonly [string, string] = ["x-openai-internal-codex-responses-lite", "true"];

const TOOLS_BEFORE = Buffer.from('{"type":"additional_tools","role":"developer","tools":');
const TEXT_BEFORE = Buffer.from('{"type":"message","role":"developer","content":[{"type":"input_text","text":');
const TEXT_AFTER = Buffer.from("}]}");
const CLOSE = Buffer.from("}");
const OPEN_LIST = Buffer.from("[");
const COMMA = Buffer.from(",");
const ALL_TURNS = jsonBytes("all_turns");
const EMPTY_TEXT = jsonBytes("");
const FALSE = jsonBytes(false);

/** On top of the edits that every SDK's request gets. A request that has this form already is left alone. */
export function editForLite(body: ScannedBody, edits: Map<string, Edit>): void {
  const first = [...toolItem(body, edits), ...instructionItem(body, edits)];
  const input = sentValue(body, edits, "input");
  if (first.length > 0 && input !== null) edits.set("input", withItemsFirst(first, input));
  editCalls(body, edits);
  editReasoning(body, edits);
}

function toolItem(body: ScannedBody, edits: Map<string, Edit>): Uint8Array[] {
  const tools = sentValue(body, edits, "tools");
  if (tools === null) return [];
  edits.set("tools", null);
  const scan = scanElements(tools);
  if (!scan.ok || scan.elements.length === 0) return [];
  return [Buffer.concat([TOOLS_BEFORE, tools, CLOSE])];
}

function instructionItem(body: ScannedBody, edits: Map<string, Edit>): Uint8Array[] {
  const text = sentValue(body, edits, "instructions");
  if (text === null || !isText(text, whole(text)) || text.length === EMPTY_TEXT.length) return [];
  // Empty, not absent: without any it is refused (wire §3.3).
  edits.set("instructions", EMPTY_TEXT);
  return [Buffer.concat([TEXT_BEFORE, text, TEXT_AFTER])];
}

function withItemsFirst(items: readonly Uint8Array[], input: Uint8Array): Uint8Array {
  const scan = scanElements(input);
  const parts: Uint8Array[] = [];
  for (const item of items) parts.push(parts.length === 0 ? OPEN_LIST : COMMA, item);
  if (!scan.ok || scan.elements.length === 0) return Buffer.concat([...parts, Buffer.from("]")]);
  return Buffer.concat([...parts, COMMA, input.subarray(scan.elements[0]!.valueStart)]);
}

/** Absent means true upstream, and these models have one call at a time. */
function editCalls(body: ScannedBody, edits: Map<string, Edit>): void {
  const parallel = sentValue(body, edits, "parallel_tool_calls");
  if (parallel === null || parallel[0] !== FALSE[0]) edits.set("parallel_tool_calls", FALSE);
}

function editReasoning(body: ScannedBody, edits: Map<string, Edit>): void {
  const reasoning = sentValue(body, edits, "reasoning");
  const scan = reasoning !== null && isObject(reasoning, whole(reasoning)) ? scanMembers(reasoning) : null;
  if (!scan?.ok) edits.set("reasoning", jsonBytes({ context: "all_turns" }));
  else if (findMember(scan.members, "context") === null) {
    edits.set("reasoning", spliceMembers(reasoning!, scan.members, new Map([["context", ALL_TURNS]])));
  }
}

/** A member's bytes as they will be sent; null when it is absent, or going. */
function sentValue({ bytes, members }: ScannedBody, edits: ReadonlyMap<string, Edit>, key: string): Uint8Array | null {
  const edit = edits.get(key);
  if (edit !== undefined) return edit;
  const member = findMember(members, key);
  return member === null ? null : bytes.subarray(member.valueStart, member.valueEnd);
}

function whole(value: Uint8Array): JsonSpan {
  return { valueStart: 0, valueEnd: value.length };
}
