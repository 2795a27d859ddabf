/** What operators can do, and what stands after a restart. */
import { describe, expect, test } from "bun:test";
import type { Account } from "../../src/domain/account.ts";
import { anAccount, ISSUER } from "../support/builders.ts";
import { settle, T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type PoolRoom, tokenFor } from "../support/pool-room.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const login = (account: Account, expiresAtMs: number, mark = "a") => ({
  tokens: {
    access_token: tokenFor(account, expiresAtMs, mark),
    refresh_token: `refresh-${account.alias}-${mark}`,
    account_id: account.workspaceId,
  },
});
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code: string }) => error.code,
  );
const importData = async (room: PoolRoom, data: Uint8Array, options: { dryRun: boolean; alias: string | null }) => {
  const order = { ...options, sourcePath: null, passphrase: null };
  return (await room.engine.transfers.importFiles([{ name: "", bytes: data }], order)).accounts;
};
const asGiven = { dryRun: false, alias: null };

describe("importing", () => {
  test("adds what is new, replaces what is older, skips what is known, and says which", async () => {
    const known = anAccount({
      n: 1,
      credentials: { generation: 1, accessExpiresAtMs: T0 + 1_000_000, refreshedAtMs: T0 },
    });
    const room = await createPoolRoom({ accounts: [known] });
    const data = bytes([
      login(known, T0 + 1_000_000),
      login(anAccount({ n: 2 }), T0 + 5_000_000),
      login(known, T0 + 9_000_000, "newer"),
    ]);
    const first = await importData(room, data, { dryRun: true, alias: null });
    expect(first.map((one) => [one.action, one.alias])).toEqual([
      ["skip", "plus-1"],
      ["add", "plus"],
      ["replace", "plus-1"],
    ]);
    expect(room.engine.accounts.list()).toHaveLength(1);
    const done = await importData(room, data, asGiven);
    expect(room.engine.accounts.list().map((account) => account.alias)).toEqual(["plus-1", "plus"]);
    expect(done[2]).toMatchObject({
      action: "replace",
      account: { credentials: { generation: 2, accessExpiresAtMs: T0 + 9_000_000 } },
    });
    const again = await importData(room, data, asGiven);
    expect(again.map((one) => one.action)).toEqual(["skip", "skip", "skip"]);
    await room.ask();
    expect((await room.store.loadCredentials(known.id)).credentials.refreshToken).toBe("refresh-plus-1-newer");
  });

  test("an account that lost its login takes the same age of token and serves again", async () => {
    const lost = anAccount({ n: 1, login: { kind: "needs_login", reason: "x", sinceMs: T0 } });
    const room = await createPoolRoom({ accounts: [lost] });
    const [end] = await importData(room, bytes(login(lost, lost.credentials.accessExpiresAtMs!)), asGiven);
    expect(end!.action).toBe("replace");
    expect((await room.ask()).kind).toBe("opened");
  });

  test("one bad entry leaves everything as it was and is named", async () => {
    const room = await createPoolRoom({ accounts: [] });
    const data = bytes([login(anAccount({ n: 2 }), T0), { tokens: { access_token: "x" } }]);
    await expect(importData(room, data, asGiven)).rejects.toThrow(/^entry 2: tokens.refresh_token/);
    expect(room.engine.accounts.list()).toEqual([]);
  });

  test("takes an alias for one account, and not for two", async () => {
    const room = await createPoolRoom({ accounts: [] });
    const named = { dryRun: false, alias: "work" };
    expect((await importData(room, bytes(login(anAccount({ n: 2 }), T0)), named))[0]!.alias).toBe("work");
    const two = bytes([login(anAccount({ n: 3 }), T0), login(anAccount({ n: 4 }), T0)]);
    expect(await code(importData(room, two, { dryRun: false, alias: "home" }))).toBe("invalid_import");
    expect(await code(importData(room, bytes(login(anAccount({ n: 3 }), T0)), named))).toBe("alias_taken");
  });

  test("refuses a login of another issuer", async () => {
    const room = await createPoolRoom({ accounts: [] });
    const foreign = login(anAccount({ n: 2 }), T0);
    const tokens = { ...foreign.tokens, oauth_provenance: { issuer: "https://elsewhere.test" } };
    expect(await code(importData(room, bytes({ tokens }), asGiven))).toBe("issuer_mismatch");
    const same = { ...foreign.tokens, oauth_provenance: { issuer: `${ISSUER}/` } };
    expect(await code(importData(room, bytes({ tokens: same }), asGiven))).toBe("done");
  });
});

