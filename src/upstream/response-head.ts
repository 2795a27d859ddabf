/**
 * The head of an HTTP/1.1 answer, from bytes. Strict, because two readers that disagree about where an answer ends would let one account's
 * answer run into another's: no folded lines, no bare CR or LF, no blank before a colon, one length and one only. Pure.
 */
import type { HeaderList } from "../base/header-list.ts";
import { HttpFault } from "./http-client.ts";

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

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^[0-9]{1,15}$/;

/**
 * `text` is the head in Latin-1, without the blank line that ends it; `method` is the request's. Throws an HttpFault. An interim answer
 * (1xx) comes back with its status and is to be skipped.
 */
export function parseHead(text: string, method: string): ResponseHead {
  const lines = text.split("\r\n");
  const start = STATUS_LINE.exec(lines[0]!);
  if (start === null) throw malformed("status line");
  const headers: [string, string][] = [];
  let length: string | null = null;
  let coding: string | null = null;
  let connection = "";
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    // Looked at before it is trimmed: that would take a bare CR or LF off its ends unseen.
    const whole = line.slice(colon + 1);
    if (!NAME.test(name) || !VALUE.test(whole)) throw malformed("field");
    const value = whole.trim();
    if (name === "content-length") {
      if (!LENGTH.test(value) || (length !== null && length !== value)) throw malformed("content-length");
      length = value;
    } else if (name === "transfer-encoding") {
      if (coding !== null || value.toLowerCase() !== "chunked") throw malformed("transfer-encoding");
      coding = "chunked";
    } else if (name === "connection") connection += `,${value.toLowerCase()}`;
    headers.push([name, value]);
  }
  const isOld = start[1] === "0";
  if (coding !== null && (length !== null || isOld)) throw malformed("two lengths");
  const status = Number(start[2]);
  if (status === 101) throw malformed("an upgrade that nobody asked for");
  const framing = framingOf(status, method, length, coding);
  const options = connection.split(",").map((option) => option.trim());
  const keepAlive = framing.kind !== "close" && !options.includes("close") && !isOld;
  return { status, headers, framing, keepAlive };
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
