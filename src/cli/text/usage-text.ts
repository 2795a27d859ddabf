/**
 * Usage in tables and in comma-separated values.
 */
import type { ModelPrice, QueryUsageResponse, UsageTotals } from "../../gen/rotor/v1/usage_service_pb.ts";
import { type UsageGroup, UsageGroupSchema } from "../../gen/rotor/v1/usage_service_pb.ts";
import { printable, type Style } from "../print.ts";
import { csvText } from "./csv.ts";
import { countText, usdText } from "./limit-text.ts";
import { type Column, renderTable } from "./table.ts";
import { formatDuration } from "./time-text.ts";
import { durationMs, enumText } from "./wire-text.ts";

const right = (header: string): Column => ({ header, align: "right" });

/** A table with the whole in its last line. */
export function usageLines(
  { buckets, totals }: QueryUsageResponse,
  groupBy: UsageGroup,
  view: { width: number | null; style: Style },
): string[] {
  const columns: Column[] = [
    { header: enumText(UsageGroupSchema, groupBy).toUpperCase(), max: 32 },
    ...["REQUESTS", "INPUT", "CACHED", "OUTPUT", "COST", "FIRST BYTE"].map(right),
  ];
  const rows = buckets.map(({ label, totals: own }) => [printable(label) || "–", ...cells(own!)]);
  const lines = renderTable(columns, [...rows, ["total", ...cells(totals!)]], {
    width: view.width,
    header: view.style.bold,
  });
  return [...lines.slice(0, -1), view.style.bold(lines.at(-1)!)];
}

function cells(totals: UsageTotals): string[] {
  const firstByteMs = durationMs(totals.meanFirstByteDuration);
  return [
    countText(totals.requests),
    countText(totals.inputTokens),
    totals.inputTokens === 0n ? "–" : `${Math.round(totals.cachedPercent)}%`,
    countText(totals.outputTokens),
    costText(totals),
    firstByteMs === null ? "–" : formatDuration(firstByteMs),
  ];
}

/** An estimate; with a plus when requests are missing in it. */
function costText({ costMicroUsd, unpricedRequests }: UsageTotals): string {
  if (costMicroUsd === 0n && unpricedRequests > 0n) return "–";
  return `${usdText(costMicroUsd)} USD${unpricedRequests > 0n ? "+" : ""}`;
}

/** What the table does not say. */
export function usageNotes({ totals, omittedCount }: QueryUsageResponse): string[] {
  const { requests, served, unpricedRequests } = totals!;
  const notes: string[] = [];
  if (served < requests) notes.push(`${countText(requests - served)} of the requests got no answer from upstream`);
  if (unpricedRequests > 0n)
    notes.push(
      `the cost of ${countText(unpricedRequests)} requests is missing: their model has no price (rotor usage price)`,
    );
  if (omittedCount > 0n) notes.push(`${countText(omittedCount)} more are in the total alone`);
  return notes;
}

const CSV_COLUMNS = [
  "key",
  "label",
  "requests",
  "served",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "cost_usd",
  "unpriced_requests",
  "mean_duration_ms",
  "mean_first_byte_ms",
];

/** One line a bucket; sums are left to whoever reads it. */
export function usageCsv({ buckets }: QueryUsageResponse, groupBy: UsageGroup): string {
  const header = [enumText(UsageGroupSchema, groupBy), ...CSV_COLUMNS.slice(1)];
  const rows = buckets.map(({ key, label, totals }) => {
    const own = totals!;
    return [
      key,
      label,
      own.requests,
      own.served,
      own.inputTokens,
      own.cachedInputTokens,
      own.outputTokens,
      own.reasoningTokens,
      (Number(own.costMicroUsd) / 1e6).toFixed(6),
      own.unpricedRequests,
      durationMs(own.meanDuration) ?? "",
      durationMs(own.meanFirstByteDuration) ?? "",
    ];
  });
  return csvText([header, ...rows]);
}

export function priceLines(prices: readonly ModelPrice[]): { columns: Column[]; rows: string[][] } {
  const columns: Column[] = [
    { header: "MODEL" },
    ...["INPUT", "CACHED", "OUTPUT"].map(right),
    { header: "OF" },
    { header: "FROM" },
  ];
  const rows = prices.map((price) => [
    printable(price.model),
    ...[price.inputUsd, price.cachedInputUsd, price.outputUsd].map(String),
    price.asOf,
    price.isCustom ? "you" : "table",
  ]);
  return { columns, rows };
}
