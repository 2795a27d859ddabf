/**
 * One connection of the ctl to a daemon, and what becomes of calls when it ends: every call ends too, at Ctrl-C at once, at the end of the
 * other process within a moment, whatever HTTP/2 made of it. Knows no service and no place; never makes a call twice that may have done
 * something the first time.
 */
import { connect, type Socket } from "node:net";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Timer } from "../base/clock.ts";
import { ErrorDetailSchema } from "../gen/rotor/v1/error_pb.ts";
import type { CliIo } from "./io.ts";

/** A call that only reads or writes the store answers in milliseconds; a login refresh waits for upstream for up to a minute. */
const CALL_DEADLINE_MS = 90_000;
/** What the daemon said last is still on its way through the streams when the socket has closed; far more than that takes. */
const LAST_WORDS_MS = 1_000;

export interface DaemonConnection {
  /** For calls with one answer: they have a deadline. */
  readonly unary: Transport;
  /** Without one, for watches and long work. */
  readonly endless: Transport;
  /** See {@link DaemonLink.whenGone}. */
  whenGone(again: () => Promise<string>): void;
  close(): void;
}

/** Connects with the first call. */
export function connectTo(socket: string, io: CliIo): DaemonConnection {
  const dial = createDial(socket, io);
  let successor: (() => Promise<string>) | null = null;
  // The URL only names the authority that gRPC servers expect.
  const manager = new Http2SessionManager("http://localhost", {}, { createConnection: dial.connect });
  // Also of calls that are begun afterwards: a session that was only closed would be opened again for them.
  const ending: Interceptor = (next) => (request) =>
    next({ ...request, signal: AbortSignal.any([request.signal, dial.gone(), io.interrupted]) });
  const onceMore: Interceptor = (next) => async (request) => {
    try {
      return await next(request);
    } catch (cause) {
      const mayRepeat = isRefused(cause) || (isLost(cause) && isHarmless(request.method, cause as ConnectError));
      if (successor === null || request.stream || io.interrupted.aborted || !mayRepeat) throw cause;
      dial.turnTo(await successor());
      manager.abort();
      return await next(request);
    }
  };
  const options = { baseUrl: "http://localhost", sessionManager: manager };
  const onInterrupt = () => manager.abort();
  io.interrupted.addEventListener("abort", onInterrupt, { once: true });
  return {
    unary: createGrpcTransport({
      ...options,
      defaultTimeoutMs: CALL_DEADLINE_MS,
      interceptors: [onceMore, ending],
    }),
    endless: createGrpcTransport({ ...options, interceptors: [ending] }),
    whenGone(again) {
      successor = again;
    },
    close() {
      io.interrupted.removeEventListener("abort", onInterrupt);
      dial.close();
      manager.abort();
    },
  };
}

interface Dial {
  /** Bun and Node both dial through it. */
  connect(): Socket;
  turnTo(socket: string): void;
  /** Aborted when the last open socket has closed and no other took its place. */
  gone(): AbortSignal;
  close(): void;
}

/**
 * connect-node 2.2 on Bun 1.4.5 does not notice every end of a stream that has not answered yet (RST_STREAM and GOAWAY before the first
 * header: the call ran into its deadline of 90 s). The socket tells.
 */
function createDial(first: string, io: CliIo): Dial {
  let at = first;
  const open = new Set<Socket>();
  let gone = new AbortController();
  let timer: Timer | null = null;
  let isClosed = false;
  const look = () => {
    if (open.size > 0) return;
    gone.abort(new ConnectError("the connection was closed", Code.Unavailable));
    gone = new AbortController();
  };
  return {
    connect() {
      const socket = connect(at);
      open.add(socket);
      socket.once("close", () => {
        open.delete(socket);
        timer?.cancel();
        if (!isClosed) timer = io.clock.after(LAST_WORDS_MS, look);
      });
      return socket;
    },
    turnTo(socket) {
      at = socket;
    },
    gone: () => gone.signal,
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}

/**
 * The connection broke before an answer came, in whatever words: a process that ends resets its streams (canceled, refused) or only closes
 * (unavailable, internal). What the daemon itself said carries a detail, and it says "canceled" of a call only when the connection went;
 * one that is there but does not answer in time is another matter.
 */
export function isLost(cause: unknown): boolean {
  if (!(cause instanceof ConnectError)) return false;
  const detail = cause.findDetails(ErrorDetailSchema)[0];
  if (detail !== undefined) return detail.code === "canceled" || detail.code === "daemon_unreachable";
  return ![Code.DeadlineExceeded, Code.Unimplemented, Code.PermissionDenied].includes(cause.code);
}

/** Said by a daemon that is about to end, or whose store is being replaced: nothing was begun, and a moment later somebody will answer. */
function isRefused(cause: unknown): boolean {
  const detail = cause instanceof ConnectError ? cause.findDetails(ErrorDetailSchema)[0] : undefined;
  return detail?.code === "daemon_unreachable" || (detail?.code === "not_ready" && detail.facts.state === "migrating");
}

/** Did a call whose connection was lost leave everything as it was? One that only reads always does; an order when it was never sent. */
function isHarmless(method: { readonly idempotency: MethodOptions_IdempotencyLevel }, cause: ConnectError): boolean {
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return true;
  return ["ENOENT", "ECONNREFUSED"].includes((cause.cause as NodeJS.ErrnoException | undefined)?.code ?? "");
}
