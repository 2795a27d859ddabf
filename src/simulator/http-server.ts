/**
 * The simulator's listener: TCP connections, one request at a time on each, keep-alive and pipelining, backpressure.
 * A peer that closes its side is taken to have left, as the real edge does with half-closed clients.
 */
import type { Socket } from "bun";
import { BODY_MAX_BYTES } from "../base/bounds.ts";
import { createExchange, type Exchange, type ExchangeEnd } from "./http-exchange.ts";
import { BadRequest, createRequestReader, type HttpRequest, type RequestReader } from "./http-request.ts";

export interface HttpServer {
  port: number;
  /** Connections open now. */
  connections(): number;
  close(): void;
}

export interface HttpServerOptions {
  host: string;
  port: number;
  nowMs(): number;
  handle(exchange: Exchange): Promise<void>;
  onCrash(error: unknown): void;
}

/** Bytes that may wait for a slow reader before a writer is made to wait as well. */
const OUTBOX_MAX_BYTES = 64 * 1024;
const encoder = new TextEncoder();

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const open = new Set<Connection>();
  const listener = Bun.listen<Connection>({
    hostname: options.host,
    port: options.port,
    socket: {
      open(socket) {
        socket.setNoDelay(true);
        socket.data = new Connection(socket, options);
        open.add(socket.data);
      },
      data: (socket, bytes) => socket.data.receive(bytes),
      drain: (socket) => socket.data.flush(),
      close(socket) {
        socket.data?.left();
        open.delete(socket.data);
      },
      error: (socket) => socket.data?.left(),
    },
  });
  return {
    port: listener.port,
    connections: () => open.size,
    close() {
      listener.stop();
      for (const connection of [...open]) connection.close("reset");
    },
  };
}

class Connection {
  readonly #reader: RequestReader;
  readonly #waiting: ((sent: boolean) => void)[] = [];
  #outbox: Uint8Array[] = [];
  #outboxBytes = 0;
  #closing: "fin" | "reset" | null = null;
  #closed = false;
  #current: AbortController | null = null;
  /** Another protocol has taken the connection over. */
  #raw: ((bytes: Uint8Array) => void) | null = null;

  constructor(
    private readonly socket: Socket<Connection>,
    private readonly options: HttpServerOptions,
  ) {
    this.#reader = createRequestReader(BODY_MAX_BYTES, () => {
      void this.send(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
    });
  }

  receive(bytes: Uint8Array): void {
    if (this.#raw) this.#raw(bytes);
    else {
      this.#reader.push(bytes);
      this.#serveNext();
    }
  }

  #serveNext(): void {
    if (this.#current || this.#closed || this.#closing) return;
    let request: HttpRequest | null;
    try {
      request = this.#reader.next();
    } catch (error) {
      const status = error instanceof BadRequest ? error.status : 400;
      void this.send(
        encoder.encode(`HTTP/1.1 ${status} Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`),
      );
      this.close("fin");
      return;
    }
    if (request) void this.#serve(request);
  }

  async #serve(request: HttpRequest): Promise<void> {
    const gone = new AbortController();
    this.#current = gone;
    const ended = (end: ExchangeEnd) => {
      this.#current = null;
      if (end.next === "close") this.close("fin");
    };
    const exchange = createExchange(request, this, gone.signal, this.options.nowMs, ended);
    try {
      await this.options.handle(exchange);
    } catch (error) {
      this.options.onCrash(error);
      if (exchange.status === null) await exchange.answer(500, [], "simulator error");
      else this.close("reset");
    }
    this.#serveNext();
  }

  /** Part of Outlet. */
  send(bytes: Uint8Array): Promise<boolean> {
    if (this.#closed || this.#closing) return Promise.resolve(false);
    this.#outbox.push(bytes);
    this.#outboxBytes += bytes.length;
    this.flush();
    if (this.#closed) return Promise.resolve(false);
    if (this.#outboxBytes <= OUTBOX_MAX_BYTES) return Promise.resolve(true);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Part of Outlet. */
  close(how: "fin" | "reset"): void {
    if (this.#closed || this.#closing) return;
    this.#closing = how;
    this.flush();
  }

  /** Part of Outlet. */
  takeOver(onBytes: (bytes: Uint8Array) => void): void {
    this.#raw = onBytes;
    const rest = this.#reader.rest();
    if (rest.length > 0) onBytes(rest);
  }

  flush(): void {
    while (this.#outbox.length > 0 && !this.#closed) {
      const first = this.#outbox[0]!;
      const written = Math.max(0, this.socket.write(first));
      this.#outboxBytes -= written;
      if (written < first.length) {
        this.#outbox[0] = first.subarray(written);
        break;
      }
      this.#outbox.shift();
    }
    if (this.#outboxBytes <= OUTBOX_MAX_BYTES) for (const resolve of this.#waiting.splice(0)) resolve(!this.#closed);
    // A reset does not wait for a reader that never reads.
    if (this.#closing === "reset") this.socket.terminate();
    else if (this.#closing === "fin" && this.#outbox.length === 0) this.socket.end();
  }

  left(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox = [];
    this.#outboxBytes = 0;
    for (const resolve of this.#waiting.splice(0)) resolve(false);
    this.#current?.abort();
    this.#current = null;
  }
}
