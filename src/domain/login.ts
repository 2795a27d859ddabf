/**
 * A login: one OAuth flow on its way to an account, as operators see it. Holds no code, no token and no verifier; the address to open
 * carries a state that is worth nothing without the verifier.
 */
import type { ErrorCode } from "../base/errors.ts";
import type { AccountId } from "./account.ts";

export interface Login {
  /** ULID. */
  readonly id: string;
  readonly method: LoginMethod;
  readonly state: LoginProgress;
  /** Address to open; null for a device login. */
  readonly authorizeUrl: string | null;
  /** Where the issuer sends the browser back to; null for a device login. */
  readonly redirectUri: string | null;
  /** Page and code of a device login; null otherwise. */
  readonly verificationUrl: string | null;
  readonly userCode: string | null;
  readonly startedAtMs: number;
  readonly expiresAtMs: number;
  readonly endedAtMs: number | null;
  /** The account that came of it. */
  readonly accountId: AccountId | null;
  /** That account was added by it, as opposed to a known one that took new credentials. */
  readonly added: boolean;
  /** All that the person may sign in to, as upstream said at its end. */
  readonly workspaces: readonly Workspace[];
  readonly error: LoginFailure | null;
}

export interface Workspace {
  readonly id: string;
  /** Empty when upstream gives it none. */
  readonly name: string;
}

export type LoginMethod = "browser" | "device" | "manual";

/** Every one but `pending` is an end. */
export type LoginProgress = "pending" | "completed" | "failed" | "canceled" | "expired";

export interface LoginFailure {
  readonly code: ErrorCode;
  readonly message: string;
}
