/** Reset credits over the real pool: asked for under an id that is on disk first, and under the same one until its end is known. */
import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../src/domain/outcome.ts";
import type { AttemptRequest } from "../../src/upstream/upstream.ts";
import { accountId, anAccount, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createPoolRoom, type RoomOptions, rotate, textOfBody } from "../support/pool-room.ts";

const ID = accountId(1);
const FULL = anAccount({ n: 1, windows: [aWindow({ usedPercent: 100 })] });
const USAGE = JSON.stringify({
  rate_limit: { primary_window: { used_percent: 0, limit_window_seconds: 18_000, reset_at: T0 / 1_000 + 18_000 } },
  rate_limit_reset_credits: { available_count: 0 },
});
const isConsume = ({ path }: AttemptRequest) => path.endsWith("/consume");
const idOf = ({ body }: AttemptRequest) => JSON.parse(textOfBody(body)).redeem_request_id as string;
const answering =
  (code: string): RoomOptions["body"] =>
  (request) =>
    isConsume(request) ? JSON.stringify({ code, windows_reset: ["primary"] }) : USAGE;
const cut: Outcome = { kind: "cut", message: "upstream broke off" };
const room = (options: RoomOptions) => createPoolRoom({ accounts: [FULL], ...options });

describe("redeeming a reset credit", () => {
  test("empties the windows, shows the figures at once and leaves a trace", async () => {
    const at = await room({ body: answering("reset") });
    const { code, account, resumed } = await at.engine.accounts.redeem(ID);
    expect({ code, resumed }).toEqual({ code: "reset", resumed: false });
    expect(account.windows).toMatchObject([{ usedPercent: 0, observedFrom: "usage_endpoint" }]);
    expect(account.resetCredits).toMatchObject({ available: 0 });
    expect(at.engine.selection.view().usableCount).toBe(1);
    expect(idOf(at.seen[0]!.request)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(await at.engine.audit.list({ limit: 1 })).toMatchObject([{ action: "account.redeem", text: "reset" }]);
    await at.engine.close();
  });

  test("the id is on disk before anything is sent", async () => {
    const at = await room({ body: answering("reset") });
    const { beginRedeem } = at.store;
    let written = "";
    at.store.beginRedeem = async (intent) => {
      expect(at.seen).toEqual([]);
      const standing = await beginRedeem(intent);
      written = standing.requestId;
      return standing;
    };
    await at.engine.accounts.redeem(ID);
    expect(idOf(at.seen[0]!.request)).toBe(written);
    await at.engine.close();
  });

  test("two orders at once are one", async () => {
    const at = await room({ body: answering("reset") });
    const [one, two] = await Promise.all([at.engine.accounts.redeem(ID), at.engine.accounts.redeem(ID)]);
    expect(one).toBe(two);
    expect(at.seen.filter(({ request }) => isConsume(request))).toHaveLength(1);
    await at.engine.close();
  });

  test("a try whose end nobody knows is asked for again under its own id, also by the next daemon; the one after is another", async () => {
    const store = createMemoryStore();
    await store.addAccounts([{ account: FULL, credentials: { accessToken: "a", refreshToken: "r", idToken: null } }]);
    const lost = await room({ store, upstream: (request) => (isConsume(request) ? cut : "serve") });
    await expect(lost.engine.accounts.redeem(ID)).rejects.toMatchObject({ code: "upstream_unreachable" });
    const id = idOf(lost.seen[0]!.request);
    await lost.engine.close();

    const next = await room({ store, seed: 2, body: answering("already_redeemed") });
    expect(await next.engine.accounts.redeem(ID)).toMatchObject({ code: "already_redeemed", resumed: true });
    expect(await next.engine.accounts.redeem(ID)).toMatchObject({ resumed: false });
    const ids = next.seen.filter(({ request }) => isConsume(request)).map(({ request }) => idOf(request));
    expect(ids[0]).toBe(id);
    expect(ids[1]).not.toBe(id);
    await next.engine.close();
  });

  test("an answer that cannot be read is no end either", async () => {
    const at = await room({ body: (request) => (isConsume(request) ? "<html>" : USAGE) });
    await expect(at.engine.accounts.redeem(ID)).rejects.toMatchObject({ code: "upstream_unreachable" });
    await expect(at.engine.accounts.redeem(ID)).rejects.toMatchObject({ code: "upstream_unreachable" });
    const [one, two] = at.seen.map(({ request }) => idOf(request));
    expect(one).toBe(two!);
    await at.engine.close();
  });

  test("a refusal is an end: nothing was redeemed, and the next try is another", async () => {
    const refusal: Outcome = { kind: "request_rejected", status: 422 };
    const at = await room({ upstream: (request) => (isConsume(request) ? refusal : "serve") });
    for (let i = 0; i < 2; i++)
      await expect(at.engine.accounts.redeem(ID)).rejects.toMatchObject({ code: "upstream_rejected" });
    const [one, two] = at.seen.map(({ request }) => idOf(request));
    expect(one).not.toBe(two!);
    await at.engine.close();
  });

  test("a login that has just ended is renewed, and the same id asked for again", async () => {
    const at = await room({
      issuer: rotate([FULL], T0 + 9e6),
      upstream: (request, nth) => (isConsume(request) && nth === 1 ? { kind: "unauthorized", message: "" } : "serve"),
      body: answering("reset"),
    });
    expect(await at.engine.accounts.redeem(ID)).toMatchObject({ code: "reset" });
    const [one, two] = at.seen.filter(({ request }) => isConsume(request)).map(({ request }) => idOf(request));
    expect(one).toBe(two!);
    expect(at.refreshed).toHaveLength(1);
    await at.engine.close();
  });
});
