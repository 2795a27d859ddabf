/**
 * The score of the strategy `balanced`. Pure.
 *
 *     value = weight × √capacity × pace² × short  ÷  (1 + open ÷ √capacity)
 *
 * - pace: what is left of the longest windows, by how much of their time is left. 1 = on its way to be used up just at its reset; above
 *   that, something would expire. The tightest long window decides, since all of them must have room. Squared, because spending what
 *   expires tomorrow is worth more than twice as much as evening out what does not.
 * - short: what is left of the tightest window of up to a day, 0–1. It paces work: an account that is nearly at its five-hour limit is
 *   no place for a new conversation, however much its week would like to be spent.
 * - √capacity: a larger plan takes more, but not by as much as it is larger: small plans that idle expire too.
 * - open: what is in flight has not been counted by upstream yet. Without this, all that comes at once would go to one account.
 * - weight: the operator's; 1 unless said.
 * - a window that has not begun (its reset has passed, and nobody used it since) counts as if a third of its time were left: its clock
 *   starts with the first request, so that leaving it alone wastes it as surely as letting it expire.
 *
 * Where a conversation lives comes before all of this (rank.ts): a warm prompt cache is worth more than any of these differences.
 *
 * The exponents and the third were found with test/bench/month, not by taste; test/bench/README.md has them: of all that
 * are compared, this one wastes least (15.2 % of the weekly allowance expires; the next 15.5 %) and hits the fewest walls (7.1 %; 8.6 %).
 */
import type { Account } from "./account.ts";
import { countsModel, isShort, usedPercentNow, type Window } from "./window.ts";

/**
 * What a plan allows relative to Plus (peers §6.1: Pro counts 6.7 × Plus a week). Only ratios matter; an unknown tier weighs as Plus,
 * because guessing low would starve it.
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
const REST_OF_UNBEGUN = 1 / 3;

/** How much faster than evenly this window may be used up to its reset: 1 = on pace, above 1 = something would expire unused. */
export function paceOf(window: Window, nowMs: number): number {
  return paceFrom(window, leftOf(window, nowMs), nowMs);
}

function paceFrom(window: Window, left: number, nowMs: number): number {
  const { resetsAtMs, lengthMinutes } = window;
  if (resetsAtMs === null || lengthMinutes === null) return left;
  if (resetsAtMs <= nowMs) return left / REST_OF_UNBEGUN;
  const rest = (resetsAtMs - nowMs) / (lengthMinutes * 60_000);
  return left / Math.min(1, Math.max(SHORTEST_REST, rest));
}

function leftOf(window: Window, nowMs: number): number {
  return (100 - usedPercentNow(window, nowMs)) / 100;
}

/** The value of the formula above; larger is better. Of windows that were never seen nothing is assumed. */
export function balancedValue(account: Account, model: string | null, nowMs: number, openLeases: number): number {
  let pace = Number.POSITIVE_INFINITY;
  let shortPace = Number.POSITIVE_INFINITY;
  let short = 1;
  for (const window of account.windows) {
    if (!countsModel(window, model)) continue;
    const left = leftOf(window, nowMs);
    if (isShort(window)) {
      short = Math.min(short, left);
      shortPace = Math.min(shortPace, paceFrom(window, left, nowMs));
    } else pace = Math.min(pace, paceFrom(window, left, nowMs));
  }
  // Plans with short windows only: those are the ones that expire.
  if (pace === Number.POSITIVE_INFINITY) pace = shortPace === Number.POSITIVE_INFINITY ? 1 : shortPace;
  const size = Math.sqrt(capacityOf(account.tier));
  return (account.orders.weight * size * pace * pace * short) / (1 + openLeases / size);
}

/** Computed ends are held to be this much earlier: a week in milliseconds has more digits than the last bit of a quotient is worth. */
const ROUNDING_MS = 1;

/**
 * Until when, from `nowMs` on, the value of an account stays below `value`, if none of its windows resets and as much stays open on it: time
 * only brings their ends nearer, and the tightest window must come up to that pace first.
 */
export function reachesValueAtMs(
  account: Account,
  model: string | null,
  nowMs: number,
  openLeases: number,
  value: number,
): number {
  let tightest: Window | null = null;
  let pace = Number.POSITIVE_INFINITY;
  let short = 1;
  for (const window of account.windows) {
    if (!countsModel(window, model)) continue;
    const left = leftOf(window, nowMs);
    if (isShort(window)) short = Math.min(short, left);
    else if (paceFrom(window, left, nowMs) < pace) {
      pace = paceFrom(window, left, nowMs);
      tightest = window;
    }
  }
  // Short windows only: seldom, and not worth a second formula.
  if (tightest === null) return account.windows.length === 0 ? Number.POSITIVE_INFINITY : nowMs;
  const { resetsAtMs, lengthMinutes } = tightest;
  if (resetsAtMs === null || lengthMinutes === null || resetsAtMs <= nowMs) return Number.POSITIVE_INFINITY;
  const size = Math.sqrt(capacityOf(account.tier));
  const paceThen = Math.sqrt((value * (1 + openLeases / size)) / (account.orders.weight * size * short));
  const rest = leftOf(tightest, nowMs) / paceThen;
  if (!(rest >= SHORTEST_REST)) return Number.POSITIVE_INFINITY;
  return resetsAtMs - rest * lengthMinutes * 60_000 - ROUNDING_MS;
}
