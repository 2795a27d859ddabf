/**
 * Which project a folder belongs to, spelt exactly as `rotor profile bind` spells it: all worktrees of a git repository are one. Only reads.
 */
import { createHash } from "node:crypto";
import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** `demo-1a2b3c4d5e6f`; "" when the folder cannot be read. */
export function projectKey(folder: string): string {
  try {
    const start = realpathSync(resolve(folder));
    const plain = (repositoryOf(start) ?? start).replaceAll("\\", "/");
    const name = basename(plain)
      .replace(/[^a-zA-Z0-9._-]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 40);
    return `${name || "project"}-${createHash("sha256").update(plain).digest("hex").slice(0, 12)}`;
  } catch {
    return "";
  }
}

function repositoryOf(start: string): string | null {
  for (let folder = start; ; folder = dirname(folder)) {
    const git = join(folder, ".git");
    const kind = statSync(git, { throwIfNoEntry: false });
    if (kind?.isDirectory()) return folder;
    if (kind?.isFile()) return commonRoot(folder, git) ?? folder;
    if (dirname(folder) === folder) return null;
  }
}

/** A linked worktree has a file `.git` that names its own folder under the common one (gitrepository-layout(5)). */
function commonRoot(folder: string, git: string): string | null {
  try {
    const named = /^gitdir: (.+)$/m.exec(readFileSync(git, "utf8"))?.[1]?.trim();
    if (named === undefined) return null;
    const own = resolve(folder, named);
    const common = realpathSync(resolve(own, readFileSync(join(own, "commondir"), "utf8").trim()));
    return basename(common) === ".git" ? dirname(common) : common;
  } catch {
    return null;
  }
}
