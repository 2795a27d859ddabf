/**
 * An account: one login in one ChatGPT workspace, with all that selection may know about it.
 * Identity is user id + workspace id, never the e-mail alone. Holds no credentials, only facts about them.
 */
import type { Credits, ResetCredits } from "./credits.ts";
import type { Window } from "./window.ts";

/** ULID, ours; never sent upstream. */
export type AccountId = string & { readonly __brand: "AccountId" };

export interface Account {
  readonly id: AccountId;
  /** Unique, short, never derived from an e-mail address: logs print it. */
  readonly alias: string;
  readonly email: string | null;
  /** `chatgpt_user_id` claim; null only for credentials that never said it. */
  readonly userId: string | null;
  /** `chatgpt_account_id` claim: the workspace, sent upstream as `chatgpt-account-id`. */
  readonly workspaceId: string;
  /** What people call the workspace; null when upstream never said. */
  readonly workspaceName: string | null;
  /** OAuth issuer that these credentials belong to; they are refused under another one (contracts §14). */
  readonly issuer: string;
  /** ChatGPT subscription as upstream spells it: free, plus, pro, team, …; "unknown" when never said. */
  readonly tier: string;
  readonly createdAtMs: number;
  /** The operator's switch; authoritative. */
  readonly enabled: boolean;
  readonly orders: Orders;
  /** Who renews this login (contracts §15). */
  readonly refreshOwner: RefreshOwner;
  readonly login: LoginState;
  readonly credentials: CredentialFacts;
  readonly windows: readonly Window[];
  /** null = upstream never said. */
  readonly credits: Credits | null;
  readonly resetCredits: ResetCredits | null;
  readonly cooldown: Cooldown | null;
  /** Models that upstream refused for this account, with when to ask again. */
  readonly unsupportedModels: readonly UnsupportedModel[];
  readonly use: UseFacts;
}

/** What the operator says about an account beside its switch. */
export interface Orders {
  /** Lower case, each once, in alphabetical order. */
  readonly tags: readonly string[];
  /** Free text, "" = none. */
  readonly note: string;
  /** Share of the work relative to the other accounts, > 0; 1 = like any other. */
  readonly weight: number;
  /** Larger is drained first; 0 = no wish. */
  readonly priority: number;
  /** Set aside for a while; null = not. */
  readonly pause: { readonly sinceMs: number; readonly untilMs: number | null } | null;
  /** Finishes what it has begun and the conversations that are on it, and takes no new ones. */
  readonly draining: boolean;
  /** How fast it may be asked; null = as the settings say for all. */
  readonly pace: RequestPace | null;
}

/** How fast an account may be asked (domain/pace.ts). */
export interface RequestPace {
  /** 0 = as many as come. */
  readonly requestsPerMinute: number;
  /** Requests that may begin at once after a rest, ≥ 1. */
  readonly burst: number;
}

export const NO_ORDERS: Orders = {
  tags: [],
  note: "",
  weight: 1,
  priority: 0,
  pause: null,
  draining: false,
  pace: null,
};

/** `file`: another program renews this login and keeps it in that file; Rotor only adopts what it finds there. */
export type RefreshOwner = { readonly kind: "rotor" } | { readonly kind: "file"; readonly path: string };

export const OWNED_HERE: RefreshOwner = { kind: "rotor" };

/** Whether the login still works; `needs_login` is left only by new credentials. */
export type LoginState =
  | { readonly kind: "ok" }
  | { readonly kind: "needs_login"; readonly reason: string; readonly sinceMs: number };

export interface CredentialFacts {
  /** Grows by one with every refresh or login; an older one never overwrites a newer one. */
  readonly generation: number;
  /** `exp` of the access token; null when it has none. */
  readonly accessExpiresAtMs: number | null;
  readonly refreshedAtMs: number;
}

/** The hold that we set after a failure. Always with an end; a healthy answer that is newer clears it. */
export interface Cooldown {
  readonly untilMs: number;
  /** When the failure was observed: an older answer never undoes a newer one. */
  readonly sinceMs: number;
  readonly reason: CooldownReason;
  /** Consecutive failures of this reason; sets the next length. */
  readonly failures: number;
}

/** `owner_must_refresh`: its access token has ended and the program that renews the login has not done so yet. */
export type CooldownReason = "rate_limited" | "refresh_failed" | "upstream_failing" | "owner_must_refresh";

