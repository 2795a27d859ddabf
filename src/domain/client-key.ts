/** A client key: what a client of the proxy shows, and what it may ask for. Only its hash is kept; the secret is shown once (contracts §9). */
import type { Limit } from "./limit.ts";

export interface ClientKey {
  /** Ten characters of Crockford base32; part of the secret text of a key that was made here, not secret itself. */
  readonly id: string;
  /** Unique label, an alias in form. */
  readonly name: string;
  readonly hash: KeyHash;
  /** The secret before the last `key rotate`, still good until then; null when there is none. */
  readonly former: { readonly hash: KeyHash; readonly untilMs: number } | null;
  readonly terms: KeyTerms;
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

/** What a key may ask for. Empty lists allow everything. */
export interface KeyTerms {
  /** Names, or beginnings with a `*` at the end. */
  readonly models: readonly string[];
  /** Reasoning efforts. A request that names none gets the model's own and is let through. */
  readonly efforts: readonly string[];
  /** Service tiers. A request that names none, `auto` or `default` is let through. */
  readonly tiers: readonly string[];
  readonly limits: readonly Limit[];
  readonly expiresAtMs: number | null;
}

export const NO_TERMS: KeyTerms = { models: [], efforts: [], tiers: [], limits: [], expiresAtMs: null };

export interface Wanted {
  readonly model: string | null;
  readonly effort: string | null;
  readonly tier: string | null;
}

/** What of a request the key may not ask for, in words; null when it may ask for all of it. */
export function scopeRefusal(terms: KeyTerms, wanted: Wanted): string | null {
  const { models, efforts, tiers } = terms;
  if (models.length > 0 && !models.some((pattern) => matchesModel(pattern, wanted.model)))
    return wanted.model === null ? "a request without a model" : `the model ${wanted.model}`;
  if (efforts.length > 0 && wanted.effort !== null && !efforts.includes(wanted.effort))
    return `the effort ${wanted.effort}`;
  const tier = wanted.tier === "fast" ? "priority" : wanted.tier;
  if (tiers.length > 0 && tier !== null && tier !== "auto" && tier !== "default" && !tiers.includes(tier))
    return `the service tier ${tier}`;
  return null;
}

function matchesModel(pattern: string, model: string | null): boolean {
  if (model === null) return false;
  return pattern.endsWith("*") ? model.startsWith(pattern.slice(0, -1)) : model === pattern;
}

/** Why these cannot be a key's terms, or null. */
export function termsProblem(terms: KeyTerms): string | null {
  const word = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}\*?$/;
  const bad = [...terms.models, ...terms.efforts, ...terms.tiers].find((text) => !word.test(text) && text !== "*");
  if (bad !== undefined) return `${JSON.stringify(bad)} is not a name of a model, an effort or a tier`;
  if (terms.models.length + terms.efforts.length + terms.tiers.length > 100) return "a key has at most 100 scopes";
  const kinds = terms.limits.map(({ measure, period }) => `${measure}/${period}`);
  const twice = kinds.find((kind, i) => kinds.indexOf(kind) !== i);
  return twice === undefined ? null : `there are two limits of ${twice.replace("/", " by the ")}`;
}

/** `rtr_<id>_<secret>`: 43 characters of base64url = 256 bits. null when the text is not of this form. */
export function parseClientKey(text: string): { id: string; secret: string } | null {
  const match = /^rtr_([0-9A-HJKMNP-TV-Z]{10})_([A-Za-z0-9_-]{43})$/.exec(text);
  return match ? { id: match[1]!, secret: match[2]! } : null;
}
