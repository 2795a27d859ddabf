/** The attempt loop with the real pool around it: who is asked, in which order, and what the client gets. */
import { describe, expect, test } from "bun:test";
import { wholeOf } from "../../src/base/body-bytes.ts";
import type { AccountId } from "../../src/domain/account.ts";
import type { Outcome } from "../../src/domain/outcome.ts";
import type { ExchangeAnswer } from "../../src/pool/engine.ts";
import { anAccount, aWindow } from "../support/builders.ts";
import { settle, T0 } from "../support/manual-clock.ts";
import { aRequest, createPoolRoom, type PoolRoom, rotate, tokenFor, USAGE } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const exhausted = (untilMs: number | null): Outcome => ({
  kind: "window_exhausted",
  untilMs,
  message: "The usage limit has been reached",
});
const failed: Outcome = { kind: "upstream_failed", status: 503, message: "overloaded", retryAtMs: null };
const workspaces = (seen: readonly { workspaceId: string }[]) => seen.map((attempt) => attempt.workspaceId);
const refusal = (answer: ExchangeAnswer) => (answer.kind === "refused" ? answer.error : null);

describe("moving on", () => {
  test("a used-up account is passed over without the client noticing, and the record says why", async () => {
    const room = await createPoolRoom({
      upstream: ({ workspaceId }) => (workspaceId === "workspace-1" ? exhausted(T0 + HOUR_MS) : "serve"),
    });
    const answer = await room.ask();
    expect(answer.kind).toBe("opened");
    expect(workspaces(room.seen)).toEqual(["workspace-1", "workspace-2"]);
    await settle();
    const exchange = await room.engine.exchanges.get(answer.exchangeId);
    expect(exchange.attempts.map(({ alias, outcome, next }) => [alias, outcome, next])).toEqual([
      ["plus-1", "window_exhausted", "next"],
      ["plus-2", "served", "done"],
    ]);
    expect(exchange.plan!.held).toMatchObject([{ holds: [{ kind: "window_exhausted", untilMs: T0 + HOUR_MS }] }]);
    expect(exchange).toMatchObject({ status: 200, servedByAlias: "plus-2", usage: USAGE, errorCode: null });
  });

  test("the next request does not ask the used-up account again until its reset", async () => {
    const room = await createPoolRoom({ upstream: (_request, nth) => (nth === 1 ? exhausted(T0 + HOUR_MS) : "serve") });
    for (let i = 0; i < 6; i++) await room.ask();
    expect(workspaces(room.seen).filter((id) => id === "workspace-1")).toHaveLength(1);
    await room.clock.advance(HOUR_MS);
    for (let i = 0; i < 3; i++) await room.ask();
    expect(workspaces(room.seen).filter((id) => id === "workspace-1")).toHaveLength(2);
  });

  test("when all are used up, the answer names the true earliest reset", async () => {
    const resets: Record<string, number> = { "workspace-1": 5, "workspace-2": 2, "workspace-3": 9 };
    const room = await createPoolRoom({
      upstream: ({ workspaceId }) => exhausted(T0 + resets[workspaceId]! * HOUR_MS),
    });
    const error = refusal(await room.ask())!;
    expect([error.code, error.retryAtMs]).toEqual(["pool_exhausted", T0 + 2 * HOUR_MS]);
    expect(room.seen).toHaveLength(3);
    expect(refusal(await room.ask())!.retryAtMs).toBe(T0 + 2 * HOUR_MS);
    expect(room.seen).toHaveLength(3);
  });

  test("at most three accounts are tried; while others are left the client is told to come back at once", async () => {
    const accounts = Array.from({ length: 6 }, (_, n) => anAccount({ n: n + 1 }));
    const room = await createPoolRoom({ accounts, upstream: () => exhausted(T0 + HOUR_MS) });
    expect(refusal(await room.ask())).toMatchObject({ code: "attempts_exhausted", retryAtMs: T0 + 1_000 });
    expect(room.seen).toHaveLength(3);
    expect(refusal(await room.ask())!.code).toBe("pool_exhausted");
    expect(new Set(workspaces(room.seen)).size).toBe(6);
  });

  test("a model that one account may not use is served by another, and asked there for that model alone", async () => {
    const room = await createPoolRoom({
      upstream: ({ workspaceId }, nth) =>
        nth === 1 && workspaceId === "workspace-1"
          ? { kind: "model_unsupported", model: "gpt-5.5", message: "not supported" }
          : "serve",
    });
    await room.ask();
    for (let i = 0; i < 4; i++) await room.ask();
    expect(workspaces(room.seen).filter((id) => id === "workspace-1")).toHaveLength(1);
    await room.ask({ model: "gpt-6-luna" });
    expect(workspaces(room.seen).at(-1)).toBe("workspace-1");
  });

  test("other refusals of the request go to the client as they came, and cost nobody anything", async () => {
    const room = await createPoolRoom({ upstream: () => ({ kind: "request_rejected", status: 422 }) });
    const answer = await room.ask();
    expect(answer).toMatchObject({ kind: "rejected", status: 422 });
    expect(room.seen).toHaveLength(1);
    expect(room.engine.selection.view().usableCount).toBe(3);
  });
});

