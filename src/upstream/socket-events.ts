/**
 * What must be known of a frame of upstream's: its type, whether it ends an answer, which response it completes, and what an error in place
 * of an answer says (wire §3.5). Reads as few bytes as decide it. Pure.
 */
import type { HeaderList } from "../base/header-list.ts";
import { asObject, numberAt, objectAt, parseObject, textAt } from "./json.ts";

const PLAIN_TYPE = /^\{"type":"([A-Za-z0-9_.]{1,64})"/;
const TYPE_MAX_BYTES = 80;

export function typeOf(data: Buffer): string | null {
  const plain = PLAIN_TYPE.exec(data.toString("latin1", 0, TYPE_MAX_BYTES));
  if (plain !== null) return plain[1]!;
  const type = textAt(parseObject(data.toString("utf8")) ?? {}, "type");
  return type !== null && /^[A-Za-z0-9_.]{1,64}$/.test(type) ? type : null;
}

/** Is it an event at all, though of a type that cannot be read? Asked of those alone: all others begin as one. */
export function isEvent(data: Buffer): boolean {
  return parseObject(data.toString("utf8")) !== null;
}

const LAST: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.failed", "error"]);

export function isLast(type: string | null): boolean {
  return type !== null && LAST.has(type);
}

const RESPONSE_ID = /"response":\{"id":"([^"\\]{1,200})"/;
const ID_MAX_BYTES = 400;

/** Of the event that completes it. */
export function responseIdIn(data: Buffer): string | null {
  const plain = RESPONSE_ID.exec(data.toString("latin1", 0, ID_MAX_BYTES));
  if (plain !== null) return plain[1]!;
  return textAt(objectAt(parseObject(data.toString("utf8")) ?? {}, "response"), "id");
}

/**
 * What an `error` before any other event means: `unknown_response` that the request's chain is not known here, `too_old` that the socket has
 * reached its age; both say the same request in full. `refusal` is for the caller, `output` is an error without a status: an event like others.
 */
export type FirstWord = "output" | "refusal" | "unknown_response" | "too_old";

export function firstWord(data: Buffer): FirstWord {
  const event = parseObject(data.toString("utf8")) ?? {};
  const code = textAt(objectAt(event, "error"), "code");
  if (code === "previous_response_not_found") return "unknown_response";
  if (code === "websocket_connection_limit_reached") return "too_old";
  return statusIn(event) === null ? "output" : "refusal";
}

/** An error frame as the HTTP answer that it stands for. */
export function refusalIn(data: Buffer): { status: number; headers: HeaderList; body: Uint8Array } {
  const event = parseObject(data.toString("utf8")) ?? {};
  const headers: [string, string][] = [["content-type", "application/json"]];
  for (const [name, value] of Object.entries(asObject(event.headers) ?? {})) {
    if (typeof value === "string" && /^[a-z0-9-]{1,100}$/i.test(name)) headers.push([name.toLowerCase(), value]);
  }
  const body = new TextEncoder().encode(JSON.stringify({ error: event.error ?? null }));
  return { status: statusIn(event) ?? 500, headers, body };
}

/** Both spellings are in use (wire §3.5). */
function statusIn(event: Parameters<typeof numberAt>[0]): number | null {
  const status = numberAt(event, "status") ?? numberAt(event, "status_code");
  return status !== null && status >= 400 && status <= 599 ? status : null;
}
