/**
 * Reading JSON of unknown shape without casts. Never throws; a wrong shape is null.
 */
export type JsonObject = Record<string, unknown>;

export function asObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

export function asList(value: unknown): unknown[] | null {
  return Array.isArray(value) ? value : null;
}

export function asText(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** The objects of a list; anything else in it is skipped. */
export function objectsOf(value: unknown): JsonObject[] {
  return (asList(value) ?? []).map(asObject).filter((item) => item !== null);
}

/** The parsed text, or undefined when it is not JSON. */
export function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
