/**
 * One truth about who may not serve: for each kind of hold the account itself, `pool explain` and what really happens to requests agree,
 * in a real daemon. A is brought to its hold, B and C are free.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HoldKindSchema } from "../../src/gen/rotor/v1/account_pb.ts";
import { speakerOf } from "./support/client.ts";
import type { HoldJson } from "./support/control.ts";
import { type Lane, openLane } from "./support/lane.ts";
import type { RawRequest } from "./support/raw-http.ts";
import type { Trio } from "./support/trio.ts";
import { until } from "./support/until.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

const MODEL = "gpt-5.5";
const POOL_SIZE = 3;

interface Plan {
  readonly accountIds?: readonly string[];
  readonly usableCount?: number;
  readonly held?: readonly { readonly accountId: string; readonly holds: readonly HoldJson[] }[];
}

const explain = async (model: string) =>
  (await lane.control.call<{ plan: Plan }>("PoolService/ExplainSelection", { model })).plan;
const usableNow = async () =>
  (await lane.control.call<{ pool: { usableCount?: number } }>("PoolService/GetPool")).pool.usableCount ?? 0;
const kinds = (holds: readonly HoldJson[] | undefined) => (holds ?? []).map((hold) => hold.kind);

interface Case {
  readonly kind: string;
  /** Puts the hold on A. */
  readonly bring: (trio: Trio) => Promise<unknown>;
  readonly after?: () => Promise<unknown>;
  /** The hold is about a model, so that an account without an ask does not show it. */
  readonly ofModel?: boolean;
}

const fails = (fault: Parameters<Trio["order"]>[0]) => async (trio: Trio) => {
  trio.order(fault);
  await lane.client.ask("codex");
};
const reset = (...keys: string[]) =>
  Promise.all(keys.map((key) => lane.control.call("SettingService/ResetSettings", { key })));

const orderA = async (trio: Trio, change: object) =>
  lane.control.call("AccountService/UpdateAccounts", { accountIds: [(await trio.account("A")).id], ...change });

/** A serves once, and says that 3 % of its five hours are left. */
async function spendA(trio: Trio): Promise<void> {
  lane.stage.sim.changeAccount(trio.alias("A"), { usedPercent: { primary: 97 } });
  expect(speakerOf((await lane.client.ask("codex")).text)).toBe(trio.alias("A"));
}

let stalled: RawRequest | null = null;

const CASES: readonly Case[] = [
  {
    kind: "HOLD_KIND_DISABLED",
    bring: async (trio) =>
      lane.control.call("AccountService/UpdateAccount", { accountId: (await trio.account("A")).id, enabled: false }),
  },
  { kind: "HOLD_KIND_PAUSED", bring: (trio) => orderA(trio, { pause: {} }) },
  { kind: "HOLD_KIND_DRAINING", bring: (trio) => orderA(trio, { draining: true }) },
  { kind: "HOLD_KIND_NEEDS_LOGIN", bring: fails({ kind: "deactivated_workspace" }) },
  { kind: "HOLD_KIND_COOLING_DOWN", bring: fails({ kind: "rate_limit", tryAgainIn: "6m0s" }) },
  { kind: "HOLD_KIND_WINDOW_EXHAUSTED", bring: fails({ kind: "usage_limit", resetsInSeconds: 3_600 }) },
  { kind: "HOLD_KIND_MODEL_UNSUPPORTED", bring: fails({ kind: "model_unsupported" }), ofModel: true },
  {
    kind: "HOLD_KIND_RESERVED",
    async bring(trio) {
      await spendA(trio);
      await lane.control.set("critical_action", "hold");
    },
    after: () => reset("critical_action"),
  },
  {
    kind: "HOLD_KIND_OFF_SCHEDULE",
    bring: (trio) => lane.control.call("RuleService/SetRules", { lines: [`off ${trio.alias("A")} on mon-sun`] }),
    after: () => lane.control.call("RuleService/SetRules", { lines: [] }),
  },
  {
    kind: "HOLD_KIND_AT_CAPACITY",
    async bring(trio) {
      await lane.control.set("account_max_leases", 1);
      trio.order({ kind: "stall", point: "middle" });
      const request = lane.client.open("codex");
      stalled = request;
      await until(() => request.text().includes("response.output_text.delta"), "output");
    },
    async after() {
      stalled?.hangUp();
      await stalled?.received.catch(() => null);
      await until(async () => (await lane.control.openLeases()) === 0, "the end of the stalled request");
      await reset("account_max_leases");
    },
  },
  {
    kind: "HOLD_KIND_PACING",
    async bring(trio) {
      // Five requests that were let through at once are five minutes of its pace: no slow machine outlasts them.
      await orderA(trio, { pace: { own: { requestsPerMinute: 1, burst: 10 } } });
      await lane.control.call("PoolService/PinAccount", { accountId: (await trio.account("A")).id });
      for (let n = 0; n < 5; n++) await lane.client.ask("codex");
      await lane.control.call("PoolService/UnpinAccount");
      await orderA(trio, { pace: { own: { requestsPerMinute: 1, burst: 1 } } });
    },
  },
];

