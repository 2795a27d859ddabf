/**
 * Whether a login is worth a refresh now, and if not, why: for orders to many accounts, which must never spend a token in vain. Pure.
 */
import type { Account } from "./account.ts";

export type LoginVerdict = { readonly worth: boolean; readonly text: string };

/** Words with which the issuer ended a refresh token for good: showing it again can only be refused again. */
const SPENT: ReadonlySet<string> = new Set([
  "refresh_token_reused",
  "refresh_token_expired",
  "refresh_token_invalidated",
  "invalid_grant",
  "app_session_terminated",
  "account_session_expired",
  "account_deleted",
  "account_deactivated",
  "identity_changed",
]);

const DAY_MS = 86_400_000;

/** An order to renew it. */
export function refreshVerdict(account: Account, nowMs: number): LoginVerdict {
  const kept = keptByAnother(account);
  if (kept !== null) return kept;
  const { login, credentials } = account;
  if (login.kind === "needs_login") return { worth: false, text: `its login was refused (${login.reason})` };
  const days = Math.floor((nowMs - credentials.refreshedAtMs) / DAY_MS);
  const age = days <= 0 ? "renewed less than a day ago" : `renewed ${days} ${days === 1 ? "day" : "days"} ago`;
  const isOver = credentials.accessExpiresAtMs !== null && credentials.accessExpiresAtMs <= nowMs;
  return { worth: true, text: isOver ? `its access token has expired; ${age}` : age };
}

/** An order to find out whether it works. A working one is only looked at; one that was lost is tried when there is something untried. */
export function probeVerdict(account: Account): LoginVerdict {
  const kept = keptByAnother(account);
  if (kept !== null) return kept;
  const { login } = account;
  if (login.kind === "ok") return { worth: true, text: "looked at; renewed only if its access token has expired" };
  if (login.reason === "issuer_mismatch")
    return { worth: false, text: `it belongs to the issuer ${account.issuer}, and another one is configured` };
  if (SPENT.has(login.reason))
    return { worth: false, text: `its refresh token is spent (${login.reason}); sign in again` };
  return { worth: true, text: `upstream refused it (${login.reason}), its refresh token is untried` };
}

function keptByAnother({ refreshOwner }: Account): LoginVerdict | null {
  return refreshOwner.kind === "rotor"
    ? null
    : { worth: false, text: `the program of ${refreshOwner.path} renews it; Rotor only adopts what it finds there` };
}