describe("trouble upstream", () => {
  test("the same account once more after a moment, then the next", async () => {
    const room = await createPoolRoom({
      upstream: ({ workspaceId }) => (workspaceId === "workspace-1" ? failed : "serve"),
    });
    const answer = room.ask();
    await room.clock.advance(1_000);
    expect((await answer).kind).toBe("opened");
    expect(workspaces(room.seen)).toEqual(["workspace-1", "workspace-1", "workspace-2"]);
  });

  for (const [what, change] of [
    [
      "switched off",
      (room: PoolRoom, id: AccountId) => room.engine.accounts.update(id, { enabled: false, force: true }),
    ],
    ["removed", (room: PoolRoom, id: AccountId) => room.engine.accounts.remove(id)],
  ] as const) {
    test(`an account that is ${what} before its second try is not asked again; the next one serves`, async () => {
      const room = await createPoolRoom({
        upstream: ({ workspaceId }) => (workspaceId === "workspace-1" ? failed : "serve"),
      });
      const answer = room.ask();
      await room.clock.advance(50);
      await change(room, room.engine.accounts.list()[0]!.id);
      await room.clock.advance(1_000);
      expect((await answer).kind).toBe("opened");
      expect(workspaces(room.seen)).toEqual(["workspace-1", "workspace-2"]);
    });
  }

  test("a burst across accounts pauses the pool instead of burning it; waiting requests go on after it", async () => {
    const accounts = Array.from({ length: 8 }, (_, n) => anAccount({ n: n + 1 }));
    let up = false;
    const room = await createPoolRoom({ accounts, upstream: () => (up ? "serve" : failed) });
    const first = room.ask();
    await room.clock.advance(2_000);
    expect(refusal(await first)!.code).toBe("upstream_overloaded");
    const second = room.ask();
    await room.clock.advance(2_000);
    expect(room.engine.selection.view().pauseUntilMs).not.toBeNull();
    const during = room.seen.length;
    const third = room.ask();
    await room.clock.advance(100);
    expect(room.seen).toHaveLength(during);
    up = true;
    await room.clock.advance(6_000);
    expect([(await second).kind, (await third).kind]).toEqual(["opened", "opened"]);
    expect(room.engine.selection.view().pauseUntilMs).toBeNull();
  });

  test("a dead network blames no account and is answered as what it is", async () => {
    const room = await createPoolRoom({ upstream: () => ({ kind: "unreachable", message: "connection refused" }) });
    const answer = room.ask();
    await room.clock.advance(10_000);
    expect(refusal(await answer)!.code).toBe("upstream_unreachable");
    expect(new Set(workspaces(room.seen)).size).toBe(1);
    expect(room.engine.selection.view().usableCount).toBe(3);
  });
});

