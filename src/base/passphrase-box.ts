/**
 * Bytes in a box that a passphrase opens: argon2id (RFC 9106) makes the key, AES-256-GCM closes the box. Used by the portable pool
 * file, by backups and by the passphrase seal. Knows nothing of what is inside; never prints or keeps a passphrase or a key.
 *
 * Layout 1, all integers big endian:
 *   "RTRBOX" · version (1) · kdf (1 = argon2id) · memory KiB (4) · passes (4) · lanes (4) · salt (16) · nonce (12) · tag (16) ·
 *   checksum (8, of everything else) · ciphertext
 * The context and all that stands before the tag are authenticated, so a box cannot be passed off as one of another purpose.
 */
import { argon2, createCipheriv, createDecipheriv, hash } from "node:crypto";
import { AppError } from "./errors.ts";
import type { Dice } from "./id.ts";

export interface KeyParams {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** RFC 9106 §4, second recommended option (64 MiB, 3 passes), in one lane: a quarter of a second on a small machine. */
export const KEY_PARAMS: KeyParams = { memoryKib: 64 * 1024, passes: 3, lanes: 1 };

export const SALT_BYTES = 16;
const KEY_BYTES = 32;

/**
 * What a box may ask of its reader. Four times our memory and eight times our work leave room for harder parameters of later
 * versions; a hostile file gets no more than some seconds of one thread.
 */
const MEMORY_MAX_KIB = 256 * 1024;
const PASSES_MAX = 16;
const LANES_MAX = 8;
const WORK_MAX_KIB = 8 * KEY_PARAMS.memoryKib * KEY_PARAMS.passes;

const MAGIC = "RTRBOX";
const VERSION = 1;
const ARGON2ID = 1;
const PARAMS_AT = MAGIC.length + 2;
const SALT_AT = PARAMS_AT + 12;
const NONCE_AT = SALT_AT + SALT_BYTES;
const NONCE_BYTES = 12;
const TAG_AT = NONCE_AT + NONCE_BYTES;
const TAG_BYTES = 16;
const CHECKSUM_AT = TAG_AT + TAG_BYTES;
const CHECKSUM_BYTES = 8;
const BODY_AT = CHECKSUM_AT + CHECKSUM_BYTES;

export type OpenedBox =
  | { readonly ok: true; readonly plain: Uint8Array }
  | { readonly ok: false; readonly reason: "wrong_passphrase" | "damaged" };

/** Whether `bytes` begin as a box does, of whatever version. */
export function isPassphraseBox(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, MAGIC.length)).toString("latin1") === MAGIC;
}

/** Closes `plain` in a box for `context` (what the box is for). The key is made off the event loop's thread. */
export async function sealWithPassphrase(
  plain: Uint8Array,
  passphrase: string,
  context: string,
  dice: Dice,
): Promise<Uint8Array> {
  const head = Buffer.alloc(BODY_AT);
  head.write(MAGIC, 0, "latin1");
  head.writeUInt8(VERSION, MAGIC.length);
  head.writeUInt8(ARGON2ID, MAGIC.length + 1);
  head.writeUInt32BE(KEY_PARAMS.memoryKib, PARAMS_AT);
  head.writeUInt32BE(KEY_PARAMS.passes, PARAMS_AT + 4);
  head.writeUInt32BE(KEY_PARAMS.lanes, PARAMS_AT + 8);
  head.set(dice.bytes(SALT_BYTES), SALT_AT);
  head.set(dice.bytes(NONCE_BYTES), NONCE_AT);
  const key = await deriveKey(passphrase, head.subarray(SALT_AT, NONCE_AT), KEY_PARAMS);
  const cipher = createCipheriv("aes-256-gcm", key, head.subarray(NONCE_AT, TAG_AT), { authTagLength: TAG_BYTES });
  key.fill(0);
  cipher.setAAD(boundTo(head, context));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  head.set(cipher.getAuthTag(), TAG_AT);
  head.set(checksumOf(head, body), CHECKSUM_AT);
  return Uint8Array.from(Buffer.concat([head, body]));
}