/** Of those that new credentials mend. */
export function isLoginCooldown(reason: CooldownReason | undefined): boolean {
  return reason === "refresh_failed" || reason === "owner_must_refresh";
}

export interface UnsupportedModel {
  readonly model: string;
  readonly untilMs: number;
}

export interface UseFacts {
  /** Order of the last lease in this daemon's life and before: larger is later; 0 = never. */
  readonly lastLeaseOrder: number;
  readonly lastLeasedAtMs: number | null;
  readonly lastServedAtMs: number | null;
  /** When its last turn was in the virtual time of domain/turn.ts; 0 = it had none. */
  readonly turn: number;
  /** Exchanges by UTC day, newest first, at most eight days: [day number, count]. */
  readonly exchangesByDay: readonly (readonly [day: number, count: number])[];
}

const DAY_MS = 86_400_000;
/** The current day in part and seven before it: "the last 7 days" of the least-used strategy. */
const DAYS_KEPT = 8;

/** Exchanges in the last seven days (whole UTC days and today). */
export function exchangesInLastWeek(account: Account, nowMs: number): number {
  const today = Math.floor(nowMs / DAY_MS);
  let sum = 0;
  for (const [day, count] of account.use.exchangesByDay) if (day > today - DAYS_KEPT + 1) sum += count;
  return sum;
}

/** When the next UTC day begins. */
export function nextDayMs(nowMs: number): number {
  return (Math.floor(nowMs / DAY_MS) + 1) * DAY_MS;
}

/** The day table with one more exchange at `nowMs`. */
export function countExchange(days: UseFacts["exchangesByDay"], nowMs: number): UseFacts["exchangesByDay"] {
  const today = Math.floor(nowMs / DAY_MS);
  const first = days[0];
  if (first?.[0] === today) {
    const counted = days.slice();
    counted[0] = [today, first[1] + 1];
    return counted;
  }
  return [[today, 1] as const, ...days.filter(([day]) => day < today)].slice(0, DAYS_KEPT);
}

/** Same login in the same workspace. Without a user id the workspace alone cannot prove it. */
export function isSameIdentity(
  a: Pick<Account, "userId" | "workspaceId" | "issuer">,
  b: Pick<Account, "userId" | "workspaceId" | "issuer">,
): boolean {
  return a.workspaceId === b.workspaceId && a.userId === b.userId && a.issuer === b.issuer;
}

/** In the place of the workspace of a login of which nothing says whose it is; the first refresh tells. Never sent upstream. */
const PROVISIONAL = "unidentified:";

export function provisionalWorkspace(id: AccountId): string {
  return PROVISIONAL + id;
}

/** Whether only its first refresh can tell whose login this is. */
export function isProvisional({ workspaceId }: Pick<Account, "workspaceId">): boolean {
  return workspaceId.startsWith(PROVISIONAL);
}

/** Why an account of another issuer needs a login; not upstream's word but ours, and taken back when the issuers agree again. */
const FOREIGN_ISSUER = "issuer_mismatch";

/** The account under the issuer that is configured: credentials of another one are not sent anywhere (contracts §14). */
export function underIssuer(account: Account, issuer: string, nowMs: number): Account {
  const isForeign = account.issuer !== issuer;
  const isMarked = account.login.kind === "needs_login" && account.login.reason === FOREIGN_ISSUER;
  if (isForeign && account.login.kind === "ok") {
    return { ...account, login: { kind: "needs_login", reason: FOREIGN_ISSUER, sinceMs: nowMs } };
  }
  return !isForeign && isMarked ? { ...account, login: { kind: "ok" } } : account;
}

/** 1–40 of a–z 0–9 . _ -, starting with a letter or digit; not a number, so that list numbers stay unambiguous. */
export function isAlias(text: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,39}$/.test(text) && !/^\d+$/.test(text);
}

/** `plus`, `plus-2`, `plus-3` …: from the tier, because an alias is printed in logs and an e-mail address must not be. */
export function defaultAlias(tier: string, taken: ReadonlySet<string>): string {
  const cleaned = tier
    .toLowerCase()
    .replace(/[^a-z0-9._-]/g, "")
    .slice(0, 30);
  const base = isAlias(cleaned) && cleaned !== "unknown" ? cleaned : "account";
  for (let n = 1; ; n++) {
    const alias = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(alias)) return alias;
  }
}
