/**
 * Exchanges and their attempts in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AttemptRecord, Exchange, ExchangeSpend } from "../../domain/exchange.ts";
import type { Usage } from "../../domain/outcome.ts";
import type {
  AttemptSchema,
  ExchangeSchema,
  ExchangeSpendSchema,
  UsageSchema,
} from "../../gen/rotor/v1/exchange_pb.ts";
import { mappingMessage } from "./models.ts";
import { type AliasOf, planMessage, waitingMessage } from "./pool.ts";
import { duration, instant, int64 } from "./values.ts";

export function exchangeMessage(exchange: Exchange, aliasOf: AliasOf): MessageInitShape<typeof ExchangeSchema> {
  return {
    id: exchange.id,
    startTime: instant(exchange.startedAtMs),
    endTime: instant(exchange.endedAtMs),
    surface: exchange.surface,
    method: exchange.method,
    path: exchange.path,
    model: exchange.model ?? "",
    modelMapping: mappingMessage(exchange.mapping),
    keyId: exchange.keyId ?? "",
    conversation: exchange.conversation ?? "",
    attempts: exchange.attempts.map(attemptMessage),
    plan: exchange.plan === null ? undefined : planMessage(exchange.plan, aliasOf),
    accountId: exchange.servedBy ?? "",
    accountAlias: exchange.servedByAlias ?? "",
    status: exchange.status ?? 0,
    errorCode: exchange.errorCode ?? "",
    usage: exchange.usage === null ? undefined : usageMessage(exchange.usage),
    firstByteDuration: duration(exchange.firstByteMs),
    waitDuration: duration(exchange.waitedMs),
    spend: exchange.spend ? spendMessage(exchange.spend) : undefined,
    waiting: waitingMessage(exchange.waiting ?? null),
  };
}

function spendMessage(spend: ExchangeSpend): MessageInitShape<typeof ExchangeSpendSchema> {
  const { project, effort, tier, budgets = [], costMicroUsd, move } = spend;
  return {
    project: project ?? "",
    effort: effort ?? "",
    tier: tier ?? "",
    budgets: [...budgets],
    costMicroUsd: costMicroUsd === null ? undefined : int64(costMicroUsd),
    move:
      move === null
        ? undefined
        : {
            fromAccountId: move.fromAccountId,
            fromAccountAlias: move.fromAlias,
            cachedBeforeTokens: int64(move.cachedBefore),
            cachedAfterTokens: int64(move.cachedAfter),
            costMicroUsd: move.costMicroUsd === null ? undefined : int64(move.costMicroUsd),
          },
  };
}

function usageMessage(usage: Usage): MessageInitShape<typeof UsageSchema> {
  return {
    inputTokens: int64(usage.inputTokens),
    cachedInputTokens: int64(usage.cachedInputTokens),
    outputTokens: int64(usage.outputTokens),
    reasoningTokens: int64(usage.reasoningTokens),
  };
}

function attemptMessage(attempt: AttemptRecord): MessageInitShape<typeof AttemptSchema> {
  return {
    accountId: attempt.accountId,
    accountAlias: attempt.alias,
    startTime: instant(attempt.startedAtMs),
    endTime: instant(attempt.endedAtMs),
    outcome: attempt.outcome,
    status: attempt.status ?? 0,
    message: attempt.message ?? "",
    next: attempt.next,
  };
}
