/** What windows held is noted behind the requests, survives a restart, and warns once. */
import { describe, expect, test } from "bun:test";
import type { AppError } from "../../src/base/errors.ts";
import type { AccountId } from "../../src/domain/account.ts";
import type { Observation } from "../../src/domain/outcome.ts";
import { anAccount } from "../support/builders.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { createPoolRoom } from "../support/pool-room.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function seen(usedPercent: number, lengthMinutes = 10_080): Observation {
  const window = { limit: "codex", slot: "primary" as const, models: null, lengthMinutes, usedPercent };
  return { windows: [{ ...window, resetsAtMs: T0 + 100 * HOUR_MS }], from: "header", tier: null };
}

async function openRoom(usedAt: () => number, lengthMinutes?: number) {
  const clock = createManualClock();
  const account = anAccount({ n: 1 });
  const room = await createPoolRoom({ accounts: [account], clock, observe: () => seen(usedAt(), lengthMinutes) });
  const serve = async (afterMs: number) => {
    await clock.advance(afterMs);
    const answer = await room.ask();
    if (answer.kind === "opened") await answer.body.cancel();
    await clock.advance(0);
  };
  return { ...room, clock, account, serve };
}

describe("window history", () => {
  test("is written behind, and the series has it at once", async () => {
    let used = 10;
    const room = await openRoom(() => used);
    await room.serve(0);
    expect(await room.store.listWindowHistory({ step: "fine", sinceMs: 0 })).toEqual([]);
    used = 14;
    await room.serve(2 * HOUR_MS);
    const { step, series } = await room.engine.history.series({ accountId: room.account.id, sinceMs: T0 });
    expect(step).toBe("fine");
    expect(series[0]!.samples.map((sample) => sample.usedPercent)).toEqual([10, 14]);
    expect(await room.store.listWindowHistory({ step: "hour", sinceMs: 0 })).toHaveLength(2);
  });

  test("of all accounts comes by the hour at the finest, of long ago by the day", async () => {
    const room = await openRoom(() => 10);
    const step = async (accountId: AccountId | null, days: number) =>
      (await room.engine.history.series({ accountId, sinceMs: T0 - days * 24 * HOUR_MS })).step;
    expect([await step(null, 1), await step(room.account.id, 1), await step(null, 40)]).toEqual([
      "hour",
      "fine",
      "day",
    ]);
  });

  test("is not lost when the daemon stops", async () => {
    const room = await openRoom(() => 10);
    await room.serve(0);
    await room.engine.close();
    expect(await room.store.listWindowHistory({ step: "fine", sinceMs: 0 })).toHaveLength(1);
  });

  test("makes a forecast, with and without an account", async () => {
    let used = 10;
    const room = await openRoom(() => used);
    for (; used < 58; used += 2) await room.serve(HOUR_MS);
    const ask = { model: null, without: new Set<AccountId>(), extraTiers: [] };
    const { accounts, runsOutAtMs } = await room.engine.history.forecast(ask);
    expect(accounts[0]!.windows[0]!.pace!.percentPerHour).toBeCloseTo(2, 1);
    expect((runsOutAtMs! - room.clock.nowMs()) / HOUR_MS).toBeCloseTo(22, 0);
    const without = await room.engine.history.forecast({ ...ask, without: new Set([room.account.id]) });
    expect(without.runsOutAtMs).toBe(room.clock.nowMs());
    const nobody = room.engine.history.forecast({ ...ask, without: new Set(["nobody" as AccountId]) });
    expect(await nobody.catch((thrown) => (thrown as AppError).code)).toBe("account_not_found");
  });

  test("says once that a window has run low, and once that it is critical", async () => {
    let used = 70;
    const room = await openRoom(() => used, 300);
    const warned = () =>
      room.logged.filter(({ event }) => event.startsWith("account.window_")).map(({ event }) => event);
    for (used of [70, 85, 86, 97, 98]) await room.serve(2 * MINUTE_MS);
    await room.clock.advance(2 * MINUTE_MS);
    expect(warned()).toEqual(["account.window_low", "account.window_critical"]);
    used = 5;
    await room.serve(HOUR_MS);
    used = 90;
    await room.serve(HOUR_MS);
    await room.clock.advance(2 * MINUTE_MS);
    expect(warned()).toHaveLength(3);
  });
});
