/** A report made of all its buckets: the order that the contract states, cut off where it was asked to be. */
import { addUsage, NO_USAGE, type UsageBucket, type UsageQuery, type UsageReport } from "../../src/domain/ledger.ts";

export function reportOf(found: readonly UsageBucket[], { groupBy, limit }: UsageQuery): UsageReport {
  const tokens = ({ totals }: UsageBucket) => totals.inputTokens + totals.outputTokens;
  const isTime = groupBy === "hour" || groupBy === "day";
  const ordered = found.toSorted((a, b) =>
    isTime
      ? Number(a.bucket) - Number(b.bucket)
      : b.totals.costMicroUsd - a.totals.costMicroUsd ||
        tokens(b) - tokens(a) ||
        b.totals.requests - a.totals.requests ||
        (a.bucket < b.bucket ? -1 : 1),
  );
  const buckets = ordered.slice(0, limit);
  const totals = found.map((bucket) => bucket.totals).reduce(addUsage, NO_USAGE);
  return { buckets, totals, omittedCount: found.length - buckets.length };
}