describe("logins on the way", () => {
  const accounts = [anAccount({ n: 1 }), anAccount({ n: 2 })];
  const late = T0 + 864_000_000;

  test("a 401 renews the login once and tries the same account with the new token", async () => {
    const old = tokenFor(accounts[0]!, late);
    const room = await createPoolRoom({
      accounts,
      issuer: rotate(accounts, late),
      upstream: ({ accessToken }) =>
        accessToken.reveal() === old ? { kind: "unauthorized", message: "expired" } : "serve",
    });
    expect((await room.ask()).kind).toBe("opened");
    expect(workspaces(room.seen)).toEqual(["workspace-1", "workspace-1"]);
    expect(room.refreshed).toEqual(["refresh-plus-1-1"]);
    expect(room.seen[1]!.accessToken).not.toBe(old);
  });

  test("a 401 after that: the account needs a login, said once, and the next one serves", async () => {
    const room = await createPoolRoom({
      accounts,
      issuer: rotate(accounts, late),
      upstream: ({ workspaceId }) =>
        workspaceId === "workspace-1" ? { kind: "unauthorized", message: "revoked" } : "serve",
    });
    for (let i = 0; i < 4; i++) expect((await room.ask()).kind).toBe("opened");
    expect(room.engine.accounts.get(accounts[0]!.id)!.login).toMatchObject({
      kind: "needs_login",
      reason: "unauthorized",
    });
    expect(room.logged.filter((line) => line.event === "account.needs_login")).toHaveLength(1);
    expect(room.refreshed).toHaveLength(1);
  });

  test("a refresh that is refused for good is never tried again, whatever is asked", async () => {
    const room = await createPoolRoom({
      accounts,
      issuer: () => ({ kind: "refused", code: "refresh_token_reused", message: "" }),
      upstream: ({ workspaceId }) => (workspaceId === "workspace-1" ? { kind: "unauthorized", message: "" } : "serve"),
    });
    for (let i = 0; i < 5; i++) expect((await room.ask()).kind).toBe("opened");
    expect(room.refreshed).toHaveLength(1);
    expect(room.engine.accounts.get(accounts[0]!.id)!.login).toMatchObject({ reason: "refresh_token_reused" });
  });

  test("a refresh that fails in passing keeps the login, cools the account down and moves on", async () => {
    const room = await createPoolRoom({
      accounts,
      issuer: () => ({ kind: "failed", message: "503" }),
      upstream: ({ workspaceId }) => (workspaceId === "workspace-1" ? { kind: "unauthorized", message: "" } : "serve"),
    });
    expect((await room.ask()).kind).toBe("opened");
    expect(workspaces(room.seen)).toEqual(["workspace-1", "workspace-2"]);
    expect(room.engine.accounts.get(accounts[0]!.id)).toMatchObject({
      login: { kind: "ok" },
      cooldown: { reason: "refresh_failed" },
    });
  });

  test("nobody with a working login: no waiting, and the answer says what to do", async () => {
    const lost = accounts.map((account) => ({
      ...account,
      login: { kind: "needs_login" as const, reason: "x", sinceMs: T0 },
    }));
    const room = await createPoolRoom({ accounts: lost });
    const error = refusal(await room.ask())!;
    expect([error.code, error.hint]).toEqual(["no_usable_account", "rotor account list"]);
    expect(room.seen).toHaveLength(0);
  });
});

