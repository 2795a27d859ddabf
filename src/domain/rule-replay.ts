/**
 * What rules would have done to the past: an exchange that was recorded, asked again with other rules. Who could serve then comes from the
 * plan that ran, what was left of windows from their history, and the ranking itself decides. Pure.
 */
import type { Account, AccountId } from "./account.ts";
import type { Exchange } from "./exchange.ts";
import type { HeldAccount } from "./plan.ts";
import type { ProfileScope } from "./profile.ts";
import { rank } from "./rank.ts";
import type { RuleRef } from "./rule.ts";
import { plainAsk } from "./rule-check.ts";
import type { RuleSet } from "./rule-set.ts";
import type { Thresholds } from "./threshold.ts";
import type { Window } from "./window.ts";
import { seriesFrom, type WindowSample, type WindowSeries } from "./window-history.ts";

export interface Replay {
  /** `gained`: it was refused, and would have been served. */
  readonly kind: "same" | "elsewhere" | "nowhere" | "gained";
  /** Account that would have served it; null = none. */
  readonly to: AccountId | null;
  /** The rule that made the difference, where one can be named. */
  readonly rule: RuleRef | null;
}

/** Accounts as they were at a time, as far as that was kept: their windows. */
export type AccountsAt = (atMs: number) => readonly Account[];

export function accountsAt(accounts: readonly Account[], samples: readonly WindowSample[]): AccountsAt {
  const series = Map.groupBy(seriesFrom(samples), ({ accountId }) => accountId);
  return (atMs) =>
    accounts
      .filter(({ createdAtMs }) => createdAtMs <= atMs)
      .map((account) => ({ ...account, windows: windowsAt(account, series.get(account.id) ?? [], atMs) }));
}

function windowsAt(account: Account, series: readonly WindowSeries[], atMs: number): readonly Window[] {
  return series.flatMap(({ limit, slot, samples }) => {
    const sample = samples.findLast((one) => one.atMs <= atMs);
    if (sample === undefined) return [];
    const now = account.windows.find((window) => window.limit === limit && window.slot === slot);
    const { lengthMinutes, usedPercent, resetsAtMs } = sample;
    const seen = { observedAtMs: sample.atMs, observedFrom: "header" as const, models: now?.models ?? null };
    return [{ limit, slot, lengthMinutes, usedPercent, resetsAtMs, ...seen }];
  });
}

export interface ReplayWith {
  readonly rules: RuleSet | null;
  readonly profile: ProfileScope | null;
  readonly thresholds: Thresholds;
}

/** null when nothing can be said of it: no plan was kept, or it failed for another reason than its plan. */
export function replayExchange(exchange: Exchange, then: AccountsAt, given: ReplayWith): Replay | null {
  const { plan, servedBy, startedAtMs, model } = exchange;
  if (plan === null || (servedBy === null && plan.order.length > 0)) return null;
  const pin = plan.reason === "pin" && servedBy !== null ? { accountId: servedBy, sinceMs: 0, untilMs: null } : null;
  const couldNot = new Set<AccountId>();
  for (const held of plan.held) if (!isByRules(held)) couldNot.add(held.accountId);
  for (const { accountId, because } of plan.passedOver) if (because === "tried") couldNot.add(accountId);
  const places = new Map(plan.order.map((id, place) => [id, place]));
  const accounts = then(startedAtMs)
    .filter(({ id }) => id === servedBy || !couldNot.has(id))
    .map((account) => freed(account, account.id === servedBy ? -1 : (places.get(account.id) ?? plan.order.length)));
  const off = { ...given.thresholds, low_action: "off", critical_action: "off" } as const;
  const affinity = plan.reason === "affinity" ? servedBy : null;
  const { rules, profile } = given;
  const again = rank(accounts, plainAsk({ nowMs: startedAtMs, model, rules, profile, thresholds: off, affinity, pin }));
  const to = again.order[0] ?? null;
  if (to === servedBy) return { kind: "same", to, rule: null };
  if (servedBy === null) return { kind: "gained", to, rule: null };
  if (to !== null && !accounts.some(({ id }) => id === servedBy)) return null;
  const hold = again.held
    .find(({ accountId }) => accountId === servedBy)
    ?.holds.find((one) => "rule" in one && one.rule);
  const passed = again.passedOver.find(({ accountId }) => accountId === servedBy);
  const rule = (hold !== undefined && "rule" in hold ? hold.rule : null) ?? passed?.rule ?? again.rules[0] ?? null;
  return { kind: to === null ? "nowhere" : "elsewhere", to, rule };
}

/** What only rules have held could have served under others. */
function isByRules({ holds }: HeldAccount): boolean {
  return holds.every((hold) => "rule" in hold && hold.rule !== null);
}

/** What stands against it today did not then; and it comes in the order of the plan that ran, whatever the strategy was. */
function freed(account: Account, place: number): Account {
  return {
    ...account,
    enabled: true,
    login: { kind: "ok" },
    cooldown: null,
    unsupportedModels: [],
    windows: account.windows.map((window) => ({ ...window, usedPercent: Math.min(window.usedPercent, 99.999) })),
    orders: { ...account.orders, pause: null, draining: false },
    use: { ...account.use, lastLeaseOrder: place },
  };
}

/** For how many of these hours the rules would have kept each account from serving. */
export function hoursHeld(
  then: AccountsAt,
  hours: readonly number[],
  given: ReplayWith,
): ReadonlyMap<AccountId, number> {
  const held = new Map<AccountId, number>();
  const off = { ...given.thresholds, low_action: "off", critical_action: "off" } as const;
  for (const atMs of hours) {
    const ask = plainAsk({ nowMs: atMs, model: null, rules: given.rules, profile: given.profile, thresholds: off });
    for (const account of then(atMs)) {
      if (rank([freed(account, 0)], ask, 1).usableCount === 0) held.set(account.id, (held.get(account.id) ?? 0) + 1);
    }
  }
  return held;
}
