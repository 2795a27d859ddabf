/**
 * Which project a folder belongs to. All worktrees of a git repository are one; a folder outside of any is one of its own.
 * Only reads, and runs no git.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { AppError } from "../base/errors.ts";
import { projectKeyOf } from "../base/project-key.ts";

export interface ProjectName {
  readonly key: string;
  readonly path: string;
}

export function projectOf(folder: string): ProjectName {
  let start: string;
  try {
    start = realpathSync(resolve(folder));
    if (!statSync(start).isDirectory()) throw new Error("not a folder");
  } catch {
    throw new AppError("bad_usage", `${folder} is not a folder that can be read`);
  }
  const path = repositoryOf(start) ?? start;
  return { key: projectKeyOf(path), path };
}

/** Root of the repository whose worktree `start` lies in; null when there is none. */
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
    // A bare repository has no folder around it: it is the project itself.
    return basename(common) === ".git" ? dirname(common) : common;
  } catch {
    // A submodule: its own project.
    return null;
  }
}
