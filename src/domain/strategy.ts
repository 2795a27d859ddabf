/**
 * Strategies: named orderings of usable accounts. One table; each entry is a pure comparison and its promise.
 * A new strategy is an entry here, its property in test/domain/strategy.test.ts, and a value in proto/rotor/v1/pool.proto.
 */
import { type Account, type AccountId, exchangesInLastWeek, nextDayMs } from "./account.ts";
import { balancedValue, reachesValueAtMs } from "./balanced.ts";
import { dueTurn } from "./turn.ts";
import { countsModel, usedPercentNow, type Window } from "./window.ts";

export const STRATEGY_NAMES = [
  "balanced",
  "round-robin",
  "least-used",
  "random",
  "weighted-round-robin",
  "drain-first",
  "reset-soonest",
] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

export const DEFAULT_STRATEGY: StrategyName = "balanced";

export function isStrategyName(text: string): text is StrategyName {
  return (STRATEGY_NAMES as readonly string[]).includes(text);
}

export interface StrategyContext {
  readonly nowMs: number;
  readonly model: string | null;
  readonly dice: number;
  readonly openLeases: ReadonlyMap<AccountId, number>;
}

export interface Strategy {
  /** What it promises, in the words of `rotor help pool strategy`. */
  readonly promise: string;
  /** Smaller is better. */
  readonly score: (account: Account, context: StrategyContext) => number;
  /**
   * Until when the score stays what it is, while the account stays the same, none of its windows resets and no more or fewer leases are open on it.
   * Earlier than that is no fault: the score is then asked for again.
   */
  readonly sameUntilMs: (account: Account, context: StrategyContext, score: number) => number;
  /** Equal scores: by least recent lease, or by the place in the list of accounts. The id breaks what is then still equal. */
  readonly ties: "least-recent" | "list";
}

/** Values within 5 % of each other are alike: such accounts take turns, instead of one being worn down by a hair's breadth. */
const ALIKE = Math.log(1.05);

/** The first ten signs of a ULID are its time; the others tell accounts apart. */
const ULID_TIME_CHARS = 10;

/** A number in [0, 2^32) from an id and the ask's dice: uniform over accounts, the same for the same ask. */
function draw(id: AccountId, dice: number): number {
  let hash = (0x811c9dc5 ^ Math.floor(dice * 2 ** 32)) >>> 0;
  for (let i = ULID_TIME_CHARS; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The window that will stop this account first: the one with the least left, the longer of two. null when none was ever seen. */
function bindingWindow(account: Account, { model, nowMs }: StrategyContext): Window | null {
  let binding: Window | null = null;
  for (const window of account.windows) {
    if (!countsModel(window, model)) continue;
    const more = binding === null ? 1 : usedPercentNow(window, nowMs) - usedPercentNow(binding, nowMs);
    if (more > 0 || (more === 0 && (window.lengthMinutes ?? 0) > (binding?.lengthMinutes ?? 0))) binding = window;
  }
  return binding;
}

/** A window that has not begun would begin now, and an unknown reset is as far away as can be. */
function bindingResetMs(account: Account, context: StrategyContext): number {
  const binding = bindingWindow(account, context);
  if (binding === null || binding.resetsAtMs === null) return Number.POSITIVE_INFINITY;
  if (binding.resetsAtMs > context.nowMs) return binding.resetsAtMs;
  return binding.lengthMinutes === null ? Number.POSITIVE_INFINITY : context.nowMs + binding.lengthMinutes * 60_000;
}

const FOR_GOOD = () => Number.POSITIVE_INFINITY;
/** It hangs on the ask itself. */
const NOT_A_MOMENT = () => 0;

export const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = {
  balanced: {
    promise: "spends first what would expire unused, scaled by what each plan allows; equal accounts take turns",
    score: (account, { model, nowMs, openLeases }) =>
      -Math.round(Math.log(balancedValue(account, model, nowMs, openLeases.get(account.id) ?? 0)) / ALIKE),
    // Time only adds to it; the next step up is half a step above the middle of this one.
    sameUntilMs: (account, { model, nowMs, openLeases }, score) =>
      reachesValueAtMs(account, model, nowMs, openLeases.get(account.id) ?? 0, Math.exp((0.5 - score) * ALIKE)),
    ties: "least-recent",
  },
  "round-robin": {
    promise: "the account that was leased least recently is next; nobody is passed over twice",
    score: (account) => account.use.lastLeaseOrder,
    sameUntilMs: FOR_GOOD,
    ties: "least-recent",
  },
  "least-used": {
    promise: "the account with the fewest exchanges in the last 7 days is next",
    score: (account, context) => exchangesInLastWeek(account, context.nowMs),
    sameUntilMs: (_account, { nowMs }) => nextDayMs(nowMs),
    ties: "least-recent",
  },
  random: {
    promise: "every usable account is equally likely, each time anew",
    score: (account, context) => draw(account.id, context.dice),
    sameUntilMs: NOT_A_MOMENT,
    ties: "least-recent",
  },
  "weighted-round-robin": {
    promise: "accounts take turns by their weights, evenly mixed; who was away is not made up for",
    score: dueTurn,
    sameUntilMs: FOR_GOOD,
    ties: "least-recent",
  },
  "drain-first": {
    promise:
      "the account with the highest priority until it is used up, then the next; equal ones in the order of the list",
    score: (account) => -account.orders.priority,
    sameUntilMs: FOR_GOOD,
    ties: "list",
  },
  "reset-soonest": {
    promise: "of the accounts with something left, the one whose tightest window starts again soonest",
    score: bindingResetMs,
    // A window that has not begun would begin at each ask anew.
    sameUntilMs: (account, context) =>
      (bindingWindow(account, context)?.resetsAtMs ?? context.nowMs + 1) <= context.nowMs ? NOT_A_MOMENT() : FOR_GOOD(),
    ties: "least-recent",
  },
};
