/** Plans the proactive refresh of each account: before its access token expires, spread out, and again after a failure's cooldown. */
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
    const { accessExpiresAtMs } = account.credentials;
    const now = settings();
    const isOurs = account.refreshOwner.kind === "rotor" && account.login.kind === "ok";
    if (!now.refresh_proactively || accessExpiresAtMs === null || !isOurs) return scheduler.drop(keyOf(account.id));
    const stagger = Number.parseInt(sha256Hex(account.id).slice(0, 6), 16) % STAGGER_MS;
    const dueAtMs = accessExpiresAtMs - now.refresh_minutes_before_expiry * 60_000 - stagger;
    scheduler.at(keyOf(account.id), Math.max(dueAtMs, account.cooldown?.untilMs ?? 0), () => {
      void deps.refresh(account).then((again) => {
        if (again !== null) plan(again);
      });
    });
  };
  return { plan, drop: (id) => scheduler.drop(keyOf(id)) };
}
