/**
 * An ask: all that selection is told. Time and chance arrive in it, so that a plan can be replayed.
 */
import type { AccountId } from "./account.ts";
import type { Pacing } from "./pace.ts";
import type { Pin } from "./pin.ts";
import type { ProfileScope } from "./profile.ts";
import type { RuleSet } from "./rule-set.ts";
import type { StrategyName } from "./strategy.ts";
import type { Thresholds } from "./threshold.ts";

export interface Ask {
  readonly nowMs: number;
  readonly model: string | null;
  readonly strategy: StrategyName;
  readonly pin: Pin | null;
  /** Where this conversation lives, when it has a home. */
  readonly affinity: AccountId | null;
  /** Already tried by this exchange. */
  readonly tried: ReadonlySet<AccountId>;
  /** Leases now open, by account; absent = 0. */
  readonly openLeases: ReadonlyMap<AccountId, number>;
  /** Leases that one account may have at once. */
  readonly maxLeases: number;
  /** How fast one account may be asked, and what is spent of that. */
  readonly pacing: Pacing;
  /** What is done about accounts of which little is left. */
  readonly thresholds: Thresholds;
  /** What the operator's rules say; null = there is none. */
  readonly rules: RuleSet | null;
  /** The profile that asks, and whom it may use; null = the whole pool. */
  readonly profile: ProfileScope | null;
  /** Uniform in [0, 1): the random choices of this ask, so that a plan can be replayed. */
  readonly dice: number;
}
