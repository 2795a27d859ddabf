/**
 * WebSockets in: `GET …/responses` with an upgrade, beside Elysia, whose own WebSockets parse what they carry. Who may come in is decided
 * as for any request; whoever cannot be served is told in a way that sends a Codex client to HTTP at once (wire §4.3). The runtime speaks the
 * protocol: fragments, pings, compression, UTF-8.
 */
import type { Server, WebSocketHandler } from "bun";
import { BODY_MAX_BYTES, CLIENT_SOCKETS_MAX, SOCKET_CHAINS_MAX_BYTES } from "../base/bounds.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { type HeaderList, withoutHeaders } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";
import type { KeyPass } from "../pool/client-desk.ts";
import { forbidden, type ProxyAppDeps, proxyDeps, RESPONSES_PATHS } from "./app.ts";
import { authenticate, splitPathKey, withPass } from "./client-auth.ts";
import { headerListOf } from "./header-hygiene.ts";
import { ChainBudget } from "./socket-chain.ts";
import { SocketSession } from "./socket-session.ts";
import { requestHeaders } from "./socket-turn.ts";
import { surfaceOf } from "./surface.ts";
import { notReady, type ProxyDeps, refuse, splitUrl } from "./visit.ts";

export interface SocketDoor {
  /** `taken`: the connection is a WebSocket now. null: no upgrade of ours, ask the other routes. */
  upgrade(request: Request, server: Server<SocketSession>): Response | "taken" | null;
  readonly handler: WebSocketHandler<SocketSession>;
  /** Lets answers that are under way end, and closes the rest. */
  leave(): void;
}

const AUTHORIZATION: ReadonlySet<string> = new Set(["authorization"]);

export function createSocketDoor(options: ProxyAppDeps): SocketDoor {
  const deps = proxyDeps(options);
  const budget = new ChainBudget(SOCKET_CHAINS_MAX_BYTES);
  const sessions = new Set<SocketSession>();
  return {
    upgrade(request, server) {
      if (request.method !== "GET" || request.headers.get("upgrade")?.toLowerCase() !== "websocket") return null;
      const { path: asked, query } = splitUrl(request.url);
      const keyed = splitPathKey(asked);
      const path = keyed?.rest ?? asked;
      if (!(RESPONSES_PATHS as readonly string[]).includes(path)) return null;
      const headers = withKey(headerListOf(request.headers), keyed?.key ?? null);
      const surface = surfaceOf(path, headers);
      try {
        const refused = options.guard.refuse(request.headers.get("host"), request.headers.get("origin"));
        if (refused !== null) throw forbidden(refused);
        const pass = admit(deps, headers, surface, sessions.size);
        const { keyId, only } = pass;
        const visit = { path, query, headers: requestHeaders(withPass(headers, pass)), surface, keyId, only };
        const session = new SocketSession(deps, visit, budget);
        if (server.upgrade(request, { data: session })) return "taken";
        throw new AppError("upgrade_required", "the request is not a complete WebSocket handshake");
      } catch (thrown) {
        return refuse(deps, fromUnknown(thrown), { surface, stream: false });
      }
    },
    handler: handlerFor(deps.bodyMaxBytes, sessions),
    leave() {
      for (const session of [...sessions]) session.leave();
    },
  };
}

function withKey(headers: HeaderList, key: string | null): HeaderList {
  return key === null ? headers : [...withoutHeaders(headers, AUTHORIZATION), ["authorization", `Bearer ${key}`]];
}

/** What the client key stands for. 426 is the one refusal after which Codex asks over HTTP at once, and gets its real answer there. */
function admit(deps: ProxyDeps, headers: HeaderList, surface: Surface, open: number): KeyPass {
  const engine = deps.engine();
  if (engine === null) throw new AppError("upgrade_required", `${notReady(deps).message}; ask over HTTP`);
  const pass = authenticate(headers, surface, engine);
  if (open < CLIENT_SOCKETS_MAX) return pass;
  throw new AppError("upgrade_required", "as many WebSockets as may be are open; ask over HTTP");
}

/** More than a second of output at full speed; what is beyond waits in the exchange, and then upstream. */
const BUFFER_MAX_BYTES = 1024 * 1024;
/** Seconds. The runtime pings halfway, so that only who does not answer is taken for gone. */
const SILENCE_SECONDS = 120;

function handlerFor(maxBytes: number, sessions: Set<SocketSession>): WebSocketHandler<SocketSession> {
  return {
    data: {} as SocketSession,
    // Each message on its own: no window is kept for every connection. What is sent is not packed: the way is short, and it would cost time.
    perMessageDeflate: { compress: "shared", decompress: "shared" },
    maxPayloadLength: maxBytes,
    backpressureLimit: BODY_MAX_BYTES,
    closeOnBackpressureLimit: false,
    idleTimeout: SILENCE_SECONDS,
    sendPings: true,
    open(socket) {
      sessions.add(socket.data);
      socket.data.opened({
        send: (text) => socket.sendText(text, false) !== -1 || socket.getBufferedAmount() < BUFFER_MAX_BYTES,
        together: (send) => void socket.cork(send),
        close: (code, reason) => socket.close(code, reason),
      });
    },
    message(socket, message) {
      if (typeof message === "string") socket.data.heard(message);
      else socket.close(1003, "requests are text");
    },
    drain: (socket) => socket.data.drained(),
    close(socket) {
      sessions.delete(socket.data);
      socket.data.left();
    },
  };
}
