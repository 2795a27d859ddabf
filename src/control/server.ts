/**
 * The control socket: one Unix socket that speaks gRPC (h2c), gRPC-Web and Connect with JSON over HTTP/1.1 and HTTP/2.
 * Lets in only processes of its own user (and root), carries calls to the routes, and drains when it closes. Knows no service.
 */
import { lstatSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { createCallHandler } from "./call-handler.ts";
import { type Connection, createDrain } from "./drain.ts";
import { OpenCalls } from "./open-calls.ts";
import { createPeerReader, type Peer, type PeerReader } from "./peer.ts";
import { sniff } from "./sniff.ts";
import { bindPrivately, claimPath, folderOf, isSameFile, prepareFolder } from "./socket-file.ts";

export interface ControlOptions {
  readonly path: string;
  readonly routes: (router: ConnectRouter) => void;
  readonly ownUid: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Who is at the other end; the platform's own reader unless told otherwise. null: nobody can say. */
  readonly readPeer?: PeerReader | null;
}

export interface ControlServer {
  /** Ends watches, and resolves once no single call is under way, or after `graceMs`. The socket stays, and new calls are taken. */
  settle(graceMs: number): Promise<void>;
  /**
   * Takes the socket away, lets single calls finish and ends watches; what is still open after `graceMs` is cut.
   * Resolves when every connection is gone. A second call waits for the first.
   */
  close(graceMs: number): Promise<void>;
}

/** More than any client opens on one connection (1,000 calls at once are tested), and a bound for one that runs wild. */
const MAX_STREAMS = 2_000;
/** One MiB a stream: large answers (a thousand accounts) go out without waiting for window updates. */
const STREAM_WINDOW_BYTES = 1 << 20;

/** Opens the door. Rejects with `already_running`, `address_in_use` or `start_failed`; nothing is left behind then. */
export async function listenControl(options: ControlOptions): Promise<ControlServer> {
  const { path, clock, log } = options;
  prepareFolder(folderOf(path), options.ownUid, log);
  await claimPath(path, clock);

  const closing = new AbortController();
  const cut = new AbortController();
  const drain = createDrain(clock);
  const calls = new OpenCalls(clock);
  const handle = createCallHandler({
    routes: options.routes,
    log,
    closing: closing.signal,
    cut: cut.signal,
    peerOf: (socket) => drain.find(socket)?.peer ?? null,
    calls,
  });
  const h1 = createHttp1((request, response) => {
    drain.find(request.socket)?.began(response);
    handle(request, response);
  });
  const h2 = createHttp2(handle, (session) => drain.addSession(session));
  const admit = createAdmission(options);
  const server = net.createServer((socket) => {
    // A reset peer is an event of its own, not ours; without a listener it would end the process.
    socket.on("error", (cause) => log.debug("connection.failed", { cause }));
    const admission = admit(socket);
    if (!admission.ok) return void socket.destroy();
    const connection = drain.add(socket, admission.peer);
    sniff(socket, clock, (generation) => hand(connection, generation === "h2" ? h2 : h1, generation));
  });
  await bindPrivately(server, path);
  server.on("error", (cause) => log.warn("control_socket.failed", { cause }));
  const bound = lstatSync(path);
  log.info("control_socket.opened", { path });

  let closed: Promise<void> | null = null;
  const close = async (graceMs: number) => {
    // Closing a listener removes whatever lies at its path (libuv and Bun 1.4.5 alike): a successor's socket must not go with ours.
    if (isSameFile(path, bound)) server.close();
    else server.unref();
    closing.abort();
    await drain.run(graceMs, () => cut.abort(new ConnectError("the daemon has stopped", Code.Unavailable)));
    h1.close();
    h2.close();
    log.info("control_socket.closed", { path });
  };
  return {
    settle(graceMs) {
      closing.abort();
      return calls.none(graceMs);
    },
    close: (graceMs) => (closed ??= close(graceMs)),
  };
}

function hand(connection: Connection, server: net.Server, generation: "h1" | "h2"): void {
  connection.generation = generation;
  server.emit("connection", connection.socket);
}

function createHttp1(handle: http.RequestListener): http.Server {
  const server = http.createServer(handle);
  server.on("clientError", (_cause, socket) => socket.destroy());
  return server;
}

type Http2Listener = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;

function createHttp2(handle: Http2Listener, opened: (session: http2.ServerHttp2Session) => void): http2.Http2Server {
  const settings = { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: STREAM_WINDOW_BYTES };
  const server = http2.createServer({ settings }, handle);
  server.on("session", (session) => {
    // Garbage and half a preface end the session with an error; that is all they may end.
    session.on("error", () => {});
    opened(session);
  });
  server.on("sessionError", () => {});
  return server;
}

type Admission = { readonly ok: true; readonly peer: Peer | null } | { readonly ok: false };

/** Only the user that the daemon runs as, and root, who could read its memory anyway. */
function createAdmission(options: ControlOptions): (socket: net.Socket) => Admission {
  const { ownUid, log } = options;
  const readPeer = options.readPeer === undefined ? createPeerReader() : options.readPeer;
  if (readPeer === null) {
    log.warn("peer_check.left_out", { reason: "no peer credentials here; the modes of folder and socket guard it" });
    return () => ({ ok: true, peer: null });
  }
  return (socket) => {
    const peer = readPeer(socket);
    if (peer !== null && (peer.uid === ownUid || peer.uid === 0)) return { ok: true, peer };
    log.warn("peer.refused", { pid: peer?.pid ?? null, uid: peer?.uid ?? null });
    return { ok: false };
  };
}
