/**
 * Finds what `rotor import` can read: the places of each product on this machine, or a file or folder that somebody names. Reads, and
 * never writes: the files belong to other programs (contracts §16).
 */
import { type Dirent, readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, join, parse, resolve, sep } from "node:path";
import { AppError } from "../../base/errors.ts";
import { type ForeignPlace, type ForeignProduct, foreignPlaces } from "../../base/foreign-places.ts";
import { findCodexHome, storeWarning } from "../codex-home.ts";
import type { Context } from "../command.ts";

/** What one call brings to the daemon: the files of one product. */
export interface ImportSource {
  /** null = a path that somebody named, or standard input. */
  readonly product: ForeignProduct | null;
  readonly place: ForeignPlace | null;
  /** Folder of the installation; null = none. */
  readonly root: string | null;
  /** Absolute paths, the one that counts first. Empty: standard input. */
  readonly paths: readonly string[];
  /** How the person calls it. */
  readonly name: string;
}

export interface SourceFile {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Logins are small; what is larger is a history, which is not carried over. */
const SOURCE_MAX_BYTES = 64 * 1024 * 1024;

/** Every product with something to import on this machine, in the order in which they are offered. */
export function findSources(context: Context): readonly ImportSource[] {
  return places(context).flatMap((place) => sourceAt(place, place.roots) ?? []);
}

/** What a word on the command line means. Throws `invalid_import` with what can be done when there is nothing. */
export function sourceFor(context: Context, word: string): ImportSource {
  if (word === "-") return { product: null, place: null, root: null, paths: [], name: "standard input" };
  const named = places(context).filter((place) => place.product === word);
  // A file of that name is ./NAME.
  if (named.length > 0) {
    const found = named.map((place) => sourceAt(place, place.roots)).find((source) => source !== null);
    if (found) return found;
    throw nothingThere(context, word, named);
  }
  const path = resolve(word);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return { product: null, place: null, root: null, paths: [path], name: word };
  // A folder is read as the product whose files lie in it.
  for (const place of places(context)) {
    const source = sourceAt(place, [path]);
    if (source !== null) return { ...source, name: word };
  }
  throw new AppError("invalid_import", `${word} holds no files of a product that Rotor knows`, {
    hint: "rotor help moving",
  });
}

/** A keyring is where a login may be all the same. */
export function nothingFound(context: Context): AppError {
  const warning = storeWarning(findCodexHome(context));
  if (warning !== null)
    return new AppError("invalid_import", warning, { hint: "codex login, then: rotor account add" });
  const message = `there is nothing to import here; looked for ${productNames().join(", ")}`;
  return new AppError("invalid_import", message, { hint: "rotor import PATH, or sign in: rotor login" });
}

export function productNames(): readonly string[] {
  const anywhere = { env: {}, platform: "linux", homeDir: "/" } as const;
  return [...new Set(foreignPlaces(anywhere).map(({ product }) => product))];
}

/** The Codex CLI's folder may also be named in our own configuration. */
function places(context: Context): readonly ForeignPlace[] {
  const { folder } = findCodexHome(context);
  return foreignPlaces(context.io.host).map((place) =>
    place.product === "codex" ? { ...place, roots: [folder] } : place,
  );
}

/** The first of the folders that holds a store, else a fallback, is the installation. */
function sourceAt(place: ForeignPlace, roots: readonly string[]): ImportSource | null {
  for (const root of roots) {
    const first = (patterns: readonly string[]) =>
      patterns.map((pattern) => expand(root, pattern)).find((paths) => paths.length > 0) ?? [];
    const stores = first(place.stores);
    const kept = stores.length > 0 ? stores : first(place.fallbacks).slice(0, 1);
    if (kept.length === 0) continue;
    const others = [...place.beside, ...place.elsewhere].flatMap((pattern) => expand(root, pattern));
    const paths = [...new Set([...kept, ...others])];
    return { product: place.product, place, root, paths, name: place.product };
  }
  return null;
}

function nothingThere(context: Context, product: string, named: readonly ForeignPlace[]): AppError {
  const roots = named.flatMap((place) => place.roots).join(", ");
  const [{ setBy, advice }] = named as [ForeignPlace];
  const where = setBy === null ? roots : `${roots} (${setBy})`;
  if (product === "codex") {
    const home = findCodexHome(context);
    const message = storeWarning(home) ?? `the Codex CLI has no login here: ${home.authFile} does not exist`;
    return new AppError("invalid_import", message, { hint: "codex login, then: rotor account add" });
  }
  const message = `there is nothing of ${product} in ${where}`;
  return new AppError("invalid_import", message, { hint: advice ?? `rotor import PATH` });
}

/** Regular files that a pattern of `base/foreign-places` means; `*` stands for any part of one name. Sorted by name. */
export function expand(root: string, pattern: string): readonly string[] {
  const absolute = resolve(root, pattern);
  const { root: top } = parse(absolute);
  let found = [top];
  for (const part of absolute.slice(top.length).split(sep)) {
    found = part.includes("*")
      ? found.flatMap((folder) => namesIn(folder, part).map((name) => join(folder, name)))
      : found.map((folder) => join(folder, part));
  }
  return found.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

function namesIn(folder: string, pattern: string): readonly string[] {
  const [first, ...rest] = pattern.split("*").map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const shape = new RegExp(`^${[first, ...rest].join(".*")}$`);
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .map((entry) => entry.name)
    .filter((name) => shape.test(name))
    .sort();
}

/** The bytes of a source, bounded: what does not count is left out when it is too large, and said. */
export async function readSource(context: Context, source: ImportSource): Promise<readonly SourceFile[]> {
  if (source.paths.length === 0) {
    if (context.io.stdinIsTty) context.print.note("reading logins from standard input; end with Ctrl-D");
    return [{ name: "standard input", data: await context.io.readStdin() }];
  }
  const files: SourceFile[] = [];
  let room = SOURCE_MAX_BYTES;
  for (const [index, path] of source.paths.entries()) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const isExtra = source.product !== null && index > 0;
    if (size > room) {
      const message = `${path} is too large (${Math.ceil(size / 1_048_576)} MiB)`;
      if (!isExtra)
        throw new AppError("invalid_import", `${message}; ${SOURCE_MAX_BYTES / 1_048_576} MiB are read at most`);
      context.print.warning(`${message} and is left out`);
      continue;
    }
    const data = await readOne(path, source.product === null ? source.name : path, isExtra);
    if (data === null) context.print.warning(`${path} cannot be read and is left out`);
    else {
      room -= data.length;
      files.push({ name: shownName(source, path), data });
    }
  }
  return files;
}

/** Two files of one bundle may have one name; the folder tells them apart. */
function shownName({ root }: ImportSource, path: string): string {
  return root !== null && path.startsWith(root + sep)
    ? path.slice(root.length + 1)
    : join(basename(dirname(path)), basename(path));
}

async function readOne(path: string, shown: string, isExtra: boolean): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    if (isExtra) return null;
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "it does not exist" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new AppError("invalid_import", `${shown} cannot be read: ${reason}`, { hint: null, cause });
  }
}
