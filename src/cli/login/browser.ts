/**
 * Opens an address with the platform's own opener, never through a shell: an address may hold anything that a shell would obey.
 */
import { spawn } from "node:child_process";
import type { Host } from "../../base/env.ts";

export interface Opener {
  readonly command: string;
  readonly args: readonly string[];
}

/** null for an address that is none of the web: an opener would hand it to whatever program claims it. */
export function openerOf(platform: NodeJS.Platform, url: string): Opener | null {
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) return null;
  if (platform === "darwin") return { command: "open", args: [url] };
  // `start` is a word of cmd.exe, which would take the & of a query for the end of the command.
  if (platform === "win32") return { command: "rundll32.exe", args: ["url.dll,FileProtocolHandler", url] };
  return { command: "xdg-open", args: [url] };
}

/** Resolves with false when nothing was opened. An opener may live as long as its browser, so true can come late or never. */
export function openInBrowser({ platform, env }: Host, url: string): Promise<boolean> {
  const opener = openerOf(platform, url);
  if (opener === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const child = spawn(opener.command, [...opener.args], { detached: true, stdio: "ignore", env: withoutOurs(env) });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
    child.unref();
  });
}

/** A browser has no business with our key or passphrase. */
function withoutOurs(env: Host["env"]): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("ROTOR_")));
}
