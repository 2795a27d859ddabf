/**
 * The head of an HTTP/1.1 answer, from bytes. Strict, because two readers that disagree about where an answer ends would let one account's
 * answer run into another's: no folded lines, no bare CR or LF, no blank before a colon, one length and one only.
 */
import type { HeaderList } from "../base/header-list.ts";
import { HttpFault } from "./http-client.ts";
import { LineMemory } from "./line-memory.ts";

/** How the end of the body is known. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** Until the connection closes. */
  | { readonly kind: "close" };

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderList;
  readonly framing: Framing;
  /** May the connection carry another request after this answer? */
  readonly keepAlive: boolean;
}

/** nginx and Cloudflare send a few kilobytes at most; 64 KiB is what common servers and browsers take. */
export const HEAD_MAX_BYTES = 64 * 1024;

const CR = 13;
const LF = 10;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^[0-9]{1,15}$/;

interface StatusLine {
  readonly status: number;
  readonly isOld: boolean;
}

interface FieldLine {
  readonly field: HeaderList[number];
  /** What the end of the body, or of the connection, hangs on. */
  readonly frames: "length" | "coding" | "connection" | null;
}

/** Reads the heads of one upstream: what stands in every one of them is read once. */
export class HeadReader {
  readonly #statuses = new LineMemory(readStatus);
  readonly #fields = new LineMemory(readField);

  /**
   * The head is `bytes` up to `limit`, without the blank line that ends it; `method` is the request's. Throws an HttpFault. An interim answer
   * (1xx) comes back with its status and is to be skipped.
   */
  read(bytes: Buffer, limit: number, method: string): ResponseHead {
    const { status, isOld } = this.#statuses.at(bytes, 0, limit);
    let { end } = this.#statuses;
    const fields = this.#fields;
    const headers: HeaderList[number][] = [];
    let length: string | null = null;
    let coding: string | null = null;
    let connection: string | null = null;
    while (end < limit) {
      // Lines end in CRLF and in nothing else.
      if (bytes[end] !== CR || end + 1 >= limit || bytes[end + 1] !== LF) throw malformed("line end");
      const { field, frames } = fields.at(bytes, end + 2, limit);
      end = fields.end;
      headers.push(field);
      if (frames === null) continue;
      const value = field[1];
      if (frames === "length") {
        if (length !== null && length !== value) throw malformed("content-length");
        length = value;
      } else if (frames === "coding") {
        if (coding !== null) throw malformed("transfer-encoding");
        coding = value;
      } else connection = connection === null ? value : `${connection},${value}`;
    }
    if (coding !== null && (length !== null || isOld)) throw malformed("two lengths");
    if (status === 101) throw malformed("an upgrade that nobody asked for");
    const framing = framingOf(status, method, length, coding);
    const keepAlive = framing.kind !== "close" && !isOld && !(connection !== null && saysClose(connection));
    return { status, headers, framing, keepAlive };
  }
}

/** One head of its own, in Latin-1. */
export function parseHead(text: string, method: string): ResponseHead {
  const bytes = Buffer.from(text, "latin1");
  return new HeadReader().read(bytes, bytes.length, method);
}

function readStatus(line: string): StatusLine {
  const start = STATUS_LINE.exec(line);
  if (start === null) throw malformed("status line");
  return { status: Number(start[2]), isOld: start[1] === "0" };
}

function readField(line: string): FieldLine {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon)).toLowerCase();
  // Looked at before it is trimmed: that would take a bare CR or LF off its ends unseen.
  const whole = line.slice(colon + 1);
  if (!NAME.test(name) || !VALUE.test(whole)) throw malformed("field");
  const value = whole.trim();
  const field = [name, value] as const;
  switch (name) {
    case "content-length":
      if (!LENGTH.test(value)) throw malformed("content-length");
      return { field, frames: "length" };
    case "transfer-encoding":
      if (value.toLowerCase() !== "chunked") throw malformed("transfer-encoding");
      return { field, frames: "coding" };
    default:
      return { field, frames: name === "connection" ? "connection" : null };
  }
}

function saysClose(connection: string): boolean {
  return connection.split(",").some((option) => option.trim().toLowerCase() === "close");
}

/** RFC 9112 §6.3. */
function framingOf(status: number, method: string, length: string | null, coding: string | null): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return NO_BODY;
  if (coding !== null) return CHUNKED;
  if (length === null) return UNTIL_CLOSE;
  return length === "0" ? NO_BODY : { kind: "length", bytes: Number(length) };
}

const NO_BODY: Framing = { kind: "none" };
const CHUNKED: Framing = { kind: "chunked" };
const UNTIL_CLOSE: Framing = { kind: "close" };

function malformed(what: string): HttpFault {
  return new HttpFault("Malformed_HTTP_Response", `the answer is not HTTP: ${what}`);
}
