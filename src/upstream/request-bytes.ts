/**
 * The head of an HTTP/1.1 request as bytes. Refuses whatever could end a line early: a header that a client sent must never become two. Pure.
 */
import type { HeaderList } from "../base/header-list.ts";
import { HttpFault } from "./http-client.ts";

export interface Origin {
  readonly isTls: boolean;
  /** As for a connection: without brackets. */
  readonly host: string;
  readonly port: number;
  /** For the `host` field. */
  readonly authority: string;
  /** Path of the base URL, without a trailing slash. */
  readonly basePath: string;
}

export function originOf(baseUrl: string): Origin {
  const url = new URL(baseUrl);
  const isTls = url.protocol === "https:";
  return {
    isTls,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    authority: url.host,
    basePath: url.pathname.replace(/\/+$/, ""),
  };
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const METHOD = /^[A-Z]{1,20}$/;
/** What needs no second look: no fragment, no backslash, no dot segment, nothing that would have to be escaped. */
const PLAIN_PATH = /^(?:\/(?!\.)[A-Za-z0-9!$%&'()*+,;=:@_~.-]*)+(?:\?[A-Za-z0-9!$%&'()*+,;=:@_~./?-]*)?$/;

/** `target` is `targetOf` the path; `bodyBytes` null = no body and no length. Throws an HttpFault. */
export function requestHead(
  origin: Origin,
  target: string,
  request: { readonly method: string; readonly headers: HeaderList },
  bodyBytes: number | null,
): string {
  if (!METHOD.test(request.method)) throw new HttpFault("ERR_INVALID_METHOD");
  let head = `${request.method} ${target} HTTP/1.1\r\nhost: ${origin.authority}\r\n`;
  for (const [name, value] of request.headers) {
    if (!NAME.test(name) || !VALUE.test(value)) throw new HttpFault("ERR_INVALID_HEADER");
    head += `${name}: ${value}\r\n`;
  }
  return bodyBytes === null ? `${head}\r\n` : `${head}content-length: ${bodyBytes}\r\n\r\n`;
}

/** What stands behind the method: a path and a query that can end no line. */
export function targetOf(origin: Origin, path: string): string {
  const target = `${origin.basePath}/${path.replace(/^\/+/, "")}`;
  if (PLAIN_PATH.test(target)) return target;
  // Whatever is unusual is brought into the form that every HTTP client would send.
  const { pathname, search } = new URL(`http://${origin.authority}${target}`);
  return pathname + search;
}
