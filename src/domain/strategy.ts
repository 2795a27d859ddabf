/**
 * Strategies: named orderings of usable accounts. One table; each entry is a pure comparison and its promise.
 * A new strategy is an entry here, its property in test/domain/strategy.test.ts, and a value in proto/rotor/v1/pool.proto.
 */
import { type Account, type AccountId, exchangesInLastWeek } from "./account.ts";
import { usedPercentNow, type Window } from "./window.ts";

export const STRATEGY_NAMES = ["balanced", "round-robin", "least-used", "random"] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

export const DEFAULT_STRATEGY: StrategyName = "balanced";

export function isStrategyName(text: string): text is StrategyName {
  return (STRATEGY_NAMES as readonly string[]).includes(text);
}

export interface StrategyContext {
  readonly nowMs: number;
  readonly dice: number;
  readonly openLeases: ReadonlyMap<AccountId, number>;
}

export interface Strategy {
  /** What it promises, in the words of `rotor help pool strategy`. */
  readonly promise: string;
  /** Smaller is better. Equal scores are ordered by least recent lease, then by id. */
  readonly score: (account: Account, context: StrategyContext) => number;
}

/**
 * What a plan allows relative to Plus, for weighing accounts against each other (peers §6.1: Pro counts 6.7 × Plus a week).
 * Only ratios matter; an unknown tier weighs as Plus, because guessing low would starve it.
 */
const CAPACITY_BY_TIER: Readonly<Record<string, number>> = {
  free: 0.15,
  go: 0.5,
  prolite: 5,
  pro: 6.7,
  promax: 13,
  enterprise: 6.7,
};

export function capacityOf(tier: string): number {
  return CAPACITY_BY_TIER[tier] ?? 1;
}

/** A reset closer than 1 % of its window is taken as 1 %: a nearly free window is worth much, not infinitely much. */
const SHORTEST_REST = 0.01;

/** How much faster than evenly this window may be used up to its reset: 1 = on pace, above 1 = something would expire unused. */
export function paceOf(window: Window, nowMs: number): number {
  const remaining = (100 - usedPercentNow(window, nowMs)) / 100;
  if (window.resetsAtMs === null || window.lengthMinutes === null || window.resetsAtMs <= nowMs) return remaining;
  const rest = (window.resetsAtMs - nowMs) / (window.lengthMinutes * 60_000);
  return remaining / Math.min(1, Math.max(SHORTEST_REST, rest));
}

/**
 * Allowance per time that would expire unused, in Plus units: capacity × the pace of the tightest window, shared with what is
 * already in flight. The tightest window decides because all of them must have room: a fresh 5-hour window on a spent week is no bargain.
 */
function surplus(account: Account, context: StrategyContext): number {
  let pace = Number.POSITIVE_INFINITY;
  for (const window of account.windows)
    if (window.models === null) pace = Math.min(pace, paceOf(window, context.nowMs));
  const open = context.openLeases.get(account.id) ?? 0;
  return (capacityOf(account.tier) * (pace === Number.POSITIVE_INFINITY ? 1 : pace)) / (1 + open);
}

/** Surpluses within 5 % of each other are alike: such accounts take turns, instead of one being worn down by a hair's breadth. */
const ALIKE = Math.log(1.05);

/** A number in [0, 2^32) from an id and the ask's dice: uniform over accounts, the same for the same ask. */
function draw(id: AccountId, dice: number): number {
  let hash = (0x811c9dc5 ^ Math.floor(dice * 2 ** 32)) >>> 0;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}

export const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = {
  balanced: {
    promise: "spends first what would expire unused, scaled by what each plan allows; equal accounts take turns",
    score: (account, context) => -Math.round(Math.log(surplus(account, context)) / ALIKE),
  },
  "round-robin": {
    promise: "the account that was leased least recently is next; nobody is passed over twice",
    score: (account) => account.use.lastLeaseOrder,
  },
  "least-used": {
    promise: "the account with the fewest exchanges in the last 7 days is next",
    score: (account, context) => exchangesInLastWeek(account, context.nowMs),
  },
  random: {
    promise: "every usable account is equally likely, each time anew",
    score: (account, context) => draw(account.id, context.dice),
  },
};
