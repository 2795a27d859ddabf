/**
 * HTTP/1.1 on a bare socket, so that a test sees what went over the wire and not what a client library made of it: how far the bytes
 * came, whether the body ended in order, and a client that hangs up or stops reading at the moment of its choice.
 */
import { connect, type Socket } from "node:net";

export interface RawHead {
  readonly status: number;
  readonly headers: Headers;
}

/** What a client has in its hands when all is over. */
export interface Received extends RawHead {
  readonly bytes: Uint8Array;
  readonly text: string;
  /** The body ended in order, and not with its connection. */
  readonly whole: boolean;
}

export interface RawRequest {
  /** Resolves at the end of the body or of the connection; rejects when there was no answer at all. */
  readonly received: Promise<Received>;
  /** The body so far. */
  text(): string;
  /** Bytes off the wire so far. */
  bytesRead(): number;
  hangUp(): void;
  stopReading(): void;
  readOn(): void;
}

export interface RawOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function sendRaw(url: string, { method = "POST", headers = {}, body = "" }: RawOptions): RawRequest {
  const { hostname, port, host, pathname, search } = new URL(url);
  const parts: Buffer[] = [];
  let bytesRead = 0;
  const { promise: received, resolve, reject } = Promise.withResolvers<Received>();
  const all = () => Buffer.concat(parts);
  const finish = () => {
    const answer = readAnswer(all(), 0);
    if (answer === null) reject(new Error("the connection ended without an answer"));
    else resolve(receivedFrom(answer));
  };
  const socket: Socket = connect(Number(port), hostname, () => {
    const lines = Object.entries({
      host,
      connection: "close",
      "content-length": String(Buffer.byteLength(body)),
      ...headers,
    });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${head}\r\n${body}`);
  });
  socket.on("data", (bytes) => {
    bytesRead += bytes.length;
    parts.push(Buffer.from(bytes));
  });
  // However it ends, what came is what counts.
  socket.on("error", () => {});
  socket.on("close", finish);
  return {
    received,
    text: () => {
      const answer = readAnswer(all(), 0);
      return answer === null ? "" : new TextDecoder().decode(answer.body);
    },
    bytesRead: () => bytesRead,
    hangUp: () => socket.destroy(),
    stopReading: () => void socket.pause(),
    readOn: () => void socket.resume(),
  };
}

function receivedFrom({ status, headers, body, whole }: RawAnswer): Received {
  return { status, headers, bytes: new Uint8Array(body), text: new TextDecoder().decode(body), whole };
}

interface RawAnswer extends RawHead {
  readonly body: Buffer;
  readonly whole: boolean;
  /** Where the next answer of the same connection begins. */
  readonly end: number;
}

/** The answer at `start` of a connection's bytes (RFC 9112 §6), perhaps cut short; null before its head is whole. */
export function readAnswer(bytes: Buffer, start: number): RawAnswer | null {
  const headEnd = bytes.indexOf("\r\n\r\n", start);
  if (headEnd < 0) return null;
  const [first = "", ...lines] = bytes.subarray(start, headEnd).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1]);
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const bodyStart = headEnd + 4;
  const length = headers.get("content-length");
  if (headers.get("transfer-encoding") === "chunked") return { status, headers, ...readChunks(bytes, bodyStart) };
  const end = length === null ? bytes.length : bodyStart + Number(length);
  return { status, headers, body: bytes.subarray(bodyStart, end), whole: bytes.length >= end, end };
}

function readChunks(bytes: Buffer, start: number): { body: Buffer; whole: boolean; end: number } {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return { body: Buffer.concat(parts), whole: false, end: bytes.length };
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    if (size === 0) return { body: Buffer.concat(parts), whole: true, end: lineEnd + 4 };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
