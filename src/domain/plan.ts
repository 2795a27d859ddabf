/**
 * A plan: the ranked answer to an ask, with every hold that it saw.
 */
import type { AccountId } from "./account.ts";
import type { Hold } from "./hold.ts";
import type { RuleRef } from "./rule.ts";
import type { StrategyName } from "./strategy.ts";

export interface Plan {
  readonly atMs: number;
  readonly strategy: StrategyName;
  /** Name of the profile that asked; null = none. */
  readonly profile: string | null;
  /** The rules that held, left out or moved an account, by their lines. */
  readonly rules: readonly RuleRef[];
  /** Best first; as many as were asked for. */
  readonly order: readonly AccountId[];
  /** How many accounts were usable in all. */
  readonly usableCount: number;
  /** Accounts with at least one hold. */
  readonly held: readonly HeldAccount[];
  readonly heldCount: number;
  /** Accounts without a hold that this ask may not take: another one is pinned, a profile or a rule leaves them out, or they were tried. */
  readonly passedOver: readonly PassedOver[];
  /** Usable accounts that stand behind the others because little of them is left. */
  readonly deferred: readonly DeferredAccount[];
  /** When the first held account becomes usable; null when none has a known end or somebody is usable now. */
  readonly nextUsableAtMs: number | null;
  /** Why the first of `order` is first. */
  readonly reason: "pin" | "affinity" | "rule" | "strategy" | "none";
}

export interface HeldAccount {
  readonly accountId: AccountId;
  readonly holds: readonly Hold[];
  /** Without the hold it would be passed over all the same: the end of its holds helps nobody. */
  readonly isBarred?: true;
}

export interface PassedOver {
  readonly accountId: AccountId;
  readonly because: "pinned_elsewhere" | "outside_profile" | "ruled_out" | "tried";
  /** The rule that left it out. */
  readonly rule?: RuleRef;
}

export interface DeferredAccount {
  readonly accountId: AccountId;
  /** The window of which little is left. */
  readonly limit: string;
  readonly lengthMinutes: number | null;
  /** 0–100. */
  readonly leftPercent: number;
}

/** A plan as it is kept with an exchange: of each of its lists at most {@link PLAN_RECORD_MAX_HELD}, but `heldCount` has the whole number. */
export type PlanRecord = Plan;

/** With 1,000 accounts the record of every hold would outweigh the exchange; 32 is more than anybody reads. */
export const PLAN_RECORD_MAX_HELD = 32;

export function recordPlan(plan: Plan): PlanRecord {
  const { rules, held, passedOver, deferred } = plan;
  const longest = Math.max(rules.length, held.length, passedOver.length, deferred.length);
  // Nearly every plan is short enough to be kept as it is: nobody changes one.
  if (longest <= PLAN_RECORD_MAX_HELD) return plan;
  return {
    ...plan,
    rules: firstOf(rules),
    held: firstOf(held),
    passedOver: firstOf(passedOver),
    deferred: firstOf(deferred),
  };
}

function firstOf<T>(list: readonly T[]): readonly T[] {
  return list.length <= PLAN_RECORD_MAX_HELD ? list : list.slice(0, PLAN_RECORD_MAX_HELD);
}
