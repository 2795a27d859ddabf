/**
 * What is to be done about a login that lies in a watched file: taken in, taken over, left, and whether anybody has to be asked first.
 */
import type { Account } from "./account.ts";

/** How the login in the file relates to the one that the account has here. */
export interface FileComparison {
  readonly age: "same" | "newer" | "older";
  /** Renewing one makes the other worthless: both come from one sign-in, as far as can be told. */
  readonly shared: boolean;
}

export type FileVerdict =
  /** A login that is not here. */
  | { readonly act: "add" }
  /** The account takes the newer login; the file's program renews it from then on. */
  | { readonly act: "renew" }
  /** The very same login: the file's program alone is to renew it from now on. */
  | { readonly act: "hand_over" }
  | { readonly act: "nothing"; readonly because: "same" | "stale_copy" | "separate" };

export type FileNotice = "offered" | "two_owners";

/** `account` null = the login is of nobody here. */
export function judgeFileLogin(account: Account | null, comparison: FileComparison | null): FileVerdict {
  if (account === null || comparison === null) return { act: "add" };
  const { age, shared } = comparison;
  const isLost = account.login.kind === "needs_login";
  const isBorrowed = account.refreshOwner.kind === "file";
  if (age === "newer")
    return shared || isLost || isBorrowed ? { act: "renew" } : { act: "nothing", because: "separate" };
  if (age === "same") return isBorrowed ? { act: "nothing", because: "same" } : { act: "hand_over" };
  return { act: "nothing", because: shared ? "stale_copy" : "separate" };
}

/** Without asking: what another program has renewed for us, what heals an account, and all that `adopt` allows. */
export function isAutomatic(verdict: FileVerdict, account: Account | null, adopt: boolean): boolean {
  if (verdict.act === "add") return adopt;
  if (verdict.act !== "renew" || account === null) return false;
  return adopt || account.refreshOwner.kind === "file" || account.login.kind === "needs_login";
}

/** What stands to be said while the verdict is not carried out. */
export function noticeOf(verdict: FileVerdict, account: Account | null): FileNotice | null {
  if (verdict.act === "add") return "offered";
  const isOurs = account !== null && account.refreshOwner.kind === "rotor";
  const isShared = verdict.act === "renew" || verdict.act === "hand_over" || verdict.because === "stale_copy";
  return isOurs && isShared ? "two_owners" : null;
}
