/**
 * Limits, budgets and what a key may ask for in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import type { BudgetScope } from "../../domain/budget.ts";
import { type KeyTerms, NO_TERMS } from "../../domain/client-key.ts";
import type { Limit } from "../../domain/limit.ts";
import type * as budgetPb from "../../gen/rotor/v1/budget_service_pb.ts";
import type * as keyPb from "../../gen/rotor/v1/key_service_pb.ts";
import * as pb from "../../gen/rotor/v1/limit_pb.ts";
import type { BudgetView, LimitUse } from "../../pool/budget-desk.ts";
import { instant, int64, toInstantMs } from "./values.ts";

const MEASURES = {
  requests: pb.Measure.REQUESTS,
  tokens: pb.Measure.TOKENS,
  cost: pb.Measure.COST,
} as const satisfies Record<Limit["measure"], pb.Measure>;

const PERIODS = {
  hour: pb.Period.HOUR,
  day: pb.Period.DAY,
  week: pb.Period.WEEK,
  month: pb.Period.MONTH,
} as const satisfies Record<Limit["period"], pb.Period>;

export function limitUseMessage({
  limit,
  used,
  reserved,
  resetsAtMs,
}: LimitUse): MessageInitShape<typeof pb.LimitUseSchema> {
  return {
    limit: limitMessage(limit),
    used: int64(used),
    reserved: int64(reserved),
    resetTime: instant(resetsAtMs),
  };
}

function limitMessage({ measure, amount, period }: Limit): MessageInitShape<typeof pb.LimitSchema> {
  return { measure: MEASURES[measure], amount: int64(amount), period: PERIODS[period] };
}

export function toLimit(message: pb.Limit | undefined): Limit {
  if (message === undefined) throw new AppError("invalid_limit", "the limit is missing");
  const measure = nameOf(MEASURES, message.measure);
  const period = nameOf(PERIODS, message.period);
  if (measure === null || period === null)
    throw new AppError("invalid_limit", "a limit says what it counts and how long");
  return { measure, amount: Number(message.amount), period };
}

function nameOf<Name extends string>(values: Readonly<Record<Name, number>>, value: number): Name | null {
  return (Object.keys(values) as Name[]).find((name) => values[name] === value) ?? null;
}

export function termsMessage(terms: KeyTerms): MessageInitShape<typeof keyPb.KeyTermsSchema> {
  return {
    models: [...terms.models],
    efforts: [...terms.efforts],
    tiers: [...terms.tiers],
    limits: terms.limits.map(limitMessage),
    expireTime: instant(terms.expiresAtMs),
  };
}

export function toTerms(message: keyPb.KeyTerms | undefined): KeyTerms {
  if (message === undefined) return NO_TERMS;
  const { models, efforts, tiers, limits, expireTime } = message;
  return { models, efforts, tiers, limits: limits.map(toLimit), expiresAtMs: toInstantMs(expireTime) };
}

export function budgetMessage({ budget, use }: BudgetView): MessageInitShape<typeof budgetPb.BudgetSchema> {
  const { name, scope, warnPercent, createdAtMs } = budget;
  return {
    name,
    scope: { of: scopeCase(scope) },
    use: limitUseMessage(use),
    warnPercent: warnPercent ?? 0,
    createTime: instant(createdAtMs),
  };
}

function scopeCase(scope: BudgetScope) {
  if (scope.kind === "key") return { case: "keyId", value: scope.keyId } as const;
  if (scope.kind === "project") return { case: "project", value: scope.project } as const;
  return scope.kind === "profiles" ? ({ case: "profiles", value: true } as const) : { case: undefined };
}

export function toScope(message: budgetPb.BudgetScope | undefined): BudgetScope {
  if (message?.of.case === "keyId") return { kind: "key", keyId: message.of.value };
  if (message?.of.case === "project") return { kind: "project", project: message.of.value };
  return { kind: message?.of.case === "profiles" ? "profiles" : "all" };
}
