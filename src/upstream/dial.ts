/**
 * Opens one connection to upstream: TCP, and TLS whose certificate and name are verified before a byte is written. Says once whether that
 * succeeded; what is spoken on it is the caller's.
 */
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { HttpFault } from "./http-client.ts";
import type { Origin } from "./request-bytes.ts";

/** What is used of a Bun socket, plain or TLS. */
export interface Wire {
  write(data: Uint8Array, from?: number, bytes?: number): number;
  pause(): void;
  resume(): void;
  /** Seconds without traffic until the connection's `timeout` is called; 0 = never. */
  timeout(seconds: number): void;
  terminate(): void;
}

/** Either `opened` or `failed` is called, once; the rest only after `opened`. */
export interface Peer {
  opened(wire: Wire): void;
  failed(error: HttpFault): void;
  data(bytes: Buffer): void;
  drain(): void;
  timeout(): void;
  /** Both sides are done, or one of them broke off. May come more than once. */
  ended(isBroken: boolean): void;
}

export interface DialOptions {
  readonly clock: Clock;
  /** Certificates to trust in place of the runtime's own, in PEM. */
  readonly ca?: string | undefined;
  readonly connectMs: number;
}

export function openWire({ isTls, host, port }: Origin, { clock, ca, connectMs }: DialOptions, peer: Peer): void {
  let wire: Wire | null = null;
  let isOpen = false;
  let settled = false;
  const settle = (error: HttpFault | null) => {
    if (settled) return;
    settled = true;
    patience.cancel();
    if (error === null) {
      isOpen = true;
      peer.opened(wire!);
      return;
    }
    wire?.terminate();
    peer.failed(error);
  };
  const patience = clock.after(connectMs, () => settle(new HttpFault("ETIMEDOUT")));
  const ended = (error: Error | null | undefined) => {
    settle(new HttpFault(codeOf(error) ?? "ECONNRESET"));
    if (isOpen) peer.ended(error !== null && error !== undefined);
  };
  const failedToDial = (error: unknown) => settle(new HttpFault(codeOf(error) ?? "FailedToOpenSocket"));
  void dial(failedToDial, {
    hostname: host,
    port,
    ...(isTls ? { tls: tlsFor(host, ca) } : {}),
    socket: {
      open(socket) {
        wire = socket;
        if (settled) socket.terminate();
        else if (!isTls) settle(null);
      },
      handshake(socket, isDone, error) {
        if (settled) return;
        settle(isDone ? distrust(socket, host) : new HttpFault(codeOf(error) ?? "ERR_TLS_HANDSHAKE"));
      },
      data: (_, bytes) => {
        if (isOpen) peer.data(bytes);
      },
      drain: () => {
        if (isOpen) peer.drain();
      },
      timeout: () => {
        if (isOpen) peer.timeout();
      },
      end: () => ended(null),
      close: (_, error) => ended(error),
      error: (_, error) => ended(error),
      connectError: (_, error) => ended(error),
    },
  });
}

/** Settings that the runtime cannot take are thrown, everything else is rejected: both are told in one way. */
async function dial(failed: (error: unknown) => void, options: Bun.TCPSocketConnectOptions<undefined>): Promise<void> {
  try {
    await Bun.connect(options);
  } catch (error) {
    failed(error);
  }
}

/** ALPN in its wire form: a length and a name. */
const HTTP_1_1 = "\x08http/1.1";

function tlsFor(host: string, ca: string | undefined) {
  return { serverName: host, rejectUnauthorized: true, ALPNProtocols: HTTP_1_1, ...(ca === undefined ? {} : { ca }) };
}

/** The runtime has verified both already; tokens go out on this connection, so it is asked again in our own words. */
function distrust(socket: Bun.Socket, host: string): HttpFault | null {
  const untrusted = socket.getAuthorizationError();
  if (untrusted !== null || !socket.authorized) return new HttpFault(codeOf(untrusted) ?? "ERR_TLS_CERT_UNTRUSTED");
  const misnamed = checkServerIdentity(host, socket.getPeerCertificate() as PeerCertificate);
  if (misnamed !== undefined) return new HttpFault("ERR_TLS_CERT_ALTNAME_INVALID");
  const protocol = socket.alpnProtocol;
  return protocol === null || protocol === "" || protocol === (false as unknown) || protocol === "http/1.1"
    ? null
    : new HttpFault("ERR_TLS_ALPN");
}

function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : null;
}
