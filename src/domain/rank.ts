/**
 * Ranks accounts for one ask: affinity, then those of which enough is left, then strategy, then its tie, then id. The one place that orders accounts.
 * Pure; remembers no index, so that an account that comes and goes cannot be passed over for ever.
 */
import type { Account } from "./account.ts";
import type { Ask } from "./ask.ts";
import { holdsOn, lastEndMs } from "./hold.ts";
import { activePin } from "./pin.ts";
import type { DeferredAccount, HeldAccount, PassedOver, Plan } from "./plan.ts";
import { STRATEGIES } from "./strategy.ts";
import { deferringWindow } from "./threshold.ts";
import { usedPercentNow, type Window } from "./window.ts";

interface Candidate {
  readonly account: Account;
  /** The conversation lives there. */
  readonly isHome: boolean;
  /** Little is left of it, and others are to be preferred. */
  readonly isDeferred: boolean;
  readonly score: number;
  /** What decides between equal scores. */
  readonly tie: number;
}

/**
 * The plan for `ask`. `limit` bounds how many of the usable accounts are put in order: an exchange tries only a few,
 * and ordering a thousand for it would be work thrown away. The first `limit` are the same whatever the limit is.
 */
export function rank(accounts: readonly Account[], ask: Ask, limit = Number.POSITIVE_INFINITY): Plan {
  const pin = activePin(ask.pin, ask.nowMs);
  const strategy = STRATEGIES[ask.strategy];
  const byList = strategy.ties === "list";
  const best: Candidate[] = [];
  const held: HeldAccount[] = [];
  const passedOver: PassedOver[] = [];
  const deferred: DeferredAccount[] = [];
  let usableCount = 0;
  let nextUsableAtMs: number | null = null;
  for (let place = 0; place < accounts.length; place++) {
    const account = accounts[place]!;
    const inScope = pin === null || pin.accountId === account.id;
    const holds = holdsOn(account, ask);
    if (holds.length > 0) {
      held.push({ accountId: account.id, holds });
      const endMs = inScope ? lastEndMs(holds) : null;
      if (endMs !== null && (nextUsableAtMs === null || endMs < nextUsableAtMs)) nextUsableAtMs = endMs;
    } else if (!inScope) {
      passedOver.push({ accountId: account.id, because: "pinned_elsewhere" });
    } else if (ask.tried.has(account.id)) {
      passedOver.push({ accountId: account.id, because: "tried" });
    } else {
      usableCount++;
      // A conversation stays at home to the end, and a pin leaves nobody to prefer.
      const isHome = account.id === ask.affinity;
      const scarce = pin !== null || isHome ? null : deferringWindow(account, ask);
      if (scarce !== null) deferred.push(deferral(account, scarce, ask.nowMs));
      const tie = byList ? place : account.use.lastLeaseOrder;
      insert(best, account, isHome, scarce !== null, strategy.score(account, ask), tie, limit);
    }
  }
  const first = best[0]?.account.id ?? null;
  return {
    atMs: ask.nowMs,
    strategy: ask.strategy,
    order: best.map((candidate) => candidate.account.id),
    usableCount,
    held,
    passedOver,
    deferred,
    nextUsableAtMs: usableCount > 0 ? null : nextUsableAtMs,
    reason: first === null ? "none" : pin !== null ? "pin" : first === ask.affinity ? "affinity" : "strategy",
  };
}

function deferral(account: Account, window: Window, nowMs: number): DeferredAccount {
  const { limit, lengthMinutes } = window;
  return { accountId: account.id, limit, lengthMinutes, leftPercent: 100 - usedPercentNow(window, nowMs) };
}

/** Keeps `best` sorted and at most `limit` long. */
function insert(
  best: Candidate[],
  account: Account,
  isHome: boolean,
  isDeferred: boolean,
  score: number,
  tie: number,
  limit: number,
): void {
  // Most of a thousand end here, without an object made for them.
  const last = best.length >= limit ? best[best.length - 1]! : null;
  if (last !== null && !isHome) {
    if (isDeferred && !last.isDeferred) return;
    if (isDeferred === last.isDeferred && last.score < score) return;
  }
  const candidate: Candidate = { account, isHome, isDeferred, score, tie };
  if (last !== null && comesBefore(last, candidate)) return;
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comesBefore(best[middle]!, candidate)) low = middle + 1;
    else high = middle;
  }
  best.splice(low, 0, candidate);
  if (best.length > limit) best.pop();
}

function comesBefore(a: Candidate, b: Candidate): boolean {
  if (a.isHome !== b.isHome) return a.isHome;
  if (a.isDeferred !== b.isDeferred) return b.isDeferred;
  if (a.score !== b.score) return a.score < b.score;
  return a.tie !== b.tie ? a.tie < b.tie : a.account.id < b.account.id;
}
