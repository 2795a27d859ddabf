/**
 * Limits, amounts and money as people write and read them.
 */
import { AppError } from "../../base/errors.ts";
import {
  type Limit,
  type LimitUse,
  Measure,
  MeasureSchema,
  type Period,
  PeriodSchema,
} from "../../gen/rotor/v1/limit_pb.ts";
import { formatEnd } from "./time-text.ts";
import { enumText, enumValue, toMs } from "./wire-text.ts";

/** What a message is made from. */
export type LimitInit = Pick<Limit, "measure" | "amount" | "period">;

const MAGNITUDES: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, b: 1e9 };
const MICRO = 1e6;

/** `2M tokens/day`, `100 requests per hour`, `20 USD/week`, `$20 a month`. Rejects with `invalid_limit`. */
export function parseLimit(text: string): LimitInit {
  const match =
    /^(\$?)\s*(\d+(?:[.,_]\d+)*)\s*([kmb]?)\s*(requests?|tokens?|usd|dollars?|)\s*(?:\/|\bper\b|\ban?\b)\s*(hour|day|week|month)$/i.exec(
      text.trim(),
    );
  const unit = match?.[1] === "$" ? "usd" : (match?.[4]?.toLowerCase() ?? "");
  if (match === null || unit === "") throw badLimit(text);
  const number = Number(match[2]!.replace(/[_,]/g, "")) * MAGNITUDES[match[3]!.toLowerCase()]!;
  const isCost = unit === "usd" || unit.startsWith("dollar");
  const amount = Math.round(isCost ? number * MICRO : number);
  if (!Number.isSafeInteger(amount) || amount < 1) throw badLimit(text);
  const measure = isCost ? Measure.COST : unit.startsWith("token") ? Measure.TOKENS : Measure.REQUESTS;
  return { measure, amount: BigInt(amount), period: enumValue(PeriodSchema, match[5]!)! as Period };
}

function badLimit(text: string): AppError {
  return new AppError(
    "invalid_limit",
    `"${text}" is no limit such as "100 requests/hour", "2M tokens/day" or "20 USD/week"`,
  );
}

/** Several, with commas between them; `none` for none. */
export function parseLimits(text: string): LimitInit[] {
  if (text.trim().toLowerCase() === "none") return [];
  // A comma between digits belongs to a number.
  return text.split(/,(?!\d)/).map((part) => parseLimit(part));
}

/** `20 USD/week`, `2,000,000 tokens/day`. */
export function limitText({ measure, amount, period }: LimitInit): string {
  return `${amountText(measure, amount)}/${enumText(PeriodSchema, period)}`;
}

function amountText(measure: Measure, amount: bigint): string {
  return measure === Measure.COST
    ? `${usdText(amount)} USD`
    : `${countText(amount)} ${enumText(MeasureSchema, measure)}`;
}

/** `3 of 100 requests/day, starts again in 2h (14:05)`. */
export function limitUseText(use: LimitUse, nowMs: number): string {
  const limit = use.limit!;
  const used = limit.measure === Measure.COST ? usdText(use.used) : countText(use.used);
  const held = use.reserved > 0n ? `, ${amountText(limit.measure, use.reserved)} held for requests under way` : "";
  const resetMs = toMs(use.resetTime);
  const reset = resetMs === null ? "" : `, starts again ${formatEnd(resetMs, nowMs)}`;
  return `${used} of ${limitText(limit)}${held}${reset}`;
}

/** Whole percent of it that is used, rounded down: 100 means that nothing is left. */
export function usedPercent(use: LimitUse): number {
  return Number((use.used * 100n) / (use.limit!.amount || 1n));
}

/** Requests never pass a limit; what is left of others is what is not used. */
export function isUsedUp(use: LimitUse): boolean {
  return use.used >= use.limit!.amount;
}

/** Millionths of a USD: cents, and two figures of what is smaller. */
export function usdText(microUsd: bigint): string {
  const usd = Number(microUsd) / MICRO;
  return usd !== 0 && Math.abs(usd) < 0.01 ? String(Number(usd.toPrecision(2))) : usd.toFixed(2);
}

/** `12,345`. */
export function countText(count: bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
