/**
 * How an account's windows and credits look on the wire: response headers (wire reference §3.7), the usage endpoint
 * (§3.10) and the `codex.rate_limits` event (§3.8).
 */

import type { SimAccount } from "./accounts.ts";
import { type Bucket, fullUntilMs, readBucket, type WindowReading } from "./allowance.ts";
import type { HeaderList } from "./http-request.ts";
import type { JsonObject } from "./json.ts";

/** Unix seconds, rounded up: at the stated second the window really is empty. */
export function unixSeconds(atMs: number): number {
  return Math.ceil(atMs / 1_000);
}

export function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((atMs - nowMs) / 1_000));
}

/** The headers of an answer of /responses, for the bucket that the model draws on and for the others. */
export function limitHeaders(account: SimAccount, active: Bucket, nowMs: number): HeaderList {
  const headers: HeaderList = [];
  for (const bucket of account.buckets) {
    // `codex` has no family part in its header names; `codex_bengalfox` becomes `x-codex-bengalfox-…`.
    const family = bucket.feature === "codex" ? "x-codex" : `x-${bucket.feature.replaceAll("_", "-")}`;
    if (bucket.limitName !== null) headers.push([`${family}-limit-name`, bucket.limitName]);
    for (const reading of readBucket(bucket, nowMs)) headers.push(...windowHeaders(family, reading, nowMs));
  }
  headers.push(["x-codex-primary-over-secondary-limit-percent", "0"]);
  headers.push(["x-codex-credits-has-credits", account.credits.hasCredits ? "True" : "False"]);
  headers.push(["x-codex-credits-unlimited", account.credits.unlimited ? "True" : "False"]);
  headers.push(["x-codex-credits-balance", account.credits.balance.toFixed(2)]);
  headers.push(["x-codex-plan-type", account.plan]);
  headers.push(["x-codex-active-limit", active.feature]);
  headers.push(["x-codex-rate-limit-reset-credits-available", String(availableResetCredits(account))]);
  if (fullUntilMs(active, nowMs) !== null) headers.push(["x-codex-rate-limit-reached-type", "rate_limit_reached"]);
  return headers;
}

export function windowHeaders(family: string, reading: WindowReading, nowMs: number): HeaderList {
  const name = `${family}-${reading.slot}`;
  return [
    [`${name}-used-percent`, String(reading.usedPercent)],
    [`${name}-window-minutes`, String(reading.minutes)],
    [`${name}-reset-at`, String(unixSeconds(reading.resetAtMs))],
    // Codex reads only reset-at; other clients read this one.
    [`${name}-reset-after-seconds`, String(secondsUntil(reading.resetAtMs, nowMs))],
  ];
}

/** Body of GET /wham/usage. */
export function usageBody(account: SimAccount, nowMs: number): JsonObject {
  const [main, ...additional] = account.buckets;
  const reached = fullUntilMs(main!, nowMs) !== null;
  return {
    user_id: account.userId,
    account_id: account.accountId,
    email: account.email,
    plan_type: account.plan,
    rate_limit: rateLimit(main!, nowMs),
    code_review_rate_limit: null,
    additional_rate_limits:
      additional.length === 0
        ? null
        : additional.map((bucket) => ({
            limit_name: bucket.limitName,
            metered_feature: bucket.feature,
            rate_limit: rateLimit(bucket, nowMs),
          })),
    credits: {
      has_credits: account.credits.hasCredits,
      unlimited: account.credits.unlimited,
      balance: String(account.credits.balance),
      approx_local_messages: [0, 0],
      approx_cloud_messages: [0, 0],
    },
    spend_control: { reached: false },
    // An object here and a text in headers: Codex 0.169 refuses the whole answer otherwise (seen 2026-11-21 with its app-server).
    rate_limit_reached_type: reached ? { type: "rate_limit_reached" } : null,
    promo: null,
    rate_limit_reset_credits: { available_count: availableResetCredits(account) },
  };
}

export function availableResetCredits(account: SimAccount): number {
  return account.resetCredits.filter((credit) => credit.status === "available").length;
}

function rateLimit(bucket: Bucket, nowMs: number): JsonObject {
  const readings = readBucket(bucket, nowMs);
  const reached = fullUntilMs(bucket, nowMs) !== null;
  const window = (slot: WindowReading["slot"]) => {
    const reading = readings.find((candidate) => candidate.slot === slot);
    if (!reading) return null;
    return {
      used_percent: Math.round(reading.usedPercent),
      limit_window_seconds: reading.minutes * 60,
      reset_after_seconds: secondsUntil(reading.resetAtMs, nowMs),
      reset_at: unixSeconds(reading.resetAtMs),
    };
  };
  return {
    allowed: !reached,
    limit_reached: reached,
    primary_window: window("primary"),
    secondary_window: window("secondary"),
  };
}

/** The `codex.rate_limits` event. */
export function rateLimitsEvent(account: SimAccount, nowMs: number): JsonObject {
  const limits = (bucket: Bucket) => {
    const entries = readBucket(bucket, nowMs).map((reading) => [
      reading.slot,
      {
        used_percent: Math.round(reading.usedPercent),
        window_minutes: reading.minutes,
        reset_after_seconds: secondsUntil(reading.resetAtMs, nowMs),
        reset_at: unixSeconds(reading.resetAtMs),
      },
    ]);
    return { primary: null, secondary: null, ...Object.fromEntries(entries) };
  };
  const [main, ...additional] = account.buckets;
  const reached = fullUntilMs(main!, nowMs) !== null;
  return {
    type: "codex.rate_limits",
    plan_type: account.plan,
    rate_limits: { allowed: !reached, limit_reached: reached, ...limits(main!) },
    code_review_rate_limits: null,
    additional_rate_limits:
      additional.length === 0
        ? null
        : Object.fromEntries(
            additional.map((bucket) => [
              bucket.limitName ?? bucket.feature,
              { limit_name: bucket.limitName, metered_limit_name: bucket.feature, ...limits(bucket) },
            ]),
          ),
    credits: {
      has_credits: account.credits.hasCredits,
      unlimited: account.credits.unlimited,
      balance: account.credits.hasCredits ? String(account.credits.balance) : null,
    },
    promo: null,
  };
}