describe("editing", () => {
  test("renames, and refuses a name that is taken or cannot be one", async () => {
    const room = await createPoolRoom();
    const [first] = room.engine.accounts.list();
    const rename = (alias: string) => room.engine.accounts.update(first!.id, { alias, force: false });
    expect((await rename("work")).alias).toBe("work");
    expect(await code(rename("plus-2"))).toBe("alias_taken");
    expect(await code(rename("12"))).toBe("invalid_alias");
    expect(await code(rename("me@example.test"))).toBe("invalid_alias");
  });

  test("the last account that can serve is switched off only on purpose", async () => {
    const room = await createPoolRoom({ accounts: [anAccount({ n: 1 }), anAccount({ n: 2, enabled: false })] });
    const [first] = room.engine.accounts.list();
    const off = (force: boolean) => room.engine.accounts.update(first!.id, { enabled: false, force });
    expect(await code(off(false))).toBe("last_usable_account");
    expect((await off(true)).enabled).toBe(false);
  });

  test("what the store refuses is not shown as done", async () => {
    const room = await createPoolRoom();
    const [first] = room.engine.accounts.list();
    room.store.saveAccount = () => Promise.reject(new Error("disk full"));
    await code(room.engine.accounts.update(first!.id, { alias: "work", force: false }));
    expect(room.engine.accounts.get(first!.id)!.alias).toBe("plus-1");
  });

  test("removing takes the pin along and forgets the login", async () => {
    const room = await createPoolRoom();
    const [first] = room.engine.accounts.list();
    await room.engine.selection.pin(first!.id, null);
    await room.engine.accounts.remove(first!.id);
    expect(room.engine.selection.view().pin).toBeNull();
    expect(await code(room.store.loadCredentials(first!.id))).toBe("account_not_found");
    expect((await room.ask()).kind).toBe("opened");
  });
});

describe("client keys", () => {
  test("are verified by their secret alone, until they are revoked", async () => {
    const room = await createPoolRoom();
    const { key, secret } = await room.engine.keys.create("laptop");
    expect(room.engine.keys.verify(secret)).toMatchObject({ id: key.id });
    expect(JSON.stringify(await room.store.loadPool())).not.toContain(secret.slice(15));
    for (const wrong of [
      "",
      "rtr_",
      secret.slice(0, -1),
      `${secret.slice(0, -1)}${secret.endsWith("A") ? "B" : "A"}`,
      `${secret} `,
    ]) {
      expect(room.engine.keys.verify(wrong)).toBeNull();
    }
    await room.engine.keys.revoke(key.id);
    expect(room.engine.keys.verify(secret)).toBeNull();
  });

  test("one name is one key, until that is revoked", async () => {
    const room = await createPoolRoom();
    const { key } = await room.engine.keys.create("laptop");
    expect(await code(room.engine.keys.create("laptop"))).toBe("key_exists");
    await room.engine.keys.revoke(key.id);
    expect(await code(room.engine.keys.create("laptop"))).toBe("done");
  });

  test("last use is written behind, at most once a minute", async () => {
    const room = await createPoolRoom();
    const { key, secret } = await room.engine.keys.create("laptop");
    const writes: number[] = [];
    const touch = room.store.touchKeys.bind(room.store);
    room.store.touchKeys = (batch) => {
      writes.push(batch.size);
      return touch(batch);
    };
    for (let i = 0; i < 100; i++) room.engine.keys.verify(secret);
    await room.clock.advance(60_000);
    expect(writes).toEqual([1]);
    expect((await room.store.loadPool()).keys.find((one) => one.id === key.id)!.lastUsedAtMs).toBe(T0);
  });
});

