/** What a login does to accounts that are there already: renews, heals, refuses, and never loses tokens to a race. */
import { expect, test } from "bun:test";
import type { Account } from "../../src/domain/account.ts";
import type { LoginRequest } from "../../src/pool/engine.ts";
import { anAccount } from "../support/builders.ts";
import { newLoginOf } from "../support/fake-login-issuer.ts";
import { T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type PoolRoom, rotate } from "../support/pool-room.ts";

const LATER_MS = T0 + 864_000_000;

/** Signs in as the owner of `who`, by hand. */
async function signIn(room: PoolRoom, who: Account, change: Partial<LoginRequest> = {}, expiresAtMs = LATER_MS) {
  room.loginIssuer.codes.set("code", newLoginOf(who, expiresAtMs));
  const request = { method: "manual", alias: null, accountId: null, loginHint: null, ...change } as const;
  const login = await room.engine.logins.start(request);
  const state = new URL(login.authorizeUrl!).searchParams.get("state")!;
  return room.engine.logins.complete(login.id, `http://127.0.0.1:1455/auth/callback?code=code&state=${state}`);
}

const refreshTokenOf = async (room: PoolRoom, { id }: Account) =>
  (await room.store.loadCredentials(id)).credentials.refreshToken;

test("a known account takes the new credentials, even older ones, and keeps everything else", async () => {
  const known = anAccount({
    n: 1,
    alias: "work",
    enabled: false,
    login: { kind: "needs_login", reason: "refresh_token_reused", sinceMs: T0 },
    cooldown: { untilMs: T0 + 60_000, sinceMs: T0, reason: "refresh_failed", failures: 2 },
    use: { lastLeaseOrder: 3, lastLeasedAtMs: T0, lastServedAtMs: T0, turn: 0, exchangesByDay: [] },
  });
  const room = await createPoolRoom({ accounts: [known] });
  const login = await signIn(room, known, { alias: "another" }, T0 + 1_000);
  expect(login).toMatchObject({ state: "completed", accountId: known.id, added: false });
  expect(room.engine.accounts.list()).toEqual([
    {
      ...known,
      login: { kind: "ok" },
      cooldown: null,
      credentials: { generation: 2, accessExpiresAtMs: T0 + 1_000, refreshedAtMs: T0 },
    },
  ]);
  expect(await refreshTokenOf(room, known)).toBe("refresh-work-fresh");
  expect((await room.store.loadPool()).accounts).toEqual([...room.engine.accounts.list()]);
});

test("one person in two workspaces is two accounts; two persons in one workspace are, too", async () => {
  const room = await createPoolRoom({ accounts: [anAccount({ n: 1 })] });
  await signIn(room, anAccount({ n: 1, workspaceId: "workspace-9" }));
  await signIn(room, anAccount({ n: 1, userId: "user-9" }));
  const identities = room.engine.accounts.list().map(({ userId, workspaceId }) => `${userId} ${workspaceId}`);
  expect(identities).toEqual(["user-1 workspace-1", "user-1 workspace-9", "user-9 workspace-1"]);
  expect(new Set(room.engine.accounts.list().map(({ email }) => email)).size).toBe(1);
});

test.each([
  ["another person", anAccount({ n: 1, userId: "user-9" })],
  ["another workspace", anAccount({ n: 1, workspaceId: "workspace-9" })],
  ["another workspace", anAccount({ n: 2 })],
])("a renewal by %s is refused and changes nothing", async (what, who) => {
  const accounts = [anAccount({ n: 1 }), anAccount({ n: 2 })];
  const room = await createPoolRoom({ accounts });
  const login = await signIn(room, who, { accountId: accounts[0]!.id });
  expect(login).toMatchObject({
    state: "failed",
    accountId: null,
    error: { code: "wrong_identity", message: `this login is of ${what} than plus-1; nothing was changed` },
  });
  expect(room.engine.accounts.list()).toEqual(accounts);
  expect(await refreshTokenOf(room, accounts[1]!)).toBe("refresh-plus-2-1");
});

test("a renewal suggests the account's own address, and teaches who it is when nobody knew", async () => {
  const nameless = anAccount({ n: 1, userId: null });
  const room = await createPoolRoom({ accounts: [nameless] });
  const login = await signIn(room, anAccount({ n: 1 }), { accountId: nameless.id });
  expect(room.loginIssuer.asked).toMatchObject([{ askWho: true, loginHint: nameless.email }]);
  expect(login).toMatchObject({ state: "completed", accountId: nameless.id, added: false });
  expect(room.engine.accounts.list()).toMatchObject([{ userId: "user-1", credentials: { generation: 2 } }]);
});

test("a renewal is refused at once for an account that is not there or belongs to another issuer", async () => {
  const foreign = anAccount({ n: 1, issuer: "https://elsewhere.test" });
  const room = await createPoolRoom({ accounts: [foreign] });
  const start = (accountId: Account["id"]) =>
    room.engine.logins
      .start({ method: "manual", alias: null, accountId, loginHint: null })
      .catch((error) => error.code);
  expect(await start(anAccount({ n: 5 }).id)).toBe("account_not_found");
  expect(await start(foreign.id)).toBe("issuer_mismatch");
  expect(room.engine.logins.list()).toEqual([]);
});

