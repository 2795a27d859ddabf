/**
 * The pool's usage in upstream's words: limit headers (wire §3.7), the `codex.rate_limits` event (§3.8) and the usage answer (§3.10).
 * Translates what `pool/pooled-usage.ts` says; what it does not speak of passes as it came.
 */
import type { HeaderList } from "../base/header-list.ts";
import type { PooledLimit, PooledUsage, PooledWindow } from "../domain/pooled-usage.ts";
import type { UsageDesk } from "../pool/pooled-usage.ts";

/** What speaks of one account's allowance. `x-codex-active-limit` names a limit, not an account, and stays. */
const LIMIT_HEADER =
  /^x-codex-(?:(?:.+-)?(?:primary|secondary)-(?:used-percent|window-minutes|reset-at|reset-after-seconds)|primary-over-secondary-limit-percent|credits-.+|.+-limit-name|plan-type|promo-message|rate-limit-reached-type|rate-limit-reset-credits-available)$/;

/**
 * What clients are told of the pool, as the bytes that say it. Always as it is now; made anew when a figure is another one, or with the next
 * second, since some are counted in them.
 */
export class PooledWords {
  readonly #usage: () => UsageDesk | null;
  readonly #nowMs: () => number;
  #said: PooledUsage | null = null;
  #second = 0;
  #headers: HeaderList | null = null;
  #event: Buffer | null = null;

  constructor(usage: () => UsageDesk | null, nowMs: () => number) {
    this.#usage = usage;
    this.#nowMs = nowMs;
  }

  /** False where clients are to see the account that served them. */
  isInForce(): boolean {
    return this.#usage()?.isPooled() ?? false;
  }

