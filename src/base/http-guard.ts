/**
 * The check at every loopback HTTP door: which `Host` names it answers to and that no web page of another origin drives it.
 * A page that rebinds DNS still sends its own host name; a page that posts across origins still sends `Origin`.
 */

const LOOPBACK_NAMES: readonly string[] = ["127.0.0.1", "localhost", "::1"];

export interface HttpGuard {
  /** null when the request may pass, else which header was refused. */
  refuse(headers: Headers): "host" | "origin" | null;
}

/** `allowedHosts` adds names for a listener that was opened to a network on purpose. */
export function createHttpGuard(allowedHosts: readonly string[] = []): HttpGuard {
  const names = [...LOOPBACK_NAMES, ...allowedHosts.map((name) => name.toLowerCase())];
  const known = (name: string | null) => name !== null && names.includes(name);
  return {
    refuse(headers) {
      if (!known(hostName(headers.get("host")))) return "host";
      const origin = headers.get("origin");
      if (origin !== null && !known(originName(origin))) return "origin";
      return null;
    },
  };
}

/** `Host` without its port, lower case; null when absent or malformed. */
export function hostName(host: string | null): string | null {
  if (!host) return null;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/@\s]+))(?::\d{1,5})?$/.exec(host);
  return match ? (match[1] ?? match[2]!).toLowerCase() : null;
}

function originName(origin: string): string | null {
  const match = /^https?:\/\/([^/]+)$/.exec(origin);
  return match ? hostName(match[1]!) : null;
}
