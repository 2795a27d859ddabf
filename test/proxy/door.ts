/** The proxy on a real loopback port with a fake engine behind it, for the tests in this folder. */
import { createHttpGuard } from "../../src/base/http-guard.ts";
import { silentLog } from "../../src/base/log.ts";
import { createProxyApp, createTurnDoor, type ProxyAppDeps } from "../../src/proxy/app.ts";
import { listenProxy } from "../../src/proxy/listen.ts";
import { createSocketDoor, type SocketDoor } from "../../src/proxy/socket-door.ts";
import { CLIENT_KEY, createFakeEngine, type FakeEngine } from "../support/fake-exchange-engine.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";

export interface Door {
  readonly url: string;
  readonly port: number;
  readonly fake: FakeEngine;
  readonly clock: ManualClock;
  readonly sockets: SocketDoor;
  /** With the client key, unless `headers` say otherwise. */
  ask(path: string, init?: RequestInit & { headers?: Record<string, string> }): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

export function openDoor(deps: Partial<ProxyAppDeps> = {}): Door {
  const fake = createFakeEngine();
  const clock = createManualClock();
  const doorDeps: ProxyAppDeps = {
    engine: () => fake.engine,
    state: () => ({ state: "ready", reason: "" }),
    guard: createHttpGuard(),
    clock,
    log: silentLog,
    ...deps,
  };
  const sockets = createSocketDoor(doorDeps);
  const turns = createTurnDoor(doorDeps);
  const listener = listenProxy(createProxyApp(doorDeps), { host: "127.0.0.1", port: 0, clock, sockets, turns });
  const ask: Door["ask"] = (path, init = {}) =>
    fetch(listener.url + path, { ...init, headers: { authorization: `Bearer ${CLIENT_KEY}`, ...init.headers } });
  return {
    url: listener.url,
    port: listener.port,
    fake,
    clock,
    sockets,
    ask,
    post: (path, body, headers = {}) =>
      ask(path, {
        method: "POST",
        body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    close: async () => {
      const stopped = listener.stop(1_000);
      await clock.advance(1_000);
      await stopped;
    },
  };
}

/** Sends bytes of a request as they are and gives back all that came until the connection closed. */
export function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    void Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(text),
        data: (_, chunk) => void (received += chunk.toString("latin1")),
        close: () => resolve(received),
        error: (_, error) => reject(error),
      },
    });
  });
}

export const TURN = { model: "gpt-5.5", input: [{ role: "user", content: "hi" }], stream: true };