  /** What stands for the limit headers of an account; null = leave them out. */
  readonly headers = (): HeaderList | null => {
    const said = this.#now();
    return said === null ? null : (this.#headers ??= limitHeaders(said, this.#second * 1_000));
  };

  /** The JSON text that stands for the data of a `codex.rate_limits` event; null = leave it. */
  readonly event = (): Buffer | null => {
    const said = this.#now();
    return said === null ? null : (this.#event ??= Buffer.from(pooledEvent(said, this.#second * 1_000)));
  };

  #now(): PooledUsage | null {
    const usage = this.#usage()?.told() ?? null;
    const second = Math.floor(this.#nowMs() / 1_000);
    if (usage !== this.#said || second !== this.#second) {
      this.#said = usage;
      this.#second = second;
      this.#headers = null;
      this.#event = null;
    }
    return usage;
  }
}

/** Does this field say what one account has left? */
export function isLimitHeader(name: string): boolean {
  return name.startsWith("x-codex-") && LIMIT_HEADER.test(name);
}

function limitHeaders({ tier, main, others, credits }: PooledUsage, nowMs: number): HeaderList {
  const headers: (readonly [string, string])[] = [["x-codex-plan-type", tier]];
  for (const limit of [main, ...others]) {
    const family = limit === main ? "x-codex" : `x-${limit.limit.replaceAll("_", "-")}`;
    if (limit !== main) headers.push([`${family}-limit-name`, nameOf(limit)]);
    for (const slot of ["primary", "secondary"] as const) {
      const window = limit[slot];
      if (window === null) continue;
      headers.push([`${family}-${slot}-used-percent`, String(tenths(window.usedPercent))]);
      if (window.lengthMinutes !== null)
        headers.push([`${family}-${slot}-window-minutes`, String(window.lengthMinutes)]);
      if (window.resetsAtMs === null) continue;
      headers.push([`${family}-${slot}-reset-at`, String(unixSeconds(window.resetsAtMs))]);
      headers.push([`${family}-${slot}-reset-after-seconds`, String(secondsUntil(window.resetsAtMs, nowMs))]);
    }
  }
  headers.push(["x-codex-credits-has-credits", credits.hasCredits ? "True" : "False"]);
  headers.push(["x-codex-credits-unlimited", credits.unlimited ? "True" : "False"]);
  if (credits.balance !== null) headers.push(["x-codex-credits-balance", credits.balance]);
  if (main.isReached) headers.push(["x-codex-rate-limit-reached-type", REACHED]);
  return headers;
}

const REACHED = "rate_limit_reached";

/** The whole event, as JSON text. */
function pooledEvent({ tier, main, others, credits }: PooledUsage, nowMs: number): string {
  const slots = (limit: PooledLimit) => ({
    primary: eventWindow(limit.primary, nowMs),
    secondary: eventWindow(limit.secondary, nowMs),
  });
  const additional = others.map((limit) => [
    nameOf(limit),
    { limit_name: nameOf(limit), metered_limit_name: limit.limit, ...slots(limit) },
  ]);
  return JSON.stringify({
    type: "codex.rate_limits",
    plan_type: tier,
    rate_limits: { allowed: !main.isReached, limit_reached: main.isReached, ...slots(main) },
    code_review_rate_limits: null,
    additional_rate_limits: additional.length === 0 ? null : Object.fromEntries(additional),
    credits: creditsOf(credits),
    promo: null,
  });
}

function eventWindow(window: PooledWindow | null, nowMs: number) {
  if (window === null) return null;
  return {
    used_percent: Math.floor(window.usedPercent),
    window_minutes: window.lengthMinutes,
    ...resetOf(window, nowMs),
  };
}

/** The body of the usage answer. `accountId` is the client's own login: the answer is about what it may use, which is the pool. */
export function pooledUsageBody(pooled: PooledUsage, accountId: string | null, nowMs: number) {
  const { tier, main, others, credits } = pooled;
  return {
    user_id: "rotor",
    account_id: accountId ?? "rotor",
    email: null,
    plan_type: tier,
    rate_limit: bodyLimit(main, nowMs),
    code_review_rate_limit: null,
    additional_rate_limits:
      others.length === 0
        ? null
        : others.map((limit) => ({
            limit_name: nameOf(limit),
            metered_feature: limit.limit,
            rate_limit: bodyLimit(limit, nowMs),
          })),
    credits: { ...creditsOf(credits), approx_local_messages: null, approx_cloud_messages: null },
    spend_control: { reached: false },
    // An object in this body: Codex 0.169 refuses the whole answer when it is a text (seen 2026-11-21 with its app-server).
    rate_limit_reached_type: main.isReached ? { type: REACHED } : null,
    promo: null,
    // Redeeming one is an order about one account (`rotor account redeem`): a client that offers it would do it for any.
    rate_limit_reset_credits: { available_count: 0 },
  };
}

function bodyLimit({ isReached, primary, secondary }: PooledLimit, nowMs: number) {
  const window = (pooled: PooledWindow | null) =>
    pooled === null
      ? null
      : {
          used_percent: Math.floor(pooled.usedPercent),
          limit_window_seconds: (pooled.lengthMinutes ?? 0) * 60,
          ...resetOf(pooled, nowMs),
        };
  return {
    allowed: !isReached,
    limit_reached: isReached,
    primary_window: window(primary),
    secondary_window: window(secondary),
  };
}

function creditsOf({ hasCredits, unlimited, balance }: PooledUsage["credits"]) {
  return { has_credits: hasCredits, unlimited, balance };
}

function resetOf({ resetsAtMs }: PooledWindow, nowMs: number) {
  // Numbers where upstream always has some: a client that insists on them reads the whole answer as broken without.
  if (resetsAtMs === null) return { reset_after_seconds: 0, reset_at: 0 };
  return { reset_after_seconds: secondsUntil(resetsAtMs, nowMs), reset_at: unixSeconds(resetsAtMs) };
}

function nameOf({ limit, models }: PooledLimit): string {
  return models?.[0] ?? limit;
}

function tenths(percent: number): number {
  return Math.floor(percent * 10) / 10;
}

/** Resets are whole seconds, so that what is counted here changes with the clock's second alone. */
function unixSeconds(atMs: number): number {
  return Math.ceil(atMs / 1_000);
}

/** Rounded up: then it really is so. */
function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(0, unixSeconds(atMs) - Math.floor(nowMs / 1_000));
}
