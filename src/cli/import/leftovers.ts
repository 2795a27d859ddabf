/**
 * Copies of logins that a replaced product left lying in plain text: found by its table in base/foreign-places, and wiped on request.
 * Never touches a file that is not in that table, not a plain file of one name, not the user's own, or not in the product's folder.
 */
import { constants, lstatSync, realpathSync } from "node:fs";
import { open, unlink } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import type { ForeignProduct } from "../../base/foreign-places.ts";
import type { Context } from "../command.ts";
import { printable } from "../print.ts";
import { renderTable } from "../text/table.ts";
import { expand, type ImportSource } from "./import-sources.ts";

export interface FoundLeftover {
  readonly product: ForeignProduct;
  readonly path: string;
  readonly bytes: number;
  readonly what: string;
  /** Why it is not wiped; null = it may be. */
  readonly refusal: string | null;
}

/** What lies beside a source, each file once. The store itself is never among it. */
export function findLeftovers(source: ImportSource, uid: number): readonly FoundLeftover[] {
  const { place, root, product } = source;
  if (place === null || root === null || product === null) return [];
  const seen = new Set<string>(place.stores.map((name) => join(root, name)));
  return place.leftovers.flatMap(({ pattern, what }) => {
    const folder = folderOf(root, pattern);
    return expand(root, pattern).flatMap((path): FoundLeftover[] => {
      if (seen.has(path)) return [];
      seen.add(path);
      const { size, refusal } = judge(path, folder, uid);
      return [{ product, path, bytes: size, what, refusal }];
    });
  });
}

/** The folder that a pattern must not lead out of: the part of it without a star. */
function folderOf(root: string, pattern: string): string {
  const absolute = resolve(root, pattern);
  const star = absolute.indexOf("*");
  const fixed = star === -1 ? dirname(absolute) : absolute.slice(0, absolute.lastIndexOf(sep, star));
  return fixed.startsWith(root) ? root : fixed;
}

function judge(path: string, folder: string, uid: number): { size: number; refusal: string | null } {
  const stat = lstatSync(path);
  const isInside = `${realpathSync(dirname(path))}${sep}`.startsWith(`${realpathSync(folder)}${sep}`);
  const refusal = stat.isSymbolicLink()
    ? "it is a link"
    : !stat.isFile()
      ? "it is no plain file"
      : uid >= 0 && stat.uid !== uid
        ? "it belongs to somebody else"
        : stat.nlink > 1
          ? "it has another name somewhere"
          : isInside
            ? null
            : "its folder leads somewhere else";
  return { size: stat.size, refusal };
}

/** Overwrites the content, waits for the disk, then takes the name away. */
export async function wipe({ path }: FoundLeftover, uid: number): Promise<void> {
  const file = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0));
  try {
    const stat = await file.stat();
    // It may have been exchanged since it was looked at.
    if (!stat.isFile() || stat.nlink > 1 || (uid >= 0 && stat.uid !== uid))
      throw new Error("it has changed; look again");
    const zeros = new Uint8Array(64 * 1024);
    for (let at = 0; at < stat.size; at += zeros.length)
      await file.write(zeros, 0, Math.min(zeros.length, stat.size - at), at);
    await file.sync();
  } finally {
    await file.close();
  }
  await unlink(path);
}

/** What overwriting can and cannot do, for whoever decides about it. */
export const WIPE_CAVEAT =
  "the content is overwritten and the file removed; an SSD, a copy-on-write file system, a snapshot or a backup may keep the old blocks: sign those accounts out, or relogin, when that matters";

export function leftoverTable(found: readonly FoundLeftover[], { print }: Context): readonly string[] {
  const rows = found.map(({ path, bytes, what, refusal }) => [
    printable(path),
    `${bytes} B`,
    refusal === null ? what : `${what}; is left: ${refusal}`,
  ]);
  const columns = [{ header: "FILE" }, { header: "SIZE", align: "right" as const }, { header: "WHAT" }];
  return renderTable(columns, rows, { width: print.columns, header: print.style.bold });
}
