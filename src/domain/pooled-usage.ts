/**
 * What all accounts together have left, as one account would say it: for clients that show it and stop by themselves when it is used up.
 * Pure, but for what is kept from answer to answer, and that is never the reason for another figure. Never 100 % and never "reached" while any account can serve.
 */
import type { Account } from "./account.ts";
import type { CreditsReading } from "./credits.ts";
import { type HoldAsk, sameHoldsUntilMs } from "./hold.ts";
import { activePin } from "./pin.ts";
import { isSameShare, type Share, type ShareWindow, shareOf } from "./pooled-share.ts";
import { sameRulesUntilMs } from "./rule-set.ts";
import { isShort } from "./window.ts";

export interface PooledWindow {
  /** 0–100. */
  readonly usedPercent: number;
  readonly lengthMinutes: number | null;
  /** When it begins to get better; a whole second. */
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

const MAIN = "codex";

/** Rounded up by whoever shows it, more would read as 100. */
const MOST_WHILE_SERVING_PERCENT = 99;

/**
 * Reckons them for one list of accounts, and keeps what cannot have changed: an answer that changes an account costs a look at that account, and
 * a new sum only when its share is another one. The same object is the same figures.
 */
export class UsageMemory {
  #accounts: Account[] = [];
  #shares: (Share | null)[] = [];
  #fromMs = new Float64Array(0);
  #untilMs = new Float64Array(0);
  #usage: PooledUsage | null = null;
  #thresholds: HoldAsk["thresholds"] | null = null;
  #rules: HoldAsk["rules"] = null;
  #rulesFromMs = 0;
  #rulesUntilMs = 0;
  #pinnedId: Account["id"] | null = null;

  /** `ask` names no model, and is nobody's in particular. */
  usage(accounts: readonly Account[], ask: HoldAsk): PooledUsage {
    const { nowMs } = ask;
    if (accounts.length !== this.#fromMs.length || !this.#isOf(ask)) this.#begin(accounts.length, ask);
    for (let place = 0; place < accounts.length; place++) {
      const account = accounts[place]!;
      const isKept =
        account === this.#accounts[place] && nowMs >= this.#fromMs[place]! && nowMs < this.#untilMs[place]!;
      if (!isKept) this.#look(place, account, ask);
    }
    return (this.#usage ??= sumOf(this.#shares));
  }

  /** All that holds are made of beside the account, and whom a pin leaves. Leases and the pace of requests are no allowance. */
  #isOf({ thresholds, rules, pin, nowMs }: HoldAsk): boolean {
    return (
      thresholds === this.#thresholds &&
      rules === this.#rules &&
      (activePin(pin, nowMs)?.accountId ?? null) === this.#pinnedId &&
      (rules === null || (nowMs >= this.#rulesFromMs && nowMs < this.#rulesUntilMs))
    );
  }

  #begin(size: number, { thresholds, rules, pin, nowMs }: HoldAsk): void {
    this.#accounts = [];
    this.#shares = [];
    this.#fromMs = new Float64Array(size);
    this.#untilMs = new Float64Array(size);
    this.#usage = null;
    this.#thresholds = thresholds;
    this.#rules = rules;
    this.#rulesFromMs = nowMs;
    this.#rulesUntilMs = rules === null ? 0 : sameRulesUntilMs(rules, nowMs);
    this.#pinnedId = activePin(pin, nowMs)?.accountId ?? null;
  }

  #look(place: number, account: Account, ask: HoldAsk): void {
    const share = shareOf(account, ask);
    const before = this.#shares[place];
    if (before === undefined || !isSameShare(before, share)) this.#usage = null;
    this.#accounts[place] = account;
    this.#shares[place] = share;
    this.#fromMs[place] = ask.nowMs;
    this.#untilMs[place] = sameHoldsUntilMs(account, ask.nowMs);
  }
}

function sumOf(all: readonly (Share | null)[]): PooledUsage {
  const shares = all.filter((share) => share !== null);
  return {
    tier: largest(shares)?.tier ?? "unknown",
    main: limitOf(MAIN, null, shares),
    others: familyLimits(shares),
    credits: creditsOf(shares),
  };
}

function familyLimits(members: readonly Share[]): PooledLimit[] {
  const families = new Map<string, { models: readonly string[]; shares: Share[] }>();
  for (const member of members) {
    for (const limit of new Set(member.modelWindows.map((window) => window.limit))) {
      const windows = member.modelWindows.filter((window) => window.limit === limit);
      const full = windows.filter(({ usedPercent }) => usedPercent >= 100);
      const ends = full.map(({ resetsAtMs }) => resetsAtMs ?? 0);
      const isSpent = member.isSpent || full.length > 0;
      const backAtMs = full.length > 0 ? Math.max(member.backAtMs ?? 0, ...ends) || null : member.backAtMs;
      const family = families.get(limit) ?? { models: windows[0]!.models ?? [], shares: [] };
      family.shares.push({ ...member, windows, isSpent, backAtMs });
      families.set(limit, family);
    }
  }
  return [...families].map(([limit, { models, shares }]) => limitOf(limit, models, shares));
}

function limitOf(limit: string, models: readonly string[] | null, shares: readonly Share[]): PooledLimit {
  const isReached = shares.length > 0 && shares.every(({ isSpent }) => isSpent);
  const hasShort = shares.some(({ windows }) => windows.some(isShort));
  const kinds = hasShort ? [isShort, isLong] : [isLong];
  const found = kinds.flatMap((isOfKind, i) => pooled(shares, isOfKind, i === 0, isReached) ?? []);
  return { limit, models, isReached, primary: found[0] ?? null, secondary: found[1] ?? null };
}

function isLong(window: Pick<ShareWindow, "lengthMinutes">): boolean {
  return !isShort(window);
}

/**
 * The mean of the accounts' figures by what their plans allow. In the first window an account that cannot serve counts as used up, whatever
 * used it up: what is left of its short window is of no use while its week is gone.
 */
function pooled(
  shares: readonly Share[],
  isOfKind: (window: ShareWindow) => boolean,
  isFirst: boolean,
  isReached: boolean,
): PooledWindow | null {
  let used = 0;
  let capacity = 0;
  let resetsAtMs: number | null = null;
  const lengths = new Map<number, number>();
  for (const share of shares) {
    const windows = share.windows.filter(isOfKind);
    const isOut = isFirst && share.isSpent;
    if (windows.length === 0 && !isOut) continue;
    const fullest = windows.reduce((most, { usedPercent }) => Math.max(most, usedPercent), 0);
    used += share.capacity * (isOut ? 100 : fullest);
    capacity += share.capacity;
    const ends = isOut ? [share.backAtMs] : windows.map((window) => window.resetsAtMs);
    for (const endMs of ends) if (endMs !== null) resetsAtMs = Math.min(resetsAtMs ?? endMs, endMs);
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
  const all = members.flatMap(({ credits }) => credits ?? []);
  const balances = all.map(({ balance }) => Number(balance ?? Number.NaN)).filter(Number.isFinite);
  const sum = balances.reduce((total, balance) => total + balance, 0);
  return {
    hasCredits: all.some(({ hasCredits }) => hasCredits),
    unlimited: all.some(({ unlimited }) => unlimited),
    balance: balances.length === 0 ? null : String(Math.round(sum * 100) / 100),
  };
}
