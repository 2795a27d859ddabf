/**
 * Starts the process again in place (same pid) with what must be in its environment from the first instant, because the runtime reads it
 * before any of our code runs. The daemon face only.
 */
import { childEnv, readHost } from "./env.ts";

/** By name; what somebody has set already stays as it is. */
const WANTED: Readonly<Record<string, string>> = {
  // Bun's fetch serves 256 requests at once and queues the rest silently (Bun 1.4). Its own ceiling is 65,535; 16,384 open streams are far
  // beyond what one event loop serves.
  BUN_CONFIG_MAX_HTTP_REQUESTS: "16384",
  // How much memory the collector believes that there is. By the machine's own (24 GB, say) it lets garbage double the heap again and again
  // before it looks: under load 170 MB instead of 130, with large bodies 2.2 GB instead of 1.4, and no faster. It is no limit: what is in use may
  // be more, and is then collected oftener.
  BUN_JSC_forceRAMSize: String(256 * 1024 * 1024),
  // When the last compiler takes a function (by the runtime's own measure 64,000). It costs more than all requests of the first minutes: 10,000 short
  // streams from a cold start took 385 µs of CPU each, this way 210 to 245; after 30,000 of them 0 to 8 % more, until what is hot gets there, too.
  BUN_JSC_thresholdForFTLOptimizeAfterWarmUp: "1000000",
};

/** Does not return when it restarts the process. */
export function prepareRuntime(): void {
  const { env } = readHost();
  const missing = Object.entries(WANTED).filter(([name]) => env[name] === undefined);
  if (missing.length === 0 || typeof process.execve !== "function") return;
  const script = process.argv[1];
  // In a compiled binary argv[1] is a path inside the binary itself, which the runtime puts there again.
  const isEmbedded = script === undefined || script.startsWith("/$bunfs") || script.startsWith("B:/~BUN");
  const args = [process.execPath, ...(isEmbedded ? [] : [script]), ...process.argv.slice(2)];
  process.execve(process.execPath, args, childEnv(Object.fromEntries(missing)));
}
