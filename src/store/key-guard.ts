/**
 * What guards the data key: a key file, a passphrase, or the keychain of the operating system. Each guard knows how to find, make, keep
 * and take away 256-bit keys that wrap data keys; none of them knows what is wrapped. Never prints a key, never gives one to another guard.
 */
import type { Dice } from "../base/id.ts";
import { sha256Hex } from "../base/id.ts";
import type { Secret } from "../base/secret.ts";

export const GUARD_KINDS = ["key_file", "passphrase", "keychain"] as const;
export type GuardKind = (typeof GUARD_KINDS)[number];

export const KEY_BYTES = 32;

/** Which key is wanted: what the store keeps of it, all of it harmless. */
export interface WantedKey {
  /** Tells keys apart without saying anything about them. */
  readonly fingerprint: string;
  /** How the key is made again; empty where it is kept and not made. */
  readonly recipe: string;
}

/** Who asks for a key. */
export interface Asker {
  /** A passphrase from whoever unlocks; null = what the daemon was given. */
  readonly given: Secret | null;
  /** Somebody gave an order and waits: the keychain may ask them something of its own. */
  readonly isPerson: boolean;
}

export interface MadeKey {
  readonly key: Uint8Array;
  readonly recipe: string;
}

/** `absent`: the guard can be asked and does not have it, said in words. */
export type FoundKey =
  | { readonly kind: "key"; readonly key: Uint8Array }
  | { readonly kind: "absent"; readonly words: string };

export interface KeyGuard {
  readonly kind: GuardKind;
  /** Where the operator finds it; safe to show. */
  readonly place: string;
  /** Why it cannot be used here and now, in words; null when it can. */
  refusal(): Promise<string | null>;
  /** Rejects with `seal_key_missing`, `passphrase_required`, `passphrase_wrong` or `store_damaged`. */
  load(wanted: WantedKey, asker: Asker): Promise<FoundKey>;
  /** Rejects with what would keep `make` from making one. */
  check(given: Secret | null): Promise<void>;
  /** A new key, kept nowhere yet. */
  make(dice: Dice, given: Secret | null): Promise<MadeKey>;
  /** Keeps a key, durably, beside whatever keys are there. Idempotent. */
  keep(key: Uint8Array, asker: Asker): Promise<void>;
  /** Takes away one key and no other. Idempotent. */
  forget(fingerprint: string): Promise<void>;
}

export type Guards = Readonly<Record<GuardKind, KeyGuard>>;

/** 64 bits of a digest of 256 random bits: enough to tell keys apart, no help in finding one. */
export function fingerprintOf(key: Uint8Array): string {
  return sha256Hex(Buffer.concat([Buffer.from("rotor/fingerprint/v1"), key])).slice(0, 16);
}
