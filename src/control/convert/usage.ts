/**
 * Sums of the ledger and prices in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { formatInstant } from "../../base/clock.ts";
import { AppError } from "../../base/errors.ts";
import type { AccountId } from "../../domain/account.ts";
import type { UsageBucket, UsageGroup, UsageQuery, UsageReport, UsageTotals } from "../../domain/ledger.ts";
import { DAY_MS, HOUR_MS } from "../../domain/limit.ts";
import type { PriceEntry } from "../../domain/price.ts";
import * as pb from "../../gen/rotor/v1/usage_service_pb.ts";
import type { Engine } from "../../pool/engine.ts";
import { duration, instant, int64, toAccountId, toInstantMs } from "./values.ts";

const GROUPS: Readonly<Record<pb.UsageGroup, UsageGroup>> = {
  [pb.UsageGroup.UNSPECIFIED]: "day",
  [pb.UsageGroup.ACCOUNT]: "account",
  [pb.UsageGroup.MODEL]: "model",
  [pb.UsageGroup.KEY]: "key",
  [pb.UsageGroup.PROJECT]: "project",
  [pb.UsageGroup.CONVERSATION]: "conversation",
  [pb.UsageGroup.HOUR]: "hour",
  [pb.UsageGroup.DAY]: "day",
};

function toGroup(value: pb.UsageGroup): UsageGroup {
  return GROUPS[value] ?? "day";
}

/** A table that nobody scrolls to the end of (proto: QueryUsageRequest). */
const BUCKETS_DEFAULT = 1_000;

export function usageMessage(
  { buckets, totals, omittedCount }: UsageReport,
  query: UsageQuery,
  engine: Engine,
): MessageInitShape<typeof pb.QueryUsageResponseSchema> {
  return {
    buckets: buckets.map((bucket) => bucketMessage(bucket, query.groupBy, engine)),
    totals: totalsMessage(totals),
    omittedCount: int64(omittedCount),
    startTime: instant(query.sinceMs),
    endTime: instant(query.untilMs),
  };
}

function bucketMessage(
  { bucket, totals }: UsageBucket,
  groupBy: UsageGroup,
  engine: Engine,
): MessageInitShape<typeof pb.UsageBucketSchema> {
  if (groupBy === "hour" || groupBy === "day") {
    const atMs = Number(bucket);
    const text = formatInstant(atMs);
    const label = groupBy === "day" ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
    return { key: text, label, startTime: instant(atMs), totals: totalsMessage(totals) };
  }
  return { key: bucket, label: labelOf(bucket, groupBy, engine), totals: totalsMessage(totals) };
}

function labelOf(bucket: string, groupBy: UsageGroup, engine: Engine): string {
  if (groupBy === "account") return engine.accounts.get(bucket as AccountId)?.alias ?? bucket;
  if (groupBy === "key") return engine.keys.get(bucket)?.name ?? bucket;
  return bucket;
}

function totalsMessage(totals: UsageTotals): MessageInitShape<typeof pb.UsageTotalsSchema> {
  const { inputTokens, cachedInputTokens, served, firstBytes } = totals;
  return {
    requests: int64(totals.requests),
    served: int64(served),
    inputTokens: int64(inputTokens),
    cachedInputTokens: int64(cachedInputTokens),
    outputTokens: int64(totals.outputTokens),
    reasoningTokens: int64(totals.reasoningTokens),
    costMicroUsd: int64(totals.costMicroUsd),
    unpricedRequests: int64(totals.unpriced),
    cachedPercent: inputTokens === 0 ? 0 : (100 * cachedInputTokens) / inputTokens,
    meanDuration: duration(served === 0 ? null : Math.round(totals.latencyMs / served)),
    meanFirstByteDuration: duration(firstBytes === 0 ? null : Math.round(totals.firstByteMs / firstBytes)),
  };
}

export function priceMessage(price: PriceEntry): MessageInitShape<typeof pb.ModelPriceSchema> {
  return {
    model: price.model,
    inputUsd: price.input,
    cachedInputUsd: price.cachedInput,
    outputUsd: price.output,
    asOf: price.asOf,
    isCustom: price.source === "operator",
  };
}

export function toUsageQuery(request: pb.QueryUsageRequest, nowMs: number): UsageQuery {
  if (request.pageSize < 0) throw new AppError("invalid_request", "page_size is negative");
  const untilMs = toInstantMs(request.endTime) ?? nowMs;
  const sinceMs = toInstantMs(request.startTime) ?? nowMs - 7 * DAY_MS;
  if (sinceMs >= untilMs) throw new AppError("invalid_request", "start_time is not before end_time");
  return {
    sinceMs: Math.floor(sinceMs / HOUR_MS) * HOUR_MS,
    untilMs: Math.ceil(untilMs / HOUR_MS) * HOUR_MS,
    groupBy: toGroup(request.groupBy),
    limit: request.pageSize || BUCKETS_DEFAULT,
    ...(request.accountId === "" ? {} : { accountId: toAccountId(request.accountId) }),
    ...(request.model === "" ? {} : { model: request.model }),
    ...(request.keyId === "" ? {} : { keyId: request.keyId }),
    ...(request.project === "" ? {} : { project: request.project }),
  };
}
