/**
 * Does the environment want requests to an address to go through an outgoing HTTP proxy (`HTTPS_PROXY` and its kin)? Says so, and no more:
 * `fetch` reads the same variables and does it. Pure.
 */
import type { Env } from "./env.ts";

const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** Never for loopback: what runs on this machine is not behind a proxy, whatever the variables say of everything else. */
export function wantsOutgoingProxy(url: string, env: Env): boolean {
  const { protocol, hostname, host } = new URL(url);
  if (LOOPBACK.includes(hostname)) return false;
  const names = protocol === "https:" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy", "HTTP_PROXY"];
  if (names.every((name) => isBlank(env[name]))) return false;
  const exceptions = (env.no_proxy || env.NO_PROXY || "").split(",").map((entry) => entry.trim().toLowerCase());
  return !exceptions.some((entry) => covers(entry, hostname, host));
}

/** `*`, a host, a domain with or without its dot, each with a port if it likes. */
function covers(entry: string, hostname: string, host: string): boolean {
  if (entry === "") return false;
  if (entry === "*" || entry === hostname || entry === host) return true;
  const domain = entry.replace(/^\*?\./, "");
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

function isBlank(value: string | undefined): boolean {
  return value === undefined || value.trim() === "";
}