describe("settings", () => {
  const value = (room: { engine: { settings: { list(): readonly { key: string; value: unknown }[] } } }, key: string) =>
    room.engine.settings.list().find((state) => state.key === key);

  test("environment over config over saved over default, each with its source", async () => {
    const room = await createPoolRoom({ settings: { wait_seconds: "7" } });
    expect(value(room, "wait_seconds")).toMatchObject({ value: 7, source: "env" });
    expect(await code(room.engine.settings.set("wait_seconds", "9"))).toBe("setting_overridden");
    expect(await room.engine.settings.set("affinity", "off")).toMatchObject({ value: false, source: "saved" });
    expect(await room.engine.settings.reset("affinity", true)).toMatchObject([{ before: false, after: true }]);
    expect(value(room, "affinity")).toMatchObject({ value: false });
    await room.engine.settings.reset("affinity", false);
    expect(value(room, "affinity")).toMatchObject({ value: true, source: "default" });
  });

  test("bad values and names are refused with what would be accepted", async () => {
    const room = await createPoolRoom({ settings: { nonsense: "1", affinity: "maybe" } });
    expect(room.engine.settings.problems()).toHaveLength(2);
    await expect(room.engine.settings.set("wait_seconds", "601")).rejects.toThrow(/from 0 to 600/);
    expect(await code(room.engine.settings.set("nonsense", "1"))).toBe("setting_not_found");
  });

  test("a preset sets what it names and takes the rest back", async () => {
    const room = await createPoolRoom();
    await room.engine.settings.set("affinity", "off");
    await room.engine.settings.applyPreset("conservative", false);
    expect([value(room, "affinity"), value(room, "wait_seconds")]).toMatchObject([{ value: true }, { value: 60 }]);
  });
});

test("strategy, pin and figures stand after a restart", async () => {
  const first = await createPoolRoom({
    upstream: () => ({ kind: "rate_limited", untilMs: T0 + 100_000, message: "" }),
  });
  await first.engine.selection.setStrategy("random");
  await first.engine.selection.pin(first.engine.accounts.list()[1]!.id, T0 + 5_000_000);
  await first.ask();
  await first.engine.close();
  const second = await createPoolRoom({ store: first.store });
  expect(second.engine.selection.view()).toMatchObject({
    strategy: "random",
    pin: { accountId: first.engine.accounts.list()[1]!.id },
  });
  expect(second.engine.accounts.list()[1]!.cooldown).toMatchObject({ untilMs: T0 + 100_000 });
});

describe("exchanges", () => {
  test("open ones are listed first, ended ones come from the store, and a watcher sees each change", async () => {
    const room = await createPoolRoom({ upstream: (_request, nth) => (nth === 1 ? "serve" : "open") });
    const changes: (number | null)[] = [];
    room.engine.exchanges.watch((exchange) => changes.push(exchange.endedAtMs));
    const first = await room.ask();
    await settle();
    await room.clock.advance(1_000);
    const second = await room.ask();
    const listed = await room.engine.exchanges.list({ limit: 10 });
    expect(listed.map((exchange) => exchange.id)).toEqual([second.exchangeId, first.exchangeId]);
    expect(changes.filter((ended) => ended !== null)).toHaveLength(1);
    expect((await room.engine.exchanges.get(first.exchangeId.toLowerCase().slice(0, 26))).id).toBe(first.exchangeId);
    expect(await code(room.engine.exchanges.get("01ZZZ"))).toBe("exchange_not_found");
  });
});
