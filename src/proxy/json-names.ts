/**
 * Names of members that requests have and the proxy asks for: recognised by their bytes, because making a text of every key of every
 * request costs more than finding the keys. Knows spelling, never meaning; a name that does not stand here is read as a text.
 */

const NAMES: readonly string[] = [
  "background",
  "client_metadata",
  "content",
  "effort",
  "encrypted_content",
  "id",
  "include",
  "input",
  "instructions",
  "max_output_tokens",
  "messages",
  "metadata",
  "model",
  "parallel_tool_calls",
  "previous_response_id",
  "prompt_cache_key",
  "reasoning",
  "role",
  "service_tier",
  "store",
  "stream",
  "stream_options",
  "summary",
  "temperature",
  "text",
  "tool_choice",
  "tools",
  "top_p",
  "type",
  "user",
];

const SLOTS = 128;
const slotOf = (length: number, first: number, last: number) => (length * 7 + first * 3 + last * 5) % SLOTS;

/** By length, first and last letter; names that share a slot stand in one list. */
const BY_SLOT: readonly (readonly string[] | undefined)[] = (() => {
  const slots = new Array<string[] | undefined>(SLOTS).fill(undefined);
  for (const name of NAMES) {
    const slot = slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1));
    slots[slot] = [...(slots[slot] ?? []), name];
  }
  return slots;
})();

/** The name that stands between two quotes. */
export function nameOf(text: Buffer, start: number, end: number): string {
  const names = start === end ? undefined : BY_SLOT[slotOf(end - start, text[start]!, text[end - 1]!)];
  if (names !== undefined) for (const name of names) if (isSpelt(text, start, end, name)) return name;
  const raw = text.toString("utf8", start, end);
  if (!raw.includes("\\")) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

function isSpelt(text: Buffer, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (text[start + i] !== name.charCodeAt(i)) return false;
  return true;
}
