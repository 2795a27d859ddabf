/**
 * Where one account stands for asks of one kind: held, left out, or usable with which score. Everything that `rank.ts` has to know of an
 * account before it puts them in order. Kept from ask to ask for as long as it cannot have changed, so that a thousand accounts cost a
 * look each. It asks `hold.ts`, `threshold.ts`, the rules and the strategy, decides nothing itself, and must never be the reason for another
 * answer: with or without what is kept, a plan is the same. Pure but for that memory.
 */
import type { Account, AccountId } from "./account.ts";
import type { Ask } from "./ask.ts";
import { holdsOn, lastEndMs, sameHoldsUntilMs } from "./hold.ts";
import { pacedUntilMs } from "./pace.ts";
import type { Pin } from "./pin.ts";
import type { DeferredAccount, HeldAccount, PassedOver } from "./plan.ts";
import { isMeant, type RuleRef } from "./rule.ts";
import { orderingOf, preferenceBy, type RuleSet, rulingOut, sameRulesUntilMs } from "./rule-set.ts";
import { STRATEGIES } from "./strategy.ts";
import { deferringWindow } from "./threshold.ts";
import { usedPercentNow, type Window } from "./window.ts";

export interface Standing {
  readonly account: Account;
  /** Why it may not serve; null = nothing holds it. */
  readonly held: HeldAccount | null;
  /** It is not held, and yet this ask may not take it. */
  readonly passed: PassedOver | null;
  /** When it comes back; null = it is there, or nobody knows. */
  readonly backAtMs: number | null;
  /** Little is left of it, and others are to be preferred. */
  readonly deferred: DeferredAccount | null;
  /** What rules say: smaller is better. */
  readonly preference: number;
  /** The rule that said it. */
  readonly ordering: RuleRef | null;
  /** What the strategy says: smaller is better. */
  readonly score: number;
}

/** Why an ask may not take an account, whatever condition it is in, and until when; null = it may. */
interface Barrier {
  readonly because: Exclude<PassedOver["because"], "tried">;
  /** null = no known end. */
  readonly untilMs: number | null;
  readonly rule: RuleRef | null;
}

const PINNED_ELSEWHERE: Barrier = { because: "pinned_elsewhere", untilMs: null, rule: null };
const OUTSIDE_PROFILE: Barrier = { because: "outside_profile", untilMs: null, rule: null };

/** `pin` is the one in force. */
export function standingOf(account: Account, ask: Ask, pin: Pin | null): Standing {
  const barrier = barrierFor(account, ask, pin);
  const holds = holdsOn(account, ask);
  if (holds.length > 0) {
    const accountId = account.id;
    const held: HeldAccount = barrier === null ? { accountId, holds } : { accountId, holds, isBarred: true };
    return outside(account, held, null, laterOf(lastEndMs(holds), barrier));
  }
  if (barrier !== null) return outside(account, null, passing(account.id, barrier), barrier.untilMs);
  if (ask.tried.has(account.id)) return outside(account, null, { accountId: account.id, because: "tried" }, null);
  // A conversation stays at home to the end, and a pin leaves nobody to prefer.
  const scarce = pin !== null || account.id === ask.affinity ? null : deferringWindow(account, ask);
  const ordering = ask.rules === null ? null : orderingOf(ask.rules, account, ask);
  return {
    account,
    held: null,
    passed: null,
    backAtMs: null,
    deferred: scarce === null ? null : deferral(account, scarce, ask.nowMs),
    preference: ask.rules === null ? 0 : preferenceBy(ask.rules, ordering),
    ordering: ordering === null ? null : ordering.ref,
    score: STRATEGIES[ask.strategy].score(account, ask),
  };
}

function outside(
  account: Account,
  held: HeldAccount | null,
  passed: PassedOver | null,
  backAtMs: number | null,
): Standing {
  return { account, held, passed, backAtMs, deferred: null, preference: 0, ordering: null, score: 0 };
}

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

