/** Custody: one refresh at a time, disk before use, newer over older, nothing lost by a crash that the grace window can save. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Account, underIssuer } from "../../src/domain/account.ts";
import type { Store } from "../../src/store/store.ts";
import type { RefreshResult } from "../../src/upstream/upstream.ts";
import { anAccount, ISSUER } from "../support/builders.ts";
import { createManualClock, settle, T0 } from "../support/manual-clock.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createPoolRoom, rotate, tokenFor } from "../support/pool-room.ts";

const DAY_MS = 86_400_000;
const late = T0 + 10 * DAY_MS;
const expired = (n = 1) =>
  anAccount({ n, credentials: { generation: 1, accessExpiresAtMs: T0 - 1, refreshedAtMs: T0 - DAY_MS } });

describe("one at a time", () => {
  test("requests that find an expired login share one refresh", async () => {
    const accounts = [expired()];
    const room = await createPoolRoom({ accounts, issuer: rotate(accounts, late) });
    await Promise.all(Array.from({ length: 64 }, () => room.ask()));
    expect(room.refreshed).toEqual(["refresh-plus-1-1"]);
    expect(new Set(room.seen.map((attempt) => attempt.accessToken)).size).toBe(1);
  });

  test("a 401 on an old token after the renewal sends nothing: the newer one is the answer", async () => {
    const accounts = [anAccount({ n: 1 })];
    const old = tokenFor(accounts[0]!, late);
    const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
    const room = await createPoolRoom({
      accounts,
      issuer: rotate(accounts, late),
      upstream: async ({ accessToken }, nth) => {
        if (nth === 2) await gate;
        return accessToken.reveal() === old ? { kind: "unauthorized", message: "" } : "serve";
      },
    });
    const [first, second] = [room.ask(), room.ask()];
    await first;
    openGate();
    expect((await second).kind).toBe("opened");
    expect(room.refreshed).toHaveLength(1);
  });
});

describe("disk before use", () => {
  test("the new token is used only after the store has it", async () => {
    const accounts = [expired()];
    const { promise: disk, resolve: written } = Promise.withResolvers<void>();
    const store = createMemoryStore();
    await seed(store, accounts);
    const commit = store.commitRefresh.bind(store);
    const slow: Store = { ...store, commitRefresh: (...args) => disk.then(() => commit(...args)) };
    const room = await createPoolRoom({ accounts, store: slow, issuer: rotate(accounts, late) });
    const answer = room.ask();
    await settle();
    expect([room.refreshed.length, room.seen.length]).toEqual([1, 0]);
    written();
    await answer;
    expect(room.seen).toHaveLength(1);
    expect((await store.loadCredentials(accounts[0]!.id)).generation).toBe(2);
  });

  test("when the disk refuses, the new token is not used, the failure is told, and the tokens are kept for the next try", async () => {
    const accounts = [expired()];
    const store = createMemoryStore();
    await seed(store, accounts);
    let isFull = true;
    const commit = store.commitRefresh.bind(store);
    const full: Store = {
      ...store,
      commitRefresh: (...args) => (isFull ? Promise.reject(new Error("disk full")) : commit(...args)),
    };
    const room = await createPoolRoom({
      accounts,
      store: full,
      issuer: rotate(accounts, late),
      settings: { refresh_proactively: "off" },
    });
    const first = room.ask();
    await room.clock.advance(10_000);
    expect([(await first).kind, room.seen]).toEqual(["refused", []]);
    isFull = false;
    expect((await room.ask()).kind).toBe("opened");
    expect(room.refreshed).toEqual(["refresh-plus-1-1"]);
    expect((await store.loadCredentials(accounts[0]!.id)).credentials.refreshToken).toBe("refresh-plus-1-2");
  });

  test("the intent is on disk before the token leaves, and gone with the commit", async () => {
    const accounts = [expired()];
    const store = createMemoryStore();
    await seed(store, accounts);
    const during: number[] = [];
    const renew = rotate(accounts, late);
    const issuer = async (token: string): Promise<RefreshResult> => {
      during.push((await store.refreshIntents()).length);
      return renew(token);
    };
    const room = await createPoolRoom({ accounts, store, issuer });
    await room.ask();
    expect([during, await store.refreshIntents()]).toEqual([[1], []]);
  });
});

describe("newer over older", () => {
  test("a store that moved on meanwhile wins over our answer", async () => {
    const accounts = [expired()];
    const [account] = accounts as [Account];
    const store = createMemoryStore();
    await seed(store, accounts);
    const theirs = { accessToken: tokenFor(account, late, "theirs"), refreshToken: "refresh-plus-1-9", idToken: null };
    const newer = { ...account, credentials: { generation: 2, accessExpiresAtMs: late, refreshedAtMs: T0 } };
    const renew = rotate(accounts, late);
    const issuer = async (token: string): Promise<RefreshResult> => {
      await store.replaceCredentials(newer, 1, theirs);
      return renew(token);
    };
    const room = await createPoolRoom({ accounts, store, issuer });
    await room.ask();
    expect(room.seen[0]!.accessToken).toBe(theirs.accessToken);
    expect((await store.loadCredentials(account.id)).credentials).toEqual(theirs);
  });

  test("a refusal of a token that was replaced meanwhile is no refusal of the login", async () => {
    const accounts = [expired()];
    const [account] = accounts as [Account];
    const store = createMemoryStore();
    await seed(store, accounts);
    const theirs = { accessToken: tokenFor(account, late, "theirs"), refreshToken: "refresh-plus-1-9", idToken: null };
    const newer = { ...account, credentials: { generation: 2, accessExpiresAtMs: late, refreshedAtMs: T0 } };
    const room = await createPoolRoom({
      accounts,
      store,
      issuer: async () => {
        await store.replaceCredentials(newer, 1, theirs);
        return { kind: "refused", code: "refresh_token_reused", message: "" };
      },
    });
    expect((await room.ask()).kind).toBe("opened");
    expect(room.engine.accounts.get(account.id)!.login.kind).toBe("ok");
  });

  test("a new refresh token without an access token is kept, and the login is tried again later with it", async () => {
    const accounts = [expired()];
    const renew = rotate(accounts, late);
    const room = await createPoolRoom({
      accounts,
      settings: { refresh_proactively: "off", wait_seconds: "0" },
      issuer: (token) => {
        const result = renew(token);
        if (token !== "refresh-plus-1-1" || result.kind !== "refreshed") return result;
        return { kind: "refreshed", tokens: { ...result.tokens, accessToken: null } };
      },
    });
    expect((await room.ask()).kind).toBe("refused");
    expect(room.engine.accounts.list()[0]).toMatchObject({
      login: { kind: "ok" },
      cooldown: { reason: "refresh_failed" },
    });
    await room.clock.advance(60_000);
    expect((await room.ask()).kind).toBe("opened");
    expect(room.refreshed).toEqual(["refresh-plus-1-1", "refresh-plus-1-2"]);
  });

  test("tokens of another identity are refused", async () => {
    const accounts = [expired()];
    const stranger = anAccount({ n: 7 });
    const tokens = { accessToken: tokenFor(stranger, late), refreshToken: "r", idToken: null };
    const room = await createPoolRoom({ accounts, issuer: () => ({ kind: "refreshed", tokens }) });
    expect((await room.ask()).kind).toBe("refused");
    expect(room.engine.accounts.list()[0]!.login).toMatchObject({ kind: "needs_login", reason: "identity_changed" });
  });
});

describe("in good time", () => {
  test("an idle account is renewed before it expires, staggered by account, and again after that", async () => {
    const expiresAtMs = T0 + DAY_MS;
    const accounts = [1, 2, 3].map((n) =>
      anAccount({ n, credentials: { generation: 1, accessExpiresAtMs: expiresAtMs, refreshedAtMs: T0 } }),
    );
    const clock = createManualClock();
    const at: number[] = [];
    const issuer = (token: string) => {
      at.push(clock.nowMs());
      return rotate(accounts, clock.nowMs() + DAY_MS)(token);
    };
    const room = await createPoolRoom({ accounts, clock, issuer });
    await clock.advance(DAY_MS);
    expect(room.refreshed).toHaveLength(3);
    for (const ms of at) expect(expiresAtMs - ms).toBeGreaterThanOrEqual(5 * 60_000);
    expect(new Set(at).size).toBe(3);
    await clock.advance(DAY_MS);
    expect(room.refreshed).toHaveLength(6);
  });

  test("a passing failure is tried again after its cooldown until it works", async () => {
    const accounts = [
      anAccount({ n: 1, credentials: { generation: 1, accessExpiresAtMs: T0 + 600_000, refreshedAtMs: T0 } }),
    ];
    let failures = 3;
    const issuer = (token: string): RefreshResult =>
      failures-- > 0 ? { kind: "failed", message: "503" } : rotate(accounts, late)(token);
    const room = await createPoolRoom({ accounts, issuer });
    await room.clock.advance(3_600_000);
    expect(room.refreshed).toHaveLength(4);
    expect(room.engine.accounts.list()[0]).toMatchObject({ cooldown: null, credentials: { generation: 2 } });
  });

  test("a login that is due but still good does not make a request wait", async () => {
    const accounts = [
      anAccount({ n: 1, credentials: { generation: 1, accessExpiresAtMs: T0 + 60_000, refreshedAtMs: T0 } }),
    ];
    const room = await createPoolRoom({
      accounts,
      issuer: () => new Promise(() => {}),
      settings: { refresh_proactively: "off" },
    });
    await room.ask();
    expect((await room.ask()).kind).toBe("opened");
    // It goes beside them.
    await settle();
    expect(room.refreshed).toHaveLength(1);
  });

  test("refresh_proactively off leaves idle accounts alone", async () => {
    const accounts = [
      anAccount({ n: 1, credentials: { generation: 1, accessExpiresAtMs: T0 + 600_000, refreshedAtMs: T0 } }),
    ];
    const room = await createPoolRoom({
      accounts,
      issuer: rotate(accounts, late),
      settings: { refresh_proactively: "off" },
    });
    await room.clock.advance(DAY_MS);
    expect(room.refreshed).toEqual([]);
  });
});

test("credentials of another issuer are not sent anywhere, others serve, and they come back with their issuer", async () => {
  const foreign = anAccount({ n: 1, issuer: "https://elsewhere.test" });
  const room = await createPoolRoom({ accounts: [foreign, anAccount({ n: 2 })] });
  for (let i = 0; i < 3; i++) expect((await room.ask()).kind).toBe("opened");
  expect(new Set(room.seen.map((attempt) => attempt.workspaceId))).toEqual(new Set(["workspace-2"]));
  expect(room.engine.accounts.get(foreign.id)!.login).toMatchObject({ kind: "needs_login", reason: "issuer_mismatch" });
  expect(await room.engine.accounts.refresh(foreign.id).catch((error) => error.code)).not.toBe("done");
  expect(room.refreshed).toEqual([]);
  await room.engine.accounts.update(foreign.id, { alias: "kept", force: false });
  await room.engine.close();
  const marked = (await room.store.loadPool()).accounts.find((account) => account.id === foreign.id)!;
  expect(underIssuer(marked, "https://elsewhere.test", T0).login).toEqual({ kind: "ok" });
});

describe("a crash", () => {
  /** An issuer with rotation and, if asked, a grace window for the token just replaced. */
  function issuerWith(grace: boolean, accounts: readonly Account[]) {
    const current = new Map(accounts.map((account) => [account.alias, 1]));
    return (token: string): RefreshResult => {
      const [, alias, n] = /^refresh-(.+)-(\d+)$/.exec(token)!;
      const now = current.get(alias!)!;
      const isGood = Number(n) === now || (grace && Number(n) === now - 1);
      if (!isGood) return { kind: "refused", code: "refresh_token_reused", message: "" };
      if (Number(n) === now) current.set(alias!, now + 1);
      return rotate(accounts, late)(`refresh-${alias}-${current.get(alias!)! - 1}`);
    };
  }

  /** The store as it is after the process died at its `step`-th write; writes after that never happen. */
  function dyingStore(store: Store, step: number): Store {
    let writes = 0;
    const mortal =
      <A extends unknown[], R>(write: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> =>
        ++writes > step ? new Promise<R>(() => {}) : write(...args);
    return {
      ...store,
      beginRefresh: mortal(store.beginRefresh.bind(store)),
      commitRefresh: mortal(store.commitRefresh.bind(store)),
      abandonRefresh: mortal(store.abandonRefresh.bind(store)),
      saveAccount: mortal(store.saveAccount.bind(store)),
    };
  }

  for (const grace of [true, false]) {
    test(`at any write of a refresh ${grace ? "loses nothing within the grace window" : "without grace costs exactly the login in flight"}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 1, max: 4 }), async (step, count) => {
          const accounts = Array.from({ length: count }, (_, n) => expired(n + 1));
          const store = createMemoryStore();
          await seed(store, accounts);
          const issuer = issuerWith(grace, accounts);
          const sent = new Set<string>();
          const first = await createPoolRoom({
            accounts,
            store: dyingStore(store, step),
            issuer: (token) => {
              sent.add(token);
              return issuer(token);
            },
          });
          void Promise.all(accounts.map(() => first.ask()));
          await settle();
          const inFlight = (await store.refreshIntents()).filter((intent) =>
            sent.has(`refresh-${aliasOf(accounts, intent.accountId)}-1`),
          );
          const second = await createPoolRoom({ accounts, store, issuer });
          await settle();
          for (const account of accounts) await second.engine.accounts.refresh(account.id).catch(() => null);
          const lost = second.engine.accounts.list().filter((account) => account.login.kind === "needs_login");
          expect(lost.map((account) => account.id)).toEqual(grace ? [] : inFlight.map((intent) => intent.accountId));
          expect(await store.refreshIntents()).toEqual([]);
        }),
        { numRuns: 60 },
      );
    });
  }
});

function aliasOf(accounts: readonly Account[], id: string): string {
  return accounts.find((account) => account.id === id)!.alias;
}

async function seed(store: Store, accounts: readonly Account[]): Promise<void> {
  await store.addAccounts(
    accounts.map((account) => ({
      account: { ...account, issuer: ISSUER },
      credentials: {
        accessToken: tokenFor(account, T0 - 1),
        refreshToken: `refresh-${account.alias}-1`,
        idToken: null,
      },
    })),
  );
}