describe("the account, explain and real requests agree", () => {
  for (const { kind, bring, after, ofModel } of CASES) {
    test(kind, () =>
      lane.withTrio(async (trio) => {
        try {
          const before = await usableNow();
          expect(before).toBe(POOL_SIZE);
          await bring(trio);
          const { id, holds } = await trio.account("A");
          const plan = await explain(MODEL);
          const general = await explain("");
          expect(kinds(plan.held?.find((held) => held.accountId === id)?.holds)).toEqual([kind]);
          expect(plan.accountIds).not.toContain(id);
          expect(plan.usableCount).toBe(POOL_SIZE - 1);
          expect(kinds(holds)).toEqual(ofModel ? [] : [kind]);
          expect(kinds(general.held?.find((held) => held.accountId === id)?.holds)).toEqual(kinds(holds));
          expect(await usableNow()).toBe(general.usableCount!);

          const tried = trio.tried().length;
          for (let n = 0; n < 4; n++) {
            const speaker = speakerOf((await lane.client.ask("codex")).text);
            expect(["B", "C"]).toContain(trio.place(speaker));
          }
          expect(trio.tried().slice(tried)).not.toContain("A");
        } finally {
          await after?.();
        }
      }),
    );
  }
});

test("every kind of hold there is has its case", () => {
  const all = HoldKindSchema.values.map(({ name }) => name).filter((name) => name !== "HOLD_KIND_UNSPECIFIED");
  expect(CASES.map(({ kind }) => kind).toSorted()).toEqual(all.toSorted());
});

test("a pin lifts the reserve of its account, and nothing else", () =>
  lane.withTrio(async (trio) => {
    try {
      await spendA(trio);
      await lane.control.set("critical_action", "hold");
      const { id } = await trio.account("A");
      await lane.control.call("PoolService/PinAccount", { accountId: id });
      expect(kinds((await trio.account("A")).holds)).toEqual([]);
      expect((await explain(MODEL)).accountIds).toEqual([id]);
      expect(speakerOf((await lane.client.ask("codex")).text)).toBe(trio.alias("A"));
      await lane.control.call("PoolService/UnpinAccount");
      expect(kinds((await trio.account("A")).holds)).toEqual(["HOLD_KIND_RESERVED"]);
    } finally {
      await lane.control.call("PoolService/UnpinAccount");
      await reset("critical_action");
    }
  }));

test("an account of which little is left stands behind the others, and serves when it is alone", () =>
  lane.withTrio(async (trio) => {
    await spendA(trio);
    const { id } = await trio.account("A");
    const { plan } = await lane.control.call<{ plan: Plan & { deferred?: readonly { accountId: string }[] } }>(
      "PoolService/ExplainSelection",
      { model: MODEL },
    );
    expect(plan.deferred?.map((deferred) => deferred.accountId)).toEqual([id]);
    expect(plan.accountIds?.at(-1)).toBe(id);
    expect(plan.usableCount).toBe(POOL_SIZE);
    expect(trio.place(speakerOf((await lane.client.ask("codex")).text))).not.toBe("A");
    for (const place of ["B", "C"] as const) {
      const { id: other } = await trio.account(place);
      await lane.control.call("AccountService/UpdateAccount", { accountId: other, enabled: false });
    }
    expect(speakerOf((await lane.client.ask("codex")).text)).toBe(trio.alias("A"));
  }));
