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

interface Candidate {
  readonly standing: Standing;
  /** The conversation lives there. */
  readonly isHome: boolean;
  /** What decides between equal scores. */
  readonly tie: number;
}

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
  const best: Candidate[] = [];
  const held: HeldAccount[] = [];
  const passedOver: PassedOver[] = [];
  const deferred: DeferredAccount[] = [];
  const moved: RuleRef[] = [];
  let usableCount = 0;
  let nextUsableAtMs: number | null = null;
  standings?.open(accounts, ask, pin);
  for (let place = 0; place < accounts.length; place++) {
    const account = accounts[place]!;
    const standing = standings === null ? standingOf(account, ask, pin) : standings.at(place, account, ask, pin);
    const { backAtMs } = standing;
    if (backAtMs !== null && (nextUsableAtMs === null || backAtMs < nextUsableAtMs)) nextUsableAtMs = backAtMs;
    if (standing.held !== null) held.push(standing.held);
    else if (standing.passed !== null) passedOver.push(standing.passed);
    else {
      usableCount++;
      if (standing.deferred !== null) deferred.push(standing.deferred);
      // One rule speaks of many, mostly one after the other.
      const { ordering } = standing;
      if (ordering !== null && ordering !== moved[moved.length - 1]) moved.push(ordering);
      insert(best, standing, account.id === ask.affinity, byList ? place : account.use.lastLeaseOrder, limit);
    }
  }
  const first = best[0]?.standing.account.id ?? null;
  return {
    atMs: ask.nowMs,
    strategy: ask.strategy,
    profile: ask.profile?.name ?? null,
    rules: ask.rules === null ? NO_RULES : rulesThatActed(held, passedOver, moved),
    order: best.map(({ standing }) => standing.account.id),
    usableCount,
    held,
    passedOver,
    deferred,
    nextUsableAtMs: usableCount > 0 ? null : nextUsableAtMs,
    reason: reasonOf(best, ask, pin, first),
  };
}

function isAlike(a: Candidate, b: Candidate): boolean {
  return (a.standing.deferred === null) === (b.standing.deferred === null);
}

const NO_RULES: readonly RuleRef[] = Object.freeze([]);

function reasonOf(best: readonly Candidate[], ask: Ask, pin: Pin | null, first: AccountId | null): Plan["reason"] {
  if (first === null) return "none";
  if (pin !== null) return "pin";
  if (first === ask.affinity) return "affinity";
  const [a, b] = best;
  const isMoved =
    a !== undefined && a.standing.preference < (b?.standing.preference ?? 0) && (b === undefined || isAlike(a, b));
  return isMoved ? "rule" : "strategy";
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

/** Keeps `best` sorted and at most `limit` long. */
function insert(best: Candidate[], standing: Standing, isHome: boolean, tie: number, limit: number): void {
  // Most of a thousand end here, without an object made for them.
  const last = best.length >= limit ? best[best.length - 1]! : null;
  if (last !== null && !isHome) {
    const isDeferred = standing.deferred !== null;
    const isLastDeferred = last.standing.deferred !== null;
    if (isDeferred && !isLastDeferred) return;
    if (isDeferred === isLastDeferred) {
      const { preference } = last.standing;
      if (preference < standing.preference) return;
      if (preference === standing.preference && last.standing.score < standing.score) return;
    }
  }
  const candidate: Candidate = { standing, isHome, tie };
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

function comesBefore(one: Candidate, other: Candidate): boolean {
  if (one.isHome !== other.isHome) return one.isHome;
  const [a, b] = [one.standing, other.standing];
  if ((a.deferred === null) !== (b.deferred === null)) return a.deferred === null;
  if (a.preference !== b.preference) return a.preference < b.preference;
  if (a.score !== b.score) return a.score < b.score;
  return one.tie !== other.tie ? one.tie < other.tie : a.account.id < b.account.id;
}
