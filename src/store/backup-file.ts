/**
 * A backup as a file: a head in plain words (what, when, why, which key opens it; never an address or an alias), the store encrypted in
 * chunks, and the SHA-256 of all of it. A file that was cut or altered anywhere is `backup_damaged` before anything of it is used.
 *
 * Layout 1, integers big endian: "RTRBAK" · version (1) · length of the manifest (4) · manifest (JSON) · SHA-256 of all that ·
 * chunks of 1 MiB, the last one shorter, each AES-256-GCM with its tag (16) · SHA-256 of the whole file before it.
 * The key is made for this one file (HKDF, RFC 5869), so a chunk's number can be its nonce; the last chunk says that it is the last.
 */
import { createCipheriv, createDecipheriv, createHash, hash, hkdfSync } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { AppError } from "../base/errors.ts";
import { isPassphraseBox } from "../base/passphrase-box.ts";
import { BACKUP_REASONS, type BackupReason } from "../domain/backup.ts";
import { GUARD_KINDS } from "./key-guard.ts";
import type { WrappedKey } from "./seal.ts";

/** How the key of a backup is come by: from the data key that the store's own guard opens, or out of a box that a passphrase opens. */
export type BackupLock =
  | {
      readonly kind: "data_key";
      readonly key: WrappedKey;
      /** Tells data keys apart without saying anything about them: the guard may have changed, and the key be the same. */
      readonly print: string;
    }
  | { readonly kind: "passphrase"; readonly box: Uint8Array };

export interface BackupManifest {
  readonly rotorVersion: string;
  readonly schemaVersion: number;
  readonly createdAtMs: number;
  readonly reason: BackupReason;
  readonly accountCount: number;
  readonly keyCount: number;
  /** Bytes of the store inside. */
  readonly payloadBytes: number;
  readonly salt: Uint8Array;
  readonly lock: BackupLock;
}

export interface BackupHead {
  readonly manifest: BackupManifest;
  readonly digest: Buffer;
  readonly bodyAt: number;
}

export const BACKUP_SALT_BYTES = 32;
const MAGIC = Buffer.from("RTRBAK", "latin1");
const VERSION = 1;
const LENGTH_AT = MAGIC.length + 1;
const MANIFEST_AT = LENGTH_AT + 4;
const DIGEST_BYTES = 32;
const TAG_BYTES = 16;
const CHUNK_BYTES = 1024 * 1024;
/** A manifest is some hundred bytes; more is damage, not a reason to allocate. */
const MANIFEST_MAX_BYTES = 64 * 1024;

/** Writes the file whole and onto the disk; `target` must not exist. */
export function writeBackupFile(target: string, manifest: BackupManifest, dataKey: Uint8Array, source: string): void {
  const head = encodeHead(manifest);
  const key = fileKey(dataKey, manifest.salt);
  const sum = createHash("sha256");
  const [input, output] = [openSync(source, "r"), openSync(target, "wx", 0o600)];
  const write = (bytes: Uint8Array) => {
    sum.update(bytes);
    writeWhole(output, bytes);
  };
  try {
    write(head);
    const digest = head.subarray(head.length - DIGEST_BYTES);
    const count = chunkCount(manifest.payloadBytes);
    const plain = Buffer.alloc(CHUNK_BYTES);
    for (let i = 0; i < count; i++) {
      const length = Math.min(CHUNK_BYTES, manifest.payloadBytes - i * CHUNK_BYTES);
      readWhole(input, plain.subarray(0, length), i * CHUNK_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonceOf(i, i === count - 1), { authTagLength: TAG_BYTES });
      cipher.setAAD(digest);
      write(Buffer.concat([cipher.update(plain.subarray(0, length)), cipher.final(), cipher.getAuthTag()]));
    }
    plain.fill(0);
    writeWhole(output, sum.digest());
    fsyncSync(output);
  } finally {
    key.fill(0);
    closeSync(input);
    closeSync(output);
  }
}

