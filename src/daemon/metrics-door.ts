/**
 * The listener that a Prometheus fetches from, when the config names one: `GET /metrics` on loopback, and nothing else there. It asks for
 * no key, because it tells nothing but numbers and aliases; it checks `Host` and `Origin` like every other door.
 */
import { AppError } from "../base/errors.ts";
import { createHttpGuard } from "../base/http-guard.ts";
import type { Log } from "../base/log.ts";

export interface MetricsDoor {
  readonly url: string;
  close(): Promise<void>;
}

export interface MetricsDoorDeps {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly scrape: () => Promise<string>;
  readonly log: Log;
}

const TEXT = { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" };
/** Seconds. A scrape takes milliseconds. */
const SILENCE_SECONDS = 30;

/** Throws `address_in_use`. */
export function openMetricsDoor({ host, port, scrape, log }: MetricsDoorDeps): MetricsDoor {
  const guard = createHttpGuard();
  const answer = async (request: Request): Promise<Response> => {
    if (guard.refuse(request.headers.get("host"), request.headers.get("origin")) !== null)
      return plain(403, "this is not a host that metrics are served on\n");
    if (new URL(request.url).pathname !== "/metrics") return plain(404, "there is /metrics here and nothing else\n");
    if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "metrics are read with GET\n");
    try {
      return new Response(await scrape(), { headers: TEXT });
    } catch (error) {
      log.error("metrics.scrape_failed", { error });
      return plain(500, "the metrics cannot be read; rotor log says why\n");
    }
  };
  try {
    const server = Bun.serve({ hostname: host, port, idleTimeout: SILENCE_SECONDS, fetch: answer });
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${server.port}/metrics`;
    return { url, close: () => server.stop(true) };
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "EADDRINUSE") throw cause;
    throw new AppError("address_in_use", `something else listens on ${host}:${port}, where [metrics] is to listen`, {
      hint: "name another port in [metrics] listen",
      facts: { host, port },
      cause,
    });
  }
}

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
