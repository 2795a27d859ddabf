/**
 * The `input` of an SDK's request in the form that upstream takes (wire §3.3, §5.4). Items that need no change keep their bytes.
 * Never touches content: only roles, ids, and items that point at stored ones, which a ChatGPT account does not have.
 */
import {
  findMember,
  isObject,
  isText,
  type JsonMember,
  type JsonSpan,
  readText,
  scanElements,
  scanMembers,
  spanIncludes,
} from "./json-members.ts";
import { type Edit, jsonBytes, spliceElements, spliceMembers } from "./json-splice.ts";

const TEXT_BEFORE = Buffer.from('[{"role":"user","content":[{"type":"input_text","text":');
const TEXT_AFTER = Buffer.from("}]}]");

/** A plain string is one user message. `span` is the string with its quotes. */
export function inputFromText(bytes: Uint8Array, span: JsonSpan): Uint8Array {
  return Buffer.concat([TEXT_BEFORE, bytes.subarray(span.valueStart, span.valueEnd), TEXT_AFTER]);
}

/** Without one of these (as a whole JSON string) no item can need a change; searching costs a tenth of reading. */
const TELLTALES: readonly string[] = ['"system"', '"id"', '"item_reference"', '"reasoning"'];

/** New bytes of the list, or null when it may stay as it is. */
export function normaliseItems(bytes: Uint8Array, span: JsonSpan): Uint8Array | null {
  if (!TELLTALES.some((telltale) => spanIncludes(bytes, span, telltale))) return null;
  const scan = scanElements(bytes, span.valueStart, span.valueEnd);
  if (!scan.ok) return null;
  const edits = new Map<number, Edit>();
  scan.elements.forEach((element, index) => {
    const edit = normaliseItem(bytes, element);
    if (edit !== "keep") edits.set(index, edit);
  });
  return edits.size === 0 ? null : spliceElements(bytes, scan.elements, edits);
}

/** Kinds whose `id` is nothing but the name of a stored copy. Of others (a web search call) it is part of the item. */
const ID_IS_A_NAME: ReadonlySet<string> = new Set([
  "message",
  "function_call",
  "function_call_output",
  "custom_tool_call",
  "custom_tool_call_output",
]);

function normaliseItem(bytes: Uint8Array, element: JsonSpan): Edit | "keep" {
  if (!isObject(bytes, element)) return "keep";
  const scan = scanMembers(bytes, element.valueStart, element.valueEnd);
  if (!scan.ok) return "keep";
  const { members } = scan;
  const type = memberText(bytes, members, "type");
  if (type === "item_reference" || isBareId(members)) return null;
  if (type === "reasoning") return isReadableReasoning(bytes, members) ? "keep" : null;
  const edits = new Map<string, Edit>();
  if (memberText(bytes, members, "role") === "system") edits.set("role", jsonBytes("developer"));
  if (findMember(members, "id") !== null && ID_IS_A_NAME.has(type ?? "message")) edits.set("id", null);
  return edits.size === 0 ? "keep" : spliceMembers(bytes, members, edits);
}

/** `{"id":"rs_…"}`: a reference that leaves its type out. */
function isBareId(members: readonly JsonMember[]): boolean {
  return members.length === 1 && members[0]!.key === "id";
}

/** Reasoning that was not saved is worth something only with its sealed content; its id belongs to that seal and stays. */
function isReadableReasoning(bytes: Uint8Array, members: readonly JsonMember[]): boolean {
  const content = findMember(members, "encrypted_content");
  return content !== null && isText(bytes, content) && content.valueEnd - content.valueStart > 2;
}

function memberText(bytes: Uint8Array, members: readonly JsonMember[], key: string): string | null {
  try {
    return readText(bytes, findMember(members, key));
  } catch {
    return null;
  }
}
