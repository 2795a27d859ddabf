/**
 * Tells HTTP/2 from HTTP/1.1 by the first bytes of a connection, so that one socket serves both (Node's http2 server has no such
 * fallback without TLS). Consumes nothing: every byte it looked at is put back.
 */
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";

/** What every HTTP/2 client sends first (RFC 9113 §3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** A client that has connected speaks at once; one that takes longer holds a descriptor for nothing. */
export const SNIFF_MS = 5_000;

export type HttpGeneration = "h1" | "h2";

/** Calls `decided` once, with the socket as if untouched; a socket that ends, fails or dawdles first is destroyed and never decided on. */
export function sniff(socket: Socket, clock: Clock, decided: (generation: HttpGeneration) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = clock.after(SNIFF_MS, () => socket.destroy());
  const stop = () => {
    timer.cancel();
    socket.off("data", look);
    socket.off("close", stop);
    socket.off("end", giveUp);
  };
  const giveUp = () => {
    stop();
    socket.destroy();
  };
  const look = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const isPreface = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (isPreface && length < PREFACE.length) return;
    stop();
    socket.pause();
    socket.unshift(seen);
    decided(isPreface ? "h2" : "h1");
    socket.resume();
  };
  socket.on("data", look);
  socket.once("end", giveUp);
  socket.once("close", stop);
}
