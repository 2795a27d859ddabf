/**
 * The pool and its plans in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import type { AccountId } from "../../domain/account.ts";
import type { Pin } from "../../domain/pin.ts";
import type { Plan } from "../../domain/plan.ts";
import type { RuleRef } from "../../domain/rule.ts";
import type { StrategyName } from "../../domain/strategy.ts";
import type { Waiting } from "../../domain/waiting.ts";
import * as poolPb from "../../gen/rotor/v1/pool_pb.ts";
import type { Engine, PoolView } from "../../pool/engine.ts";
import { holdMessage } from "./accounts.ts";
import { instant, int64 } from "./values.ts";

const STRATEGIES: Readonly<Record<StrategyName, poolPb.Strategy>> = {
  balanced: poolPb.Strategy.BALANCED,
  "round-robin": poolPb.Strategy.ROUND_ROBIN,
  "least-used": poolPb.Strategy.LEAST_USED,
  random: poolPb.Strategy.RANDOM,
  "weighted-round-robin": poolPb.Strategy.WEIGHTED_ROUND_ROBIN,
  "drain-first": poolPb.Strategy.DRAIN_FIRST,
  "reset-soonest": poolPb.Strategy.RESET_SOONEST,
};

export function strategyMessage(strategy: StrategyName | null): poolPb.Strategy {
  return strategy === null ? poolPb.Strategy.UNSPECIFIED : STRATEGIES[strategy];
}

const PLAN_REASONS: Readonly<Record<Plan["reason"], poolPb.PlanReason>> = {
  pin: poolPb.PlanReason.PIN,
  affinity: poolPb.PlanReason.AFFINITY,
  rule: poolPb.PlanReason.RULE,
  strategy: poolPb.PlanReason.STRATEGY,
  none: poolPb.PlanReason.NONE,
};

export function toStrategyName(strategy: poolPb.Strategy): StrategyName {
  for (const [name, value] of Object.entries(STRATEGIES)) if (value === strategy) return name as StrategyName;
  throw new AppError("invalid_request", `there is no strategy with the number ${strategy}`);
}

export function poolMessage(view: PoolView): MessageInitShape<typeof poolPb.PoolSchema> {
  return {
    revision: int64(view.revision),
    strategy: STRATEGIES[view.strategy],
    pin: view.pin === null ? undefined : pinMessage(view.pin),
    pauseEndTime: instant(view.pauseUntilMs),
    accountCount: view.accountCount,
    usableCount: view.usableCount,
    nextUsableTime: instant(view.nextUsableAtMs),
    openLeases: view.openLeases,
    lastAccountId: view.lastAccountId ?? "",
    nextAccountId: view.nextAccountId ?? "",
    waitingCount: view.waitingCount,
    firstWaiting: waitingMessage(view.firstWaiting),
  };
}

export function waitingMessage(waiting: Waiting | null): MessageInitShape<typeof poolPb.WaitingSchema> | undefined {
  if (waiting === null) return undefined;
  const { position, sinceMs, expectedAtMs, givesUpAtMs } = waiting;
  return {
    position,
    startTime: instant(sinceMs),
    expectTime: instant(expectedAtMs),
    giveUpTime: instant(givesUpAtMs),
  };
}

function pinMessage(pin: Pin): MessageInitShape<typeof poolPb.PinSchema> {
  return { accountId: pin.accountId, startTime: instant(pin.sinceMs), endTime: instant(pin.untilMs) };
}

/** Aliases are looked up when read; a removed account has none any more. */
export type AliasOf = (id: AccountId) => string;

export function aliasLookup(engine: Engine): AliasOf {
  return (id) => engine.accounts.get(id)?.alias ?? "";
}

export function planMessage(plan: Plan, aliasOf: AliasOf): MessageInitShape<typeof poolPb.PlanSchema> {
  return {
    planTime: instant(plan.atMs),
    strategy: STRATEGIES[plan.strategy],
    reason: PLAN_REASONS[plan.reason],
    accountIds: [...plan.order],
    usableCount: plan.usableCount,
    held: plan.held.map((held) => ({
      accountId: held.accountId,
      alias: aliasOf(held.accountId),
      holds: held.holds.map(holdMessage),
    })),
    heldCount: plan.heldCount,
    deferred: plan.deferred.map((deferred) => ({
      accountId: deferred.accountId,
      alias: aliasOf(deferred.accountId),
      limit: deferred.limit,
      lengthMinutes: int64(deferred.lengthMinutes ?? 0),
      leftPercent: deferred.leftPercent,
    })),
    passedOver: plan.passedOver.map((passed) => ({
      accountId: passed.accountId,
      alias: aliasOf(passed.accountId),
      reason: passed.because,
      rule: passed.rule === undefined ? undefined : ruleMessage(passed.rule),
    })),
    nextUsableTime: instant(plan.nextUsableAtMs),
    profile: plan.profile ?? "",
    rules: plan.rules.map(ruleMessage),
  };
}

function ruleMessage({ line, profile, text }: RuleRef): MessageInitShape<typeof poolPb.AppliedRuleSchema> {
  return { line, profile: profile ?? "", text };
}