describe("waiting", () => {
  const cooling = (untilMs: number) =>
    anAccount({ n: 1, cooldown: { untilMs, sinceMs: T0, reason: "rate_limited" as const, failures: 1 } });

  test("a short hold is waited out, and the wait is in the record", async () => {
    const room = await createPoolRoom({ accounts: [cooling(T0 + 1_300)] });
    const answer = room.ask();
    await room.clock.advance(1_299);
    expect(room.seen).toHaveLength(0);
    await room.clock.advance(1);
    const { exchangeId, kind } = await answer;
    expect(kind).toBe("opened");
    expect((await room.engine.exchanges.get(exchangeId)).waitedMs).toBe(1_300);
  });

  test("all three asked and found out: the first to come back is waited for and serves", async () => {
    const resets: Record<string, number> = { "workspace-1": 9_000, "workspace-2": 2_000, "workspace-3": 5_000 };
    const room = await createPoolRoom({
      upstream: ({ workspaceId }, nth) => (nth <= 3 ? exhausted(T0 + resets[workspaceId]!) : "serve"),
    });
    const answer = room.ask();
    await room.clock.advance(1_999);
    expect(room.seen).toHaveLength(3);
    await room.clock.advance(1);
    expect((await answer).kind).toBe("opened");
    expect(room.seen.at(-1)!.workspaceId).toBe("workspace-2");
  });

  test("a long hold is answered at once", async () => {
    const room = await createPoolRoom({ accounts: [cooling(T0 + 60_000)] });
    expect(refusal(await room.ask())!.retryAtMs).toBe(T0 + 60_000);
  });

  test("a busy pool serves as soon as somebody is done", async () => {
    const room = await createPoolRoom({
      accounts: [anAccount({ n: 1 })],
      settings: { account_max_leases: "1" },
      upstream: (_request, nth) => (nth === 1 ? "open" : "serve"),
    });
    await room.ask();
    const second = room.ask();
    await room.clock.advance(5_000);
    expect(room.seen).toHaveLength(1);
    room.seen[0]!.finish();
    expect((await second).kind).toBe("opened");
  });

  test("and says so when nobody is done in time", async () => {
    const room = await createPoolRoom({
      accounts: [anAccount({ n: 1 })],
      settings: { account_max_leases: "1" },
      upstream: () => "open",
    });
    await room.ask();
    const second = room.ask();
    await room.clock.advance(20_000);
    expect(refusal(await second)!.code).toBe("at_capacity");
  });

  test("a client that hangs up while waiting leaves nothing behind", async () => {
    const room = await createPoolRoom({ accounts: [cooling(T0 + 10_000)] });
    const client = new AbortController();
    const answer = room.ask({ signal: client.signal });
    await settle();
    client.abort();
    expect(refusal(await answer)!.code).toBe("client_gone");
    expect(room.engine.exchanges.open()).toEqual([]);
    expect(room.engine.counters().clientsGone).toBe(1);
  });
});

