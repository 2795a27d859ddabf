/**
 * Writes a file that holds secrets: whole or not at all, for its owner alone. Refuses places where it would leave this machine unseen.
 */
import { existsSync, lstatSync, realpathSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { AppError } from "../base/errors.ts";

/** Why secrets do not belong there; null when nothing speaks against it. Folders that are not there yet count as what they will lie in. */
export function riskOf(path: string): string | null {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    return "it is a link, as collections of dotfiles use them";
  let folder = dirname(resolve(path));
  while (!existsSync(folder)) folder = dirname(folder);
  for (folder = realpathSync(folder); ; folder = dirname(folder)) {
    if (existsSync(join(folder, ".git"))) return `it is in a git repository (${folder})`;
    if (folder === dirname(folder)) return null;
  }
}

export function refuseRisk(path: string, isForced: boolean): void {
  realFolder(path);
  const risk = riskOf(path);
  if (risk === null || isForced) return;
  throw new AppError("export_refused", `${path} is no place for logins: ${risk}`, {
    hint: "another --out, or --force",
  });
}

function realFolder(path: string): string {
  const folder = dirname(resolve(path));
  try {
    return realpathSync(folder);
  } catch (cause) {
    throw new AppError("export_refused", `${folder} does not exist`, { hint: null, cause });
  }
}

/** Mode 0600 from its first byte; a link is followed, so that what it leads to changes and not the link. */
export async function writeSecretFile(path: string, bytes: Uint8Array): Promise<void> {
  const target = existsSync(path) ? realpathSync(path) : join(realFolder(path), basename(path));
  const draft = `${target}.${process.pid}.tmp`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, target);
  } catch (cause) {
    await unlink(draft).catch(() => undefined);
    throw new AppError("export_refused", `${path} could not be written: ${(cause as NodeJS.ErrnoException).code}`, {
      hint: null,
      cause,
    });
  }
}
