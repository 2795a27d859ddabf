/** The poller by a manual clock: one account at a time, spread out, patient after failures, and asleep when nobody cares. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account, AccountId } from "../../src/domain/account.ts";
import type { Settings } from "../../src/domain/setting.ts";
import { createScheduler } from "../../src/pool/scheduler.ts";
import { createUsagePoller } from "../../src/pool/usage-poller.ts";
import type { UsageEnd } from "../../src/pool/usage-reader.ts";
import { anAccount, aWindow, SETTINGS_NOW } from "../support/builders.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { seededDice } from "../support/pool-room.ts";
import { recordingLog } from "../support/recording-log.ts";

const MINUTE_MS = 60_000;

function stage(accounts: readonly Account[], options: { settings?: Partial<Settings>; seed?: number } = {}) {
  const clock = createManualClock();
  const known = new Map(accounts.map((account) => [account.id, account]));
  const asked: { alias: string; atMs: number }[] = [];
  let works = true;
  let open = 0;
  let settings: Settings = { ...SETTINGS_NOW, ...options.settings };
  const read = async (id: AccountId): Promise<UsageEnd> => {
    open++;
    expect(open).toBe(1);
    const account = known.get(id)!;
    asked.push({ alias: account.alias, atMs: clock.nowMs() });
    await clock.sleep(500);
    open--;
    if (!works) return { kind: "failed", message: "upstream is out" };
    const after = { ...account, windows: [aWindow({ observedAtMs: clock.nowMs() })] };
    known.set(id, after);
    return { kind: "read", account: after };
  };
  const scheduler = createScheduler(clock);
  const poller = createUsagePoller({
    keeper: { accounts: () => [...known.values()], get: (id: AccountId) => known.get(id) ?? null } as never,
    reader: { read },
    settings: () => settings,
    clock,
    scheduler,
    dice: seededDice(options.seed ?? 1),
    log: recordingLog([]),
  });
  return {
    clock,
    poller,
    asked,
    put: (account: Account) => void known.set(account.id, account),
    fail: (fails: boolean) => void (works = !fails),
    set: (change: Partial<Settings>) => void (settings = { ...settings, ...change }),
    /** Awake for this long. */
    async awake(ms: number) {
      for (let left = ms; left > 0; left -= MINUTE_MS) {
        poller.noteInterest();
        await clock.advance(Math.min(MINUTE_MS, left));
      }
    },
    aliases: () => asked.map(({ alias }) => alias),
  };
}

const three = [anAccount({ n: 1 }), anAccount({ n: 2 }), anAccount({ n: 3 })];