describe("a conversation", () => {
  test("stays where it was, and moves when that account is held", async () => {
    let full = false;
    const room = await createPoolRoom({
      upstream: ({ workspaceId }) => (full && workspaceId === "workspace-1" ? exhausted(T0 + HOUR_MS) : "serve"),
    });
    for (let i = 0; i < 3; i++) await room.ask({ conversation: "thread-a" });
    expect(workspaces(room.seen)).toEqual(["workspace-1", "workspace-1", "workspace-1"]);
    full = true;
    await room.ask({ conversation: "thread-a" });
    await room.ask({ conversation: "thread-a" });
    expect(workspaces(room.seen).slice(3)).toEqual(["workspace-1", "workspace-2", "workspace-2"]);
  });

  test("takes its turn state along only to the account that gave it", async () => {
    const headers = [["x-codex-turn-state", "opaque"]] as const;
    const turnStates: (string | undefined)[] = [];
    const room = await createPoolRoom({
      upstream: (request, nth) => {
        turnStates.push(request.headers.find(([name]) => name === "x-codex-turn-state")?.[1]);
        return nth === 2 ? exhausted(T0 + HOUR_MS) : "serve";
      },
    });
    await room.ask({ conversation: "thread-a" });
    await room.ask({ conversation: "thread-a", headers });
    expect(turnStates).toEqual([undefined, "opaque", undefined]);
  });

  test("with encrypted reasoning of another account is stripped of it once and goes on", async () => {
    const body = new TextEncoder().encode(
      JSON.stringify({
        model: "gpt-5.5",
        input: [
          { type: "reasoning", id: "rs_1", encrypted_content: "theirs" },
          { type: "message", role: "user" },
        ],
      }),
    );
    const room = await createPoolRoom({
      upstream: (_request, nth) => (nth === 1 ? { kind: "encrypted_content_rejected" } : "serve"),
    });
    const headers = [["content-encoding", "zstd"]] as const;
    expect((await room.ask({ body: new Uint8Array([1]), plainBody: body, headers })).kind).toBe("opened");
    const sent = JSON.parse(new TextDecoder().decode(wholeOf(room.seen[1]!.request.body!)));
    expect(sent).toEqual({ model: "gpt-5.5", input: [{ type: "message", role: "user" }] });
    expect(room.seen[1]!.request.headers).toEqual([]);
    expect(workspaces(room.seen)).toEqual(["workspace-1", "workspace-1"]);
  });

  describe("with reasoning that its home sealed", () => {
    const sealed = (name: string) => ({ type: "reasoning", id: `rs_${name}`, encrypted_content: name });
    const said = { type: "message", role: "user" };
    const bodyOf = (...input: object[]) => new TextEncoder().encode(JSON.stringify({ model: "gpt-5.5", input }));
    const inputOf = (sent: { request: { body: unknown } }) =>
      (JSON.parse(new TextDecoder().decode(wholeOf(sent.request.body as Uint8Array))) as { input: object[] }).input;
    const exhaustedOnce = {
      upstream: (_: unknown, nth: number) => (nth === 2 ? exhausted(T0 + HOUR_MS) : "serve"),
    } as const;

    test("leaves that behind when it moves, at no request's cost; and later only that", async () => {
      const room = await createPoolRoom(exhaustedOnce);
      const ask = (body: Uint8Array) => room.ask({ conversation: "thread-a", body, plainBody: body });
      await ask(bodyOf(said));
      await ask(bodyOf(said, sealed("by-a"), said));
      expect(room.seen.map(inputOf)).toEqual([[said], [said, sealed("by-a"), said], [said, said]]);
      // The client sends all of it with every turn; what its new home sealed is of use there.
      await ask(bodyOf(said, sealed("by-a"), said, sealed("by-b"), said));
      expect(inputOf(room.seen.at(-1)!)).toEqual([said, said, sealed("by-b"), said]);
      expect(new Set(workspaces(room.seen.slice(2))).size).toBe(1);
      expect(room.seen).toHaveLength(4);
    });

    test("keeps it for another login of the same workspace", async () => {
      const accounts = [1, 2].map((n) => anAccount({ n, workspaceId: "workspace-shared" }));
      const room = await createPoolRoom({ accounts, ...exhaustedOnce });
      const body = bodyOf(said, sealed("by-a"));
      for (let turn = 0; turn < 2; turn++) await room.ask({ conversation: "thread-a", body, plainBody: body });
      expect(room.seen.map(inputOf)).toEqual(Array.from({ length: 3 }, () => [said, sealed("by-a")]));
    });
  });

  test("with a compaction item is never stripped: that would answer about nothing", async () => {
    const body = new TextEncoder().encode(
      JSON.stringify({ input: [{ type: "compaction", encrypted_content: "theirs" }] }),
    );
    const room = await createPoolRoom({ upstream: () => ({ kind: "encrypted_content_rejected" }) });
    expect((await room.ask({ body, plainBody: body })).kind).toBe("rejected");
    expect(room.seen).toHaveLength(1);
  });
});

