/**
 * The accounts that the simulator knows: who they are, their plan, windows and credits. One user may own several
 * accounts (a personal one and workspaces), as upstream allows.
 */
import { type Dice, randomToken, sha256Hex } from "../base/id.ts";
import { type Bucket, clearWindow, createWindow, setUsedPercent } from "./allowance.ts";
import { type WindowSpec, windowsOfPlan } from "./plans.ts";

/** What a 429 for a full window says about its reset. */
export const LIMIT_ANSWERS = ["both", "resets_at", "resets_in_seconds", "none"] as const;
export type LimitAnswer = (typeof LIMIT_ANSWERS)[number];

export interface AdditionalLimitSpec {
  limitName: string;
  meteredFeature: string;
  models: string[];
  windows: WindowSpec[];
}

export interface CreditsSpec {
  hasCredits?: boolean;
  unlimited?: boolean;
  balance?: number;
}

/** An account as a scenario or the control API describes it; everything has a default. */
export interface AccountSpec {
  alias?: string;
  email?: string;
  userId?: string;
  accountId?: string;
  organizationId?: string;
  plan?: string;
  windows?: WindowSpec[];
  additionalLimits?: AdditionalLimitSpec[];
  credits?: CreditsSpec;
  /** How many "reset my windows" credits it holds. */
  resetCredits?: number;
  /** Models it may use; absent or null for all that its plan includes. */
  models?: string[] | null;
  limitAnswer?: LimitAnswer;
  /** A deactivated workspace: every call is refused with 402. */
  deactivated?: boolean;
}

/** What may be changed later. `usedPercent` sets the main windows. */
export interface AccountChange extends Omit<AccountSpec, "alias" | "email" | "userId" | "accountId"> {
  usedPercent?: { primary?: number; secondary?: number };
}

export interface ResetCredit {
  id: string;
  status: "available" | "redeemed";
  grantedAtMs: number;
  redeemRequestId: string | null;
}

export interface AccountCounters {
  refreshes: number;
  logins: number;
  responses: number;
  limited: number;
  completed: number;
}

export interface SimAccount {
  alias: string;
  email: string;
  userId: string;
  accountId: string;
  organizationId: string;
  plan: string;
  buckets: Bucket[];
  credits: Required<CreditsSpec>;
  resetCredits: ResetCredit[];
  models: string[] | null;
  limitAnswer: LimitAnswer;
  deactivated: boolean;
  /** Access tokens of an older epoch count as expired. */
  accessEpoch: number;
  counters: AccountCounters;
}

export interface Roster {
  list(): SimAccount[];
  find(alias: string): SimAccount | null;
  /** By alias, e-mail or account id: what a person may type. */
  resolve(name: string): SimAccount | null;
  byAccountId(accountId: string): SimAccount | null;
  add(spec: AccountSpec): SimAccount;
  change(account: SimAccount, change: AccountChange): void;
}

const GREEK = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"];

export function createRoster(dice: Dice, nowMs: () => number): Roster {
  const accounts: SimAccount[] = [];
  const roster: Roster = {
    list: () => accounts,
    find: (alias) => accounts.find((account) => account.alias === alias) ?? null,
    resolve: (name) =>
      accounts.find((a) => a.alias === name || a.accountId === name) ?? accounts.find((a) => a.email === name) ?? null,
    byAccountId: (accountId) => accounts.find((account) => account.accountId === accountId) ?? null,
    add(spec) {
      const alias = spec.alias ?? freeAlias(accounts);
      const account = createAccount(alias, spec, dice, nowMs());
      accounts.push(account);
      return account;
    },
    change: (account, change) => changeAccount(account, change, dice, nowMs()),
  };
  return roster;
}

export function bucketOf(account: SimAccount, model: string): Bucket {
  return account.buckets.find((bucket) => bucket.models?.includes(model)) ?? account.buckets[0]!;
}

function freeAlias(accounts: SimAccount[]): string {
  const taken = new Set(accounts.map((account) => account.alias));
  for (let n = accounts.length; ; n++) {
    const alias = GREEK[n] ?? `account-${n + 1}`;
    if (!taken.has(alias)) return alias;
  }
}

