/**
 * HTTP through Bun's `fetch`: slower than our own sockets, but it knows outgoing proxies (`HTTPS_PROXY`). Never decompresses, follows no
 * redirect, sets no time-out of its own.
 */
import { wholeOf } from "../base/body-bytes.ts";
import type { HeaderList } from "../base/header-list.ts";
import { readerOf } from "./bounded-body.ts";
import type { HttpAnswer, HttpCall, HttpClient, HttpRequest } from "./http-client.ts";

export function createFetchClient(baseUrl: string): HttpClient {
  const base = baseUrl.replace(/\/+$/, "");
  return { send: (request) => sendByFetch(base, request), close() {} };
}

function sendByFetch(baseUrl: string, request: HttpRequest): HttpCall {
  const abort = new AbortController();
  const isBodyless = request.method === "GET" || request.method === "HEAD";
  const init: BunFetchRequestInit & { timeout: false } = {
    method: request.method,
    headers: request.headers as [string, string][],
    body: isBodyless || request.body === null ? null : (wholeOf(request.body) as Uint8Array<ArrayBuffer>),
    signal: abort.signal,
    redirect: "manual",
    decompress: false,
    keepalive: true,
    // Bun would give up after five silent minutes by itself; the attempt's time-outs are the ones that are meant.
    timeout: false,
  };
  // A slash first, always: what follows the host in an URL could otherwise become part of the host.
  const answer = fetch(`${baseUrl}/${request.path.replace(/^\/+/, "")}`, init).then(answerOf);
  return { answer, abort: () => abort.abort() };
}

function answerOf(response: Response): HttpAnswer {
  const headers: [string, string][] = [];
  // One native call instead of an iterator; only `set-cookie` comes as a list.
  const values: Record<string, string | readonly string[]> = response.headers.toJSON();
  for (const name in values) headers.push([name, String(values[name])]);
  return { status: response.status, headers: headers satisfies HeaderList, reader: readerOf(response) };
}
