/**
 * Starts the process again in place (same pid) with what must be in its environment from the first instant. The daemon face only.
 * Bun's fetch serves 256 requests at once and queues the rest silently; the limit is read from the *initial* environment (Bun 1.4).
 */
import { childEnv, readHost } from "./env.ts";

/** Bun's own ceiling is 65,535; 16,384 open streams are far beyond what one event loop serves. */
const FETCH_LIMIT = { name: "BUN_CONFIG_MAX_HTTP_REQUESTS", value: "16384" };

/** Does not return when it restarts the process. */
export function raiseFetchLimit(): void {
  if (readHost().env[FETCH_LIMIT.name] !== undefined || typeof process.execve !== "function") return;
  const script = process.argv[1];
  // In a compiled binary argv[1] is a path inside the binary itself, which the runtime puts there again.
  const isEmbedded = script === undefined || script.startsWith("/$bunfs") || script.startsWith("B:/~BUN");
  const args = [process.execPath, ...(isEmbedded ? [] : [script]), ...process.argv.slice(2)];
  process.execve(process.execPath, args, childEnv({ [FETCH_LIMIT.name]: FETCH_LIMIT.value }));
}