describe("the poller", () => {
  test("asks nobody while nobody looks and nothing is served", async () => {
    const { clock, asked } = stage(three);
    await clock.advance(10 * 3_600_000);
    expect(asked).toEqual([]);
  });

  test("asks each account once in its time, never two at once and never two together", async () => {
    const at = stage(three);
    await at.awake(9 * MINUTE_MS);
    expect(at.aliases().toSorted()).toEqual(["plus-1", "plus-2", "plus-3"]);
    const times = at.asked.map(({ atMs }) => atMs);
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(4_000);
    await at.awake(10 * MINUTE_MS);
    expect(at.asked).toHaveLength(6);
  });

  test("leaves alone whose figures an answer has just brought", async () => {
    const at = stage([anAccount({ n: 1, windows: [aWindow({ observedAtMs: T0 })] })]);
    await at.awake(8 * MINUTE_MS);
    expect(at.asked).toEqual([]);
    await at.awake(5 * MINUTE_MS);
    expect(at.asked).toHaveLength(1);
  });

  test("falls asleep a while after the last look, and wakes with the next", async () => {
    const at = stage(three);
    await at.awake(MINUTE_MS);
    await at.clock.advance(60 * MINUTE_MS);
    const before = at.asked.length;
    await at.clock.advance(60 * MINUTE_MS);
    expect(at.asked).toHaveLength(before);
    await at.awake(2 * MINUTE_MS);
    expect(at.asked.length).toBe(before + 3);
  });

  test("stays awake while somebody watches, and no longer", async () => {
    const at = stage([anAccount({ n: 1 })]);
    let stopped = 0;
    const stop = at.poller.whileWatched(() => void stopped++);
    await at.clock.advance(120 * MINUTE_MS);
    expect(at.asked.length).toBeGreaterThanOrEqual(10);
    stop();
    stop();
    expect(stopped).toBe(2);
    await at.clock.advance(30 * MINUTE_MS);
    const before = at.asked.length;
    await at.clock.advance(120 * MINUTE_MS);
    expect(at.asked).toHaveLength(before);
  });

  test("asks less and less often after failures, at most every four hours, and as before once it works", async () => {
    const at = stage([anAccount({ n: 1 })]);
    at.fail(true);
    await at.awake(24 * 60 * MINUTE_MS);
    const gaps = at.asked.slice(1).map(({ atMs }, i) => (atMs - at.asked[i]!.atMs) / MINUTE_MS);
    expect(gaps[0]!).toBeGreaterThan(16);
    expect(gaps[1]!).toBeGreaterThan(33);
    expect(Math.max(...gaps)).toBeLessThan(245);
    expect(at.asked.length).toBeLessThan(12);
    at.fail(false);
    await at.awake(5 * 60 * MINUTE_MS);
    const after = at.asked.length;
    await at.awake(60 * MINUTE_MS);
    expect(at.asked.length - after).toBeGreaterThanOrEqual(4);
  });

  test("leaves alone who is off, lost, or waits for the program that renews it", async () => {
    const at = stage([
      anAccount({ n: 1, enabled: false }),
      anAccount({ n: 2, login: { kind: "needs_login", reason: "invalid_grant", sinceMs: T0 } }),
      anAccount({
        n: 3,
        refreshOwner: { kind: "file", path: "/home/ann/auth.json" },
        credentials: { generation: 1, accessExpiresAtMs: T0, refreshedAtMs: T0 },
      }),
    ]);
    await at.awake(60 * MINUTE_MS);
    expect(at.asked).toEqual([]);
    at.put(anAccount({ n: 4 }));
    await at.awake(3 * MINUTE_MS);
    expect(at.aliases()).toEqual(["plus-4"]);
  });

  test("is switched off and on by its setting", async () => {
    const at = stage(three, { settings: { usage_poll: false } });
    await at.awake(30 * MINUTE_MS);
    expect(at.asked).toEqual([]);
    at.set({ usage_poll: true, usage_poll_minutes: 2 });
    await at.awake(10 * MINUTE_MS);
    expect(at.asked.length).toBeGreaterThan(9);
    at.set({ usage_poll: false });
    await at.awake(MINUTE_MS);
    const before = at.asked.length;
    await at.awake(30 * MINUTE_MS);
    expect(at.asked).toHaveLength(before);
  });

  test("whatever the dice say, an account is asked neither early nor forgotten", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 12 }), async (seed, count) => {
        const accounts = Array.from({ length: count }, (_, n) => anAccount({ n: n + 1 }));
        const at = stage(accounts, { seed });
        await at.awake(60 * MINUTE_MS);
        for (const { alias } of accounts) {
          const times = at.asked.filter((one) => one.alias === alias).map(({ atMs }) => atMs);
          expect(times.length).toBeGreaterThanOrEqual(4);
          for (let i = 1; i < times.length; i++)
            expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(8.5 * MINUTE_MS);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("ends with the engine: nothing is asked after", async () => {
    const at = stage(three);
    await at.awake(MINUTE_MS / 3);
    await at.poller.close();
    at.poller.noteInterest();
    await at.clock.advance(60 * MINUTE_MS);
    expect(at.asked).toEqual([]);
  });
});