function deferral(account: Account, window: Window, nowMs: number): DeferredAccount {
  const { limit, lengthMinutes } = window;
  return { accountId: account.id, limit, lengthMinutes, leftPercent: 100 - usedPercentNow(window, nowMs) };
}

/** A standing with what it was made of, as far as that may change. */
interface Kept extends Standing {
  score: number;
  /** How many leases were open on it. */
  open: number;
  /** What is neither held nor left out has a score, which may change without the rest. */
  readonly isScored: boolean;
  fromMs: number;
  readonly untilMs: number;
  scoreUntilMs: number;
}

/** Everybody's standing for one kind of ask. What one ask alone changes (its home, whom it tried, who is full) is not kept. */
class View {
  readonly #kind: Kind;
  readonly #standings: (Kept | undefined)[] = [];
  #size = 0;
  #rulesFromMs = 0;
  #rulesUntilMs = 0;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  isOf(ask: Ask, pin: Pin | null): boolean {
    const { model, strategy, thresholds, rules, profile, pinnedId } = this.#kind;
    return (
      model === ask.model &&
      strategy === ask.strategy &&
      thresholds === ask.thresholds &&
      rules === ask.rules &&
      profile === ask.profile &&
      pinnedId === (pin?.accountId ?? null)
    );
  }

  /** Before the first look of each ask. */
  open(size: number, { rules, nowMs }: Ask): void {
    if (size !== this.#size) this.#forget(size);
    if (rules === null || (nowMs >= this.#rulesFromMs && nowMs < this.#rulesUntilMs)) return;
    this.#forget(size);
    this.#rulesFromMs = nowMs;
    this.#rulesUntilMs = sameRulesUntilMs(rules, nowMs);
  }

  /** `open`: leases that are open on it, fewer than it may have. */
  at(place: number, account: Account, ask: Ask, pin: Pin | null, open: number): Standing {
    const { nowMs } = ask;
    const kept = this.#standings[place];
    if (kept === undefined || kept.account !== account || nowMs < kept.fromMs || nowMs >= kept.untilMs)
      return this.#look(place, account, ask, pin, open);
    if (kept.isScored && (nowMs >= kept.scoreUntilMs || open !== kept.open)) {
      const { score, sameUntilMs } = STRATEGIES[ask.strategy];
      kept.score = score(account, ask);
      kept.open = open;
      kept.fromMs = nowMs;
      kept.scoreUntilMs = sameUntilMs(account, ask, kept.score);
    }
    return kept;
  }

  #look(place: number, account: Account, ask: Ask, pin: Pin | null, open: number): Standing {
    // To whomever it is not the home it may be scarce.
    const standing = standingOf(account, ask.affinity === account.id ? { ...ask, affinity: null } : ask, pin);
    const isScored = standing.held === null && standing.passed === null;
    const kept: Kept = {
      ...standing,
      open,
      isScored,
      fromMs: ask.nowMs,
      untilMs: sameHoldsUntilMs(account, ask.nowMs),
      scoreUntilMs: isScored ? STRATEGIES[ask.strategy].sameUntilMs(account, ask, standing.score) : 0,
    };
    this.#standings[place] = kept;
    return kept;
  }

  #forget(size: number): void {
    this.#size = size;
    this.#standings.length = 0;
    for (let place = 0; place < size; place++) this.#standings.push(undefined);
  }
}

/** Asks of which everybody's standing is the same, if it is not theirs alone. */
interface Kind {
  readonly model: string | null;
  readonly strategy: Ask["strategy"];
  readonly thresholds: Ask["thresholds"];
  readonly rules: RuleSet | null;
  readonly profile: Ask["profile"];
  readonly pinnedId: AccountId | null;
}

/** Models and profiles in use at one time; more than these take turns, and cost what looking anew costs. */
const VIEWS_KEPT = 8;

/** What one ask says of an account; an account that is merely busy is like any other, with a score of its own. */
const BUSY = 1;
const HOME = 2;
const TRIED = 4;
const FULL = 8;
const PACED = 16;

