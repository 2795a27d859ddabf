/**
 * Keys in a file beside the configuration, one a line: a change of key has both there until the new one is in force, and a key that
 * belongs to another store or to an older backup is never overwritten. Honestly said: it protects a copied or backed-up data folder,
 * not a machine that somebody else is logged in to.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../base/errors.ts";
import { syncFolder, tighten } from "./database.ts";
import { fingerprintOf, KEY_BYTES, type KeyGuard } from "./key-guard.ts";

const KEY_LINE = /^rotor-key-v1 ([A-Za-z0-9_-]{43})$/;
const PREFACE =
  "# Rotor's key file. The logins in rotor.db can be read with it and with nothing else: keep a copy, apart from copies of rotor.db.\n";

export function createKeyFileGuard(path: string): KeyGuard {
  return {
    kind: "key_file",
    place: path,
    refusal: async () => null,
    async load({ fingerprint }) {
      sweep(path);
      const file = readKeys(path);
      if (file === null) {
        const words = `the key file ${path} is missing: the logins in the store cannot be opened without it`;
        return { kind: "absent", words };
      }
      const key = file.keys.find((one) => fingerprintOf(one) === fingerprint);
      for (const other of file.keys) if (other !== key) other.fill(0);
      if (key !== undefined) return { kind: "key", key };
      if (file.isDamaged) throw damaged(path);
      const words = `the key file ${path} is not the one that the logins in the store were sealed with`;
      return { kind: "absent", words };
    },
    check: async () => {},
    make: async (dice) => ({ key: Uint8Array.from(dice.bytes(KEY_BYTES)), recipe: "" }),
    async keep(key) {
      const file = readKeys(path);
      // Half a key may be what is left of somebody's only one.
      if (file?.isDamaged) throw damaged(path);
      const keys = file?.keys ?? [];
      if (!keys.some((one) => fingerprintOf(one) === fingerprintOf(key))) writeKeys(path, [...keys, key]);
    },
    async forget(fingerprint) {
      sweep(path);
      const file = readKeys(path);
      if (file === null) return;
      const rest = file.keys.filter((one) => fingerprintOf(one) !== fingerprint);
      if (rest.length === file.keys.length) return;
      if (rest.length > 0 || file.isDamaged) return writeKeys(path, rest);
      rmSync(path, { force: true });
      syncFolder(dirname(path));
    },
  };
}

/** null when there is no file. */
function readKeys(path: string): { keys: Uint8Array[]; isDamaged: boolean } | null {
  const text = readIfPresent(path);
  if (text === null) return null;
  tighten(path);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const keys = lines
    .map((line) => KEY_LINE.exec(line)?.[1])
    .filter((encoded) => encoded !== undefined)
    .map((encoded) => new Uint8Array(Buffer.from(encoded, "base64url")));
  return { keys, isDamaged: keys.length === 0 || keys.length < lines.length };
}

function damaged(path: string): AppError {
  return new AppError("seal_key_missing", `the key file ${path} is damaged`, {
    hint: "put a copy of the key file in its place, then: rotor seal unlock",
  });
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new AppError("seal_key_missing", `the key file ${path} cannot be read`, { cause });
  }
}

/** What a crash left of a write holds a key too. */
function sweep(path: string): void {
  rmSync(draftOf(path), { force: true });
}

/** Always the same name: one daemon writes this file. */
const draftOf = (path: string) => `${path}.new`;

function writeKeys(path: string, keys: readonly Uint8Array[]): void {
  const lines = keys.map((key) => `rotor-key-v1 ${Buffer.from(key).toString("base64url")}\n`);
  try {
    replaceWhole(path, PREFACE + lines.join(""));
  } catch (cause) {
    const hint = "check who owns that folder, and the disk";
    throw new AppError("start_failed", `the key file ${path} cannot be written`, { cause, hint });
  }
}

/** The whole new file or the whole old one, on the disk before it has the name: half a key would lock every login away. */
function replaceWhole(path: string, text: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  sweep(path);
  const draft = draftOf(path);
  const handle = openSync(draft, "wx", 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
    renameSync(draft, path);
  } finally {
    closeSync(handle);
    rmSync(draft, { force: true });
  }
  syncFolder(folder);
}
