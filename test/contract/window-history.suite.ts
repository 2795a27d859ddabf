/** The part of the contract of a store that keeps what windows held; a part of store.suite.ts. */
import { expect, test } from "bun:test";
import type { AccountId } from "../../src/domain/account.ts";
import type { PlanRecord } from "../../src/domain/plan.ts";
import type { WindowSample } from "../../src/domain/window-history.ts";
import type { Store } from "../../src/store/store.ts";
import { SETTINGS_NOW } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { accountLike, credentialsLike, exchangeLike } from "../support/store-samples.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function sampleLike(atMs: number, usedPercent: number, change: Partial<WindowSample> = {}): WindowSample {
  return {
    accountId: accountLike(1).id,
    limit: "codex",
    slot: "primary",
    lengthMinutes: 300,
    usedPercent,
    resetsAtMs: T0 + 5 * HOUR_MS,
    atMs,
    ...change,
  };
}

export function windowHistory(store: () => Store): void {
  const add = (...numbers: number[]) =>
    store().addAccounts(numbers.map((n) => ({ account: accountLike(n), credentials: credentialsLike(n) })));
  const used = async (step: "fine" | "hour" | "day", sinceMs = 0, accountId?: AccountId) =>
    (await store().listWindowHistory({ step, sinceMs, accountId })).map((sample) => sample.usedPercent);

  test("window samples come back whole, oldest first, from every step", async () => {
    await add(1);
    const bare = sampleLike(T0 + DAY_MS, 7.5, { slot: "secondary", lengthMinutes: null, resetsAtMs: null });
    await store().appendWindowSamples([bare, sampleLike(T0, 3)], T0 + DAY_MS);
    for (const step of ["fine", "hour", "day"] as const)
      expect(await store().listWindowHistory({ step, sinceMs: 0 })).toEqual([sampleLike(T0, 3), bare]);
  });

  test("the last figure of a step wins, whatever the order of arrival", async () => {
    await add(1);
    const at = (minutes: number, percent: number) => sampleLike(T0 + minutes * MINUTE_MS, percent);
    await store().appendWindowSamples([at(0, 1), at(2, 2), at(1, 9), at(6, 3)], T0 + HOUR_MS);
    await store().appendWindowSamples([at(3, 4), at(61, 5)], T0 + 2 * HOUR_MS);
    expect(await used("fine")).toEqual([4, 3, 5]);
    expect(await used("hour")).toEqual([3, 5]);
    expect(await used("day")).toEqual([5]);
  });

  test("windows are told apart by account, limit and slot, and asked for by account and time", async () => {
    await add(1, 2);
    const second = accountLike(2).id;
    const others = [{ slot: "secondary" as const }, { limit: "codex_bengalfox" }, { accountId: second }];
    await store().appendWindowSamples([sampleLike(T0, 1), ...others.map((one, n) => sampleLike(T0, n + 2, one))], T0);
    expect((await used("fine")).toSorted()).toEqual([1, 2, 3, 4]);
    expect(await used("fine", 0, second)).toEqual([4]);
    await store().appendWindowSamples([sampleLike(T0 + HOUR_MS, 8)], T0 + HOUR_MS);
    expect(await used("fine", T0 + 1)).toEqual([8]);
    expect(await used("fine", T0 + HOUR_MS)).toEqual([8]);
  });

  test("each step is kept for its time: days are left when hours are gone, and then nothing", async () => {
    await add(1);
    await store().appendWindowSamples([sampleLike(T0, 1)], T0);
    const later = async (days: number) => {
      await store().appendWindowSamples([], T0 + days * DAY_MS);
      return [await used("fine"), await used("hour"), await used("day")].map((list) => list.length);
    };
    expect(await later(1.9)).toEqual([1, 1, 1]);
    expect(await later(3)).toEqual([0, 1, 1]);
    expect(await later(36)).toEqual([0, 0, 1]);
    expect(await later(402)).toEqual([0, 0, 0]);
  });

  test("an account takes its window samples along, and one that is gone gets none", async () => {
    await add(1, 2);
    await store().appendWindowSamples([sampleLike(T0, 1), sampleLike(T0, 2, { accountId: accountLike(2).id })], T0);
    await store().removeAccount(accountLike(1).id);
    await store().appendWindowSamples([sampleLike(T0 + HOUR_MS, 3)], T0 + HOUR_MS);
    expect(await used("fine")).toEqual([2]);
  });

  test("a preview of rules asks the kept exchanges again, since then, and reads what windows held", async () => {
    await add(1, 2);
    const [one, two] = [accountLike(1), accountLike(2)];
    const planned = (model: string) => ({
      model,
      servedBy: one.id,
      plan: { ...PLAN, order: [one.id, two.id], usableCount: 2 },
    });
    await store().appendExchanges(
      [
        exchangeLike(1, { ...planned("gpt-5.5"), startedAtMs: T0 - DAY_MS }),
        exchangeLike(2, planned("gpt-5.5")),
        exchangeLike(3, planned("o3")),
        exchangeLike(4, { plan: null }),
      ],
      100,
    );
    await store().appendWindowSamples([sampleLike(T0 - 60_000, 85), sampleLike(T0 + 2 * HOUR_MS, 10)], T0);
    const ask = {
      lines: [`avoid ${one.alias} for gpt-5*`, `keep 20% of ${one.alias}`],
      sinceMs: T0,
      nowMs: T0 + 4 * HOUR_MS,
      accounts: [one, two].map((account) => ({ ...account, createdAtMs: 0 })),
      profiles: [],
      thresholds: SETTINGS_NOW,
    };
    const preview = await store().previewRules(ask, () => 0);
    expect(preview).toMatchObject({ sinceMs: T0, unknown: 1, hours: 4, isCut: false });
    expect(preview.counts).toEqual({ same: 0, elsewhere: 2, nowhere: 0, gained: 0 });
    expect(preview.changes.map(({ exchange, replay }) => [exchange.id, replay.to])).toEqual([
      [exchangeLike(3).id, two.id],
      [exchangeLike(2).id, two.id],
    ]);
    expect(preview.held).toEqual([{ accountId: one.id, hours: 2 }]);
    const none = await store().previewRules({ ...ask, lines: [] }, () => 0);
    expect([none.counts.same, none.held]).toEqual([2, []]);
  });
}

const PLAN: PlanRecord = {
  atMs: T0,
  strategy: "balanced",
  profile: null,
  rules: [],
  reason: "strategy",
  order: [],
  usableCount: 0,
  held: [],
  heldCount: 0,
  passedOver: [],
  deferred: [],
  nextUsableAtMs: null,
};
