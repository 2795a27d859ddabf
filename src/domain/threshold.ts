/**
 * Thresholds: what is done about an account of which little is left. Two levels (low, critical), each with a share for short and for long
 * windows and an action. Says which action applies; `hold.ts` and `rank.ts` act on it. Pure.
 */
import type { Account } from "./account.ts";
import { type Settings, THRESHOLD_ACTIONS, type ThresholdAction } from "./setting.ts";
import { countsModel, isShort, usedPercentNow, type Window } from "./window.ts";

/** Settings are handed through as they are: an ask must not build an object to carry them. */
export type Thresholds = Pick<
  Settings,
  | "low_action"
  | "low_short_percent"
  | "low_long_percent"
  | "critical_action"
  | "critical_short_percent"
  | "critical_long_percent"
>;

export type Level = "ok" | "low" | "critical";

export interface Scarcity {
  readonly level: Level;
  /** The strongest action of the levels that were reached. */
  readonly action: ThresholdAction;
  /** What is kept by that action: the share below which it begins, 0–100. */
  readonly belowPercent: number;
}

const PLENTY: Scarcity = { level: "ok", action: "off", belowPercent: 0 };

export function scarcityOf(window: Window, thresholds: Thresholds, nowMs: number): Scarcity {
  const leftPercent = 100 - usedPercentNow(window, nowMs);
  const short = isShort(window);
  const lowPercent = short ? thresholds.low_short_percent : thresholds.low_long_percent;
  const criticalPercent = short ? thresholds.critical_short_percent : thresholds.critical_long_percent;
  const { low_action: low, critical_action: critical } = thresholds;
  const isCritical = critical !== "off" && leftPercent < criticalPercent;
  const isLow = low !== "off" && leftPercent < lowPercent;
  if (!isCritical && !isLow) return PLENTY;
  const criticalActs = isCritical && (!isLow || THRESHOLD_ACTIONS.indexOf(critical) >= THRESHOLD_ACTIONS.indexOf(low));
  return {
    level: isCritical ? "critical" : "low",
    action: criticalActs ? critical : low,
    belowPercent: criticalActs ? criticalPercent : lowPercent,
  };
}

/**
 * The first window for which others are to be preferred; null when this account may be taken like any other. Asked of every account in
 * every selection: what has plenty left must cost next to nothing.
 */
export function deferringWindow(
  account: Account,
  ask: { readonly thresholds: Thresholds; readonly model: string | null; readonly nowMs: number },
): Window | null {
  const { thresholds, model, nowMs } = ask;
  if (thresholds.low_action !== "prefer-others" && thresholds.critical_action !== "prefer-others") return null;
  for (const window of account.windows) {
    if (window.usedPercent <= leastScarcePercent(thresholds, window) || !countsModel(window, model)) continue;
    if (scarcityOf(window, thresholds, nowMs).action === "prefer-others") return window;
  }
  return null;
}

/** Used up to here, no threshold speaks of it. */
function leastScarcePercent(thresholds: Thresholds, window: Window): number {
  return isShort(window)
    ? 100 - Math.max(thresholds.low_short_percent, thresholds.critical_short_percent)
    : 100 - Math.max(thresholds.low_long_percent, thresholds.critical_long_percent);
}
