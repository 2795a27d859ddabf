/**
 * Plans the proactive refresh of each account: before its access token expires and before the login dies of idleness, spread out, and again
 * after a failure's cooldown.
 */
import type { Clock } from "../base/clock.ts";
import { sha256Hex } from "../base/id.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { Settings } from "../domain/setting.ts";
import type { Scheduler } from "./scheduler.ts";

export interface RefreshCalendar {
  /** Plans, or plans anew, after every change of the account's login. */
  plan(account: Account): void;
  drop(id: AccountId): void;
}

/** Proactive refreshes of accounts that expire together are spread over this long, by account. */
const STAGGER_MS = 120_000;
/** Those of accounts that were added together and lie idle are in no hurry. */
const IDLE_STAGGER_MS = 6 * 3_600_000;
const DAY_MS = 86_400_000;

/** Before the access token expires, and before the login dies of idleness, whichever comes first; null = neither. */
function dueMs(account: Account, settings: Settings): number | null {
  const { accessExpiresAtMs, refreshedAtMs } = account.credentials;
  const spread = Number.parseInt(sha256Hex(account.id).slice(0, 6), 16) / 2 ** 24;
  const dues: number[] = [];
  if (accessExpiresAtMs !== null)
    dues.push(accessExpiresAtMs - settings.refresh_minutes_before_expiry * 60_000 - spread * STAGGER_MS);
  // Adding an account sends nothing, however old the login in the file says that it is.
  if (settings.refresh_idle_days > 0)
    dues.push(
      Math.max(refreshedAtMs, account.createdAtMs) + settings.refresh_idle_days * DAY_MS - spread * IDLE_STAGGER_MS,
    );
  return dues.length === 0 ? null : Math.floor(Math.min(...dues));
}

export function createRefreshCalendar(deps: {
  scheduler: Scheduler;
  clock: Clock;
  settings: () => Settings;
  /** Renews the login; resolves with the account when it is to be planned again because it failed in passing, else with null. */
  refresh: (account: Account) => Promise<Account | null>;
}): RefreshCalendar {
  const { scheduler, settings } = deps;
  const keyOf = (id: AccountId) => `credentials.${id}`;
  const plan = (account: Account) => {
    const now = settings();
    const isOurs = account.refreshOwner.kind === "rotor" && account.login.kind === "ok";
    const dueAtMs = now.refresh_proactively && isOurs ? dueMs(account, now) : null;
    if (dueAtMs === null) return scheduler.drop(keyOf(account.id));
    scheduler.at(keyOf(account.id), Math.max(dueAtMs, account.cooldown?.untilMs ?? 0), () => {
      void deps.refresh(account).then((again) => {
        if (again !== null) plan(again);
      });
    });
  };
  return { plan, drop: (id) => scheduler.drop(keyOf(id)) };
}
