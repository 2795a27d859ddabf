/**
 * The seal: credentials leave this file only as envelopes, and open only as return values. AES-256-GCM, bound to the account
 * (contracts §14), so that an envelope that was altered or moved to another account does not open.
 * A random data key seals; it is itself wrapped by the guard's key, so that changing the guard re-seals 32 bytes and not every login.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { AppError } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import type { AccountId } from "../domain/account.ts";
import { type GuardKind, KEY_BYTES } from "./key-guard.ts";
import type { Credentials } from "./store.ts";

/** Layout 1: version (1 byte), data key id (4 bytes, big endian), nonce, tag, ciphertext. */
const ENVELOPE_VERSION = 1;
const HEAD_BYTES = 5;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The data key at rest, and by what it is guarded. */
export interface WrappedKey {
  readonly id: number;
  readonly guard: GuardKind;
  /** Tells which guard key opens it, without saying anything about that key. */
  readonly fingerprint: string;
  /** How the guard makes that key again; empty where it keeps it. */
  readonly recipe: string;
  readonly wrapped: Uint8Array;
  readonly createdAtMs: number;
  /** Since when this guard's key wraps it. */
  readonly guardedAtMs: number;
}

/** A data key that is open, and as it lies in the store. For backups; it must not go anywhere else. */
export interface OpenKey {
  readonly dataKey: Uint8Array;
  readonly wrapped: WrappedKey;
}

export interface Seal {
  seal(accountId: AccountId, credentials: Credentials): Uint8Array;
  /** Throws `store_damaged` for bytes that this seal did not make for this account. */
  open(accountId: AccountId, envelope: Uint8Array): Credentials;
}

export function createSeal(keyId: number, dataKey: Uint8Array, dice: Dice): Seal {
  return {
    seal(accountId, credentials) {
      const { accessToken, refreshToken, idToken } = credentials;
      const plain = Buffer.from(JSON.stringify({ accessToken, refreshToken, idToken }));
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt8(ENVELOPE_VERSION, 0);
      head.writeUInt32BE(keyId, 1);
      const body = encrypt(dataKey, plain, credentialContext(accountId), dice);
      plain.fill(0);
      return Buffer.concat([head, body]);
    },
    open(accountId, envelope) {
      const bytes = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.byteLength);
      const known =
        bytes.length > HEAD_BYTES && bytes.readUInt8(0) === ENVELOPE_VERSION && bytes.readUInt32BE(1) === keyId;
      const plain = known ? decrypt(dataKey, bytes.subarray(HEAD_BYTES), credentialContext(accountId)) : null;
      const credentials = plain === null ? null : readCredentials(plain);
      plain?.fill(0);
      if (credentials === null)
        throw new AppError("store_damaged", "the sealed login of an account does not open", { facts: { accountId } });
      return credentials;
    },
  };
}

/** A data key wrapped by a guard's key, to lie beside what it seals. */
export function wrapKey(keyId: number, dataKey: Uint8Array, guardKey: Uint8Array, dice: Dice): Uint8Array {
  return encrypt(
    guardKey,
    Buffer.from(dataKey.buffer, dataKey.byteOffset, dataKey.byteLength),
    wrapContext(keyId),
    dice,
  );
}

/** Throws `store_damaged` for bytes that were not wrapped by this key under this number. */
export function unwrapKey(keyId: number, wrapped: Uint8Array, guardKey: Uint8Array): Uint8Array {
  const dataKey = decrypt(guardKey, Buffer.from(wrapped), wrapContext(keyId));
  if (dataKey?.length !== KEY_BYTES) throw new AppError("store_damaged", "the wrapped data key does not open");
  return Uint8Array.from(dataKey);
}

const credentialContext = (accountId: AccountId) => Buffer.from(`rotor/cred/v1${accountId}`);
const wrapContext = (keyId: number) => Buffer.from(`rotor/datakey/v1${keyId}`);

/** A fresh random nonce each time: far below the 2^32 uses of one key up to which that is safe. */
function encrypt(key: Uint8Array, plain: Buffer, context: Buffer, dice: Dice): Buffer {
  const nonce = dice.bytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(context);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** null when the bytes were not made with this key in this context. */
function decrypt(key: Uint8Array, bytes: Buffer, context: Buffer): Buffer | null {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(context);
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    // `final` throws when the tag does not match; it says nothing more than that.
    return null;
  }
}

function readCredentials(plain: Buffer): Credentials | null {
  const value = JSON.parse(plain.toString("utf8")) as Partial<Record<keyof Credentials, unknown>>;
  const { accessToken, refreshToken, idToken } = value;
  if (typeof accessToken !== "string" || typeof refreshToken !== "string") return null;
  return { accessToken, refreshToken, idToken: typeof idToken === "string" ? idToken : null };
}