/**
 * Opens a box that was made for `context`. Damage by accident is told from a wrong passphrase by the checksum, before any key is
 * made; a box that was altered on purpose, or made for another context, answers as a wrong passphrase does.
 */
export async function openWithPassphrase(box: Uint8Array, passphrase: string, context: string): Promise<OpenedBox> {
  const bytes = Buffer.from(box.buffer, box.byteOffset, box.byteLength);
  const params = readHead(bytes);
  if (params === null) return { ok: false, reason: "damaged" };
  const key = await deriveKey(passphrase, bytes.subarray(SALT_AT, NONCE_AT), params);
  const nonce = bytes.subarray(NONCE_AT, TAG_AT);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  key.fill(0);
  decipher.setAAD(boundTo(bytes, context));
  decipher.setAuthTag(bytes.subarray(TAG_AT, CHECKSUM_AT));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(BODY_AT)), decipher.final()]);
    return { ok: true, plain: Uint8Array.from(plain) };
  } catch {
    // `final` throws when the tag does not match; it says nothing more than that.
    return { ok: false, reason: "wrong_passphrase" };
  }
}

/**
 * 32 bytes from a passphrase and a salt, made on a thread of the runtime's own pool. The passphrase is taken in Unicode NFC
 * (RFC 8265 §4.2), because macOS and Linux keyboards spell the same letter differently. Parameters beyond the bounds are refused.
 */
export async function deriveKey(passphrase: string, salt: Uint8Array, params: KeyParams): Promise<Uint8Array> {
  if (passphrase === "") throw new AppError("passphrase_required", "an empty passphrase protects nothing");
  if (!isAffordable(params)) throw new AppError("invalid_request", "the key parameters are out of bounds");
  const parameters = {
    message: Buffer.from(passphrase.normalize("NFC"), "utf8"),
    nonce: salt,
    parallelism: params.lanes,
    tagLength: KEY_BYTES,
    memory: params.memoryKib,
    passes: params.passes,
  };
  return new Promise((resolve, reject) => {
    argon2("argon2id", parameters, (error, key) => {
      parameters.message.fill(0);
      if (error) reject(new AppError("internal", "the key could not be made", { cause: error }));
      else resolve(key);
    });
  });
}

/** The parameters of a whole, unharmed box; null for anything else. */
function readHead(bytes: Buffer): KeyParams | null {
  if (bytes.length < BODY_AT || !isPassphraseBox(bytes)) return null;
  if (bytes.readUInt8(MAGIC.length) !== VERSION || bytes.readUInt8(MAGIC.length + 1) !== ARGON2ID) return null;
  const checksum = bytes.subarray(CHECKSUM_AT, BODY_AT);
  if (!checksumOf(bytes, bytes.subarray(BODY_AT)).equals(checksum)) return null;
  const params = {
    memoryKib: bytes.readUInt32BE(PARAMS_AT),
    passes: bytes.readUInt32BE(PARAMS_AT + 4),
    lanes: bytes.readUInt32BE(PARAMS_AT + 8),
  };
  return isAffordable(params) ? params : null;
}

function isAffordable({ memoryKib, passes, lanes }: KeyParams): boolean {
  if (lanes < 1 || lanes > LANES_MAX || passes < 1 || passes > PASSES_MAX) return false;
  // Argon2 needs eight blocks of 1 KiB a lane (RFC 9106 §3.1).
  return memoryKib >= 8 * lanes && memoryKib <= MEMORY_MAX_KIB && memoryKib * passes <= WORK_MAX_KIB;
}

function boundTo(head: Buffer, context: string): Buffer {
  return Buffer.concat([head.subarray(0, TAG_AT), Buffer.from(context, "utf8")]);
}

function checksumOf(head: Buffer, body: Buffer): Buffer {
  const whole = Buffer.concat([head.subarray(0, CHECKSUM_AT), body]);
  return hash("sha256", whole, "buffer").subarray(0, CHECKSUM_BYTES);
}
