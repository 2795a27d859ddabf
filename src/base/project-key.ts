/**
 * The name of a project by the path of its repository, or of its folder outside of any. Spelt as codex-multi-auth spells it, so that its profiles
 * fit. Pure: which folder it is has been found out by whoever asks.
 */
import { sha256Hex } from "./id.ts";

/** `demo-1a2b3c4d5e6f`. `path` is absolute, links resolved, without a slash at its end. */
export function projectKeyOf(path: string): string {
  const plain = path.replaceAll("\\", "/");
  const name = plain
    .slice(plain.lastIndexOf("/") + 1)
    .replace(/[^a-zA-Z0-9._-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  return `${name || "project"}-${sha256Hex(plain).slice(0, 12)}`;
}
