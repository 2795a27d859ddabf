/**
 * HTTP/1.1 requests off a byte stream (RFC 9112): request line, header fields, a body by length or in chunks.
 * Written by hand because the simulator must be exact about bytes, cuts and resets, which no HTTP library lets one say.
 */
export type HeaderList = [name: string, value: string][];

export interface HttpRequest {
  method: string;
  /** As it was sent, with the query. */
  target: string;
  path: string;
  query: URLSearchParams;
  /** In wire order, names as sent. */
  headers: HeaderList;
  body: Uint8Array;
  keepAlive: boolean;
}

/** A request that cannot be understood; the connection ends with this status. */
export class BadRequest extends Error {
  constructor(
    readonly status: 400 | 413 | 431,
    message: string,
  ) {
    super(message);
  }
}

/** First value of a field, or null. */
export function headerOf(headers: HeaderList, name: string): string | null {
  const wanted = name.toLowerCase();
  for (const [key, value] of headers) if (key.toLowerCase() === wanted) return value;
  return null;
}

/** Codex sends turn metadata of a few KiB in headers; 64 KiB is what nginx-like servers stop at as well. */
const HEAD_MAX_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);

export interface RequestReader {
  push(bytes: Uint8Array): void;
  /** The next whole request, or null until more bytes come. Throws BadRequest. */
  next(): HttpRequest | null;
  /** What came after the last request: another protocol's first bytes. */
  rest(): Uint8Array;
}

type Head = Omit<HttpRequest, "body">;
type Framing = { kind: "length"; bytes: number } | { kind: "chunked" };

/** `onContinue` is called when a head asked for `100 Continue` (curl does, above 1 MiB). */
export function createRequestReader(bodyMaxBytes: number, onContinue: () => void): RequestReader {
  let pending: Uint8Array[] = [];
  let size = 0;
  let head: Head | null = null;
  let framing: Framing = { kind: "length", bytes: 0 };
  let chunks: Uint8Array[] = [];
  let chunkedBytes = 0;

  const flat = (): Uint8Array => {
    if (pending.length !== 1) pending = [Buffer.concat(pending)];
    return pending[0]!;
  };
  const keepFrom = (bytes: Uint8Array, at: number) => {
    pending = at < bytes.length ? [bytes.subarray(at)] : [];
    size = bytes.length - at;
  };
  const readHead = (): boolean => {
    const bytes = Buffer.from(flat().buffer, flat().byteOffset, flat().byteLength);
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) {
      if (size > HEAD_MAX_BYTES) throw new BadRequest(431, "the request head is too long");
      return false;
    }
    head = parseHead(bytes.toString("latin1", 0, end));
    framing = framingOf(head.headers, bodyMaxBytes);
    chunks = [];
    chunkedBytes = 0;
    keepFrom(bytes, end + 4);
    if (headerOf(head.headers, "expect")?.toLowerCase() === "100-continue") onContinue();
    return true;
  };
  /** Takes whole chunks off the front; true when the last one was seen. */
  const readChunks = (): boolean => {
    const bytes = Buffer.from(flat().buffer, flat().byteOffset, flat().byteLength);
    let at = 0;
    for (;;) {
      const lineEnd = bytes.indexOf("\r\n", at);
      if (lineEnd < 0) break;
      const length = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
      if (Number.isNaN(length)) throw new BadRequest(400, "a chunk has no length");
      if (bytes.length < lineEnd + 2 + length + 2) break;
      at = lineEnd + 2 + length + 2;
      if (length === 0) {
        keepFrom(bytes, at);
        return true;
      }
      chunkedBytes += length;
      if (chunkedBytes > bodyMaxBytes) throw new BadRequest(413, "the request body is too long");
      chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    }
    keepFrom(bytes, at);
    return false;
  };
  const finish = (body: Uint8Array): HttpRequest => {
    const request = { ...head!, body };
    head = null;
    return request;
  };

  return {
    rest() {
      const bytes = size === 0 ? EMPTY : flat();
      keepFrom(bytes, bytes.length);
      return bytes;
    },
    push(bytes) {
      // The runtime reuses its read buffer, so the bytes are copied.
      pending.push(new Uint8Array(bytes));
      size += bytes.length;
    },
    next() {
      if (!head && (size === 0 || !readHead())) return null;
      if (framing.kind === "chunked") return size > 0 && readChunks() ? finish(Buffer.concat(chunks)) : null;
      if (size < framing.bytes) return null;
      if (framing.bytes === 0) return finish(EMPTY);
      const bytes = flat();
      const body = bytes.subarray(0, framing.bytes);
      keepFrom(bytes, framing.bytes);
      return finish(body);
    },
  };
}

function parseHead(text: string): Head {
  const [requestLine = "", ...lines] = text.split("\r\n");
  const match = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/.exec(requestLine);
  if (!match) throw new BadRequest(400, "not an HTTP/1.1 request");
  const [, method = "", target = "", minor] = match;
  const headers: HeaderList = lines.map((line) => {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new BadRequest(400, "a header field has no name");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const connection = headerOf(headers, "connection")?.toLowerCase() ?? "";
  const keepAlive = minor === "1" ? !connection.includes("close") : connection.includes("keep-alive");
  // Absolute-form targets come from clients that believe we are a proxy.
  const local = target.replace(/^https?:\/\/[^/]+/, "") || "/";
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : local.slice(mark + 1));
  return { method, target, path, query, headers, keepAlive };
}

function framingOf(headers: HeaderList, bodyMaxBytes: number): Framing {
  if (headerOf(headers, "transfer-encoding")?.toLowerCase().includes("chunked")) return { kind: "chunked" };
  const text = headerOf(headers, "content-length") ?? "0";
  if (!/^\d+$/.test(text)) throw new BadRequest(400, "content-length is not a number");
  const bytes = Number(text);
  if (bytes > bodyMaxBytes) throw new BadRequest(413, "the request body is too long");
  return { kind: "length", bytes };
}
