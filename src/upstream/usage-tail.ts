/**
 * The `usage` of a finished response, found from the end of its event: the response before it may be megabytes and is not read. Pure.
 */
import type { Usage } from "../domain/outcome.ts";
import { numberAt, objectAt, parseObject } from "./json.ts";

const KEY = Buffer.from('"usage"');
/** A usage object with every detail that upstream knows stays far below this. */
const OBJECT_MAX_BYTES = 8 * 1024;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const COLON = 0x3a;

/** `data` is the event's JSON, or just its last bytes. null when upstream did not count. */
export function readUsageTail(data: Uint8Array): Usage | null {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let at = bytes.lastIndexOf(KEY); at !== -1; at = at === 0 ? -1 : bytes.lastIndexOf(KEY, at - 1)) {
    // `\"usage\"` is text that a model wrote.
    if (at > 0 && bytes[at - 1] === BACKSLASH) continue;
    const usage = usageAt(bytes, at + KEY.length);
    if (usage !== null) return usage;
  }
  return null;
}

/** Does the JSON end where an object ends? One that was cut off does not. */
export function isWholeObject(data: Uint8Array): boolean {
  let end = data.length;
  while (end > 0 && isBlank(data[end - 1]!)) end--;
  return end > 0 && data[end - 1] === CLOSE;
}

function usageAt(bytes: Buffer, afterKey: number): Usage | null {
  const colon = skipBlank(bytes, afterKey);
  if (bytes[colon] !== COLON) return null;
  const start = skipBlank(bytes, colon + 1);
  const end = bytes[start] === OPEN ? objectEnd(bytes, start) : -1;
  const usage = end === -1 ? null : parseObject(bytes.toString("utf8", start, end));
  const inputTokens = usage === null ? null : numberAt(usage, "input_tokens");
  if (usage === null || inputTokens === null) return null;
  return {
    inputTokens,
    cachedInputTokens: numberAt(objectAt(usage, "input_tokens_details"), "cached_tokens") ?? 0,
    outputTokens: numberAt(usage, "output_tokens") ?? 0,
    reasoningTokens: numberAt(objectAt(usage, "output_tokens_details"), "reasoning_tokens") ?? 0,
  };
}

/** One past the brace that closes the object at `start`; -1 when it does not close within reason. */
function objectEnd(bytes: Buffer, start: number): number {
  const limit = Math.min(bytes.length, start + OBJECT_MAX_BYTES);
  let depth = 0;
  let inText = false;
  for (let at = start; at < limit; at++) {
    const byte = bytes[at];
    if (inText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN) depth++;
    else if (byte === CLOSE && --depth === 0) return at + 1;
  }
  return -1;
}

function skipBlank(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isBlank(bytes[at]!)) at++;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13);
}