/**
 * What one list of accounts keeps from ask to ask. The list is the same array for as long as the same accounts stand in it in the same
 * order; whoever changes is another object in the same place.
 */
export class Standings {
  readonly #views: View[] = [];
  readonly #places = new Map<AccountId, number>();
  #list: readonly Account[] = [];
  #size = 0;
  /** Places of those who are to be looked at for this ask alone, and what is open on them. */
  #marks = new Uint8Array(0);
  #open = new Uint32Array(0);
  readonly #marked: number[] = [];
  #maxLeases = 0;
  #view: View | null = null;

  /** Before the first look of each ask. */
  open(accounts: readonly Account[], ask: Ask, pin: Pin | null): void {
    if (accounts !== this.#list || accounts.length !== this.#size) this.#learn(accounts);
    for (const place of this.#marked) this.#marks[place] = this.#open[place] = 0;
    this.#marked.length = 0;
    if (ask.affinity !== null) this.#mark(ask.affinity, HOME);
    if (ask.tried.size > 0) for (const id of ask.tried) this.#mark(id, TRIED);
    if (ask.pacing.spentUntilMs.size > 0) for (const id of ask.pacing.spentUntilMs.keys()) this.#mark(id, PACED);
    this.#maxLeases = ask.maxLeases;
    if (ask.openLeases.size > 0) ask.openLeases.forEach(this.#markOpen);
    this.#view = this.#viewFor(ask, pin);
    this.#view.open(accounts.length, ask);
  }

  at(place: number, account: Account, ask: Ask, pin: Pin | null): Standing {
    const mark = this.#marks[place]!;
    return mark <= BUSY
      ? this.#view!.at(place, account, ask, pin, this.#open[place]!)
      : this.#special(place, account, ask, pin, mark);
  }

  /** Whose home it is and who is paced is mostly like everybody else all the same. */
  #special(place: number, account: Account, ask: Ask, pin: Pin | null, mark: number): Standing {
    if ((mark & (TRIED | FULL)) !== 0) return standingOf(account, ask, pin);
    if ((mark & PACED) !== 0 && pacedUntilMs(account, ask.pacing, ask.nowMs) !== null)
      return standingOf(account, ask, pin);
    const isHome = (mark & HOME) !== 0;
    if (isHome && account.orders.draining) return standingOf(account, ask, pin);
    const kept = this.#view!.at(place, account, ask, pin, this.#open[place]!);
    return isHome && kept.deferred !== null ? { ...kept, deferred: null } : kept;
  }

  #learn(accounts: readonly Account[]): void {
    this.#list = accounts;
    this.#size = accounts.length;
    this.#marks = new Uint8Array(accounts.length);
    this.#open = new Uint32Array(accounts.length);
    this.#marked.length = 0;
    this.#places.clear();
    for (let place = 0; place < accounts.length; place++) this.#places.set(accounts[place]!.id, place);
  }

  /** Made once: going through the entries would make an array of each. */
  readonly #markOpen = (count: number, id: AccountId): void => {
    const place = this.#mark(id, count < this.#maxLeases ? BUSY : FULL);
    if (place !== undefined) this.#open[place] = count;
  };

  #mark(id: AccountId, mark: number): number | undefined {
    const place = this.#places.get(id);
    if (place === undefined) return undefined;
    this.#marks[place]! |= mark;
    this.#marked.push(place);
    return place;
  }

  /** The last one used stands first. */
  #viewFor(ask: Ask, pin: Pin | null): View {
    const found = this.#views.findIndex((one) => one.isOf(ask, pin));
    if (found === 0) return this.#views[0]!;
    const { model, strategy, thresholds, rules, profile } = ask;
    const view =
      found > 0
        ? this.#views.splice(found, 1)[0]!
        : new View({ model, strategy, thresholds, rules, profile, pinnedId: pin?.accountId ?? null });
    this.#views.unshift(view);
    if (this.#views.length > VIEWS_KEPT) this.#views.pop();
    return view;
  }
}
