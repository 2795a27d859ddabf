/**
 * What the same tokens would have cost at the public API: an estimate, with the date of the prices it is made from. Nothing is charged by
 * it. A model that has no price has no cost, and reports say how many requests that were.
 */
import type { Usage } from "./outcome.ts";

/** USD for a million tokens, which is millionths of a USD for one. */
export interface Price {
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
}

export interface PriceEntry extends Price {
  readonly model: string;
  /** `YYYY-MM-DD`: the day whose prices these are. */
  readonly asOf: string;
  /** From the table in this file, or said by the operator. */
  readonly source: "table" | "operator";
}

/** What an operator has said instead. */
export interface SavedPrice extends Price {
  readonly model: string;
  readonly setAtMs: number;
}

/** The day for which the table below was put together from OpenAI's published API prices. */
const TABLE_DATE = "2026-06-30";

const price = (input: number, cachedInput: number, output: number): Price => ({ input, cachedInput, output });

const TABLE: Readonly<Record<string, Price>> = {
  "gpt-5": price(1.25, 0.125, 10),
  "gpt-5-codex": price(1.25, 0.125, 10),
  "gpt-5-codex-mini": price(0.25, 0.025, 2),
  "gpt-5-mini": price(0.25, 0.025, 2),
  "gpt-5-nano": price(0.05, 0.005, 0.4),
  "gpt-5.1": price(1.25, 0.125, 10),
  "gpt-5.1-codex": price(1.25, 0.125, 10),
  "gpt-5.1-codex-max": price(1.25, 0.125, 10),
  "gpt-5.1-codex-mini": price(0.25, 0.025, 2),
  "gpt-5.2": price(1.75, 0.175, 14),
  "gpt-5.2-codex": price(1.75, 0.175, 14),
  "gpt-5.3-codex": price(1.75, 0.175, 14),
  "gpt-5.4": price(2.5, 0.25, 15),
  "gpt-5.4-mini": price(0.75, 0.075, 4.5),
  "gpt-5.4-nano": price(0.2, 0.02, 1.25),
  "gpt-5.5": price(5, 0.5, 30),
  "gpt-5.6-luna": price(1, 0.1, 6),
  "gpt-5.6-sol": price(5, 0.5, 30),
  "gpt-5.6-terra": price(2.5, 0.25, 15),
};

/** Priority costs twice as much as the standard tier and flex half, for every model that has them. */
const TIER_FACTORS: Readonly<Record<string, number>> = { priority: 2, fast: 2, flex: 0.5 };

/** The price of a model: the operator's own first, then the table's, also for a dated snapshot of a model in it. null = unknown. */
export function priceOf(model: string, saved: ReadonlyMap<string, SavedPrice>): Price | null {
  const own = saved.get(model);
  if (own !== undefined) return own;
  if (Object.hasOwn(TABLE, model)) return TABLE[model]!;
  const undated = model.replace(/-\d{4}-\d{2}-\d{2}$/, "");
  return undated === model ? null : priceOf(undated, saved);
}

/** Whole millionths of a USD. Reasoning is part of the output, cached input part of the input: neither is counted twice. */
export function costMicroUsd(usage: Usage, price: Price, tier: string | null): number {
  const cached = Math.min(usage.cachedInputTokens, usage.inputTokens);
  const standard =
    (usage.inputTokens - cached) * price.input + cached * price.cachedInput + usage.outputTokens * price.output;
  return Math.round(standard * tierFactor(tier));
}

function tierFactor(tier: string | null): number {
  return tier !== null && Object.hasOwn(TIER_FACTORS, tier) ? TIER_FACTORS[tier]! : 1;
}

/** Every price in force, by model. `dayOf` gives the day of an instant. */
export function allPrices(saved: ReadonlyMap<string, SavedPrice>, dayOf: (atMs: number) => string): PriceEntry[] {
  const models = [...new Set([...Object.keys(TABLE), ...saved.keys()])].sort();
  return models.map((model): PriceEntry => {
    const own = saved.get(model);
    if (own === undefined) return { model, ...TABLE[model]!, asOf: TABLE_DATE, source: "table" };
    const { input, cachedInput, output, setAtMs } = own;
    return { model, input, cachedInput, output, asOf: dayOf(setAtMs), source: "operator" };
  });
}

/** Why it can be no price, or null. A thousand USD for a million tokens is far beyond every price there was. */
export function priceProblem({ input, cachedInput, output }: Price): string | null {
  const good = [input, cachedInput, output].every((usd) => Number.isFinite(usd) && usd >= 0 && usd <= 1_000);
  return good ? null : "a price is a number of USD for a million tokens, from 0 to 1000";
}
