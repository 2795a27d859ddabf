/**
 * Pacing: how many requests a minute one account takes, and how many at once after a rest. A number for each account, no timer and no queue:
 * the instant up to which its share of requests is spent (the generic cell rate algorithm, ITU-T I.371). Pure.
 */
import type { Account, AccountId, RequestPace } from "./account.ts";

/** What selection is told of pacing. */
export interface Pacing {
  /** Of accounts that have no pace of their own. */
  readonly usual: RequestPace;
  /** By account, until when what has begun spends its share; absent = it is rested. */
  readonly spentUntilMs: ReadonlyMap<AccountId, number>;
}

const NO_PACE: RequestPace = { requestsPerMinute: 0, burst: 1 };
/** For an ask whose place is taken already, and for what-if questions about another day. */
export const NO_PACING: Pacing = { usual: NO_PACE, spentUntilMs: new Map() };

/** What holds for this account; null = it takes as many as come. */
export function paceOf({ orders }: Account, { usual }: Pick<Pacing, "usual">): RequestPace | null {
  const pace = orders.pace ?? usual;
  return pace.requestsPerMinute > 0 ? pace : null;
}

/** `10 requests a minute, 3 at once`. */
export function paceText({ requestsPerMinute, burst }: RequestPace): string {
  return requestsPerMinute === 0 ? "as many as come" : `${requestsPerMinute} requests a minute, ${burst} at once`;
}

/** Between two requests, once the burst is used up. */
export function gapMs({ requestsPerMinute }: RequestPace): number {
  return 60_000 / requestsPerMinute;
}

/** Instants are whole milliseconds, gaps are not, and a sum of them is off by less than this. */
const ROUNDING_MS = 0.05;

/** When the next request may begin; in the past when it may now. */
export function nextStartMs(pace: RequestPace, spentUntilMs: number): number {
  return Math.ceil(spentUntilMs - (pace.burst - 1) * gapMs(pace) - ROUNDING_MS);
}

/** Until when its pace holds an account; null = it does not. */
export function pacedUntilMs(account: Account, pacing: Pacing, nowMs: number): number | null {
  const spentUntilMs = pacing.spentUntilMs.get(account.id);
  if (spentUntilMs === undefined || spentUntilMs <= nowMs) return null;
  const pace = paceOf(account, pacing);
  const untilMs = pace === null ? nowMs : nextStartMs(pace, spentUntilMs);
  return untilMs > nowMs ? untilMs : null;
}

/** What is spent after one more request has begun. */
export function spentAfter(pace: RequestPace, spentUntilMs: number, nowMs: number): number {
  return Math.max(spentUntilMs, nowMs) + gapMs(pace);
}
