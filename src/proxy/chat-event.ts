/**
 * What an event of upstream's is, before anybody parses it: its type by its bytes, and the item that it is about. Pure.
 */
import { isObject } from "./chat-facts.ts";
import { startsWith } from "./sse-blocks.ts";

const TYPE_FIRST = new TextEncoder().encode('{"type":"');
const QUOTE = 0x22;

/** `type` comes first in what upstream writes; anywhere else it is looked for. */
export function typeOf(data: Buffer): string | null {
  if (startsWith(data, 0, TYPE_FIRST)) {
    const end = data.indexOf(QUOTE, TYPE_FIRST.length);
    return end < 0 ? null : data.toString("latin1", TYPE_FIRST.length, end);
  }
  try {
    const event: unknown = JSON.parse(data.toString());
    return isObject(event) && typeof event.type === "string" ? event.type : null;
  } catch {
    return null;
  }
}

/** Which item an event is about. */
export function keyOf(event: Readonly<Record<string, unknown>>): string {
  return String(event.output_index ?? event.item_id ?? (isObject(event.item) ? event.item.id : ""));
}
