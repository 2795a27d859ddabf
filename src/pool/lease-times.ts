/** How long requests take, as far as that says when one that waits can expect a place. An expectation only: nothing is decided by it. */
import type { AccountId } from "../domain/account.ts";

export interface LeaseTimes {
  began(accountId: AccountId, atMs: number): void;
  /** `beganAtMs` says which of its leases. */
  ended(accountId: AccountId, beganAtMs: number, atMs: number): void;
  /** How long one takes, as of late; null when nothing has ended yet. */
  usualMs(): number | null;
  /** When its open leases are expected to end, the first one first; [] when nothing has ended yet. */
  expectedEndsMs(accountId: AccountId, nowMs: number): readonly number[];
}

/** How much the latest request counts in what requests usually take: about the last ten of them decide. */
const LATEST_SHARE = 0.2;

export function createLeaseTimes(): LeaseTimes {
  const began = new Map<AccountId, number[]>();
  let usualMs: number | null = null;
  return {
    began(accountId, atMs) {
      const open = began.get(accountId);
      if (open === undefined) began.set(accountId, [atMs]);
      else open.push(atMs);
    },
    ended(accountId, beganAtMs, atMs) {
      const open = began.get(accountId) ?? [];
      const place = open.indexOf(beganAtMs);
      if (place >= 0) open.splice(place, 1);
      if (open.length === 0) began.delete(accountId);
      const tookMs = Math.max(0, atMs - beganAtMs);
      usualMs = usualMs === null ? tookMs : usualMs + (tookMs - usualMs) * LATEST_SHARE;
    },
    usualMs: () => (usualMs === null ? null : Math.round(usualMs)),
    expectedEndsMs(accountId, nowMs) {
      const usual = usualMs;
      if (usual === null) return [];
      return (began.get(accountId) ?? []).map((atMs) => Math.max(nowMs, Math.round(atMs + usual)));
    },
  };
}
