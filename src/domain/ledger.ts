/**
 * The ledger: what each exchange used, and the sums that reports are made of. Only turns count: fetching a model list or a status page
 * uses nothing.
 */
import type { AccountId } from "./account.ts";
import type { ExchangeId, Surface } from "./exchange.ts";
import type { Usage } from "./outcome.ts";

/** One turn as it ended. Zero tokens also when upstream did not say. */
export interface LedgerRow extends Usage {
  /** Of the exchange; its time is when that came in. */
  readonly id: ExchangeId;
  readonly atMs: number;
  /** Account that served it; null when none did. */
  readonly accountId: AccountId | null;
  readonly model: string | null;
  readonly keyId: string | null;
  readonly project: string | null;
  readonly conversation: string | null;
  readonly surface: Surface;
  readonly effort: string | null;
  /** Service tier as asked, e.g. `priority`. */
  readonly tier: string | null;
  /** Budgets of the profile that asked. */
  readonly budgets: readonly string[];
  readonly status: number | null;
  readonly errorCode: string | null;
  /** Upstream began to answer it: it counts as a request. */
  readonly isServed: boolean;
  /** Estimate (domain/price.ts); null when the model has no price or upstream told no tokens. */
  readonly costMicroUsd: number | null;
  readonly latencyMs: number;
  readonly firstByteMs: number | null;
}

export interface UsageTotals extends Usage {
  /** All that came in. */
  readonly requests: number;
  /** Of these, answered by upstream. */
  readonly served: number;
  readonly costMicroUsd: number;
  /** Requests with tokens and without a price: their cost is missing in the sum. */
  readonly unpriced: number;
  /** Sums over those served; divide by `served` and by `firstBytes`. */
  readonly latencyMs: number;
  readonly firstByteMs: number;
  readonly firstBytes: number;
}

export const NO_USAGE: UsageTotals = {
  requests: 0,
  served: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  costMicroUsd: 0,
  unpriced: 0,
  latencyMs: 0,
  firstByteMs: 0,
  firstBytes: 0,
};

const TOTAL_FIELDS = Object.keys(NO_USAGE) as (keyof UsageTotals)[];

export function addUsage(a: UsageTotals, b: UsageTotals): UsageTotals {
  return Object.fromEntries(TOTAL_FIELDS.map((field) => [field, a[field] + b[field]])) as unknown as UsageTotals;
}

export function totalsOf(row: LedgerRow): UsageTotals {
  const tokens = row.inputTokens + row.outputTokens;
  return {
    requests: 1,
    served: row.isServed ? 1 : 0,
    inputTokens: row.inputTokens,
    cachedInputTokens: row.cachedInputTokens,
    outputTokens: row.outputTokens,
    reasoningTokens: row.reasoningTokens,
    costMicroUsd: row.costMicroUsd ?? 0,
    unpriced: row.costMicroUsd === null && tokens > 0 ? 1 : 0,
    latencyMs: row.isServed ? row.latencyMs : 0,
    firstByteMs: row.isServed ? (row.firstByteMs ?? 0) : 0,
    firstBytes: row.isServed && row.firstByteMs !== null ? 1 : 0,
  };
}

/** `conversation` is summed up from the rows themselves, the others from sums by the hour, which are kept much longer. */
export type UsageGroup = "account" | "model" | "key" | "project" | "conversation" | "hour" | "day";

/** Whole hours: `sinceMs` is rounded down to one, `untilMs` (exclusive) up. */
export interface UsageQuery {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly groupBy: UsageGroup;
  /** At most so many buckets, the first of their order; absent = all. */
  readonly limit?: number;
  readonly accountId?: AccountId;
  readonly model?: string;
  readonly keyId?: string;
  readonly project?: string;
}

export interface UsageBucket {
  /** Id, name, or milliseconds since the epoch; "" = none was said. */
  readonly bucket: string;
  readonly totals: UsageTotals;
}

/** Hours and days in their order, others by cost, tokens, requests, the highest first: the first lines are what somebody looks for. */
export interface UsageReport {
  readonly buckets: readonly UsageBucket[];
  /** Of all buckets, those left out too. */
  readonly totals: UsageTotals;
  /** Buckets that are left out. */
  readonly omittedCount: number;
}