/** The head alone: cheap, for lists. Rejects with `backup_damaged`. */
export function readBackupHead(path: string): BackupHead {
  return withFile(path, (file) => headOf(path, file));
}

/** The head, after every byte of the file was looked at. Rejects with `backup_damaged`. */
export function verifyBackupFile(path: string): BackupHead {
  return withFile(path, (file) => {
    const head = headOf(path, file);
    const size = fstatSync(file).size;
    const { payloadBytes } = head.manifest;
    const wanted = head.bodyAt + payloadBytes + chunkCount(payloadBytes) * TAG_BYTES + DIGEST_BYTES;
    if (size !== wanted) throw damaged(path, size < wanted ? "it was cut short" : "something was added to it");
    const sum = createHash("sha256");
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; at < size - DIGEST_BYTES; at += CHUNK_BYTES) {
      const part = buffer.subarray(0, Math.min(CHUNK_BYTES, size - DIGEST_BYTES - at));
      readWhole(file, part, at);
      sum.update(part);
    }
    const trailer = Buffer.alloc(DIGEST_BYTES);
    readWhole(file, trailer, size - DIGEST_BYTES);
    if (!sum.digest().equals(trailer)) throw damaged(path, "its checksum does not match");
    return head;
  });
}

/** The store inside, written to `target` (0600, on the disk). The file must have been verified. Rejects with `backup_damaged`. */
export function unpackBackupFile(path: string, dataKey: Uint8Array, target: string): void {
  withFile(path, (file) => {
    const { manifest, digest, bodyAt } = headOf(path, file);
    const key = fileKey(dataKey, manifest.salt);
    const output = openSync(target, "wx", 0o600);
    try {
      const count = chunkCount(manifest.payloadBytes);
      for (let i = 0; i < count; i++) {
        const length = Math.min(CHUNK_BYTES, manifest.payloadBytes - i * CHUNK_BYTES);
        const sealed = Buffer.alloc(length + TAG_BYTES);
        readWhole(file, sealed, bodyAt + i * (CHUNK_BYTES + TAG_BYTES));
        const nonce = nonceOf(i, i === count - 1);
        const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(digest);
        decipher.setAuthTag(sealed.subarray(length));
        writeWhole(
          output,
          finish(path, () => [decipher.update(sealed.subarray(0, length)), decipher.final()]),
        );
      }
      fsyncSync(output);
    } finally {
      key.fill(0);
      closeSync(output);
    }
  });
}

function finish(path: string, work: () => Buffer[]): Buffer {
  try {
    return Buffer.concat(work());
  } catch {
    // `final` throws when the tag does not match; it says nothing more than that.
    throw damaged(path, "its contents do not open with the key that it names");
  }
}

function fileKey(dataKey: Uint8Array, salt: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", dataKey, salt, "rotor/backup/v1", 32));
}

/** An empty store is one empty chunk: that the file ends here is said by a chunk, too. */
const chunkCount = (payloadBytes: number) => Math.max(1, Math.ceil(payloadBytes / CHUNK_BYTES));

function nonceOf(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 4);
  nonce.writeUInt8(last ? 1 : 0, 11);
  return nonce;
}

function encodeHead(manifest: BackupManifest): Buffer {
  const { lock, salt, ...plain } = manifest;
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
  const lockJson =
    lock.kind === "data_key"
      ? { ...lock.key, kind: lock.kind, print: lock.print, wrapped: base64(lock.key.wrapped) }
      : { kind: lock.kind, box: base64(lock.box) };
  const json = Buffer.from(JSON.stringify({ ...plain, salt: base64(salt), lock: lockJson }), "utf8");
  const head = Buffer.alloc(MANIFEST_AT);
  head.set(MAGIC, 0);
  head.writeUInt8(VERSION, MAGIC.length);
  head.writeUInt32BE(json.length, LENGTH_AT);
  const whole = Buffer.concat([head, json]);
  return Buffer.concat([whole, hash("sha256", whole, "buffer")]);
}

