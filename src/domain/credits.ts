/**
 * What an account has beside its windows: credits that were bought, and credits that empty its windows once. Facts with their source and
 * age; nothing is spent by them here.
 */
import type { WindowSource } from "./window.ts";

/** Credits as upstream states them. */
export interface CreditsReading {
  /** Has any, or had. */
  readonly hasCredits: boolean;
  readonly unlimited: boolean;
  /** As upstream spells it, without a currency; null when it names none. */
  readonly balance: string | null;
}

export interface Seen {
  readonly observedAtMs: number;
  readonly observedFrom: WindowSource;
}

export interface Credits extends CreditsReading, Seen {}

/** Each empties the windows of its account once. */
export interface ResetCredits extends Seen {
  readonly available: number;
}

/** The later of two observations; a tie goes to the newcomer. */
export function laterOf<T extends Seen>(known: T | null, seen: T | null): T | null {
  if (seen === null) return known;
  return known !== null && known.observedAtMs > seen.observedAtMs ? known : seen;
}
