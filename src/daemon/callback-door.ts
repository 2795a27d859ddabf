/**
 * The loopback listener that the issuer sends browsers back to: one for all logins that wait, open only while one does. Tells callbacks
 * apart by nothing; that is the login desk's work. Answers to loopback names only, and to nothing but the callback.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { createHttpGuard } from "../base/http-guard.ts";
import type { Log } from "../base/log.ts";
import type { CallbackEnd, OpenCallbackListener } from "../pool/callback-listener.ts";
import { CALLBACK_PATH, callbackUri } from "../upstream/oauth-login.ts";
import { callbackPage, messagePage, type Page } from "./callback-page.ts";

export interface CallbackDoorOptions {
  /** Tried in this order; the issuer knows no others. 0 takes any free one (tests). */
  readonly ports: readonly number[];
  readonly clock: Clock;
  readonly log: Log;
}

/** A browser may keep a connection open that it has no use for; after the last answer it gets this long. */
const CLOSE_GRACE_MS = 2_000;
/** Longer than an exchange of codes may take: the browser waits for its end. */
const IDLE_SECONDS = 60;
const BODY_MAX_BYTES = 1_024;

export function createCallbackDoor(options: CallbackDoorOptions): OpenCallbackListener {
  const { clock, log } = options;
  const guard = createHttpGuard();
  return (onCallback) => {
    const server = serve(options.ports, (request) => answer(request, onCallback));
    const port = server.port!;
    log.info("callback.opened", { port });
    return {
      redirectUri: callbackUri(port),
      close() {
        log.info("callback.closed", { port });
        const grace = clock.after(CLOSE_GRACE_MS, () => void server.stop(true));
        // The port is free from here on; the answer that ended the last login is still being given.
        void server.stop(false).then(() => grace.cancel());
      },
    };
  };

  async function answer(request: Request, onCallback: (query: URLSearchParams) => Promise<CallbackEnd>) {
    // `Origin` is not judged: who does not know the state gets nothing here, and browsers differ in what they send after a redirect.
    if (guard.refuse(request.headers.get("host"), null) !== null)
      return respond(messagePage(403, "Wrong address", "Use 127.0.0.1."));
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== CALLBACK_PATH) return respond(messagePage(404, "Nothing here", "This is where logins end."));
    if (request.method !== "GET") return respond(messagePage(405, "Not like that", "A callback is a GET."));
    try {
      return respond(callbackPage(await onCallback(searchParams)));
    } catch (error) {
      log.error("callback.failed", { error });
      return respond(messagePage(500, "Something went wrong", "The log of Rotor says what: rotor log"));
    }
  }
}

function serve(ports: readonly number[], fetch: (request: Request) => Promise<Response>) {
  for (const port of ports) {
    try {
      // The name in the redirect address is 127.0.0.1: nothing else needs to reach it.
      return Bun.serve({
        hostname: "127.0.0.1",
        port,
        idleTimeout: IDLE_SECONDS,
        maxRequestBodySize: BODY_MAX_BYTES,
        fetch,
      });
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== "EADDRINUSE") throw thrown;
    }
  }
  throw new AppError(
    "address_in_use",
    `the ports ${ports.join(" and ")} of 127.0.0.1 are taken, and a browser is sent back to no others: is another program signing in?`,
    { facts: { ports: ports.join(",") }, hint: "rotor login --device" },
  );
}

function respond({ status, html }: Page): Response {
  return new Response(html, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      // The address holds a code; it is spent, and all the same nobody's business.
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
      connection: "close",
    },
  });
}
