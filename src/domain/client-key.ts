/** A client key: what a client of the proxy shows. Only its hash is kept; the secret is shown once (contracts §9). */

export interface ClientKey {
  /** Ten characters of Crockford base32; part of the secret text of a key that was made here, not secret itself. */
  readonly id: string;
  /** Unique label, an alias in form. */
  readonly name: string;
  readonly hash: KeyHash;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}

export interface KeyHash {
  readonly algorithm: KeyHashAlgorithm;
  readonly hex: string;
}

/**
 * `sha256`: over the secret part of a key of ours (256 random bits need no slow hash). `sha256-text`: over the whole text of a key that
 * another product made.
 */
export type KeyHashAlgorithm = (typeof ALGORITHMS)[number];
const ALGORITHMS = ["sha256", "sha256-text"] as const;

export function isKeyHashAlgorithm(text: string): text is KeyHashAlgorithm {
  return (ALGORITHMS as readonly string[]).includes(text);
}

/** `rtr_<id>_<secret>`: 43 characters of base64url = 256 bits. null when the text is not of this form. */
export function parseClientKey(text: string): { id: string; secret: string } | null {
  const match = /^rtr_([0-9A-HJKMNP-TV-Z]{10})_([A-Za-z0-9_-]{43})$/.exec(text);
  return match ? { id: match[1]!, secret: match[2]! } : null;
}
