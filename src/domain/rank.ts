/**
 * Ranks accounts for one ask: affinity, then those of which enough is left, then what rules prefer, then strategy, then its tie, then id. The one place that orders accounts.
 * Pure; remembers no index, so that an account that comes and goes cannot be passed over for ever.
 */
import type { Account, AccountId } from "./account.ts";
import type { Ask } from "./ask.ts";
import { activePin, type Pin } from "./pin.ts";
import type { DeferredAccount, HeldAccount, PassedOver, Plan } from "./plan.ts";
import type { RuleRef } from "./rule.ts";
import { type Standing, type Standings, standingOf } from "./standing.ts";
import { STRATEGIES } from "./strategy.ts";

/**
 * The plan for `ask`. `limit` bounds how many of the usable accounts are put in order: an exchange tries only a few,
 * and ordering a thousand for it would be work thrown away. The first `limit` are the same whatever the limit is, and so
 * is the plan whatever `standings` remember: they only spare the looking.
 */
export function rank(
  accounts: readonly Account[],
  ask: Ask,
  limit = Number.POSITIVE_INFINITY,
  standings: Standings | null = null,
): Plan {
  const pin = activePin(ask.pin, ask.nowMs);
  const byList = STRATEGIES[ask.strategy].ties === "list";
  const best: Standing[] = [];
  let held: HeldAccount[] | null = null;
  let passedOver: PassedOver[] | null = null;
  let deferred: DeferredAccount[] | null = null;
  let moved: RuleRef[] | null = null;
  let usableCount = 0;
  let nextUsableAtMs: number | null = null;
  standings?.open(accounts, ask, pin);
  for (let place = 0; place < accounts.length; place++) {
    const account = accounts[place]!;
    const standing = standings === null ? standingOf(account, ask, pin) : standings.at(place, account, ask, pin);
    const { backAtMs } = standing;
    if (backAtMs !== null && (nextUsableAtMs === null || backAtMs < nextUsableAtMs)) nextUsableAtMs = backAtMs;
    if (standing.held !== null) (held ??= []).push(standing.held);
    else if (standing.passed !== null) (passedOver ??= []).push(standing.passed);
    else {
      usableCount++;
      if (standing.deferred !== null) (deferred ??= []).push(standing.deferred);
      // One rule speaks of many, mostly one after the other.
      const { ordering } = standing;
      if (ordering !== null && ordering !== moved?.[moved.length - 1]) (moved ??= []).push(ordering);
      insert(best, standing, ask.affinity, byList, limit);
    }
  }
  const order: AccountId[] = [];
  for (const { account } of best) order.push(account.id);
  return {
    atMs: ask.nowMs,
    strategy: ask.strategy,
    profile: ask.profile?.name ?? null,
    rules: ask.rules === null ? NONE : rulesThatActed(held ?? NONE, passedOver ?? NONE, moved ?? NONE),
    order,
    usableCount,
    held: held ?? NONE,
    heldCount: held?.length ?? 0,
    passedOver: passedOver ?? NONE,
    deferred: deferred ?? NONE,
    nextUsableAtMs: usableCount > 0 ? null : nextUsableAtMs,
    reason: reasonOf(best, ask, pin),
  };
}

/** Nearly every list of nearly every plan. */
const NONE: readonly never[] = Object.freeze([]);

function reasonOf([a, b]: readonly Standing[], ask: Ask, pin: Pin | null): Plan["reason"] {
  if (a === undefined) return "none";
  if (pin !== null) return "pin";
  if (a.account.id === ask.affinity) return "affinity";
  const isAlike = b === undefined || (a.deferred === null) === (b.deferred === null);
  return isAlike && a.preference < (b?.preference ?? 0) ? "rule" : "strategy";
}

function rulesThatActed(
  held: readonly HeldAccount[],
  passedOver: readonly PassedOver[],
  moved: readonly RuleRef[],
): readonly RuleRef[] {
  const acted = new Set<RuleRef>(moved);
  for (const { rule } of passedOver) if (rule !== undefined) acted.add(rule);
  for (const { holds } of held)
    for (const hold of holds) if ("rule" in hold && hold.rule !== null) acted.add(hold.rule);
  return [...acted].sort((a, b) => Number(a.profile !== null) - Number(b.profile !== null) || a.line - b.line);
}

/** Keeps `best` sorted and at most `limit` long. Those of an earlier place in the list of accounts are in it already. */
function insert(best: Standing[], one: Standing, home: AccountId | null, byList: boolean, limit: number): void {
  // Most of a thousand end here.
  if (best.length >= limit && comesBefore(best[best.length - 1]!, one, home, byList)) return;
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comesBefore(best[middle]!, one, home, byList)) low = middle + 1;
    else high = middle;
  }
  if (best.length < limit) best.push(one);
  for (let place = best.length - 1; place > low; place--) best[place] = best[place - 1]!;
  best[low] = one;
}

/** `a` has the earlier place in the list of accounts. */
function comesBefore(a: Standing, b: Standing, home: AccountId | null, byList: boolean): boolean {
  if (home !== null && a.account.id !== b.account.id) {
    if (a.account.id === home) return true;
    if (b.account.id === home) return false;
  }
  if ((a.deferred === null) !== (b.deferred === null)) return a.deferred === null;
  if (a.preference !== b.preference) return a.preference < b.preference;
  if (a.score !== b.score) return a.score < b.score;
  if (byList) return true;
  const [before, after] = [a.account.use.lastLeaseOrder, b.account.use.lastLeaseOrder];
  return before !== after ? before < after : a.account.id < b.account.id;
}
