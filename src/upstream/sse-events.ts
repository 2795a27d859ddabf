/**
 * The event types of a Codex stream that mean something to Rotor, and finding them in bytes. Everything else is output and passes unread.
 */

/** How much of an event's data is kept: nothing, its last bytes (usage stands at the end of a terminal event), or all of it. */
export type Keep = "nothing" | "tail" | "whole";

export const EVENT_TYPES = {
  "response.created": "nothing",
  "response.queued": "nothing",
  "response.in_progress": "nothing",
  "response.metadata": "nothing",
  "codex.response.metadata": "nothing",
  "responsesapi.websocket_timing": "nothing",
  keepalive: "nothing",
  ping: "nothing",
  "codex.rate_limits": "whole",
  "response.completed": "tail",
  "response.incomplete": "tail",
  "response.failed": "whole",
  error: "whole",
} as const satisfies Record<string, Keep>;

export type EventType = keyof typeof EVENT_TYPES;

export function isEventType(text: string): text is EventType {
  return Object.hasOwn(EVENT_TYPES, text);
}

interface Name {
  readonly type: EventType;
  readonly bytes: Uint8Array;
}

const RESPONSE_DOT = 9;
const LETTER_R = 0x72;

/** `response.*` share their first nine bytes, so the tenth tells them apart; the others differ in the first. */
function bucketed(types: readonly EventType[], at: number): readonly (readonly Name[] | undefined)[] {
  const buckets: Name[][] = [];
  for (const type of types) {
    const bytes = new TextEncoder().encode(type);
    (buckets[bytes[at]!] ??= []).push({ type, bytes });
  }
  return buckets;
}

const ALL = Object.keys(EVENT_TYPES) as EventType[];
const RESPONSES = bucketed(
  ALL.filter((type) => type.startsWith("response")),
  RESPONSE_DOT,
);
const OTHERS = bucketed(
  ALL.filter((type) => !type.startsWith("response")),
  0,
);

/** The known type that starts at `from` and is followed by `endByte`, or by the end at `to` when `endByte` is null. */
export function typeAt(buffer: Uint8Array, from: number, to: number, endByte: number | null): EventType | null {
  const names = buffer[from] === LETTER_R ? RESPONSES[buffer[from + RESPONSE_DOT]!] : OTHERS[buffer[from]!];
  if (names === undefined) return null;
  for (const { type, bytes } of names) {
    const end = from + bytes.length;
    if (end > to || (endByte === null ? end !== to : end >= to || buffer[end] !== endByte)) continue;
    if (startsWith(buffer, from, bytes)) return type;
  }
  return null;
}

export function startsWith(buffer: Uint8Array, from: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (buffer[from + i] !== bytes[i]) return false;
  return true;
}
