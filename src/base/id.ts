/**
 * Randomness and identifiers, passed in. The only file that may ask the system for random bytes.
 */
import { hash } from "node:crypto";

export interface Dice {
  /** Cryptographically strong bytes. */
  bytes(length: number): Uint8Array;
  /** Uniform in [0, 1). */
  fraction(): number;
}

export const systemDice: Dice = {
  // `randomBytes` of node:crypto costs forty times as much, and an exchange asks several times.
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  fraction: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
};

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** ULID (github.com/ulid/spec): 48-bit milliseconds, then 80 random bits, 26 characters of Crockford base32. */
export function createUlid(nowMs: number, dice: Dice): string {
  const codes = Buffer.alloc(26);
  const atMs = Math.max(0, Math.floor(nowMs));
  // In two halves of 25 bits, each of which is a number that bits can be taken of.
  for (let rest = Math.floor(atMs / 2 ** 25), i = 4; i >= 0; i--, rest >>= 5)
    codes[i] = CROCKFORD.charCodeAt(rest & 31);
  for (let rest = atMs % 2 ** 25, i = 9; i >= 5; i--, rest >>= 5) codes[i] = CROCKFORD.charCodeAt(rest & 31);
  const random = dice.bytes(16);
  for (let i = 0; i < 16; i++) codes[10 + i] = CROCKFORD.charCodeAt(random[i]! & 31);
  return codes.toString("latin1");
}

/** The smallest ULID of an instant: what is older sorts before it. */
export function ulidAt(atMs: number): string {
  return createUlid(atMs, ZEROS);
}

const ZEROS: Dice = { bytes: (length) => new Uint8Array(length), fraction: () => 0 };

export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
}

/** UUID version 4 (RFC 9562 §5.4), for who asks for that form. */
export function randomUuid(dice: Dice): string {
  const bytes = Buffer.from(dice.bytes(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** `length` random bytes as base64url without padding (RFC 4648 §5). */
export function randomToken(dice: Dice, length: number): string {
  return Buffer.from(dice.bytes(length)).toString("base64url");
}

/** SHA-256 as lower-case hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}
