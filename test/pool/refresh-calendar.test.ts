/** When logins are renewed without anybody asking: in time, spread out, never early, and never for those that are not ours to renew. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Account } from "../../src/domain/account.ts";
import { SETTINGS, type Settings } from "../../src/domain/setting.ts";
import { createRefreshCalendar } from "../../src/pool/refresh-calendar.ts";
import { createScheduler } from "../../src/pool/scheduler.ts";
import { anAccount } from "../support/builders.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const DEFAULTS = Object.fromEntries(Object.entries(SETTINGS).map(([key, spec]) => [key, spec.default])) as Settings;

/** When the account is renewed within `forMs`, first time only; null = not at all. Nothing else runs on this clock. */
function firstRefreshMs(account: Account, settings: Partial<Settings> = {}): number | null {
  const clock = createManualClock();
  const scheduler = createScheduler(clock);
  createRefreshCalendar({
    scheduler,
    clock,
    settings: () => ({ ...DEFAULTS, ...settings }),
    refresh: async () => null,
  }).plan(account);
  const atMs = scheduler.nextAtMs();
  scheduler.close();
  return atMs;
}

const withTimes = (n: number, expiresInMs: number | null, refreshedAgoMs: number, createdAgoMs: number) =>
  anAccount({
    n,
    createdAtMs: T0 - createdAgoMs,
    credentials: {
      generation: 1,
      accessExpiresAtMs: expiresInMs === null ? null : T0 + expiresInMs,
      refreshedAtMs: T0 - refreshedAgoMs,
    },
  });

test("before expiry by the minutes that the setting says, at most two minutes earlier", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 60 }),
      (n, days, minutes) => {
        const atMs = firstRefreshMs(withTimes(n, days * DAY_MS, 0, 0), { refresh_minutes_before_expiry: minutes })!;
        const dueMs = T0 + days * DAY_MS - minutes * MINUTE_MS;
        expect(atMs).toBeLessThanOrEqual(dueMs);
        expect(atMs).toBeGreaterThanOrEqual(dueMs - 2 * MINUTE_MS);
      },
    ),
  );
});

test("before it dies of idleness, whichever of the two comes first, counted from its last renewal or from when it was added", () => {
  const age = fc.integer({ min: 0, max: 40 }).map((days) => days * DAY_MS);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.option(fc.integer({ min: 1, max: 60 })),
      age,
      age,
      fc.integer({ min: 1, max: 30 }),
      (n, expiresInDays, refreshedAgo, createdAgo, idleDays) => {
        const expiresInMs = expiresInDays === null ? null : expiresInDays * DAY_MS;
        const atMs = firstRefreshMs(withTimes(n, expiresInMs, refreshedAgo, createdAgo), {
          refresh_idle_days: idleDays,
        })!;
        const idleMs = T0 - Math.min(refreshedAgo, createdAgo) + idleDays * DAY_MS;
        const expiryMs = expiresInMs === null ? Number.POSITIVE_INFINITY : T0 + expiresInMs - 5 * MINUTE_MS;
        expect(atMs).toBeLessThanOrEqual(Math.min(idleMs, expiryMs));
        expect(atMs).toBeGreaterThanOrEqual(Math.min(idleMs - 6 * HOUR_MS, expiryMs - 2 * MINUTE_MS));
        // An account that was added this moment sends nothing today, unless its token ends.
        if (createdAgo === 0 && expiresInMs === null) expect(atMs).toBeGreaterThan(T0 + 12 * HOUR_MS);
      },
    ),
  );
});

test("switched off, without an end, of another program, or lost: not at all; after a failure not before its cooldown ends", () => {
  const account = withTimes(1, DAY_MS, 0, 0);
  expect(firstRefreshMs(account, { refresh_proactively: false })).toBeNull();
  expect(firstRefreshMs(withTimes(1, null, 0, 0), { refresh_idle_days: 0 })).toBeNull();
  expect(firstRefreshMs({ ...account, refreshOwner: { kind: "file", path: "/a" } })).toBeNull();
  expect(firstRefreshMs({ ...account, login: { kind: "needs_login", reason: "x", sinceMs: T0 } })).toBeNull();
  const untilMs = T0 + 2 * DAY_MS;
  const cooldown = { untilMs, sinceMs: T0, reason: "refresh_failed" as const, failures: 1 };
  expect(firstRefreshMs({ ...account, cooldown })).toBe(untilMs);
});

test("accounts that were added together do not all come at once", () => {
  const times = Array.from({ length: 50 }, (_, n) => firstRefreshMs(withTimes(n + 1, null, 0, 0))!);
  expect(new Set(times).size).toBeGreaterThan(45);
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(HOUR_MS);
});

test("planned again when it failed in passing, and only then", async () => {
  const clock = createManualClock();
  const scheduler = createScheduler(clock);
  const account = withTimes(1, DAY_MS, 0, 0);
  const asked: number[] = [];
  const calendar = createRefreshCalendar({
    scheduler,
    clock,
    settings: () => DEFAULTS,
    refresh: async (one) => {
      asked.push(clock.nowMs());
      const cooldown = {
        untilMs: clock.nowMs() + MINUTE_MS,
        sinceMs: clock.nowMs(),
        reason: "refresh_failed" as const,
        failures: 1,
      };
      return asked.length < 3 ? { ...one, cooldown } : null;
    },
  });
  calendar.plan(account);
  await clock.advance(2 * DAY_MS);
  expect(asked).toHaveLength(3);
  expect(asked[1]! - asked[0]!).toBeGreaterThanOrEqual(MINUTE_MS);
  scheduler.close();
});
