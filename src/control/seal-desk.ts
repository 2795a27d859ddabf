/**
 * What the control door asks of the seal. Implemented where the daemon is put together; holds no proto types.
 */
import type { Secret } from "../base/secret.ts";
import type { GuardKind } from "../store/key-guard.ts";
import type { ChangeOrder, SealFacts } from "../store/seal-keeper.ts";

export interface SealView extends SealFacts {
  /** Why it is not open, in words; null when it is. */
  readonly lockReason: string | null;
}

export interface GuardOption {
  readonly guard: GuardKind;
  /** Why it cannot be used here now, in words; null when it can. */
  readonly refusal: string | null;
}

export interface SealChange {
  readonly oldGuard: GuardKind;
  readonly oldPlace: string;
  readonly newGuard: GuardKind;
  readonly newPlace: string;
  readonly oldKeyStays: boolean;
}

/** Rejects with `not_ready` while there is no store that can be read. */
export interface SealDesk {
  view(): Promise<SealView>;
  /** Every guard. Asks the keychain, which may take seconds to say nothing. */
  options(): Promise<readonly GuardOption[]>;
  /** Resolves when the daemon is ready. */
  unlock(given: Secret | null): Promise<void>;
  /** Resolves when the keys are forgotten. */
  lock(): Promise<void>;
  change(order: ChangeOrder, dryRun: boolean): Promise<SealChange>;
  /** How many logins were sealed again. */
  rotate(): Promise<number>;
}
