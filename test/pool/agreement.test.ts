/** For every kind of hold there is: the account, the plan and a real exchange agree. A kind without a row here does not compile. */
import { expect, test } from "bun:test";
import { type Account, NO_ORDERS } from "../../src/domain/account.ts";
import type { HoldKind } from "../../src/domain/hold.ts";
import { anAccount, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type PoolRoom } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const MODEL = "gpt-5.5";

interface Row {
  readonly account: Partial<Account>;
  readonly settings?: Record<string, string>;
  /** What is done to the room before it is looked at. */
  readonly before?: (room: PoolRoom) => Promise<unknown>;
  /** Only an ask for the model sees it. */
  readonly ofModel?: boolean;
}

const at = (usedPercent: number) => [aWindow({ usedPercent, resetsAtMs: T0 + HOUR_MS })];

const MEANT = { dryRun: false, force: false };
const ask = (model: string | null) => ({ model, from: { keyId: null, profile: null, project: null }, atMs: null });

const ROWS: Readonly<Record<HoldKind, Row>> = {
  disabled: { account: { enabled: false } },
  paused: { account: { orders: { ...NO_ORDERS, pause: { sinceMs: T0, untilMs: T0 + HOUR_MS } } } },
  draining: { account: { orders: { ...NO_ORDERS, draining: true } } },
  needs_login: { account: { login: { kind: "needs_login", reason: "invalid_grant", sinceMs: T0 } } },
  cooling_down: {
    account: { cooldown: { untilMs: T0 + HOUR_MS, sinceMs: T0, reason: "rate_limited", failures: 1 } },
  },
  window_exhausted: { account: { windows: at(100) } },
  reserved: { account: { windows: at(97) }, settings: { critical_action: "hold" } },
  off_schedule: { account: {}, before: (room) => room.engine.rules.set(["off plus-1 on mon-sun"], MEANT) },
  model_unsupported: { account: { unsupportedModels: [{ model: MODEL, untilMs: T0 + HOUR_MS }] }, ofModel: true },
  at_capacity: {
    account: {},
    settings: { account_max_leases: "1" },
    // The first account of the list is asked first, and its answer stays open.
    before: (room) => room.ask(),
  },
  pacing: {
    account: { orders: { ...NO_ORDERS, pace: { requestsPerMinute: 1, burst: 1 } } },
    before: (room) => room.ask(),
  },
};

for (const [kind, row] of Object.entries(ROWS)) {
  test(`${kind}: the account, the plan and the exchange agree`, async () => {
    const accounts = [anAccount({ n: 1, ...row.account }), anAccount({ n: 2 }), anAccount({ n: 3 })];
    let isOpening = kind === "at_capacity";
    const room = await createPoolRoom({
      accounts,
      settings: { wait_seconds: "0", ...row.settings },
      upstream: () => {
        const first = isOpening;
        isOpening = false;
        return first ? "open" : "serve";
      },
    });
    await row.before?.(room);
    const asked = room.seen.length;
    const [held] = room.engine.accounts.list();
    const { selection } = room.engine;
    const of = (model: string | null) =>
      (selection.explain(ask(model)).held.find(({ accountId }) => accountId === held!.id)?.holds ?? []).map(
        (one) => one.kind,
      );
    expect(of(MODEL)).toEqual([kind as HoldKind]);
    expect(selection.explain(ask(MODEL)).order).not.toContain(held!.id);
    expect(of(null)).toEqual(row.ofModel ? [] : [kind as HoldKind]);
    expect(selection.holdsOn(held!).map((one) => one.kind)).toEqual(of(null));
    expect(selection.view().usableCount).toBe(row.ofModel ? 3 : 2);
    for (let n = 0; n < 4; n++) {
      const answer = await room.ask();
      expect(answer.kind).toBe("opened");
      if (answer.kind === "opened") await answer.body.cancel();
      await room.clock.advance(0);
    }
    const workspaces = room.seen.slice(asked).map((attempt) => attempt.workspaceId);
    expect(workspaces).toHaveLength(4);
    expect(workspaces).not.toContain(held!.workspaceId);
  });
}
