/**
 * HTTP/1.1 over Bun's sockets to one origin: connections are kept and used again, newest first, one request at a time on each, as many as
 * are asked for. TLS is verified, certificate and name, before a byte of a request is written. Follows no redirect, decodes no content.
 *
 * A request is sent a second time by itself in one case: it met a kept connection that upstream had closed meanwhile, not a byte of an
 * answer came, and sending it twice cannot do a thing twice (nothing of it was taken, or it only reads).
 */
import { type BodyBytes, lengthOf } from "../base/body-bytes.ts";
import type { Clock } from "../base/clock.ts";
import { openWire } from "./dial.ts";
import { type HttpAnswer, type HttpCall, type HttpClient, HttpFault, type HttpRequest } from "./http-client.ts";
import { HttpConnection, type Receiver } from "./http-connection.ts";
import { type Origin, originOf, requestHead, targetOf } from "./request-bytes.ts";
import { HeadReader } from "./response-head.ts";

/** Below what servers allow (nginx 75 s, Cloudflare 400 s), so that it is mostly we who close. */
const IDLE_SECONDS = 55;
/** A name may point somewhere else by then. */
const AGE_MAX_MS = 10 * 60_000;
/** More than this many are not kept: after a burst they would hold memory for a minute. */
const IDLE_MAX = 512;

export interface SocketClientOptions {
  readonly baseUrl: string;
  readonly clock: Clock;
  /** Certificates to trust in place of the runtime's own, in PEM. */
  readonly ca?: string;
}

export function createSocketClient(options: SocketClientOptions): HttpClient {
  return new SocketClient(options);
}

const NO_BODY_OF_ITS_OWN: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "DELETE"]);
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

class SocketClient implements HttpClient {
  readonly #origin: Origin;
  readonly #options: SocketClientOptions;
  /** One origin's answers look alike, whichever connection they come on. */
  readonly #heads = new HeadReader();
  #target: { readonly path: string; readonly target: string } | null = null;
  #idle: HttpConnection[] = [];

  constructor(options: SocketClientOptions) {
    this.#options = options;
    this.#origin = originOf(options.baseUrl);
  }

  send(request: HttpRequest): HttpCall {
    const call = new SocketCall(this, request);
    call.start();
    return call;
  }

  close(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const connection of idle) connection.close();
  }

  headOf(request: HttpRequest, body: BodyBytes | null): string {
    const bodyBytes = body === null ? (NO_BODY_OF_ITS_OWN.has(request.method) ? null : 0) : lengthOf(body);
    return requestHead(this.#origin, this.#targetOf(request.path), request, bodyBytes);
  }

  /** Nearly all requests go to one path. */
  #targetOf(path: string): string {
    if (this.#target?.path !== path) this.#target = { path, target: targetOf(this.#origin, path) };
    return this.#target.target;
  }

  kept(): HttpConnection | null {
    const nowMs = this.#options.clock.monotonicMs();
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      connection.idle(0);
      if (nowMs - connection.openedAtMs < AGE_MAX_MS) return connection;
      connection.close();
    }
  }

  /** Calls back once. What was given up meanwhile is closed by the caller. */
  connect(connectMs: number, opened: (connection: HttpConnection) => void, failed: (error: HttpFault) => void): void {
    const { clock, ca } = this.#options;
    let connection: HttpConnection | null = null;
    openWire(
      this.#origin,
      { clock, ca, connectMs },
      {
        opened: (wire) => {
          connection = new HttpConnection(wire, this.#heads, clock.monotonicMs(), this.#keep);
          opened(connection);
        },
        failed,
        data: (bytes) => connection!.onData(bytes),
        drain: () => connection!.onDrain(),
        timeout: () => connection!.close(),
        ended: (isBroken) => {
          const at = this.#idle.indexOf(connection!);
          if (at !== -1) this.#idle.splice(at, 1);
          connection!.onClose(isBroken);
        },
      },
    );
  }

  readonly #keep = (connection: HttpConnection): void => {
    if (this.#idle.length >= IDLE_MAX) {
      connection.close();
    } else {
      connection.idle(IDLE_SECONDS);
      this.#idle.push(connection);
    }
  };
}

/** One request, on one connection or, when that was stale, on a second one. */
class SocketCall implements HttpCall, Receiver {
  readonly answer: Promise<HttpAnswer>;
  readonly answered: (answer: HttpAnswer) => void;
  readonly #reject: (error: HttpFault) => void;
  readonly #client: SocketClient;
  readonly #request: HttpRequest;
  #head = "";
  #body: BodyBytes | null = null;
  #connection: HttpConnection | null = null;
  #isKept = false;
  #aborted = false;

  constructor(client: SocketClient, request: HttpRequest) {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    this.answer = promise;
    this.answered = resolve;
    this.#reject = reject;
    this.#client = client;
    this.#request = request;
  }

  start(): void {
    const { method, body } = this.#request;
    this.#body = method === "GET" || method === "HEAD" ? null : body;
    try {
      this.#head = this.#client.headOf(this.#request, this.#body);
    } catch (thrown) {
      this.#reject(thrown instanceof HttpFault ? thrown : new HttpFault("ERR_INVALID_URL"));
      return;
    }
    const kept = this.#client.kept();
    this.#isKept = kept !== null;
    if (kept === null) this.#connect();
    else this.#send(kept);
  }

  abort(): void {
    this.#aborted = true;
    if (this.#connection === null) this.#reject(new HttpFault("ABORT_ERR"));
    else this.#connection.abort(this);
  }

  failed(error: HttpFault, { untouched, unsent }: { untouched: boolean; unsent: boolean }): void {
    const mayRepeat = this.#isKept && untouched && (unsent || REPEATABLE.has(this.#request.method));
    if (mayRepeat && !this.#aborted) {
      this.#isKept = false;
      this.#connection = null;
      this.#connect();
    } else this.#reject(error);
  }

  #connect(): void {
    this.#client.connect(
      this.#request.connectMs,
      (connection) => (this.#aborted ? connection.close() : this.#send(connection)),
      this.#reject,
    );
  }

  #send(connection: HttpConnection): void {
    this.#connection = connection;
    connection.send(this.#request.method, this.#head, this.#body, this);
  }
}
