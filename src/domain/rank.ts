/**
 * Ranks accounts for one ask: affinity, then those of which enough is left, then what rules prefer, then strategy, then its tie, then id. The one place that orders accounts.
 * Pure; remembers no index, so that an account that comes and goes cannot be passed over for ever.
 */
import type { Account, AccountId } from "./account.ts";
import type { Ask } from "./ask.ts";
import { holdsOn, lastEndMs } from "./hold.ts";
import { activePin, type Pin } from "./pin.ts";
import type { DeferredAccount, HeldAccount, PassedOver, Plan } from "./plan.ts";
import { isMeant, type RuleRef } from "./rule.ts";
import { orderingOf, preferenceBy, type RuleSet, rulingOut } from "./rule-set.ts";
import { STRATEGIES } from "./strategy.ts";
import { deferringWindow } from "./threshold.ts";
import { usedPercentNow, type Window } from "./window.ts";

interface Candidate {
  readonly account: Account;
  /** The conversation lives there. */
  readonly isHome: boolean;
  /** Little is left of it, and others are to be preferred. */
  readonly isDeferred: boolean;
  /** What rules say: smaller is better. */
  readonly preference: number;
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
  const moved: RuleRef[] = [];
  let usableCount = 0;
  let nextUsableAtMs: number | null = null;
  const comesBackAt = (endMs: number | null) => {
    if (endMs !== null && (nextUsableAtMs === null || endMs < nextUsableAtMs)) nextUsableAtMs = endMs;
  };
  for (let place = 0; place < accounts.length; place++) {
    const account = accounts[place]!;
    const barrier = barrierFor(account, ask, pin);
    const holds = holdsOn(account, ask);
    if (holds.length > 0) {
      held.push(barrier === null ? { accountId: account.id, holds } : { accountId: account.id, holds, isBarred: true });
      comesBackAt(laterOf(lastEndMs(holds), barrier));
    } else if (barrier !== null) {
      passedOver.push(passing(account.id, barrier));
      comesBackAt(barrier.untilMs);
    } else if (ask.tried.has(account.id)) {
      passedOver.push({ accountId: account.id, because: "tried" });
    } else {
      usableCount++;
      // A conversation stays at home to the end, and a pin leaves nobody to prefer.
      const isHome = account.id === ask.affinity;
      const scarce = pin !== null || isHome ? null : deferringWindow(account, ask);
      if (scarce !== null) deferred.push(deferral(account, scarce, ask.nowMs));
      const preference = ask.rules === null ? 0 : preferenceFor(account, ask, ask.rules, moved);
      const tie = byList ? place : account.use.lastLeaseOrder;
      insert(best, account, isHome, scarce !== null, preference, strategy.score(account, ask), tie, limit);
    }
  }
  const first = best[0]?.account.id ?? null;
  return {
    atMs: ask.nowMs,
    strategy: ask.strategy,
    profile: ask.profile?.name ?? null,
    rules: ask.rules === null ? NO_RULES : rulesThatActed(held, passedOver, moved),
    order: best.map((candidate) => candidate.account.id),
    usableCount,
    held,
    passedOver,
    deferred,
    nextUsableAtMs: usableCount > 0 ? null : nextUsableAtMs,
    reason: reasonOf(best, ask, pin, first),
  };
}

const NO_RULES: readonly RuleRef[] = Object.freeze([]);

function reasonOf(best: readonly Candidate[], ask: Ask, pin: Pin | null, first: AccountId | null): Plan["reason"] {
  if (first === null) return "none";
  if (pin !== null) return "pin";
  if (first === ask.affinity) return "affinity";
  const [a, b] = best;
  const isMoved =
    a !== undefined && a.preference < (b?.preference ?? 0) && a.isDeferred === (b?.isDeferred ?? a.isDeferred);
  return isMoved ? "rule" : "strategy";
}

/** Why this ask may not take an account, whatever condition it is in, and until when; null = it may. */
interface Barrier {
  readonly because: Exclude<PassedOver["because"], "tried">;
  /** null = no known end. */
  readonly untilMs: number | null;
  readonly rule: RuleRef | null;
}

const PINNED_ELSEWHERE: Barrier = { because: "pinned_elsewhere", untilMs: null, rule: null };
const OUTSIDE_PROFILE: Barrier = { because: "outside_profile", untilMs: null, rule: null };

/** A pin is a newer and plainer order than a rule, and overrides what rules would rather; whom a profile may use it does not widen. */
function barrierFor(account: Account, ask: Ask, pin: Pin | null): Barrier | null {
  if (pin !== null && pin.accountId !== account.id) return PINNED_ELSEWHERE;
  const { profile, rules } = ask;
  if (profile !== null && profile.accounts.length > 0 && !isMeant(profile.accounts, account)) return OUTSIDE_PROFILE;
  if (rules === null || rules.onlys.length === 0 || pin !== null) return null;
  const only = rulingOut(rules, account, ask);
  return only === null ? null : { because: "ruled_out", untilMs: only.calendar(ask.nowMs).untilMs, rule: only.ref };
}

function passing(accountId: AccountId, { because, rule }: Barrier): PassedOver {
  return rule === null ? { accountId, because } : { accountId, because, rule };
}

function laterOf(endMs: number | null, barrier: Barrier | null): number | null {
  if (barrier === null || endMs === null) return endMs;
  return barrier.untilMs === null ? null : Math.max(endMs, barrier.untilMs);
}

function preferenceFor(account: Account, ask: Ask, rules: RuleSet, moved: RuleRef[]): number {
  const ordering = orderingOf(rules, account, ask);
  if (ordering !== null) moved.push(ordering.ref);
  return preferenceBy(rules, ordering);
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
  preference: number,
  score: number,
  tie: number,
  limit: number,
): void {
  // Most of a thousand end here, without an object made for them.
  const last = best.length >= limit ? best[best.length - 1]! : null;
  if (last !== null && !isHome) {
    if (isDeferred && !last.isDeferred) return;
    if (isDeferred === last.isDeferred) {
      if (last.preference < preference) return;
      if (last.preference === preference && last.score < score) return;
    }
  }
  const candidate: Candidate = { account, isHome, isDeferred, preference, score, tie };
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
  if (a.preference !== b.preference) return a.preference < b.preference;
  if (a.score !== b.score) return a.score < b.score;
  return a.tie !== b.tie ? a.tie < b.tie : a.account.id < b.account.id;
}
