/**
 * One account's part in what the pool has left, at one instant: what `pooled-usage.ts` adds up. Nothing in it runs on with the clock, so that
 * it stays true for as long as the account and its holds do. Pure; decides no hold itself.
 */
import type { Account } from "./account.ts";
import { capacityOf } from "./balanced.ts";
import type { CreditsReading } from "./credits.ts";
import { type Hold, type HoldAsk, holdsOn } from "./hold.ts";
import { activePin } from "./pin.ts";
import { usedPercentNow, type Window } from "./window.ts";

export interface ShareWindow {
  readonly limit: string;
  readonly models: readonly string[] | null;
  readonly lengthMinutes: number | null;
  readonly usedPercent: number;
  /** null = not known, or over. */
  readonly resetsAtMs: number | null;
}

export interface Share {
  readonly tier: string;
  readonly capacity: number;
  /** Those that count every model. */
  readonly windows: readonly ShareWindow[];
  /** Those of single models. */
  readonly modelWindows: readonly ShareWindow[];
  readonly credits: CreditsReading | null;
  /** Its allowance keeps it from serving. */
  readonly isSpent: boolean;
  /** When that ends; null = not known, or it is not so. */
  readonly backAtMs: number | null;
}

const NO_WINDOWS: readonly ShareWindow[] = [];

/** null = it does not count: a pin names another, or a person or its login keeps it away, and no clock brings it back. `ask` names no model. */
export function shareOf(account: Account, ask: HoldAsk): Share | null {
  const pin = activePin(ask.pin, ask.nowMs);
  if (pin !== null && pin.accountId !== account.id) return null;
  const holds = holdsOn(account, ask);
  let isSpent = false;
  let backAtMs: number | null = 0;
  for (const hold of holds) {
    if (isOrder(hold)) return null;
    if (!isSpentHold(hold)) continue;
    isSpent = true;
    backAtMs = hold.untilMs === null || backAtMs === null ? null : Math.max(backAtMs, hold.untilMs);
  }
  const windows: ShareWindow[] = [];
  let modelWindows = NO_WINDOWS;
  for (const window of account.windows) {
    const share = windowNow(window, ask.nowMs);
    if (window.models === null) windows.push(share);
    else modelWindows = [...modelWindows, share];
  }
  return {
    tier: account.tier,
    capacity: capacityOf(account.tier),
    windows,
    modelWindows,
    credits: account.credits,
    isSpent,
    backAtMs: toCome(backAtMs, ask.nowMs),
  };
}

/** Would sums with one and with the other be the same? */
export function isSameShare(one: Share | null, other: Share | null): boolean {
  if (one === null || other === null) return one === other;
  return (
    one.tier === other.tier &&
    one.isSpent === other.isSpent &&
    one.backAtMs === other.backAtMs &&
    areSame(one.windows, other.windows) &&
    areSame(one.modelWindows, other.modelWindows) &&
    isSameCredits(one.credits, other.credits)
  );
}

function areSame(some: readonly ShareWindow[], others: readonly ShareWindow[]): boolean {
  if (some.length !== others.length) return false;
  for (let i = 0; i < some.length; i++) if (!isSameWindow(some[i]!, others[i]!)) return false;
  return true;
}

function isSameWindow(one: ShareWindow, other: ShareWindow): boolean {
  return (
    one.usedPercent === other.usedPercent &&
    one.resetsAtMs === other.resetsAtMs &&
    one.lengthMinutes === other.lengthMinutes &&
    one.limit === other.limit &&
    isSameList(one.models, other.models)
  );
}

function isSameList(some: readonly string[] | null, others: readonly string[] | null): boolean {
  if (some === others) return true;
  if (some === null || others === null || some.length !== others.length) return false;
  return some.every((name, i) => name === others[i]);
}

function isSameCredits(one: CreditsReading | null, other: CreditsReading | null): boolean {
  if (one === null || other === null) return one === other;
  return one.hasCredits === other.hasCredits && one.unlimited === other.unlimited && one.balance === other.balance;
}

function windowNow(window: Window, nowMs: number): ShareWindow {
  const { limit, models, lengthMinutes, resetsAtMs } = window;
  return {
    limit,
    models,
    lengthMinutes,
    usedPercent: usedPercentNow(window, nowMs),
    resetsAtMs: toCome(resetsAtMs, nowMs),
  };
}

/**
 * In whole seconds, as clients are told it, rounded up: at the stated second it really is so. Upstream that states the seconds left means
 * another millisecond in every answer.
 */
function toCome(atMs: number | null, nowMs: number): number | null {
  return atMs === null || atMs <= nowMs ? null : Math.ceil(atMs / 1_000) * 1_000;
}

/** A person or its login keeps it away. */
function isOrder({ kind }: Hold): boolean {
  return kind === "disabled" || kind === "needs_login" || kind === "paused" || kind === "draining";
}

/** A cooldown and a full house pass within a request's patience: they are no used-up allowance. */
function isSpentHold({ kind }: Hold): boolean {
  return kind === "window_exhausted" || kind === "reserved";
}
