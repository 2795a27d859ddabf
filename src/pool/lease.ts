/** A lease: one in-flight claim on an account, handed out by pool/lease-desk.ts. */
import type { AccountId } from "../domain/account.ts";

export interface Lease {
  readonly accountId: AccountId;
  /** Gives it back; only the first call counts. */
  release(): void;
}
