/**
 * Failures that come in a burst across accounts are upstream's, not the accounts': the pool pauses shortly instead of burning them. Pure.
 */
import type { AccountId } from "./account.ts";

export interface Burst {
  readonly failures: readonly { readonly accountId: AccountId; readonly atMs: number }[];
  readonly pauseUntilMs: number | null;
}

export const NO_BURST: Burst = { failures: [], pauseUntilMs: null };

/** Five failures on two or more accounts within ten seconds: more than one bad server, less than a minute of a real outage. */
const BURST_FAILURES = 5;
const BURST_ACCOUNTS = 2;
const BURST_WITHIN_MS = 10_000;
/** Shorter than the default wait of a request (20 s), so that a paused pool delays work rather than refusing it. */
const PAUSE_MS = 5_000;

export function noteFailure(burst: Burst, accountId: AccountId, atMs: number): Burst {
  const failures = [
    ...burst.failures.filter((failure) => failure.atMs > atMs - BURST_WITHIN_MS),
    { accountId, atMs },
  ].slice(-BURST_FAILURES * 4);
  const accounts = new Set(failures.map((failure) => failure.accountId)).size;
  if (failures.length < BURST_FAILURES || accounts < BURST_ACCOUNTS) return { ...burst, failures };
  return { failures: [], pauseUntilMs: atMs + PAUSE_MS };
}

/** One served answer shows that upstream is back. */
export function noteServed(burst: Burst): Burst {
  return burst.failures.length === 0 && burst.pauseUntilMs === null ? burst : NO_BURST;
}

export function pauseEndMs(burst: Burst, nowMs: number): number | null {
  return burst.pauseUntilMs !== null && burst.pauseUntilMs > nowMs ? burst.pauseUntilMs : null;
}