describe("answers that are cut", () => {
  test("are asked again at once the first time, then ever slower until one is served", async () => {
    const room = await createPoolRoom({ accounts: [anAccount({ n: 1 })], upstream: () => "open" });
    const startedAt: number[] = [];
    for (let i = 0; i < 5; i++) {
      const asked = room.clock.nowMs();
      const answer = room.ask({ conversation: "thread-a" });
      await room.clock.advance(10_000);
      startedAt.push((await room.engine.exchanges.get((await answer).exchangeId)).waitedMs);
      expect(room.clock.nowMs() - asked).toBe(10_000);
      room.seen.at(-1)!.finish(i < 4 ? { kind: "cut", message: "" } : undefined);
      await settle();
    }
    expect(startedAt).toEqual([0, 0, 500, 1_000, 2_000]);
    const after = await room.ask({ conversation: "thread-a" });
    expect((await room.engine.exchanges.get(after.exchangeId)).waitedMs).toBe(0);
  });

  test("do not slow other conversations, and are forgotten after a quiet minute", async () => {
    const room = await createPoolRoom({ accounts: [anAccount({ n: 1 })], upstream: () => "open" });
    for (let i = 0; i < 2; i++) {
      await room.ask({ conversation: "thread-a" });
      room.seen.at(-1)!.finish({ kind: "cut", message: "" });
      await settle();
    }
    expect((await room.ask({ conversation: "thread-b" })).kind).toBe("opened");
    await room.clock.advance(60_001);
    expect((await room.ask({ conversation: "thread-a" })).kind).toBe("opened");
  });
});

describe("a client that hangs up", () => {
  test("ends the exchange as gone, gives the lease back and holds nothing against the account", async () => {
    const room = await createPoolRoom({ accounts: [anAccount({ n: 1 })], upstream: () => "open" });
    const client = new AbortController();
    const answer = await room.ask({ signal: client.signal });
    expect(room.engine.openLeases()).toBe(1);
    client.abort();
    await settle();
    expect(room.engine.openLeases()).toBe(0);
    expect(await room.engine.exchanges.get(answer.exchangeId)).toMatchObject({
      attempts: [{ outcome: "client_gone" }],
    });
    expect(room.engine.selection.view().usableCount).toBe(1);
  });
});

test("a pin never falls over, and the answer names the way out", async () => {
  const room = await createPoolRoom({ upstream: () => exhausted(T0 + HOUR_MS) });
  const [, second] = room.engine.accounts.list();
  await room.engine.selection.pin(second!.id, null);
  const error = refusal(await room.ask())!;
  expect([error.code, error.hint]).toEqual(["no_usable_account", "rotor pool unpin"]);
  expect(workspaces(room.seen)).toEqual(["workspace-2"]);
});

test("windows seen in an opening are known while the stream still runs", async () => {
  const { observedAtMs: _at, observedFrom: _from, ...reading } = aWindow({ usedPercent: 73 });
  const room = await createPoolRoom({
    accounts: [anAccount({ n: 1 })],
    upstream: () => "open",
    observe: () => ({ windows: [reading], from: "header", tier: "pro" }),
  });
  await room.ask();
  expect(room.engine.accounts.list()[0]).toMatchObject({
    tier: "pro",
    windows: [{ usedPercent: 73, observedAtMs: T0 }],
  });
});

test("an account that is removed while it serves ends its stream in peace", async () => {
  const room = await createPoolRoom({ upstream: () => "open" });
  const answer = await room.ask();
  const first = room.engine.accounts.list()[0]!;
  await room.engine.accounts.remove(first.id);
  room.seen[0]!.finish();
  await settle();
  expect(await room.engine.exchanges.get(answer.exchangeId)).toMatchObject({ servedByAlias: "plus-1", endedAtMs: T0 });
});

test("an unknown failure inside is told as such and keeps its words to the log", async () => {
  const room = await createPoolRoom({
    upstream: () => {
      throw new Error("boom with details");
    },
  });
  const error = refusal(await room.engine.exchanges.run(aRequest()))!;
  expect([error.code, error.message.includes("boom")]).toEqual(["internal", false]);
  expect(room.engine.openLeases()).toBe(0);
});
