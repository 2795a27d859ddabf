/**
 * What guards the data key: now a key file beside the configuration; a keychain or a passphrase can take its place.
 * Honestly said: a key file protects a copied or backed-up data folder, not a machine that somebody else is logged in to.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../base/errors.ts";
import { type Dice, randomToken } from "../base/id.ts";
import { syncFolder, tighten } from "./database.ts";

export interface KeyGuard {
  readonly kind: "key_file";
  /** Where the operator finds it; safe to show. */
  readonly place: string;
  /** The 256-bit key that wraps data keys, or null when there is none. Rejects with `seal_key_missing` when it cannot be read. */
  load(): Promise<Uint8Array | null>;
  /** Makes the key, durably, and returns it. Never replaces one. */
  create(dice: Dice): Promise<Uint8Array>;
}

export const KEY_BYTES = 32;

const KEY_LINE = /^rotor-key-v1 ([A-Za-z0-9_-]{43})$/m;
const PREFACE =
  "# Rotor's key file. The logins in rotor.db can be read with it and with nothing else: keep a copy, apart from copies of rotor.db.\n";

export function createKeyFileGuard(path: string): KeyGuard {
  return {
    kind: "key_file",
    place: path,
    async load() {
      const text = readIfPresent(path);
      if (text === null) return null;
      tighten(path);
      const encoded = KEY_LINE.exec(text)?.[1];
      const key = encoded === undefined ? null : new Uint8Array(Buffer.from(encoded, "base64url"));
      if (key?.length !== KEY_BYTES) throw new AppError("seal_key_missing", `the key file ${path} is damaged`);
      return key;
    },
    async create(dice) {
      const key = Uint8Array.from(dice.bytes(KEY_BYTES));
      const text = `${PREFACE}rotor-key-v1 ${Buffer.from(key).toString("base64url")}\n`;
      try {
        writeOnce(path, text, randomToken(dice, 6));
      } catch (cause) {
        const hint = "check who owns that folder, and the disk";
        throw new AppError("start_failed", `the key file ${path} cannot be written`, { cause, hint });
      }
      return key;
    },
  };
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new AppError("seal_key_missing", `the key file ${path} cannot be read`, { cause });
  }
}

/** The whole file or none, on the disk before its name is, and never over another one: half a key would lock every login away. */
function writeOnce(path: string, text: string, unique: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${unique}`;
  const handle = openSync(draft, "wx", 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
    publish(draft, path);
  } finally {
    closeSync(handle);
    rmSync(draft, { force: true });
  }
  syncFolder(folder);
}

function publish(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") throw cause;
    // Some file systems (exFAT, some network ones) have no links; the daemon's lock keeps a second writer away there.
    renameSync(draft, path);
  }
}
