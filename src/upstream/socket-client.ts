/**
 * HTTP/1.1 over Bun's sockets to one origin: connections are kept and used again, newest first, one request at a time on each, as many as
 * are asked for. TLS is verified, certificate and name, before a byte of a request is written. Follows no redirect, decodes no content.
 *
 * A request is sent a second time by itself in one case: it met a kept connection that upstream had closed meanwhile, not a byte of an
 * answer came, and sending it twice cannot do a thing twice (nothing of it was taken, or it only reads).
 */
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { type BodyBytes, lengthOf } from "../base/body-bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type HttpAnswer, type HttpCall, type HttpClient, HttpFault, type HttpRequest } from "./http-client.ts";
import { HttpConnection, type Receiver, type Wire } from "./http-connection.ts";
import { type Origin, originOf, requestHead } from "./request-bytes.ts";

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
    return requestHead(this.#origin, request, bodyBytes);
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
    const { isTls, host, port } = this.#origin;
    let connection: HttpConnection | null = null;
    let wire: Wire | null = null;
    let settled = false;
    const settle = (error: HttpFault | null) => {
      if (settled) return;
      settled = true;
      patience.cancel();
      if (error === null) return opened(connection!);
      wire?.terminate();
      failed(error);
    };
    const patience = clock.after(connectMs, () => settle(new HttpFault("ETIMEDOUT")));
    const ready = () => {
      connection = new HttpConnection(wire!, clock.monotonicMs(), (free) => this.#keep(free));
      settle(null);
    };
    const ended = (error: Error | null | undefined) => {
      settle(new HttpFault(codeOf(error) ?? "ECONNRESET"));
      if (connection === null) return;
      const at = this.#idle.indexOf(connection);
      if (at !== -1) this.#idle.splice(at, 1);
      connection.onClose(error !== null && error !== undefined);
    };
    const failedToDial = (error: unknown) => settle(new HttpFault(codeOf(error) ?? "FailedToOpenSocket"));
    void dial(failedToDial, {
      hostname: host,
      port,
      ...(isTls ? { tls: tlsFor(host, ca) } : {}),
      socket: {
        open(socket) {
          wire = socket;
          if (settled) socket.terminate();
          else if (!isTls) ready();
        },
        handshake(socket, isDone, error) {
          if (settled) return;
          const fault = isDone ? distrust(socket, host) : new HttpFault(codeOf(error) ?? "ERR_TLS_HANDSHAKE");
          if (fault === null) ready();
          else settle(fault);
        },
        data: (_, bytes) => connection?.onData(bytes),
        drain: () => connection?.onDrain(),
        timeout: () => connection?.close(),
        end: () => ended(null),
        close: (_, error) => ended(error),
        error: (_, error) => ended(error),
        connectError: (_, error) => ended(error),
      },
    });
  }

  #keep(connection: HttpConnection): void {
    if (this.#idle.length >= IDLE_MAX) {
      connection.close();
    } else {
      connection.idle(IDLE_SECONDS);
      this.#idle.push(connection);
    }
  }
}

/** Settings that the runtime cannot take are thrown, everything else is rejected: both are told in one way. */
async function dial(failed: (error: unknown) => void, options: Bun.TCPSocketConnectOptions<undefined>): Promise<void> {
  try {
    await Bun.connect(options);
  } catch (error) {
    failed(error);
  }
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

/** ALPN in its wire form: a length and a name. */
const HTTP_1_1 = "\x08http/1.1";

function tlsFor(host: string, ca: string | undefined) {
  return { serverName: host, rejectUnauthorized: true, ALPNProtocols: HTTP_1_1, ...(ca === undefined ? {} : { ca }) };
}

/** The runtime has verified both already; tokens go out on this connection, so it is asked again in our own words. */
function distrust(socket: Bun.Socket, host: string): HttpFault | null {
  const untrusted = socket.getAuthorizationError();
  if (untrusted !== null || !socket.authorized) return new HttpFault(codeOf(untrusted) ?? "ERR_TLS_CERT_UNTRUSTED");
  const misnamed = checkServerIdentity(host, socket.getPeerCertificate() as PeerCertificate);
  if (misnamed !== undefined) return new HttpFault("ERR_TLS_CERT_ALTNAME_INVALID");
  const protocol = socket.alpnProtocol;
  return protocol === null || protocol === "" || protocol === (false as unknown) || protocol === "http/1.1"
    ? null
    : new HttpFault("ERR_TLS_ALPN");
}

function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : null;
}
