/**
 * Limits: how much of something may be used in an hour, a day, a week or a month. Periods are those of the calendar in UTC (a week begins
 * on Monday): the end is one instant that can be named, the same on every host, and hourly sums add up to each of them. Pure.
 */

export const MEASURES = ["requests", "tokens", "cost"] as const;
export type Measure = (typeof MEASURES)[number];

export const PERIODS = ["hour", "day", "week", "month"] as const;
export type Period = (typeof PERIODS)[number];

export interface Limit {
  readonly measure: Measure;
  /** Requests, tokens, or millionths of a USD. */
  readonly amount: number;
  readonly period: Period;
}

/** What was used. Tokens are input and output together. */
export interface Spend {
  readonly requests: number;
  readonly tokens: number;
  readonly costMicroUsd: number;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** 1970-01-01 was a Thursday: the first Monday came four days later. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

export function periodStartMs(period: Period, atMs: number): number {
  if (period === "hour") return atMs - modulo(atMs, HOUR_MS);
  if (period === "day") return atMs - modulo(atMs, DAY_MS);
  if (period === "week") return atMs - modulo(atMs - FIRST_MONDAY_MS, 7 * DAY_MS);
  const date = new Date(atMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
}

/** The first instant of the next period. */
export function periodEndMs(period: Period, atMs: number): number {
  if (period === "hour") return periodStartMs(period, atMs) + HOUR_MS;
  if (period === "day") return periodStartMs(period, atMs) + DAY_MS;
  if (period === "week") return periodStartMs(period, atMs) + 7 * DAY_MS;
  const date = new Date(atMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

/** How much of what a limit counts is in there. */
export function measured(measure: Measure, spend: Spend): number {
  return measure === "requests" ? spend.requests : measure === "tokens" ? spend.tokens : spend.costMicroUsd;
}

/**
 * May one more request begin? Requests are counted before they run, so that limit is never passed. What a request will cost in tokens is
 * known at its end alone: it may begin while something is left beyond what the ones under way hold back.
 */
export function hasRoom(limit: Limit, used: Spend, reserved: Spend): boolean {
  const spoken = measured(limit.measure, used) + measured(limit.measure, reserved);
  return limit.measure === "requests" ? spoken + 1 <= limit.amount : spoken < limit.amount;
}

/** `20 USD a week`, `2,000,000 tokens a day`. */
export function limitText({ measure, amount, period }: Limit): string {
  return `${amountText(measure, amount)} ${period === "hour" ? "an" : "a"} ${period}`;
}

export function amountText(measure: Measure, amount: number): string {
  if (measure === "cost") return `${usdText(amount)} USD`;
  return `${grouped(amount)} ${amount === 1 ? measure.slice(0, -1) : measure}`;
}

/** Two decimals, more only for what would vanish. */
function usdText(microUsd: number): string {
  const usd = microUsd / 1e6;
  return usd !== 0 && Math.abs(usd) < 0.01 ? String(Number(usd.toPrecision(2))) : usd.toFixed(2).replace(/\.00$/, "");
}

function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Why it is no limit that could be kept, or null. */
export function limitProblem(limit: Limit): string | null {
  if (!Number.isSafeInteger(limit.amount) || limit.amount < 1) return "a limit is a whole number above zero";
  return null;
}
