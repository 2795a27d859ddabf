/**
 * What an observation does to the figures of an account: windows, credits, plan. Pure. The later observation wins and an older one never
 * undoes it, in whatever order they are told.
 */
import type { Account } from "./account.ts";
import { laterOf } from "./credits.ts";
import type { Observation } from "./outcome.ts";
import { mergeWindows, placeOf, type Window } from "./window.ts";

/**
 * Lays what was seen over what is known. A refusal may name one window of several; any other answer states all windows of the limits that
 * it speaks of, and the usage endpoint those of all limits: what it leaves out is no more.
 */
export function observe(account: Account, observation: Observation, toldAtMs: number, isRefusal: boolean): Account {
  const { windows: readings, from, credits, resetCredits } = observation;
  const atMs = observation.atMs ?? toldAtMs;
  const tier = observation.tier ?? account.tier;
  if (readings.length === 0 && tier === account.tier && !credits && resetCredits == null) return account;
  // What is older than a figure that we hold says nothing of the plan as it is now.
  const isStale = isAnyLater(account.windows, atMs);
  const hasNewPlan = !isStale && isOtherPlan(account.tier, tier);
  const known = isRefusal ? account.windows : stillThere(account.windows, observation, atMs, hasNewPlan);
  return {
    ...account,
    tier: isStale ? account.tier : tier,
    windows: mergeWindows(known, readings, atMs, from),
    credits: laterOf(account.credits, credits ? { ...credits, observedAtMs: atMs, observedFrom: from } : null),
    resetCredits: laterOf(
      account.resetCredits,
      resetCredits == null ? null : { available: resetCredits, observedAtMs: atMs, observedFrom: from },
    ),
  };
}

function isAnyLater(windows: readonly Window[], atMs: number): boolean {
  for (const window of windows) if (window.observedAtMs > atMs) return true;
  return false;
}

/** Windows of one plan do not go over to another. */
export function isOtherPlan(before: string, after: string): boolean {
  return before !== after && before !== "unknown";
}

function areAllIn(readings: Observation["windows"], known: readonly Window[]): boolean {
  for (const window of known) if (placeOf(window, readings) < 0) return false;
  return true;
}

function stillThere(
  known: readonly Window[],
  { windows: readings, from }: Observation,
  atMs: number,
  hasNewPlan: boolean,
): readonly Window[] {
  if (readings.length === 0) return known;
  const isWhole = from === "usage_endpoint" || hasNewPlan;
  // Mostly the very windows that are known, in the order in which they are known.
  if (areAllIn(readings, known)) return known;
  const isGone = ({ limit, slot, observedAtMs }: Window) =>
    observedAtMs <= atMs &&
    (isWhole || readings.some((reading) => reading.limit === limit)) &&
    !readings.some((reading) => reading.limit === limit && reading.slot === slot);
  return known.some(isGone) ? known.filter((window) => !isGone(window)) : known;
}
