/**
 * What all accounts together have left, as one account would say it: for clients that show it and stop by themselves when it is used up.
 * Pure. Never 100 % and never "reached" while any account can serve.
 */
import type { Account } from "./account.ts";
import { capacityOf } from "./balanced.ts";
import type { CreditsReading } from "./credits.ts";
import type { Hold } from "./hold.ts";
import { isExhausted, isShort, usedPercentNow, type Window } from "./window.ts";

export interface PooledWindow {
  /** 0–100. */
  readonly usedPercent: number;
  readonly lengthMinutes: number | null;
  /** When it begins to get better. */
  readonly resetsAtMs: number | null;
}

export interface PooledLimit {
  readonly limit: string;
  /** Models that it counts; null = all. */
  readonly models: readonly string[] | null;
  /** Nobody can serve before a window starts again. */
  readonly isReached: boolean;
  /** The short one where there are two. */
  readonly primary: PooledWindow | null;
  readonly secondary: PooledWindow | null;
}

export interface PooledUsage {
  /** Of the largest account that counts. */
  readonly tier: string;
  readonly main: PooledLimit;
  /** Of single models. */
  readonly others: readonly PooledLimit[];
  readonly credits: CreditsReading;
}

export interface PooledAsk {
  readonly nowMs: number;
  /** For an ask without a model. */
  readonly holdsOn: (account: Account) => readonly Hold[];
  /** The only account that serves, by a pin; null = all may. */
  readonly only: Account["id"] | null;
}

const MAIN = "codex";

/** Rounded up by whoever shows it, more would read as 100. */
const MOST_WHILE_SERVING_PERCENT = 99;

/** One account as far as one limit is concerned. */
interface Share {
  readonly account: Account;
  readonly capacity: number;
  readonly windows: readonly Window[];
  /** Its allowance keeps it from serving. */
  readonly isSpent: boolean;
  /** When that ends; null = not known, or it is not so. */
  readonly backAtMs: number | null;
}

export function poolUsage(accounts: readonly Account[], ask: PooledAsk): PooledUsage {
  const members: Share[] = [];
  for (const account of accounts) {
    if (ask.only !== null && ask.only !== account.id) continue;
    const holds = ask.holdsOn(account);
    if (holds.some(isOrder)) continue;
    const spent = holds.filter(isSpentHold);
    const windows = account.windows.filter(({ models }) => models === null);
    const backAtMs = spent.some(({ untilMs }) => untilMs === null)
      ? null
      : spent.reduce<number | null>((last, { untilMs }) => Math.max(last ?? 0, untilMs ?? 0), null);
    members.push({ account, capacity: capacityOf(account.tier), windows, isSpent: spent.length > 0, backAtMs });
  }
  return {
    tier: largest(members)?.account.tier ?? "unknown",
    main: limitOf(MAIN, null, members, ask.nowMs),
    others: familyLimits(members, ask.nowMs),
    credits: creditsOf(members),
  };
}

/** It does not count: a person or its login keeps it away, and no clock brings it back. */
function isOrder({ kind }: Hold): boolean {
  return kind === "disabled" || kind === "needs_login" || kind === "paused" || kind === "draining";
}

/** A cooldown and a full house pass within a request's patience: they are no used-up allowance. */
function isSpentHold({ kind }: Hold): boolean {
  return kind === "window_exhausted" || kind === "reserved";
}

function familyLimits(members: readonly Share[], nowMs: number): PooledLimit[] {
  const families = new Map<string, { models: readonly string[]; shares: Share[] }>();
  for (const member of members) {
    const own = member.account.windows.filter(({ models }) => models !== null);
    for (const limit of new Set(own.map((window) => window.limit))) {
      const windows = own.filter((window) => window.limit === limit);
      const full = windows.filter((window) => isExhausted(window, nowMs));
      const ends = full.map(({ resetsAtMs }) => resetsAtMs ?? 0);
      const isSpent = member.isSpent || full.length > 0;
      const backAtMs = full.length > 0 ? Math.max(member.backAtMs ?? 0, ...ends) || null : member.backAtMs;
      const family = families.get(limit) ?? { models: windows[0]!.models ?? [], shares: [] };
      family.shares.push({ ...member, windows, isSpent, backAtMs });
      families.set(limit, family);
    }
  }
  return [...families].map(([limit, { models, shares }]) => limitOf(limit, models, shares, nowMs));
}

function limitOf(
  limit: string,
  models: readonly string[] | null,
  shares: readonly Share[],
  nowMs: number,
): PooledLimit {
  const isReached = shares.length > 0 && shares.every(({ isSpent }) => isSpent);
  const hasShort = shares.some(({ windows }) => windows.some(isShort));
  const kinds = hasShort ? [isShort, isLong] : [isLong];
  const found = kinds.flatMap((isOfKind, i) => pooled(shares, isOfKind, i === 0, isReached, nowMs) ?? []);
  return { limit, models, isReached, primary: found[0] ?? null, secondary: found[1] ?? null };
}

function isLong(window: Window): boolean {
  return !isShort(window);
}

/**
 * The mean of the accounts' figures by what their plans allow. In the first window an account that cannot serve counts as used up, whatever
 * used it up: what is left of its short window is of no use while its week is gone.
 */
function pooled(
  shares: readonly Share[],
  isOfKind: (window: Window) => boolean,
  isFirst: boolean,
  isReached: boolean,
  nowMs: number,
): PooledWindow | null {
  let used = 0;
  let capacity = 0;
  let resetsAtMs: number | null = null;
  const lengths = new Map<number, number>();
  for (const share of shares) {
    const windows = share.windows.filter(isOfKind);
    const isOut = isFirst && share.isSpent;
    if (windows.length === 0 && !isOut) continue;
    const fullest = windows.reduce((most, window) => Math.max(most, usedPercentNow(window, nowMs)), 0);
    used += share.capacity * (isOut ? 100 : fullest);
    capacity += share.capacity;
    const ends = isOut ? [share.backAtMs] : windows.map((window) => window.resetsAtMs);
    for (const endMs of ends) if (endMs !== null && endMs > nowMs) resetsAtMs = Math.min(resetsAtMs ?? endMs, endMs);
    for (const { lengthMinutes } of windows)
      if (lengthMinutes !== null) lengths.set(lengthMinutes, (lengths.get(lengthMinutes) ?? 0) + share.capacity);
  }
  if (capacity === 0) return null;
  const mean = Math.min(100, used / capacity);
  const usedPercent = isReached ? mean : Math.min(MOST_WHILE_SERVING_PERCENT, mean);
  return { usedPercent, lengthMinutes: commonest(lengths), resetsAtMs };
}

/** The length that most of the capacity has. */
function commonest(lengths: ReadonlyMap<number, number>): number | null {
  let found: number | null = null;
  for (const [length, capacity] of lengths) if (found === null || capacity > lengths.get(found)!) found = length;
  return found;
}

function largest(members: readonly Share[]): Share | null {
  return members.reduce<Share | null>(
    (most, member) => (most === null || member.capacity > most.capacity ? member : most),
    null,
  );
}

/** Balances are added where they are numbers. */
function creditsOf(members: readonly Share[]): CreditsReading {
  const all = members.flatMap(({ account }) => account.credits ?? []);
  const balances = all.map(({ balance }) => Number(balance ?? Number.NaN)).filter(Number.isFinite);
  const sum = balances.reduce((total, balance) => total + balance, 0);
  return {
    hasCredits: all.some(({ hasCredits }) => hasCredits),
    unlimited: all.some(({ unlimited }) => unlimited),
    balance: balances.length === 0 ? null : String(Math.round(sum * 100) / 100),
  };
}
