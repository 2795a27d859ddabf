/**
 * Reading JSON that somebody else wrote: every answer may be missing, null or of another type, and none of that may throw.
 */

export type Json = Readonly<Record<string, unknown>>;

const EMPTY: Json = Object.freeze({});

/** The object in `text`; null when it is anything else. */
export function parseObject(text: string): Json | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** The object under `key`; an empty one when there is none. */
export function objectAt(value: Json, key: string): Json {
  return asObject(value[key]) ?? EMPTY;
}

/** A non-empty text under `key`, or null. */
export function textAt(value: Json, key: string): string | null {
  const inner = value[key];
  return typeof inner === "string" && inner !== "" ? inner : null;
}

/** A finite number under `key`, also when it was written as a text; null otherwise. */
export function numberAt(value: Json, key: string): number | null {
  return asNumber(value[key]);
}

export function asNumber(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "string") return null;
  const digits = digitsOf(value);
  if (digits !== null) return digits;
  if (!/^\s*-?\d+(?:\.\d+)?\s*$/.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** Fifteen digits are exact. */
function digitsOf(text: string): number | null {
  const { length } = text;
  if (length === 0 || length > 15) return null;
  let number = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return number;
}
