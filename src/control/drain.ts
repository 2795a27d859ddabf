/**
 * The open connections of the control socket and how they end: idle ones at once, busy ones when their last call has ended,
 * the rest when the grace is over.
 */
import type { ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Peer } from "./peer.ts";

export interface Connection {
  readonly socket: Socket;
  readonly peer: Peer | null;
  /** null until its first bytes have been seen. */
  generation: "h1" | "h2" | null;
  /** An HTTP/1.1 call began; HTTP/2 counts its own streams. */
  began(response: ServerResponse): void;
}

export interface Drain {
  add(socket: Socket, peer: Peer | null): Connection;
  addSession(session: ServerHttp2Session): void;
  find(socket: unknown): Connection | null;
  /** Ends everything; `cutOff` is called first when the grace is over and something is still open. */
  run(graceMs: number, cutOff: () => void): Promise<void>;
}

/** Where a socket carries its connection. A property, because http2 hands out a proxy of the socket, which no map would recognise. */
const CONNECTION = Symbol("connection");
type Carrier = { [CONNECTION]?: Connection };

/** Handlers that were cut get this long to say so to their clients before the sockets go. */
const LAST_WORDS_MS = 50;

export function createDrain(clock: Clock): Drain {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const openCalls = new Map<Socket, number>();
  let draining = false;
  let emptied: (() => void) | null = null;

  const endIfIdle = (connection: Connection) => {
    if (connection.generation !== "h2" && (openCalls.get(connection.socket) ?? 0) === 0)
      connection.socket.destroySoon();
  };
  const began = (connection: Connection, response: ServerResponse) => {
    const { socket } = connection;
    openCalls.set(socket, (openCalls.get(socket) ?? 0) + 1);
    if (draining) response.setHeader("connection", "close");
    response.once("close", () => {
      openCalls.set(socket, (openCalls.get(socket) ?? 1) - 1);
      if (draining) endIfIdle(connection);
    });
  };
  return {
    add(socket, peer) {
      const connection: Connection = {
        socket,
        peer,
        generation: null,
        began: (response) => began(connection, response),
      };
      (socket as Carrier)[CONNECTION] = connection;
      sockets.add(socket);
      socket.once("close", () => {
        sockets.delete(socket);
        openCalls.delete(socket);
        if (sockets.size === 0) emptied?.();
      });
      if (draining) socket.destroy();
      return connection;
    },
    addSession(session) {
      sessions.add(session);
      session.once("close", () => sessions.delete(session));
      if (draining) session.close();
    },
    find: (socket) => (socket as Carrier | null | undefined)?.[CONNECTION] ?? null,
    async run(graceMs, cutOff) {
      draining = true;
      const gone = new Promise<void>((resolve) => {
        emptied = resolve;
        if (sockets.size === 0) resolve();
      });
      // GOAWAY: no new streams; the session closes after the last open one.
      for (const session of sessions) session.close();
      for (const socket of sockets) {
        const connection = (socket as Carrier)[CONNECTION];
        if (connection) endIfIdle(connection);
      }
      if (await isOverWithin(gone, graceMs, clock)) return;
      cutOff();
      if (await isOverWithin(gone, LAST_WORDS_MS, clock)) return;
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await gone;
    },
  };
}

function isOverWithin(gone: Promise<void>, limitMs: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(limitMs, () => resolve(false));
    void gone.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}