function createAccount(alias: string, spec: AccountSpec, dice: Dice, nowMs: number): SimAccount {
  const email = spec.email ?? `${alias}@example.test`;
  const account: SimAccount = {
    alias,
    email,
    // Two accounts with one e-mail belong to one user unless the spec says otherwise.
    userId: spec.userId ?? `user-${sha256Hex(email).slice(0, 24)}`,
    accountId: spec.accountId ?? randomUuid(dice),
    organizationId: spec.organizationId ?? `org-${randomToken(dice, 18)}`,
    plan: "plus",
    buckets: [],
    credits: { hasCredits: false, unlimited: false, balance: 0 },
    resetCredits: [],
    models: null,
    limitAnswer: "both",
    deactivated: false,
    accessEpoch: 1,
    counters: { refreshes: 0, logins: 0, responses: 0, limited: 0, completed: 0 },
  };
  changeAccount(account, { ...spec, plan: spec.plan ?? "plus" }, dice, nowMs);
  return account;
}

function changeAccount(account: SimAccount, change: AccountChange, dice: Dice, nowMs: number): void {
  if (change.plan !== undefined) account.plan = change.plan;
  if (change.organizationId !== undefined) account.organizationId = change.organizationId;
  if (change.models !== undefined) account.models = change.models;
  if (change.limitAnswer !== undefined) account.limitAnswer = change.limitAnswer;
  if (change.deactivated !== undefined) account.deactivated = change.deactivated;
  if (change.credits !== undefined) account.credits = { ...account.credits, ...change.credits };
  changeBuckets(account, change, nowMs);
  if (change.resetCredits !== undefined) {
    account.resetCredits = Array.from({ length: change.resetCredits }, () => ({
      id: `rlrc_${randomToken(dice, 12)}`,
      status: "available",
      grantedAtMs: nowMs,
      redeemRequestId: null,
    }));
  }
}

/** A new plan brings its own windows, as an upgrade does, unless windows are given. */
function changeBuckets(account: SimAccount, change: AccountChange, nowMs: number): void {
  const windows = change.windows ?? (change.plan !== undefined ? windowsOfPlan(change.plan) : undefined);
  if (windows !== undefined) {
    const main: Bucket = { feature: "codex", limitName: null, models: null, windows: [] };
    main.windows = windows.map((spec) => createWindow(spec, nowMs));
    account.buckets = [main, ...account.buckets.slice(1)];
  }
  if (change.additionalLimits !== undefined) {
    const additional = change.additionalLimits.map((limit) => ({
      feature: limit.meteredFeature,
      limitName: limit.limitName,
      models: limit.models,
      windows: limit.windows.map((spec) => createWindow(spec, nowMs)),
    }));
    account.buckets = [account.buckets[0]!, ...additional];
  }
  const [primary, secondary] = account.buckets[0]!.windows;
  const used = change.usedPercent ?? {};
  if (primary && used.primary !== undefined) setUsedPercent(primary, used.primary, nowMs);
  if (secondary && used.secondary !== undefined) setUsedPercent(secondary, used.secondary, nowMs);
}

/** Spends one reset credit: the main windows are empty again. Idempotent on the client's request id. */
export function redeemResetCredit(account: SimAccount, redeemRequestId: string, creditId: string | null) {
  const earlier = account.resetCredits.find((credit) => credit.redeemRequestId === redeemRequestId);
  if (earlier) return { code: "already_redeemed" as const, reset: [], credit: earlier };
  const credit = account.resetCredits.find(
    (candidate) => candidate.status === "available" && (creditId === null || candidate.id === creditId),
  );
  if (!credit) return { code: "no_credit" as const, reset: [], credit: null };
  const slots = account.buckets[0]!.windows.map((window, index) => ({ window, slot: index ? "secondary" : "primary" }));
  const used = slots.filter(({ window }) => window.used > 0);
  if (used.length === 0) return { code: "nothing_to_reset" as const, reset: [], credit };
  for (const { window } of used) clearWindow(window);
  credit.status = "redeemed";
  credit.redeemRequestId = redeemRequestId;
  return { code: "reset" as const, reset: used.map(({ slot }) => slot), credit };
}

/** UUID version 4 (RFC 9562 §5.4). */
export function randomUuid(dice: Dice): string {
  const bytes = Buffer.from(dice.bytes(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
