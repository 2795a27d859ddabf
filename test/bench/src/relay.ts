/**
 * The floor: `Bun.serve` in front, hand-made HTTP over kept Bun sockets behind, bytes handed through untouched, and nothing else: no key, no choice of an
 * account, no look into body or stream, no record. Whatever Rotor costs above this is Rotor's own. A yardstick, not a proxy: it believes all it is told.
 *
 *     bun test/bench/src/relay.ts PORT UPSTREAM_PORT BEARER
 */
import type { Socket } from "bun";

const [port, upstreamPort, bearer] = process.argv.slice(2);
const END = Buffer.from("\r\n0\r\n\r\n");
const HEAD_END = Buffer.from("\r\n\r\n");

interface Sink {
  write(chunk: Uint8Array): unknown;
  flush(): unknown;
  close(): void;
}

interface Call {
  opened: (head: Response) => void;
  sink: Sink | null;
  finish: (() => void) | null;
  early: Uint8Array[];
  isOver: boolean;
}

const idle: Socket<{ call: Call | null }>[] = [];

/** Chunks are passed on with their frames taken off as they come: sizes are hexadecimal lines. */
function payload(bytes: Buffer): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) break;
    const size = Number.parseInt(bytes.latin1Slice(at, end), 16);
    if (!(size > 0)) break;
    found.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return found;
}

function take(call: Call, bytes: Buffer, free: () => void): void {
  const isLast = bytes.subarray(-END.length).equals(END) || bytes.equals(END.subarray(2));
  for (const piece of payload(bytes)) {
    if (call.sink === null) call.early.push(piece);
    else call.sink.write(piece);
  }
  if (!isLast) {
    call.sink?.flush();
    return;
  }
  call.isOver = true;
  free();
  call.sink?.close();
  call.finish?.();
}

const handlers = {
  data(socket: Socket<{ call: Call | null }>, bytes: Buffer) {
    const { call } = socket.data;
    if (call === null) return;
    const free = () => {
      socket.data.call = null;
      idle.push(socket);
    };
    const end = call.opened === NOTHING ? -1 : bytes.indexOf(HEAD_END);
    if (end < 0) return take(call, bytes, free);
    const body = new ReadableStream({
      type: "direct",
      pull(sink: Sink) {
        call.sink = sink;
        for (const piece of call.early) sink.write(piece);
        if (call.isOver) return sink.close();
        sink.flush();
        return new Promise<void>((resolve) => {
          call.finish = resolve;
        });
      },
    } as never);
    const { opened } = call;
    call.opened = NOTHING;
    take(call, bytes.subarray(end + HEAD_END.length), free);
    opened(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  },
  drain() {},
  close() {},
  error() {},
};
const NOTHING = () => {};

async function send(body: Uint8Array, call: Call): Promise<void> {
  const head = `POST /responses HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${bearer}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const data = { call };
  const socket =
    idle.pop() ?? (await Bun.connect({ hostname: "127.0.0.1", port: Number(upstreamPort), data, socket: handlers }));
  socket.data.call = call;
  socket.write(Buffer.concat([Buffer.from(head), body]));
}

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  idleTimeout: 0,
  async fetch(request) {
    const body = new Uint8Array(await request.arrayBuffer());
    return new Promise<Response>((opened) => {
      void send(body, { opened, sink: null, finish: null, early: [], isOver: false });
    });
  },
});
