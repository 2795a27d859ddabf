/**
 * HTTP header fields as an ordered list: what arrived is what is sent on. `Headers` would merge, sort and lose repetition.
 */

/** Names lower case; values as received. */
export type HeaderList = readonly HeaderField[];
export type HeaderField = readonly [name: string, value: string];

/** The first value of `name` (lower case), or null. */
export function headerValue(headers: HeaderList, name: string): string | null {
  for (const [key, value] of headers) if (key === name) return value;
  return null;
}

export function withoutHeaders(headers: HeaderList, names: ReadonlySet<string>): HeaderList {
  return headers.filter(([name]) => !names.has(name));
}

/**
 * Without the fields that belong to one connection and are never passed on (RFC 9110 §7.6.1), those that `Connection` itself names, and
 * `names`.
 */
export function withoutHopByHop(headers: HeaderList, names: ReadonlySet<string> = NO_NAMES): HeaderField[] {
  const named = namedByConnection(headers);
  const passed: HeaderField[] = [];
  for (const field of headers) {
    const name = field[0];
    if (!HOP_BY_HOP.has(name) && !names.has(name) && (named === null || !named.has(name))) passed.push(field);
  }
  return passed;
}

/** null = none but those that are of one connection anyway. */
function namedByConnection(headers: HeaderList): ReadonlySet<string> | null {
  const connection = headerValue(headers, "connection");
  if (connection === null || connection === "keep-alive") return null;
  return new Set(connection.split(",").map((name) => name.trim().toLowerCase()));
}

const NO_NAMES: ReadonlySet<string> = new Set();

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
