/**
 * Sums for reports, on whatever connection they are asked of: a worker has its own, so that no stream waits for a sum (contracts §18).
 * Reads, never writes.
 */
import {
  NO_USAGE,
  type UsageBucket,
  type UsageGroup,
  type UsageQuery,
  type UsageReport,
  type UsageTotals,
} from "../domain/ledger.ts";
import { DAY_MS, HOUR_MS } from "../domain/limit.ts";
import { type Connection, openBeside, type SqlRow, type SqlValue } from "./database.ts";
import { numberOf, wholeMs } from "./row.ts";
import { ALL_SIDES, SUMS_ADDED } from "./usage-sums.ts";

/** The sums of a store that somebody else has open. */
export function reportBeside(path: string, query: UsageQuery): UsageReport {
  const db = openBeside(path);
  try {
    return readUsage(db, query);
  } finally {
    db.close();
  }
}

const COLUMNS: Readonly<Record<Exclude<UsageGroup, "hour" | "day">, string>> = {
  conversation: "conversation",
  account: "account_id",
  model: "model",
  key: "key_id",
  project: "project",
};
const TIMES = { hour: "hour_ms", day: `hour_ms - hour_ms % ${DAY_MS}` };

/** What to read and what to fill in. */
interface Source {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

type Filter = readonly [column: string, value: string];

export function readUsage(db: Connection, query: UsageQuery): UsageReport {
  const sinceMs = wholeMs(Math.floor(query.sinceMs / HOUR_MS) * HOUR_MS);
  const untilMs = wholeMs(Math.ceil(query.untilMs / HOUR_MS) * HOUR_MS);
  const asked = { account_id: query.accountId, model: query.model, key_id: query.keyId, project: query.project };
  const filters = Object.entries(asked).flatMap(([column, value]): Filter[] =>
    value === undefined ? [] : [[column, value]],
  );
  const { groupBy } = query;
  const { sql, values } = fromSide(groupBy, filters, sinceMs, untilMs) ?? fromHours(groupBy, filters, sinceMs, untilMs);
  const isTime = groupBy === "hour" || groupBy === "day";
  const found = db.all(
    // The last row is the sum of all: thousands of buckets that nobody is shown need not become objects.
    `WITH found AS MATERIALIZED (${sql})
     SELECT * FROM (SELECT * FROM found ORDER BY ${isTime ? "bucket" : LARGEST_FIRST} LIMIT ?)
     UNION ALL SELECT count(*), ${SUMS_ADDED} FROM found`,
    ...values,
    query.limit ?? -1,
  );
  const sum = found.pop()!;
  const count = numberOf(sum, "bucket");
  const buckets = found.map((row): UsageBucket => ({ bucket: String(row.bucket), totals: totalsOf(row) }));
  return { buckets, totals: count === 0 ? NO_USAGE : totalsOf(sum), omittedCount: count - buckets.length };
}

/** As `compareBuckets` of the domain has it. */
const LARGEST_FIRST = "cost_micro_usd DESC, input_tokens + output_tokens DESC, requests DESC, bucket";

function totalsOf(row: SqlRow): UsageTotals {
  return {
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
  };
}

/** When one side of the matter is enough: a few rows for each hour. null when two are asked about. */
function fromSide(groupBy: UsageGroup, filters: readonly Filter[], sinceMs: number, untilMs: number): Source | null {
  if (groupBy === "conversation") return null;
  const isTime = groupBy === "hour" || groupBy === "day";
  const column = isTime ? null : COLUMNS[groupBy];
  const [first, second] = filters;
  if (second !== undefined || (first !== undefined && column !== null && first[0] !== column)) return null;
  const side = first?.[0] ?? column ?? ALL_SIDES;
  const bucket = isTime ? TIMES[groupBy] : "value";
  const only = first === undefined ? "" : "AND value = ?";
  return {
    sql: `SELECT ${bucket} AS bucket, ${SUMS_ADDED} FROM usage_side
      WHERE side = ? AND hour_ms >= ? AND hour_ms < ? ${only} GROUP BY 1`,
    values: [side, sinceMs, untilMs, ...(first === undefined ? [] : [first[1]])],
  };
}

function fromHours(groupBy: UsageGroup, filters: readonly Filter[], sinceMs: number, untilMs: number): Source {
  const table = groupBy === "conversation" ? "usage_conversation" : "usage_hour";
  const bucket = groupBy === "hour" || groupBy === "day" ? TIMES[groupBy] : COLUMNS[groupBy];
  return {
    sql: `SELECT ${bucket} AS bucket, ${SUMS_ADDED} FROM ${table}
      WHERE hour_ms >= ? AND hour_ms < ? ${conditionsOf(filters)} GROUP BY 1`,
    values: [sinceMs, untilMs, ...valuesOf(filters)],
  };
}

function conditionsOf(filters: readonly Filter[]): string {
  return filters.map(([column]) => `AND ${column} = ?`).join(" ");
}

function valuesOf(filters: readonly Filter[]): string[] {
  return filters.map(([, value]) => value);
}
