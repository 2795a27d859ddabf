/**
 * Sums for reports, on whatever connection they are asked of: a worker has its own, so that no stream waits for a sum (contracts §18).
 * Reads, never writes.
 */
import { ulidAt } from "../base/id.ts";
import type { UsageBucket, UsageGroup, UsageQuery, UsageTotals } from "../domain/ledger.ts";
import { DAY_MS, HOUR_MS } from "../domain/limit.ts";
import { type Connection, openBeside, type SqlValue } from "./database.ts";
import { numberOf, wholeMs } from "./row.ts";

/** The sums of a store that somebody else has open. */
export function reportBeside(path: string, query: UsageQuery): UsageBucket[] {
  const db = openBeside(path);
  try {
    return readUsage(db, query);
  } finally {
    db.close();
  }
}

const FROM_HOURS: Readonly<Record<Exclude<UsageGroup, "conversation">, string>> = {
  account: "account_id",
  model: "model",
  key: "key_id",
  project: "project",
  hour: "hour_ms",
  day: `hour_ms - hour_ms % ${DAY_MS}`,
};

const HOUR_SUMS = `sum(requests) AS requests, sum(served) AS served, sum(input_tokens) AS input_tokens,
  sum(cached_input_tokens) AS cached_input_tokens, sum(output_tokens) AS output_tokens,
  sum(reasoning_tokens) AS reasoning_tokens, sum(cost_micro_usd) AS cost_micro_usd, sum(unpriced) AS unpriced,
  sum(latency_ms) AS latency_ms, sum(first_byte_ms) AS first_byte_ms, sum(first_bytes) AS first_bytes`;

const ROW_SUMS = `count(*) AS requests, sum(served) AS served, sum(input_tokens) AS input_tokens,
  sum(cached_input_tokens) AS cached_input_tokens, sum(output_tokens) AS output_tokens,
  sum(reasoning_tokens) AS reasoning_tokens, sum(ifnull(cost_micro_usd, 0)) AS cost_micro_usd,
  sum(cost_micro_usd IS NULL AND input_tokens + output_tokens > 0) AS unpriced,
  sum(CASE WHEN served THEN latency_ms ELSE 0 END) AS latency_ms,
  sum(CASE WHEN served THEN ifnull(first_byte_ms, 0) ELSE 0 END) AS first_byte_ms,
  sum(served AND first_byte_ms IS NOT NULL) AS first_bytes`;

/** By bucket. */
export function readUsage(db: Connection, query: UsageQuery): UsageBucket[] {
  const sinceMs = wholeMs(Math.floor(query.sinceMs / HOUR_MS) * HOUR_MS);
  const untilMs = wholeMs(Math.ceil(query.untilMs / HOUR_MS) * HOUR_MS);
  const rows = query.groupBy === "conversation";
  const conditions = rows ? ["id >= ?", "id < ?", "conversation <> ''"] : ["hour_ms >= ?", "hour_ms < ?"];
  const values: SqlValue[] = rows ? [ulidAt(sinceMs), ulidAt(untilMs)] : [sinceMs, untilMs];
  const filters = { account_id: query.accountId, model: query.model, key_id: query.keyId, project: query.project };
  for (const [column, value] of Object.entries(filters)) {
    if (value === undefined) continue;
    conditions.push(`${column} = ?`);
    values.push(value);
  }
  const bucket = query.groupBy === "conversation" ? "conversation" : FROM_HOURS[query.groupBy];
  const [sums, from] = rows ? [ROW_SUMS, "ledger"] : [HOUR_SUMS, "usage_hour"];
  const where = conditions.join(" AND ");
  const sql = `SELECT ${bucket} AS bucket, ${sums} FROM ${from} WHERE ${where} GROUP BY 1 ORDER BY 1`;
  return db.all(sql, ...values).map((row) => ({
    bucket: String(row.bucket),
    totals: {
      requests: numberOf(row, "requests"),
      served: numberOf(row, "served"),
      inputTokens: numberOf(row, "input_tokens"),
      cachedInputTokens: numberOf(row, "cached_input_tokens"),
      outputTokens: numberOf(row, "output_tokens"),
      reasoningTokens: numberOf(row, "reasoning_tokens"),
      costMicroUsd: numberOf(row, "cost_micro_usd"),
      unpriced: numberOf(row, "unpriced"),
      latencyMs: numberOf(row, "latency_ms"),
      firstByteMs: numberOf(row, "first_byte_ms"),
      firstBytes: numberOf(row, "first_bytes"),
    } satisfies UsageTotals,
  }));
}
