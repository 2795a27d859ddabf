/** A client key: what a client of the proxy shows. Only its hash is kept; the secret is shown once (contracts §9). */

export interface ClientKey {
  /** Ten characters of Crockford base32; part of the secret text, not secret itself. */
  readonly id: string;
  /** Unique label, an alias in form. */
  readonly name: string;
  readonly hash: KeyHash;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}

/** Imported hashes carry their own algorithm; ours is SHA-256 over the secret part (256 random bits need no slow hash). */
export interface KeyHash {
  readonly algorithm: "sha256";
  readonly hex: string;
}

/** `rtr_<id>_<secret>`: 43 characters of base64url = 256 bits. null when the text is not of this form. */
export function parseClientKey(text: string): { id: string; secret: string } | null {
  const match = /^rtr_([0-9A-HJKMNP-TV-Z]{10})_([A-Za-z0-9_-]{43})$/.exec(text);
  return match ? { id: match[1]!, secret: match[2]! } : null;
}