test("one person in two workspaces is two accounts; a login bound to one workspace takes no other, and changes nothing then", async () => {
  const home = anAccount({ n: 1 });
  const office = anAccount({ n: 2, userId: home.userId, email: home.email });
  const room = await createPoolRoom({ accounts: [home] });
  room.loginIssuer.codes.set("office", newLoginOf(office, LATER_MS));
  room.loginIssuer.codes.set("home", newLoginOf(home, LATER_MS));
  const signIn = async (code: string, nth: number, workspaceId?: string) => {
    const request = { method: "manual", alias: null, accountId: null, loginHint: null, workspaceId } as const;
    const { id } = await room.engine.logins.start(request);
    return room.engine.logins.complete(id, `http://127.0.0.1:1455/auth/callback?code=${code}&state=state-${nth}`);
  };
  const wrong = await signIn("home", 1, office.workspaceId);
  expect(wrong).toMatchObject({ state: "failed", error: { code: "wrong_identity" } });
  expect(room.engine.accounts.list()).toEqual([home]);
  expect((await signIn("office", 2, office.workspaceId)).state).toBe("completed");
  expect(room.engine.accounts.list().map(({ workspaceId }) => workspaceId)).toEqual([
    home.workspaceId,
    office.workspaceId,
  ]);
  expect(room.loginIssuer.asked.map(({ workspaceId }) => workspaceId)).toEqual([
    office.workspaceId,
    office.workspaceId,
  ]);
  await room.engine.close();
});

test("an account that is removed while its owner signs in again stays removed", async () => {
  const account = anAccount({ n: 1 });
  const room = await createPoolRoom({ accounts: [account] });
  room.loginIssuer.codes.set("code", newLoginOf(account, LATER_MS));
  const request = { method: "manual", alias: null, accountId: account.id, loginHint: null } as const;
  const { id } = await room.engine.logins.start(request);
  await room.engine.accounts.remove(account.id);
  const end = await room.engine.logins.complete(id, "http://127.0.0.1:1455/auth/callback?code=code&state=state-1");
  expect(end).toMatchObject({ state: "failed", error: { code: "account_not_found" } });
  expect(room.engine.accounts.list()).toEqual([]);
});

test("an alias is judged when the login begins; one that is taken meanwhile costs the name, not the login", async () => {
  const room = await createPoolRoom({ accounts: [anAccount({ n: 1, alias: "work" })] });
  const start = (alias: string) =>
    room.engine.logins.start({ method: "manual", alias, accountId: null, loginHint: null });
  expect(await start("work").catch((error) => error.code)).toBe("alias_taken");
  expect(await start("17").catch((error) => error.code)).toBe("invalid_alias");
  room.loginIssuer.codes.set("code", newLoginOf(anAccount({ n: 2 }), LATER_MS));
  const { id } = await start("home");
  const [first] = room.engine.accounts.list();
  await room.engine.accounts.update(first!.id, { alias: "home", force: false });
  const end = await room.engine.logins.complete(id, "http://127.0.0.1:1455/auth/callback?code=code&state=state-1");
  expect(end.state).toBe("completed");
  expect(room.engine.accounts.list().map(({ alias }) => alias)).toEqual(["home", "plus"]);
});

test("a login wins over a refresh that ends at the same moment, before or after it", async () => {
  const account = anAccount({ n: 1, credentials: { generation: 1, accessExpiresAtMs: T0 - 1, refreshedAtMs: T0 } });
  for (const order of ["refresh first", "login first"]) {
    const answer = Promise.withResolvers<void>();
    const room = await createPoolRoom({
      accounts: [account],
      issuer: async (token) => {
        await answer.promise;
        return rotate([account], LATER_MS)(token);
      },
    });
    const refresh = room.engine.accounts.refresh(account.id);
    if (order === "login first") {
      await signIn(room, account);
      answer.resolve();
      await refresh;
    } else {
      // The refresh reaches the disk between the login's look and its write.
      const replace = room.store.replaceCredentials;
      room.store.replaceCredentials = async (...args) => {
        room.store.replaceCredentials = replace;
        answer.resolve();
        await refresh;
        return replace(...args);
      };
      expect((await signIn(room, account)).state).toBe("completed");
    }
    expect([order, await refreshTokenOf(room, account)]).toEqual([order, "refresh-plus-1-fresh"]);
    expect(room.engine.accounts.list()[0]!.login).toEqual({ kind: "ok" });
  }
});

test("an operator's order that arrives while the disk is busy is not undone", async () => {
  const account = anAccount({ n: 1 });
  const room = await createPoolRoom({ accounts: [account, anAccount({ n: 2 })] });
  const replace = room.store.replaceCredentials;
  room.store.replaceCredentials = async (...args) => {
    await room.engine.accounts.update(account.id, { enabled: false, alias: "renamed", force: false });
    return replace(...args);
  };
  await signIn(room, account);
  const shown = room.engine.accounts.get(account.id)!;
  expect(shown).toMatchObject({ enabled: false, alias: "renamed", credentials: { generation: 2 } });
  expect((await room.store.loadPool()).accounts[0]).toEqual(shown);
});

test("a disk that takes nothing fails the login with its words, and no account appears", async () => {
  const room = await createPoolRoom({ accounts: [] });
  room.store.addAccounts = () => Promise.reject(new Error("disk full"));
  expect(await signIn(room, anAccount({ n: 1 }))).toMatchObject({ state: "failed", error: { code: "internal" } });
  expect(room.engine.accounts.list()).toEqual([]);
});

test("no code, verifier, token or e-mail address is logged or shown", async () => {
  const who = anAccount({ n: 1 });
  const room = await createPoolRoom({ accounts: [] });
  const login = await signIn(room, who);
  await signIn(room, anAccount({ n: 2 }), { accountId: login.accountId });
  await room.engine.logins.start({ method: "device", alias: null, accountId: null, loginHint: null });
  const seen = JSON.stringify([room.logged, room.engine.logins.list()]);
  const tokens = Object.values(newLoginOf(who, LATER_MS).credentials).filter((token) => token !== null);
  for (const secret of [...tokens, "code=", "verifier-", "device-3", who.email!]) expect(seen).not.toContain(secret);
  expect(room.logged.map(({ event }) => event)).toContain("login.completed");
});
