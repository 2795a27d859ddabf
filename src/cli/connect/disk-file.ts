/**
 * Files of other programs on the disk: looked at with everything that speaks against changing them, and replaced whole or not at all. A link
 * is followed: what it leads to changes and not the link. Never decides what a file should say.
 */
import { accessSync, chmodSync, constants, existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { chown, mkdir, open, readFile, rename, rmdir, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { AppError } from "../../base/errors.ts";
import { sha256Hex } from "../../base/id.ts";
import { readRows, writeRows } from "./codex-database.ts";
import type { Content, Rows, Spot } from "./task.ts";

export interface Look {
  /** As people know it. */
  readonly path: string;
  /** Where it really is. */
  readonly target: string;
  readonly content: Content;
  /** null = no file. */
  readonly mode: number | null;
}

/** Configuration files are small; what is larger is none. */
const CONFIG_MAX_BYTES = 16 * 1024 * 1024;

/** What of a file counts for us. */
export interface Part {
  readonly spots: readonly Spot[];
  readonly rows: Rows | null;
}

const WHOLE: Part = { spots: [], rows: null };

/** Throws `client_config_refused` in words when it is no file that could be edited. Of a patched file only its spots are looked at. */
export async function lookAt(path: string, part: Part = WHOLE): Promise<Look> {
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (link === undefined) return { path, target: resolve(path), content: null, mode: null };
  if (link.isSymbolicLink() && !existsSync(path)) throw refused(path, "it is a link that leads nowhere");
  const target = realpathSync(path);
  const stat = statSync(target);
  if (!stat.isFile()) throw refused(path, "it is not a plain file");
  const { spots, rows } = part;
  const isWhole = spots.length === 0 && rows === null;
  if (isWhole && stat.size > CONFIG_MAX_BYTES)
    throw refused(path, `it is larger than ${CONFIG_MAX_BYTES / 1_048_576} MiB`);
  try {
    if (rows !== null) return { path, target, content: readRows(target, rows.ids), mode: stat.mode & 0o7777 };
    const content = isWhole ? await readFile(target) : await readSpots(target, spots);
    return { path, target, content: new Uint8Array(content), mode: stat.mode & 0o7777 };
  } catch (cause) {
    throw refused(path, `it cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

/** What stands at the spots, one behind the other. */
async function readSpots(target: string, spots: readonly Spot[]): Promise<Uint8Array> {
  const file = await open(target, "r");
  try {
    const parts: Uint8Array[] = [];
    for (const { offset, from } of spots) {
      const length = Buffer.byteLength(from);
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset);
      parts.push(buffer.subarray(0, bytesRead));
    }
    return new Uint8Array(Buffer.concat(parts));
  } finally {
    await file.close();
  }
}

/** Throws when the file may not be changed by us: somebody has said so with its mode, or its folder's. */
export function refuseReadOnly({ path, target, mode }: Look): void {
  if (mode !== null && (mode & 0o200) === 0)
    throw refused(path, "it is read-only", null, `chmod u+w ${path}   (or put there yourself what --print says)`);
  const folder = nearestFolder(target);
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw refused(path, `${folder} is closed to writing`, cause);
  }
}

function nearestFolder(target: string): string {
  let folder = dirname(target);
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}

export const digest = (content: Content) => (content === null ? null : sha256Hex(content));

/**
 * Puts `content` in place of what was looked at; null removes it. Throws when the file is not as it was then. Answers the folders that had to
 * be made, outermost first.
 */
export async function replace(look: Look, content: Content, mode: number): Promise<readonly string[]> {
  const now = await lookAt(look.path);
  if (digest(now.content) !== digest(look.content) || now.target !== look.target)
    throw refused(look.path, "it has changed since it was looked at", null, "say it again");
  if (content === null) {
    if (now.content !== null) await unlink(look.target);
    return [];
  }
  const made = await makeFolders(dirname(look.target));
  await writeWhole(look.target, content, mode);
  return made;
}

/** `content` in the part that counts, and nothing else of the file: another program may be at work on it. */
export async function overwritePart(look: Look, part: Part, content: Uint8Array): Promise<void> {
  const now = await lookAt(look.path, part);
  if (digest(now.content) !== digest(look.content)) throw refused(look.path, "it has changed since it was looked at");
  if (part.rows !== null) {
    writeRows(look.target, content);
    return;
  }
  const file = await open(look.target, "r+");
  try {
    let at = 0;
    for (const { offset, from } of part.spots) {
      const length = Buffer.byteLength(from);
      await file.write(content, at, length, offset);
      at += length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** With its mode from the first byte, on the disk before it has its name. Keeps the owner of what it replaces. */
export async function writeWhole(target: string, content: Uint8Array, mode: number): Promise<void> {
  const draft = `${target}.rotor-${process.pid}.tmp`;
  const former = statSync(target, { throwIfNoEntry: false });
  try {
    const file = await open(draft, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    // The umask may have taken some of it away.
    chmodSync(draft, mode);
    if (former !== undefined && process.getuid?.() === 0) await chown(draft, former.uid, former.gid);
    await rename(draft, target);
  } catch (cause) {
    await unlink(draft).catch(() => undefined);
    throw refused(target, `it could not be written (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

async function makeFolders(folder: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at); at = dirname(at)) missing.unshift(at);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return missing;
}

/** Folders that were made for a file, innermost first, as far as nothing else lies in them. */
export async function dropFolders(made: readonly string[]): Promise<void> {
  for (const folder of [...made].reverse()) {
    try {
      await rmdir(folder);
    } catch {
      return;
    }
  }
}

export function refused(path: string, why: string, cause: unknown = null, hint: string | null = null): AppError {
  return new AppError("client_config_refused", `${path} is left as it is: ${why}`, { hint: hint ?? undefined, cause });
}
