/**
 * Who is asking: a Codex client, whose bytes pass untouched, or an SDK, whose request is brought into the form that upstream takes (contracts §1).
 */
import type { HeaderList } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";

/** `path` without a path-scoped key. Headers decide on every path: Codex pointed at `/v1` stays Codex. */
export function surfaceOf(path: string, headers: HeaderList): Surface {
  // Codex never speaks this: whoever does is served as an SDK, whatever its headers say.
  if (path.endsWith("/chat/completions")) return "sdk";
  if (isUnder(path, "/backend-api") || isUnder(path, "/api/codex")) return "codex";
  for (const [name, value] of headers) {
    if (name.startsWith("x-codex-")) return "codex";
    if (name === "originator" && value.startsWith("codex")) return "codex";
  }
  return "sdk";
}

function isUnder(path: string, folder: string): boolean {
  return path.startsWith(folder) && (path.length === folder.length || path[folder.length] === "/");
}
