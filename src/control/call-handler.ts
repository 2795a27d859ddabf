/**
 * From a Node request of either HTTP generation to a Connect handler and back. Refuses what a browser could have sent, and hands peer
 * and closing signal to the handlers.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { CONTROL_MESSAGE_MAX_BYTES } from "../base/bounds.ts";
import { AppError } from "../base/errors.ts";
import { hostName } from "../base/http-guard.ts";
import type { Log } from "../base/log.ts";
import { toConnectError } from "./error-mapping.ts";
import type { OpenCalls } from "./open-calls.ts";
import { type Peer, peerKey } from "./peer.ts";
import { closingKey } from "./watch.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

export interface CallHandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly log: Log;
  /** Aborted when the door begins to close: watches end. */
  readonly closing: AbortSignal;
  /** Aborted when the grace is over: every call ends. */
  readonly cut: AbortSignal;
  readonly peerOf: (socket: unknown) => Peer | null;
  readonly calls: OpenCalls;
}

/** Beside `maxTimeoutMs`, which is left unset: connect 2.2 would refuse a longer deadline instead of shortening it. */
const ROUTER_OPTIONS = {
  // Compressed requests are read, answers go out plain: a local socket has the bytes, not the time. (An empty list would refuse such requests.)
  acceptCompression: [compressionGzip, compressionBrotli],
  compressMinBytes: 0x7fff_ffff,
  readMaxBytes: CONTROL_MESSAGE_MAX_BYTES,
  writeMaxBytes: CONTROL_MESSAGE_MAX_BYTES,
  // Contracts §19: fields with their default value are written too.
  jsonOptions: { alwaysEmitImplicit: true },
};

export function createCallHandler(options: CallHandlerOptions): (request: Request, response: Response) => void {
  const router = createConnectRouter({ ...ROUTER_OPTIONS, shutdownSignal: options.cut });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return (request, response) => {
    // connect-node 2.2 waits for "drain" or "error" while the client's window is full; a cancelled stream emits only "close", and the
    // handler would hang for ever (seen with Bun 1.4.5 and Node 20).
    response.once("close", () => response.emit("drain"));
    const refused = refuse(request);
    if (refused !== null) return sendError(response, refused);
    const path = (request.url ?? "").split("?", 1)[0]!;
    const handler = handlers.get(path);
    if (handler === undefined) return sendError(response, new AppError("route_not_found", "no such method"));
    const values = createContextValues()
      .set(peerKey, options.peerOf(socketOf(request)))
      .set(closingKey, options.closing);
    // By its response: connect-node's own promise does not resolve over HTTP/2 on Bun 1.4.5, though the answer has gone out.
    if (handler.method.methodKind === "unary") response.once("close", options.calls.began());
    run().catch((cause) => {
      // A client that went away while we wrote; the handler has been told by its signal.
      options.log.debug("call.cut", { path, cause });
      response.destroy();
    });

    async function run() {
      const answer = await handler!(universalRequestFromNodeRequest(request, response, undefined, values));
      await universalResponseToNodeResponse(answer, response);
    }
  };
}

function socketOf(request: Request): unknown {
  return "stream" in request ? request.stream.session?.socket : request.socket;
}

/**
 * No web page can open a Unix socket, but a bridge from TCP (socat, an ssh forward) would carry one here. Programs send neither Origin
 * nor Referer; browsers cannot leave them out of a POST to another origin. `Host` may be empty, a loopback name, or a single label
 * (`curl --unix-socket … http://rotor/`): a name with a dot is a site's own, rebound to us. HTTP/2 without TLS no browser speaks.
 */
function refuse(request: Request): AppError | null {
  if (request.headers.origin !== undefined || request.headers.referer !== undefined)
    return new AppError("forbidden_host", "web pages may not use the control socket", { hint: null });
  // Connect would take a GET for methods without side effects, and that a browser sends with neither of the two.
  if (request.method !== "POST") return new AppError("route_not_found", "methods are called with POST", { hint: null });
  if ("stream" in request) return null;
  const { host } = request.headers;
  if (host === undefined || host === "") return null;
  const name = hostName(host);
  if (name !== null && (name === "127.0.0.1" || name === "::1" || /^[a-z0-9_-]+$/.test(name))) return null;
  return new AppError("forbidden_host", `the control socket does not answer to the host ${host}`, {
    hint: "use http://localhost/ with the socket",
  });
}

/** For requests that reach no handler: the error form of Connect, with the HTTP status that its own table gives (gRPC maps that back). */
function sendError(response: Response, error: AppError): void {
  const body = JSON.stringify(errorToJson(toConnectError(error), undefined));
  response.statusCode = error.row.http;
  response.setHeader("content-type", "application/json");
  // One class of response at a time: the two have no common `end` that TypeScript could call.
  (response as ServerResponse).end(body);
}
