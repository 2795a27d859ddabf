/**
 * HTTP to our own listeners on this machine. Not `fetch`: that one obeys HTTP_PROXY for loopback addresses too (Bun 1.4.5), and a proxy knows nothing of our ports.
 */
import { type IncomingHttpHeaders, request } from "node:http";

export interface LoopbackRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface LoopbackAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Arrives as the server sends it. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Where to dial a listener on this machine: the wildcard is no address. */
export function dialable(proxyUrl: string): URL {
  const url = new URL(proxyUrl);
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  return url;
}

export function callLoopback(
  url: URL,
  { method = "GET", headers, body, signal }: LoopbackRequest = {},
): Promise<LoopbackAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers, signal, agent: false }, (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
    });
    call.once("error", reject);
    call.end(body);
  });
}

export async function readText(answer: LoopbackAnswer): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of answer.body) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
