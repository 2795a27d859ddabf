/**
 * Keeps requests to the daemon off an HTTP proxy: where one is set and the daemon's host is not excepted, a prompt and a key would go to it.
 * OpenCode asks its users for the same exception, for its own server on loopback. Both Buns look at these when they fetch (seen with
 * 1.3.14 and 1.4.5); Node does not take proxies from them at all.
 */
export function exceptHost(host: string, env: Record<string, string | undefined> = process.env): void {
  if (!["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].some((name) => env[name])) return;
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const hosts = (env[name] ?? "").split(",").map((host) => host.trim());
    if (!hosts.includes(host) && !hosts.includes("*"))
      env[name] = [...hosts.filter((known) => known !== ""), host].join(",");
  }
}
