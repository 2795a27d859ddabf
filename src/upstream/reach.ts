/**
 * Whether an address takes connections: its name is resolved, one connection is opened (TLS verified, as for a request) and closed. Nothing
 * is written on it.
 */
import { lookup } from "node:dns/promises";
import type { Clock } from "../base/clock.ts";
import { openWire } from "./dial.ts";
import type { HttpFault } from "./http-client.ts";
import { originOf } from "./request-bytes.ts";
import { connectionFailure } from "./transport-failure.ts";

/** A connection that takes longer is of no use to a client that waits for its first byte. */
const CONNECT_MS = 5_000;

/** null = it takes connections; else why not, in words. Never rejects. */
export async function tryReach(url: string, clock: Clock, ca?: string): Promise<string | null> {
  const origin = originOf(url);
  const unresolved = await resolving(origin.host, clock);
  if (unresolved !== null) return unresolved;
  return await new Promise((resolve) => {
    openWire(
      origin,
      { clock, connectMs: CONNECT_MS, ca },
      {
        opened(wire) {
          wire.terminate();
          resolve(null);
        },
        failed: (error: HttpFault) => resolve(connectionFailure(error)),
        data: () => {},
        drain: () => {},
        timeout: () => {},
        ended: () => {},
      },
    );
  });
}

/** null = the name resolves. */
function resolving(host: string, clock: Clock): Promise<string | null> {
  return new Promise((resolve) => {
    const patience = clock.after(CONNECT_MS, () => resolve(connectionFailure({ code: "EAI_AGAIN" })));
    lookup(host)
      .then(() => resolve(null))
      .catch((thrown) => resolve(connectionFailure(thrown)))
      .finally(() => patience.cancel());
  });
}
