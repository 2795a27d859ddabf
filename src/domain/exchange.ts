/**
 * An exchange: one client request from start to end, with each attempt and the plan that ran. What `exchange show` and the store keep.
 */
import type { AccountId } from "./account.ts";
import type { CacheMove } from "./cache-move.ts";
import type { ModelMapping } from "./model-choice.ts";
import type { OutcomeKind, Usage } from "./outcome.ts";
import type { PlanRecord } from "./plan.ts";
import type { Waiting } from "./waiting.ts";

/** ULID; sent to the client as `x-rotor-exchange`. */
export type ExchangeId = string & { readonly __brand: "ExchangeId" };

/** Who is asking decides the shape of answers (contracts §1). */
export type Surface = "codex" | "sdk";

export interface AttemptRecord {
  readonly accountId: AccountId;
  readonly alias: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcome: OutcomeKind;
  /** HTTP status of upstream's answer; null when there was none. */
  readonly status: number | null;
  /** What upstream said, shortened; never a body of a served answer. */
  readonly message: string | null;
  /** What was decided after it. */
  readonly next: "done" | "refresh" | "same" | "next" | "strip" | "wait" | "answer";
}

/** What the ledger notes of a turn beside its tokens. */
export interface ExchangeSpend {
  readonly project: string | null;
  readonly effort: string | null;
  readonly tier: string | null;
  /** Budgets of the profile that asked; absent = none. */
  readonly budgets?: readonly string[];
  /** Estimate of what the API would have cost; null when that is not known. */
  readonly costMicroUsd: number | null;
  /** The conversation came from another account; null when it did not. */
  readonly move: CacheMove | null;
}

export interface Exchange {
  readonly id: ExchangeId;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly surface: Surface;
  readonly method: string;
  /** Path as asked, without a path-scoped key. */
  readonly path: string;
  /** As it was sent. */
  readonly model: string | null;
  /** What the client asked instead, and what was set with it; null = it was sent as asked. */
  readonly mapping: ModelMapping | null;
  /** Client key id; null for what Rotor asks itself. */
  readonly keyId: string | null;
  /** Short digest of the conversation key; null when there was none. */
  readonly conversation: string | null;
  readonly attempts: readonly AttemptRecord[];
  /** The last plan that ran, with every hold it saw. */
  readonly plan: PlanRecord | null;
  /** Account that served it, if one did. */
  readonly servedBy: AccountId | null;
  readonly servedByAlias: string | null;
  /** Status that the client got; null while open or when it hung up first. */
  readonly status: number | null;
  /** Stable error code when Rotor itself answered. */
  readonly errorCode: string | null;
  readonly usage: Usage | null;
  /** What it counts as in the ledger; null while it is open, and for what is no turn. */
  readonly spend: ExchangeSpend | null;
  /** Milliseconds to the first byte that the client could have got; null when none came. */
  readonly firstByteMs: number | null;
  /** How long it waited for an account to become usable. */
  readonly waitedMs: number;
  /** Where it stands in line; only while it does. */
  readonly waiting?: Waiting;
}
