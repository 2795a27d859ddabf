/** A WebSocket client for tests: the runtime's own, which shares no line with ours, and its messages one after the other. */

export type Frame = Record<string, unknown> & { type: string };

export interface TestSocket {
  readonly ws: WebSocket;
  send(value: unknown): void;
  /** The next message; rejects when the socket closed first. */
  next(): Promise<Frame>;
  /** All messages up to the one that ends an answer. */
  answer(): Promise<Frame[]>;
  /** Sends and reads its answer. */
  ask(value: unknown): Promise<Frame[]>;
  /** How it closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  close(code?: number): void;
}

const LAST = ["response.completed", "response.incomplete", "response.failed", "error"];

export async function openSocket(url: string, headers: Record<string, string>, deflate = true): Promise<TestSocket> {
  const options = { headers, perMessageDeflate: deflate } as unknown as string[];
  const ws = new WebSocket(url.replace(/^http/, "ws"), options);
  const arrived: Frame[] = [];
  const waiting: { resolve: (frame: Frame) => void; reject: (error: Error) => void }[] = [];
  let isClosed = false;
  const { promise: closed, resolve: close } = Promise.withResolvers<{ code: number; reason: string }>();
  ws.onmessage = ({ data }) => {
    const frame = frameOf(String(data));
    const first = waiting.shift();
    if (first === undefined) arrived.push(frame);
    else first.resolve(frame);
  };
  const opened = new Promise<void>((resolve, reject) => {
    ws.onopen = () => resolve();
    ws.onclose = ({ code, reason }) => {
      isClosed = true;
      reject(new Error(`not opened: ${code} ${reason}`));
      for (const { reject: drop } of waiting.splice(0)) drop(new Error(`closed: ${code} ${reason}`));
      close({ code, reason });
    };
  });
  await opened;
  const next = (): Promise<Frame> => {
    const first = arrived.shift();
    if (first !== undefined) return Promise.resolve(first);
    if (isClosed) return Promise.reject(new Error("closed"));
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const answer = async () => {
    const frames: Frame[] = [];
    for (;;) {
      const frame = await next();
      frames.push(frame);
      if (LAST.includes(frame.type)) return frames;
    }
  };
  const send = (value: unknown) => ws.send(typeof value === "string" ? value : JSON.stringify(value));
  return {
    ws,
    send,
    next,
    answer,
    ask: (value) => {
      send(value);
      return answer();
    },
    closed,
    close: (code = 1000) => ws.close(code),
  };
}

/** What is no JSON is a frame all the same: a test must see it, not the runtime. */
function frameOf(text: string): Frame {
  try {
    return JSON.parse(text) as Frame;
  } catch {
    return { type: "not JSON", text };
  }
}

/** Status of a handshake that is not accepted (or 101), asked for by hand. */
export async function handshakeStatus(url: string, headers: Record<string, string>): Promise<number> {
  const { hostname, port, pathname } = new URL(url);
  const fields = { host: `${hostname}:${port}`, connection: "Upgrade", upgrade: "websocket", ...KEY, ...headers };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  let text = "";
  return new Promise((resolve, reject) => {
    void Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(`GET ${pathname} HTTP/1.1\r\n${head.join("")}\r\n`),
        data: (socket, bytes) => {
          text += bytes.toString("latin1");
          const status = /^HTTP\/1\.1 (\d+)/.exec(text);
          if (status === null) return;
          resolve(Number(status[1]));
          socket.end();
        },
        close: () => reject(new Error(`no status in ${JSON.stringify(text)}`)),
        error: (_, error) => reject(error),
      },
    });
  });
}

const KEY = { "sec-websocket-version": "13", "sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg==" };

export function typesIn(frames: readonly Frame[]): string[] {
  return frames.map((frame) => frame.type);
}

export function textIn(frames: readonly Frame[]): string {
  return frames
    .filter((frame) => frame.type === "response.output_text.delta")
    .map((frame) => frame.delta)
    .join("");
}

export function responseIdIn(frames: readonly Frame[]): string {
  return String((frames.at(-1)!.response as { id: string }).id);
}
