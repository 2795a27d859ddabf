/**
 * Waiting in line: whether a conversation waits for its home, and when one in line can expect an account, from the ends that holds state, the pace
 * of accounts and how long requests take. Pure; an expectation is never a promise, and nothing is decided by it.
 */

import type { AccountId } from "./account.ts";
import type { Plan } from "./plan.ts";

/** What one account can take, and when. */
export interface Berth {
  /** When its timed holds end. */
  readonly fromMs: number;
  /** Between two that begin; 0 = none. */
  readonly gapMs: number;
  /** Requests that it may take beside those that are open. */
  readonly free: number;
  /** When those that are open are expected to end, the first one first. */
  readonly endsAtMs: readonly number[];
  /** How long one takes; null = nothing says. */
  readonly takesMs: number | null;
}

/** One exchange in line, as operators see it. */
export interface Waiting {
  /** 1 = next. */
  readonly position: number;
  readonly sinceMs: number;
  /** null = nothing says. */
  readonly expectedAtMs: number | null;
  /** When it gives up. */
  readonly givesUpAtMs: number;
}

/** When the one with `ahead` others before it gets a place; null = nothing says. */
export function placeAtMs(berths: readonly Berth[], ahead: number): number | null {
  const starts: number[] = [];
  for (const berth of berths) starts.push(...startsOf(berth, ahead + 1));
  return starts.sort((a, b) => a - b)[ahead] ?? null;
}

/** When the next `count` begin there, as far as can be said. */
function startsOf({ fromMs, gapMs, free, endsAtMs, takesMs }: Berth, count: number): number[] {
  const starts: number[] = [];
  const places = free + endsAtMs.length;
  for (let nth = 0; nth < count && (nth < places || takesMs !== null); nth++) {
    // Beyond its places, one begins when one that began before it has ended.
    const roomAtMs = nth < free ? fromMs : (endsAtMs[nth - free] ?? (starts[nth - places] ?? Number.NaN) + takesMs!);
    if (Number.isNaN(roomAtMs)) break;
    starts.push(Math.max(roomAtMs, fromMs, (starts[nth - 1] ?? 0) + gapMs));
  }
  return starts;
}

/** A conversation waits this long for the account it is on: its prompt cache is worth more than the wait. */
const HOME_WAIT_MS = 10_000;

/** Until when `home` is held by its pace alone, if that is soon enough to be waited for; else null. */
export function homePaceEndMs(plan: Pick<Plan, "atMs" | "held">, home: AccountId | null): number | null {
  if (home === null) return null;
  const holds = plan.held.find(({ accountId, isBarred }) => accountId === home && !isBarred)?.holds;
  const [only] = holds ?? [];
  if (holds?.length !== 1 || only?.kind !== "pacing") return null;
  return only.untilMs - plan.atMs <= HOME_WAIT_MS ? only.untilMs : null;
}
