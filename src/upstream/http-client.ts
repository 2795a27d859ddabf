/**
 * What an attempt needs of HTTP: one request out, one answer's head and a reader of its body back. Two clients keep this promise, one over
 * Bun's sockets and one over `fetch` (`test/upstream/http-client.suite.ts`). Knows nothing of accounts, streams or retries.
 */
import type { BodyBytes } from "../base/body-bytes.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { ByteReader } from "./byte-reader.ts";

export type HttpClientName = "socket" | "fetch";

export interface HttpRequest {
  readonly method: string;
  /** Path and query below the client's base URL, with or without its leading slash. */
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: BodyBytes | null;
  /** How long a new connection, its TLS included, may take. */
  readonly connectMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names lower case, hop-by-hop fields included. */
  readonly headers: HeaderList;
  /** null for answers without a body, such as to HEAD. */
  readonly reader: ByteReader | null;
}

export interface HttpCall {
  /** Rejects with an error whose `code` says why (`transport-failure.ts`), and with any error after `abort`. */
  readonly answer: Promise<HttpAnswer>;
  /** Closes the connection at once, also in the middle of the body: its reads then reject. Nothing happens once the answer is complete. */
  abort(): void;
}

export interface HttpClient {
  send(request: HttpRequest): HttpCall;
  /** Lets go of connections that are kept open for the next request. */
  close(): void;
}

/** Why a request or its answer failed; the message never quotes what was sent or received. */
export class HttpFault extends Error {
  constructor(
    readonly code: string,
    message: string = code,
  ) {
    super(message);
    this.name = "HttpFault";
  }
}
