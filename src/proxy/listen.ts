/**
 * The proxy's TCP listener. Plain HTTP on a host that the operator chose; there is no TLS here.
 */
import { BODY_MAX_BYTES } from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { ProxyApp, TurnDoor } from "./app.ts";
import type { SocketDoor } from "./socket-door.ts";
import type { SocketSession } from "./socket-session.ts";

export interface RunningProxy {
  /** `http://127.0.0.1:4747`: what clients and `daemon.json` are told. */
  readonly url: string;
  readonly port: number;
  /** Takes no new connections, lets open exchanges end for `graceMs`, then cuts the rest. */
  stop(graceMs: number): Promise<void>;
}

/** Our own limit is checked before and while a body is read, and answers with words. The server's, which has none, only backs it up. */
const SERVER_LIMIT_BYTES = 8 * BODY_MAX_BYTES;

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly sockets: SocketDoor;
  readonly turns: TurnDoor;
}

/** Throws `address_in_use`. Port 0 takes any free one. */
export function listenProxy(app: ProxyApp, options: ListenOptions): RunningProxy {
  const { host, clock, sockets } = options;
  const server = serve(app, options);
  const bound = server.port!;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    port: bound,
    async stop(graceMs) {
      const ended = server.stop(false);
      sockets.leave();
      const patience = new AbortController();
      await Promise.race([ended, clock.sleep(graceMs, patience.signal).catch(() => {})]);
      patience.abort();
      await server.stop(true);
    },
  };
}

function serve(app: ProxyApp, { host: hostname, port, sockets, turns }: ListenOptions) {
  try {
    return Bun.serve<SocketSession>({
      hostname,
      port,
      // Bun cuts a silent stream after 10 s by default; models think for minutes.
      idleTimeout: 0,
      maxRequestBodySize: SERVER_LIMIT_BYTES,
      fetch(request, self) {
        const turn = turns(request);
        if (turn !== null) return turn;
        const answer = request.headers.has("upgrade") ? sockets.upgrade(request, self) : null;
        if (answer === null) return app.fetch(request);
        return answer === "taken" ? undefined : answer;
      },
      websocket: sockets.handler,
    });
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code !== "EADDRINUSE") throw thrown;
    throw new AppError("address_in_use", `something else listens on ${hostname}:${port}`, {
      facts: { host: hostname, port },
      cause: thrown,
    });
  }
}
