/**
 * The check at every loopback HTTP door: which `Host` names it answers to and that no web page of another origin drives it.
 * A page that rebinds DNS still sends its own host name; a page that posts across origins still sends `Origin`.
 */

const LOOPBACK_NAMES: readonly string[] = ["127.0.0.1", "localhost", "::1"];

export interface HttpGuard {
  /** null when the request may pass, else which header was refused. Of each: its value, null when it is absent. */
  refuse(host: string | null, origin: string | null): "host" | "origin" | null;
}

/** One client says one of them again and again; a port and capitals make spellings of a name without end. */
const REMEMBERED_MAX = 64;

/** `allowedHosts` adds names for a listener that was opened to a network on purpose. */
export function createHttpGuard(allowedHosts: readonly string[] = []): HttpGuard {
  const names = [...LOOPBACK_NAMES, ...allowedHosts.map((name) => name.toLowerCase())];
  const known = (name: string | null) => name !== null && names.includes(name);
  const passed = new Set<string>();
  const passes = (host: string | null) => {
    if (host !== null && passed.has(host)) return true;
    if (!known(hostName(host))) return false;
    if (passed.size < REMEMBERED_MAX) passed.add(host!);
    return true;
  };
  return {
    refuse(host, origin) {
      if (!passes(host)) return "host";
      return origin !== null && !known(originName(origin)) ? "origin" : null;
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
