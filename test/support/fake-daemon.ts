/**
 * A daemon for tests of the plugin: a control socket that answers what the test put in, and a proxy that knows only the keys it gave out. It
 * can go away, come back on another port and forget its keys. Simpler than the real one in this: it gives one key to whoever asks.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http, { type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ControlCall {
  readonly method: string;
  readonly body: Record<string, unknown>;
}

export type ControlAnswer = object | { readonly error: { readonly code: string; readonly message: string } };

export interface FakeDaemon extends AsyncDisposable {
  readonly home: string;
  /** The key that it gives out now; another one after each start. */
  readonly key: string;
  proxyUrl: string;
  readonly calls: ControlCall[];
  readonly requests: SeenRequest[];
  /** By method; the handshake has an answer of its own, over which this goes. */
  readonly answers: Map<string, (body: Record<string, unknown>) => ControlAnswer>;
  /** What the proxy says to a request with a good key. */
  reply: (request: SeenRequest) => Reply | Promise<Reply>;
  start(): Promise<void>;
  /** Takes the note away too, unless it is to look killed. */
  stop(killed?: boolean): Promise<void>;
}

/** As the real one tells it. */
export const MODEL = {
  name: "gpt-5.5",
  displayName: "GPT-5.5",
  listed: true,
  contextTokens: "272000",
  efforts: ["low", "high"],
  defaultEffort: "low",
  serviceTiers: ["priority"],
};

/** Built at run time, so that no file holds anything of this shape. */
function keyOf(n: number): string {
  return ["rtr", `K${String(n).padStart(9, "0")}`, "k".repeat(43)].join("_");
}

export async function openFakeDaemon(): Promise<FakeDaemon> {
  const home = mkdtempSync(join(tmpdir(), "rotor-plugin-"));
  const socket = join(home, "rotor.sock");
  const note = join(home, "daemon.json");
  let servers: Server[] = [];
  let starts = 0;
  /** A key of an earlier start is good again once its holder has shown it in a handshake. */
  let good = new Set<string>();
  const fake: FakeDaemon = {
    home,
    proxyUrl: "",
    get key() {
      return keyOf(starts);
    },
    calls: [],
    requests: [],
    answers: new Map(),
    reply: () => ({ status: 200, headers: { "x-rotor-exchange": "01EXCH" }, body: '{"served":true}' }),
    async start() {
      starts++;
      good = new Set();
      rmSync(socket, { force: true });
      const proxy = await listen(0, async (request) => {
        const seen = await readRequest(request);
        fake.requests.push(seen);
        const shown = (seen.headers.authorization ?? "").replace("Bearer ", "");
        return good.has(shown)
          ? await fake.reply(seen)
          : { status: 401, body: '{"error":{"code":"invalid_client_key"}}' };
      });
      fake.proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const control = await listen(socket, async (request) => {
        const { path, body } = await readRequest(request);
        const method = path.replace("/rotor.v1.", "");
        const asked = JSON.parse(body) as Record<string, unknown>;
        fake.calls.push({ method, body: asked });
        return controlReply(fake.answers.get(method)?.(asked) ?? usual(method, asked));
      });
      servers = [proxy, control];
      writeFileSync(note, JSON.stringify({ pid: process.pid + starts, socket, proxy_url: fake.proxyUrl }));
    },
    async stop(killed = false) {
      if (!killed) rmSync(note, { force: true });
      await Promise.all(servers.map(close));
      servers = [];
    },
    async [Symbol.asyncDispose]() {
      await fake.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
  const usual = (method: string, asked: Record<string, unknown>): object => {
    if (method !== "ClientService/GetClientHandshake") return {};
    const key = (asked.key as string) || fake.key;
    good.add(key);
    return { client: { id: "K1", keyId: "L1" }, key, proxyUrl: fake.proxyUrl, models: [MODEL], daemonVersion: "0.1.0" };
  };
  await fake.start();
  return fake;
}

interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: string;
}

function listen(at: string | number, answer: (request: IncomingMessage) => Promise<Reply>): Promise<Server> {
  const server = http.createServer((request, response) => {
    void answer(request).then(({ status, headers, body }) => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(body);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    if (typeof at === "string") server.listen(at, () => resolve(server));
    else server.listen(at, "127.0.0.1", () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function readRequest(request: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const body = Buffer.concat(chunks).toString("utf8");
  return { method: request.method ?? "", path: request.url ?? "", headers, body };
}

function controlReply(answer: ControlAnswer): Reply {
  if (!("error" in answer)) return { status: 200, body: JSON.stringify(answer) };
  const { code, message } = answer.error as { code: string; message: string };
  // ErrorDetail { code = 1, hint = 2 } as protobuf writes two short texts.
  const field = (n: number, text: string) => [(n << 3) | 2, text.length, ...Buffer.from(text)];
  const value = Buffer.from([...field(1, code), ...field(2, "rotor help")]).toString("base64");
  const details = [{ type: "rotor.v1.ErrorDetail", value }];
  return { status: 400, body: JSON.stringify({ code: "failed_precondition", message, details }) };
}
