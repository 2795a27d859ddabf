/**
 * Reads single members of one event of upstream's stream, from its bytes. Decides nothing.
 */
import { isText, type JsonMember, readSpan, scanMembers } from "./json-members.ts";
import { JsonView } from "./json-view.ts";

const TYPE_FIRST = Buffer.from('{"type":"');
const QUOTE = 0x22;

/** `type` comes first in what upstream writes; anywhere else it is looked for. */
export function typeOf(data: Buffer): string | null {
  if (data.subarray(0, TYPE_FIRST.length).equals(TYPE_FIRST)) {
    const end = data.indexOf(QUOTE, TYPE_FIRST.length);
    return end < 0 ? null : data.toString("latin1", TYPE_FIRST.length, end);
  }
  const scan = scanMembers(data);
  return scan.ok ? new JsonView({ bytes: data, members: scan.members }).text("type") : null;
}

/** Which item an event is about. */
export function keyOf(event: JsonView): string {
  const index = event.at("output_index");
  if (index !== null) return String(readSpan(event.bytes, index));
  return event.text("item_id") ?? event.object("item")?.text("id") ?? "";
}

/** null when it is absent, no text, or empty. */
export function textMember(event: JsonView, key: string): JsonMember | null {
  const member = event.at(key);
  const isSaid = member !== null && isText(event.bytes, member) && member.valueEnd - member.valueStart > 2;
  return isSaid ? member : null;
}

export function valueAt(view: JsonView, key: string): unknown {
  const member = view.at(key);
  return member === null ? null : readSpan(view.bytes, member);
}