function headOf(path: string, file: number): BackupHead {
  const start = Buffer.alloc(MANIFEST_AT);
  readWhole(file, start, 0, path);
  if (!start.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged(path, "it does not begin as a backup does");
  const length = start.readUInt32BE(LENGTH_AT);
  if (length > MANIFEST_MAX_BYTES) throw damaged(path, "its head cannot be read");
  const rest = Buffer.alloc(length + DIGEST_BYTES);
  readWhole(file, rest, MANIFEST_AT, path);
  const digest = rest.subarray(length);
  const whole = Buffer.concat([start, rest.subarray(0, length)]);
  if (!hash("sha256", whole, "buffer").equals(digest)) throw damaged(path, "its head was altered");
  if (start.readUInt8(MAGIC.length) !== VERSION)
    throw new AppError("store_newer", `${path} was written by a newer rotor`);
  const manifest = parseManifest(rest.subarray(0, length).toString("utf8"));
  if (manifest === null) throw damaged(path, "its head cannot be read");
  return { manifest, digest, bodyAt: MANIFEST_AT + length + DIGEST_BYTES };
}

/** null when it is not one. Its digest was right, so only another program could have written such a thing. */
function parseManifest(text: string): BackupManifest | null {
  const value = parseObject(text);
  if (value === null) return null;
  const number = (name: string) => (Number.isSafeInteger(value[name]) ? (value[name] as number) : null);
  const [schemaVersion, createdAtMs] = [number("schemaVersion"), number("createdAtMs")];
  const [accountCount, keyCount, payloadBytes] = [number("accountCount"), number("keyCount"), number("payloadBytes")];
  const reason = BACKUP_REASONS.find((one) => one === value.reason);
  const lock = readLock(value.lock);
  if (schemaVersion === null || createdAtMs === null || accountCount === null || keyCount === null) return null;
  if (payloadBytes === null || payloadBytes < 0 || reason === undefined || lock === null) return null;
  if (typeof value.rotorVersion !== "string" || typeof value.salt !== "string") return null;
  const salt = Buffer.from(value.salt, "base64url");
  return {
    rotorVersion: value.rotorVersion,
    schemaVersion,
    createdAtMs,
    reason,
    accountCount,
    keyCount,
    payloadBytes,
    salt: Uint8Array.from(salt),
    lock,
  };
}

function readLock(value: unknown): BackupLock | null {
  const lock = asObject(value);
  if (lock?.kind === "passphrase" && typeof lock.box === "string") {
    const box = Uint8Array.from(Buffer.from(lock.box, "base64url"));
    return isPassphraseBox(box) ? { kind: "passphrase", box } : null;
  }
  if (lock?.kind !== "data_key") return null;
  const { id, fingerprint, recipe, wrapped, createdAtMs, guardedAtMs, print } = lock;
  const guard = GUARD_KINDS.find((kind) => kind === lock.guard);
  const texts = [fingerprint, recipe, wrapped, print].every((one) => typeof one === "string");
  if (guard === undefined || !texts || ![id, createdAtMs, guardedAtMs].every(Number.isSafeInteger)) return null;
  const bytes = Uint8Array.from(Buffer.from(String(wrapped), "base64url"));
  const key = { id, guard, fingerprint, recipe, createdAtMs, guardedAtMs, wrapped: bytes } as WrappedKey;
  return { kind: "data_key", key, print: String(print) };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

const asObject = (value: unknown) =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;

function withFile<T>(path: string, work: (file: number) => T): T {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new AppError("backup_not_found", `there is no backup ${path}`);
  const file = openSync(path, "r");
  try {
    return work(file);
  } finally {
    closeSync(file);
  }
}

function readWhole(file: number, into: Uint8Array, at: number, path = "the backup"): void {
  for (let done = 0; done < into.length; ) {
    const count = readSync(file, into, done, into.length - done, at + done);
    if (count === 0) throw damaged(path, "it was cut short");
    done += count;
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done);
}

export function damaged(path: string, why: string): AppError {
  return new AppError("backup_damaged", `${path} is damaged: ${why}`);
}
