/**
 * One request and its answer on the wire. It can say what a server library cannot: a head without a body, a stream that
 * ends without its last chunk, a reset. It never decides what to answer.
 */
import { STATUS_CODES } from "node:http";
import type { HeaderList, HttpRequest } from "./http-request.ts";

/** The way bytes leave; implemented over a socket by http-server.ts. */
export interface Outlet {
  /** Resolves true when the bytes were handed on (waiting while the peer does not read), false when the peer is gone. */
  send(bytes: Uint8Array): Promise<boolean>;
  /** After everything sent so far: FIN, or RST. */
  close(how: "fin" | "reset"): void;
  /** From here on the connection's bytes go to `onBytes`, as they come. */
  takeOver(onBytes: (bytes: Uint8Array) => void): void;
}

export interface Exchange {
  readonly request: HttpRequest;
  /** Aborted when the client left before the answer was whole. */
  readonly gone: AbortSignal;
  /** The status that was sent, null before. */
  readonly status: number | null;
  /** A whole answer with its length. */
  answer(status: number, headers: HeaderList, body?: string | Uint8Array): Promise<boolean>;
  /** The head of a chunked answer. */
  begin(status: number, headers: HeaderList): Promise<boolean>;
  /** One chunk, one write. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** The last chunk: the answer is whole. */
  finish(): Promise<boolean>;
  /** Ends the connection without finishing the answer. */
  cut(how: "fin" | "reset"): void;
  /** Resolves when the client has left: a stall. */
  untilGone(): Promise<void>;
  /** Answers 101; the connection speaks another protocol from here on. Null once it was answered, and inside such a protocol. */
  upgrade: ((headers: HeaderList, onBytes: (bytes: Uint8Array) => void) => Promise<RawWire>) | null;
  /** Sends one event as a message of a protocol that has messages; null where an answer is a stream of bytes. */
  message: ((text: string) => Promise<boolean>) | null;
  /** Ends the connection in that protocol's own way. */
  closeWith: ((code: number, reason: string) => Promise<void>) | null;
}

export type RawWire = Pick<Outlet, "send" | "close">;

export interface ExchangeEnd {
  /** What the connection does next. */
  next: "keep" | "close";
}

const encoder = new TextEncoder();
const LAST_CHUNK = encoder.encode("0\r\n\r\n");

export function createExchange(
  request: HttpRequest,
  outlet: Outlet,
  gone: AbortSignal,
  nowMs: () => number,
  onEnd: (end: ExchangeEnd) => void,
): Exchange {
  let status: number | null = null;
  const isHead = request.method === "HEAD";
  const headOf = (code: number, headers: HeaderList): string => {
    status = code;
    const all: HeaderList = [["date", new Date(nowMs()).toUTCString()], ...headers];
    if (!request.keepAlive) all.push(["connection", "close"]);
    return `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? "Unknown"}\r\n${all.map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n`;
  };
  const end = () => onEnd({ next: request.keepAlive ? "keep" : "close" });
  return {
    request,
    gone,
    get status() {
      return status;
    },
    async answer(code, headers, body = "") {
      const bytes = typeof body === "string" ? encoder.encode(body) : body;
      const head = encoder.encode(headOf(code, [...headers, ["content-length", String(bytes.length)]]));
      const sent = await outlet.send(isHead ? head : Buffer.concat([head, bytes]));
      end();
      return sent;
    },
    begin: (code, headers) => outlet.send(encoder.encode(headOf(code, [...headers, ["transfer-encoding", "chunked"]]))),
    write(bytes) {
      if (bytes.length === 0 || isHead) return Promise.resolve(!gone.aborted);
      return outlet.send(Buffer.concat([encoder.encode(`${bytes.length.toString(16)}\r\n`), bytes, CRLF]));
    },
    async finish() {
      const sent = isHead || (await outlet.send(LAST_CHUNK));
      end();
      return sent;
    },
    cut(how) {
      outlet.close(how);
    },
    async upgrade(headers, onBytes) {
      status = 101;
      const fields = [...headers, ["connection", "Upgrade"], ["upgrade", "websocket"]].map(
        ([k, v]) => `${k}: ${v}\r\n`,
      );
      const sent = outlet.send(encoder.encode(`HTTP/1.1 101 Switching Protocols\r\n${fields.join("")}\r\n`));
      outlet.takeOver(onBytes);
      await sent;
      return outlet;
    },
    message: null,
    closeWith: null,
    untilGone() {
      if (gone.aborted) return Promise.resolve();
      return new Promise((resolve) => gone.addEventListener("abort", () => resolve(), { once: true }));
    },
  };
}

const CRLF = encoder.encode("\r\n");
