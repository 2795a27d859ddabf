/**
 * Who is at the other end of a Unix socket, as the kernel says: nothing the peer sends can change it.
 * Reads, never judges; `server.ts` decides who may stay.
 */

import { dlopen, ptr } from "bun:ffi";
import type { Socket } from "node:net";
import { type ContextValues, createContextKey } from "@connectrpc/connect";

export interface Peer {
  /** null where the platform names only the user. */
  readonly pid: number | null;
  readonly uid: number;
}

/** null: the kernel would not say, which is treated as a stranger. */
export type PeerReader = (socket: Socket) => Peer | null;

/** The caller, for handlers: `context.values.get(peerKey)`. null on doors and platforms without peer credentials. */
export const peerKey = createContextKey<Peer | null>(null, { description: "peer" });

/** The reader for this platform; null where Rotor knows none (Windows) and the mode of folder and socket has to do. */
export function createPeerReader(platform: NodeJS.Platform = process.platform): PeerReader | null {
  if (platform === "linux") return linuxReader();
  if (platform === "darwin" || platform === "freebsd") return bsdReader(platform);
  return null;
}

/** `SOL_SOCKET` and `SO_PEERCRED` of Linux (asm-generic/socket.h), alike on every architecture that Rotor is built for. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

function linuxReader(): PeerReader | null {
  const arch = process.arch === "arm64" ? "aarch64" : "x86_64";
  const library = openFirst(["libc.so.6", `libc.musl-${arch}.so.1`], {
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  });
  if (library === null) return null;
  return (socket) => {
    const fd = descriptorOf(socket);
    if (fd === null) return null;
    // struct ucred { pid_t pid; uid_t uid; gid_t gid; } (unix(7)); uid and gid are unsigned.
    const credentials = new Uint32Array(3);
    const length = new Uint32Array([credentials.byteLength]);
    const failed = library.symbols.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ptr(credentials), ptr(length)) !== 0;
    return failed ? null : { pid: credentials[0]!, uid: credentials[1]! };
  };
}

/** getpeereid(3) of the BSD family names the user only. */
function bsdReader(platform: "darwin" | "freebsd"): PeerReader | null {
  const library = openFirst([platform === "darwin" ? "libSystem.B.dylib" : "libc.so.7"], {
    getpeereid: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  });
  if (library === null) return null;
  return (socket) => {
    const fd = descriptorOf(socket);
    if (fd === null) return null;
    const uid = new Uint32Array(1);
    const gid = new Uint32Array(1);
    return library.symbols.getpeereid(fd, ptr(uid), ptr(gid)) === 0 ? { pid: null, uid: uid[0]! } : null;
  };
}

function openFirst<S extends Parameters<typeof dlopen>[1]>(names: readonly string[], symbols: S) {
  for (const name of names) {
    try {
      return dlopen<S>(name, symbols);
    } catch {
      // Another C library: the next name, or none.
    }
  }
  return null;
}

/** The file descriptor under a socket: not part of the documented API, but the same in Node and Bun (1.4.5). */
function descriptorOf(socket: Socket): number | null {
  const handle = (socket as unknown as { _handle?: { fd?: unknown } | null })._handle;
  return typeof handle?.fd === "number" && handle.fd >= 0 ? handle.fd : null;
}

/** The caller in the fields of a log line. */
export function callerOf(context: { readonly values: ContextValues }): {
  peer_pid: number | null;
  peer_uid: number | null;
} {
  const peer = context.values.get(peerKey);
  return { peer_pid: peer?.pid ?? null, peer_uid: peer?.uid ?? null };
}
