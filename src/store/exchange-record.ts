/**
 * The record of an exchange as it is kept: values in a fixed order, without their names, without what has a column of its own, and with times
 * and accounts counted from the exchange's own. A third of the bytes of the object, and bytes are what writing it costs: every exchange is
 * written once, copied from the log once, and seldom read. `test/store/exchange-record.test.ts` holds both directions together.
 */
import type { AccountId } from "../domain/account.ts";
import type { AttemptRecord, Exchange, ExchangeId } from "../domain/exchange.ts";
import type { PlanRecord } from "../domain/plan.ts";
import type { SqlRow } from "./database.ts";
import { numberOf, numberOrNull, textOf, textOrNull } from "./row.ts";

/** Columns beside the record. */
export const EXCHANGE_COLUMNS = "id, started_at_ms, ended_at_ms, key_id, status, error_code, record";

type Values = readonly unknown[];

export function packExchange(exchange: Exchange): string {
  const { startedAtMs: sinceMs, plan, usage, spend } = exchange;
  // The account that served stands in plan and attempts too.
  const accounts: AccountId[] = [];
  const placeOf = (id: AccountId) => {
    const place = accounts.indexOf(id);
    return place >= 0 ? place : accounts.push(id) - 1;
  };
  return JSON.stringify([
    exchange.surface,
    exchange.method,
    exchange.path,
    exchange.model,
    exchange.mapping,
    exchange.conversation,
    exchange.attempts.map((attempt) => packAttempt(attempt, sinceMs, placeOf)),
    plan === null ? null : packPlan(plan, sinceMs, placeOf),
    exchange.servedBy === null ? null : placeOf(exchange.servedBy),
    exchange.servedByAlias,
    usage === null ? null : [usage.inputTokens, usage.cachedInputTokens, usage.outputTokens, usage.reasoningTokens],
    spend === null ? null : [spend.project, spend.effort, spend.tier, spend.costMicroUsd, spend.move],
    exchange.firstByteMs,
    exchange.waitedMs,
    accounts,
  ]);
}

function packAttempt(attempt: AttemptRecord, sinceMs: number, placeOf: (id: AccountId) => number): Values {
  const { alias, startedAtMs, endedAtMs, outcome, status, message, next } = attempt;
  const account = placeOf(attempt.accountId);
  return [account, alias, startedAtMs - sinceMs, endedAtMs - sinceMs, outcome, status, message, next];
}

function packPlan(plan: PlanRecord, sinceMs: number, placeOf: (id: AccountId) => number): Values {
  const { strategy, profile, rules, reason, usableCount, held, heldCount, passedOver, deferred } = plan;
  const order = plan.order.map(placeOf);
  const backMs = plan.nextUsableAtMs;
  return [
    plan.atMs - sinceMs,
    strategy,
    profile,
    rules,
    reason,
    order,
    usableCount,
    held,
    heldCount,
    passedOver,
    deferred,
    backMs,
  ];
}

/** Throws, or answers null, for what is no record of an exchange. */
export function unpackExchange(row: SqlRow): Exchange | null {
  const values = JSON.parse(textOf(row, "record")) as Values | null;
  if (!Array.isArray(values) || values.length !== 15) return null;
  const [surface, method, path, model, mapping, conversation, attempts, plan, servedBy, servedByAlias] = values;
  const [usage, spend, firstByteMs, waitedMs, accounts] = values.slice(10);
  const sinceMs = numberOf(row, "started_at_ms");
  return {
    id: textOf(row, "id") as ExchangeId,
    startedAtMs: sinceMs,
    endedAtMs: numberOrNull(row, "ended_at_ms"),
    surface,
    method,
    path,
    model,
    mapping,
    keyId: textOrNull(row, "key_id"),
    conversation,
    attempts: attempts.map((attempt: Values) => unpackAttempt(attempt, sinceMs, accounts)),
    plan: plan === null ? null : unpackPlan(plan, sinceMs, accounts),
    servedBy: servedBy === null ? null : accounts[servedBy],
    servedByAlias,
    status: numberOrNull(row, "status"),
    errorCode: textOrNull(row, "error_code"),
    usage:
      usage === null
        ? null
        : { inputTokens: usage[0], cachedInputTokens: usage[1], outputTokens: usage[2], reasoningTokens: usage[3] },
    spend:
      spend === null
        ? null
        : { project: spend[0], effort: spend[1], tier: spend[2], costMicroUsd: spend[3], move: spend[4] },
    firstByteMs,
    waitedMs,
  };
}

// biome-ignore lint/suspicious/noExplicitAny: what was packed above, by its places.
type Unpacked = readonly any[];

function unpackAttempt(values: Unpacked, sinceMs: number, accounts: readonly AccountId[]): AttemptRecord {
  const [account, alias, startedMs, endedMs, outcome, status, message, next] = values;
  const [startedAtMs, endedAtMs] = [startedMs + sinceMs, endedMs + sinceMs];
  return { accountId: accounts[account]!, alias, startedAtMs, endedAtMs, outcome, status, message, next };
}

function unpackPlan(values: Unpacked, sinceMs: number, accounts: readonly AccountId[]): PlanRecord {
  const [atMs, strategy, profile, rules, reason, places, usableCount, held, heldCount, passedOver, deferred, backMs] =
    values;
  const order = places.map((place: number) => accounts[place]!);
  const rest = { usableCount, held, heldCount, passedOver, deferred, nextUsableAtMs: backMs };
  return { atMs: atMs + sinceMs, strategy, profile, rules, reason, order, ...rest };
}
