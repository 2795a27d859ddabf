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
  if (typeof value !== "string" || !/^\s*-?\d+(?:\.\d+)?\s*$/.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
