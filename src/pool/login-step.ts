/**
 * Orders about many accounts: what they may ask for, and what is told of them step by step. Data alone.
 */
import type { AccountId } from "../domain/account.ts";

export interface EditOptions {
  /** Also when nobody is left who can serve. */
  readonly force: boolean;
  /** Judge it and change nothing. */
  readonly dryRun: boolean;
}

export interface QueueOptions {
  /** Say what would be done and send nothing. */
  readonly dryRun: boolean;
  /** Aborted: what is under way ends, nothing else begins. */
  readonly signal: AbortSignal;
}

/** A model that a probe asks, and how hard it may think. */
export interface ModelWish {
  readonly model: string;
  readonly effort: string;
}

export interface ProbeOptions extends QueueOptions {
  /** Also send one tiny request; null = nothing that counts is sent. */
  readonly ask: ModelWish | null;
}

export interface LoginStep {
  readonly accountId: AccountId;
  readonly alias: string;
  readonly state: "queued" | "skipped" | "running" | "done" | "failed";
  readonly text: string;
}
