/**
 * An upstream of bare sockets: the test writes the bytes, and sees when its peer goes away. Simpler than the simulator on purpose,
 * because resets, half answers and stalled readers are not things that a server library lets one do.
 */
import { createServer, type Socket } from "node:net";

export class Call {
  readonly closed: Promise<void>;

  constructor(
    readonly head: string,
    readonly body: string,
    readonly socket: Socket,
  ) {
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  header(name: string): string | null {
    return new RegExp(`^${name}: (.*)$`, "im").exec(this.head)?.[1] ?? null;
  }

  get requestLine(): string {
    return this.head.slice(0, this.head.indexOf("\r\n"));
  }

  /** Status line and headers; the body follows in chunks. */
  open(status = 200, headers: Record<string, string> = { "content-type": "text/event-stream" }): this {
    const lines = Object.entries({ ...headers, "transfer-encoding": "chunked" }).map(([k, v]) => `${k}: ${v}\r\n`);
    this.socket.write(`HTTP/1.1 ${status} X\r\n${lines.join("")}\r\n`);
    return this;
  }

  /** One chunk; false when the socket's buffer is full. */
  write(data: string | Uint8Array): boolean {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    return this.socket.write(
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]),
    );
  }

  /** The proper end. */
  end(): void {
    this.socket.write("0\r\n\r\n");
  }

  /** A whole answer. */
  answer(status: number, headers: Record<string, string>, body: string | Uint8Array): void {
    this.open(status, headers);
    if (body.length > 0) this.write(body);
    this.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }
}

export interface FakeUpstream {
  readonly url: string;
  /** The next request, in order of arrival. */
  next(): Promise<Call>;
  stop(): Promise<void>;
}

export async function startFakeUpstream(): Promise<FakeUpstream> {
  const calls: Call[] = [];
  const waiting: ((call: Call) => void)[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.setMaxListeners(0);
    socket.on("close", () => sockets.delete(socket));
    let received = Buffer.alloc(0);
    socket.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
      const headEnd = received.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const head = received.toString("latin1", 0, headEnd);
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
      if (received.length < headEnd + 4 + length) return;
      const body = received.toString("utf8", headEnd + 4, headEnd + 4 + length);
      received = received.subarray(headEnd + 4 + length);
      const call = new Call(head, body, socket);
      const taker = waiting.shift();
      if (taker) taker(call);
      else calls.push(call);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    next: () => {
      const call = calls.shift();
      return call ? Promise.resolve(call) : new Promise((resolve) => waiting.push(resolve));
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
