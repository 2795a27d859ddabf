/**
 * Ranks accounts for one ask: affinity, then strategy, then least recent lease, then id. The one place that orders accounts.
 * Pure; remembers no index, so that an account that comes and goes cannot be passed over for ever.
 */
import type { Account, AccountId } from "./account.ts";
import type { Ask } from "./ask.ts";
import { holdsOn, lastEndMs } from "./hold.ts";
import { activePin } from "./pin.ts";
import type { HeldAccount, PassedOver, Plan } from "./plan.ts";
import { STRATEGIES } from "./strategy.ts";

interface Candidate {
  readonly account: Account;
  readonly score: number;
}

/**
 * The plan for `ask`. `limit` bounds how many of the usable accounts are put in order: an exchange tries only a few,
 * and ordering a thousand for it would be work thrown away. The first `limit` are the same whatever the limit is.
 */
export function rank(accounts: readonly Account[], ask: Ask, limit = Number.POSITIVE_INFINITY): Plan {
  const pin = activePin(ask.pin, ask.nowMs);
  const strategy = STRATEGIES[ask.strategy];
  const best: Candidate[] = [];
  const held: HeldAccount[] = [];
  const passedOver: PassedOver[] = [];
  let usableCount = 0;
  let nextUsableAtMs: number | null = null;
  for (const account of accounts) {
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
      insert(best, account, strategy.score(account, ask), ask.affinity, limit);
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
    nextUsableAtMs: usableCount > 0 ? null : nextUsableAtMs,
    reason: first === null ? "none" : pin !== null ? "pin" : first === ask.affinity ? "affinity" : "strategy",
  };
}

/** Keeps `best` sorted and at most `limit` long. */
function insert(best: Candidate[], account: Account, score: number, affinity: AccountId | null, limit: number): void {
  // Most of a thousand end here, by their score alone.
  const last = best.length >= limit ? best[best.length - 1]! : null;
  if (last !== null && last.score < score && account.id !== affinity) return;
  const candidate: Candidate = { account, score };
  if (last !== null && comesBefore(last, candidate, affinity)) return;
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comesBefore(best[middle]!, candidate, affinity)) low = middle + 1;
    else high = middle;
  }
  best.splice(low, 0, candidate);
  if (best.length > limit) best.pop();
}

function comesBefore(a: Candidate, b: Candidate, affinity: AccountId | null): boolean {
  const homeA = a.account.id === affinity;
  if (homeA !== (b.account.id === affinity)) return homeA;
  if (a.score !== b.score) return a.score < b.score;
  const orderA = a.account.use.lastLeaseOrder;
  const orderB = b.account.use.lastLeaseOrder;
  return orderA !== orderB ? orderA < orderB : a.account.id < b.account.id;
}
