/** Watched files: seen when they change, offered or adopted, waited out when half-written, switched without losing a login. */
import { describe, expect, test } from "bun:test";
import { type Account, OWNED_HERE } from "../../src/domain/account.ts";
import { anAccount } from "../support/builders.ts";
import { authJson } from "../support/login-file.ts";
import { settle, T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type PoolRoom, type RoomOptions } from "../support/pool-room.ts";

const PATH = "/home/me/.codex/auth.json";
const late = T0 + 864_000_000;
const [one, two, stranger] = [anAccount({ n: 1 }), anAccount({ n: 2 }), anAccount({ n: 9 })] as const;
const login = (account: Account, n = 1, expiresAtMs = late) => authJson(account, { n, expiresAtMs });

async function open(options: RoomOptions & { content?: unknown } = {}): Promise<PoolRoom> {
  const room = await createPoolRoom({ accounts: [one, two], ...options });
  if (options.content !== undefined) room.files.put(PATH, options.content);
  await room.engine.files.watch(PATH);
  return room;
}

const events = (room: PoolRoom, prefix = "file.") =>
  room.logged.map(({ event }) => event).filter((event) => event.startsWith(prefix));
const view = (room: PoolRoom) => room.engine.files.list()[0]!;
const put = async (room: PoolRoom, content: unknown) => {
  room.files.put(PATH, content);
  await room.clock.advance(1_000);
};

describe("looking", () => {
  test("a burst of writes is one look, and the look is a while after the last of them", async () => {
    const room = await open({ content: login(one) });
    const before = room.files.reads(PATH);
    for (let n = 0; n < 5; n++) room.files.put(PATH, login(one, 2));
    await room.clock.advance(150);
    expect(room.files.reads(PATH)).toBe(before);
    await room.clock.advance(100);
    expect(room.files.reads(PATH)).toBe(before + 1);
  });

  test("what no notice told of is seen by the slow look", async () => {
    const room = await open({ content: login(one) });
    const silent = room.files.watch;
    expect(silent).toBeDefined();
    room.files.refuse(PATH, "it may not be read or written");
    await room.clock.advance(31_000);
    expect(view(room)).toMatchObject({ state: "refused", reason: "it may not be read or written" });
  });

  test("it survives deletion, re-creation and the loss of permission, and says each once", async () => {
    const room = await open({ content: login(one) });
    await put(room, null);
    expect(view(room)).toMatchObject({ state: "absent", accountId: null });
    room.files.refuse(PATH, "it belongs to somebody else");
    await room.clock.advance(120_000);
    expect(events(room, "file.unreadable")).toHaveLength(1);
    room.files.refuse(PATH, null);
    await put(room, login(two, 1));
    expect(view(room)).toMatchObject({ state: "login", accountId: two.id });
  });

  test("bytes that are half written are waited out; those that stay broken are said once and change nothing", async () => {
    const room = await open({ content: login(one) });
    room.files.put(PATH, '{"tokens": {"acc');
    await room.clock.advance(350);
    await put(room, login(one));
    expect([view(room).state, events(room, "file.unreadable")]).toEqual(["login", []]);
    room.files.put(PATH, '{"tokens": {"acc');
    await room.clock.advance(300_000);
    expect([view(room).state, events(room, "file.unreadable")]).toEqual(["broken", ["file.unreadable"]]);
    expect(room.engine.accounts.list().map((account) => account.credentials.generation)).toEqual([1, 1]);
  });

  test("switched off, nothing is looked at but on demand", async () => {
    const room = await open({ content: login(one), settings: { auth_file_watch: "off" } });
    const before = room.files.reads(PATH);
    await put(room, login(stranger));
    await room.clock.advance(300_000);
    expect(room.files.reads(PATH)).toBe(before);
    expect((await room.engine.files.sync(PATH, true))[0]).toMatchObject({ action: "add" });
  });
});

describe("a login in the file", () => {
  test("of nobody here is offered, once, and taken in when asked: its program renews it", async () => {
    const room = await open();
    await put(room, login(stranger));
    await room.clock.advance(120_000);
    expect(view(room)).toMatchObject({ state: "login", accountId: null, notice: "offered" });
    expect(events(room, "file.login_offered")).toHaveLength(1);
    expect((await room.engine.files.sync(null, true))[0]).toMatchObject({ action: "add", alias: "" });
    expect(room.engine.accounts.list()).toHaveLength(2);
    const [synced] = await room.engine.files.sync(null, false);
    const added = room.engine.accounts.list().at(-1)!;
    expect([synced!.action, synced!.alias, added.refreshOwner]).toEqual([
      "add",
      added.alias,
      { kind: "file", path: PATH },
    ]);
    expect(room.engine.files.holding(added.id).map(({ path, notice }) => [path, notice])).toEqual([[PATH, null]]);
  });

  test("is adopted at once when the setting says so, by Rotor and not by whoever had it watched", async () => {
    const room = await open({ settings: { auth_file_adopt: "adopt" } });
    await put(room, login(stranger));
    expect(room.engine.accounts.list()).toHaveLength(3);
    const added = (await room.engine.audit.list({ limit: 10 })).find(({ action }) => action === "account.add");
    expect(added?.actor.kind).toBe("rotor");
  });

  test("that Rotor renews too is two owners' until one gives way, and nothing is done unasked", async () => {
    const room = await open({ content: login(one) });
    expect(view(room)).toMatchObject({ accountId: one.id, notice: "two_owners" });
    await put(room, login(one, 2, late + 1_000));
    expect(room.engine.accounts.get(one.id)!.credentials.generation).toBe(1);
    expect((await room.engine.files.sync(PATH, false))[0]).toMatchObject({ action: "renew", alias: one.alias });
    expect(view(room).notice).toBeNull();
    expect(room.engine.accounts.get(one.id)!.refreshOwner).toEqual({ kind: "file", path: PATH });
    await room.engine.files.take(one.id);
    expect(view(room).notice).toBe("two_owners");
  });

  test("a file that an account depends on is not forgotten by accident", async () => {
    const room = await open({ content: login(one) });
    await room.engine.files.sync(PATH, false);
    await expect(room.engine.files.unwatch(PATH)).rejects.toMatchObject({ code: "file_in_use" });
    await room.engine.files.take(one.id);
    await room.engine.files.unwatch(PATH);
    expect(room.engine.files.list()).toEqual([]);
    await expect(room.engine.files.sync(PATH, false)).rejects.toMatchObject({ code: "file_not_watched" });
  });
});

describe("switching", () => {
  const owner = (room: PoolRoom, account: Account) => room.engine.accounts.get(account.id)!.refreshOwner;

  test("writes the login, keeps what else stands there, and its program renews it from then on", async () => {
    const room = await open({ content: { ...login(one), more: [1] } });
    const report = await room.engine.files.switchTo(two.id, PATH, false);
    expect(report).toMatchObject({ previousKept: "in_store", written: true, previous: { id: one.id } });
    const written = room.files.json(PATH);
    expect(written).toMatchObject({ auth_mode: "chatgpt", more: [1], kept_by_others: { yes: true } });
    expect(written.tokens).toMatchObject({ refresh_token: "refresh-plus-2-1", account_id: two.workspaceId });
    expect([owner(room, two), owner(room, one)]).toEqual([{ kind: "file", path: PATH }, OWNED_HERE]);
    expect(view(room)).toMatchObject({ accountId: two.id, notice: null });
  });

  test("a dry run says the same and changes nothing, not even what is watched", async () => {
    const room = await createPoolRoom({ accounts: [one, two] });
    room.files.put(PATH, login(stranger));
    const before = room.files.text(PATH);
    const report = await room.engine.files.switchTo(two.id, PATH, true);
    expect(report).toMatchObject({ previousKept: "adopted", backupPath: null, written: true });
    expect([room.files.text(PATH), room.engine.files.list(), room.engine.accounts.list().length]).toEqual([
      before,
      [],
      2,
    ]);
    expect(owner(room, two)).toEqual(OWNED_HERE);
  });

  test("a login that is only in the file joins the pool first, and is Rotor's to renew after", async () => {
    const room = await open({ content: login(stranger, 4) });
    const { previous, previousKept } = await room.engine.files.switchTo(one.id, PATH, false);
    expect(previousKept).toBe("adopted");
    const kept = await room.store.loadCredentials(previous!.id);
    expect([kept.credentials.refreshToken, owner(room, previous!)]).toEqual(["refresh-plus-9-4", OWNED_HERE]);
  });

  test("a newer state of a known login is taken over before it is written over", async () => {
    const room = await open({ content: login(two, 3, late + 5_000) });
    await room.engine.files.switchTo(one.id, PATH, false);
    expect((await room.store.loadCredentials(two.id)).credentials.refreshToken).toBe("refresh-plus-2-3");
  });

  test("what is no login is copied beside the file; what cannot be read is left as it is", async () => {
    const room = await open({ content: { OPENAI_API_KEY: "an api key" } });
    const { backupPath } = await room.engine.files.switchTo(one.id, PATH, false);
    expect(room.files.text(backupPath!)).toContain("an api key");
    room.files.put(PATH, "{ half");
    const refused = room.engine.files.switchTo(two.id, PATH, false);
    refused.catch(() => undefined);
    await room.clock.advance(5_000);
    await expect(refused).rejects.toMatchObject({ code: "login_file_broken" });
    expect([room.files.text(PATH), owner(room, two)]).toEqual(["{ half", OWNED_HERE]);
  });

  test("its program may write at the same moment: then its new login is looked at first, and none is lost", async () => {
    const room = await open({ content: login(stranger, 4) });
    room.files.beforeWrite = () => room.files.put(PATH, login(stranger, 5, late + 5_000));
    const { previous } = await room.engine.files.switchTo(one.id, PATH, false);
    expect((await room.store.loadCredentials(previous!.id)).credentials.refreshToken).toBe("refresh-plus-9-5");
    expect((room.files.json(PATH).tokens as { refresh_token: string }).refresh_token).toBe("refresh-plus-1-1");
  });

  test("a file that cannot be written leaves the renewal where it was", async () => {
    const room = await open({ content: login(two) });
    room.files.beforeWrite = () => room.files.refuse(PATH, "the disk is full");
    await expect(room.engine.files.switchTo(one.id, PATH, false)).rejects.toMatchObject({ code: "invalid_login_file" });
    expect(owner(room, one)).toEqual(OWNED_HERE);
  });

  test("one login is not given to two programs", async () => {
    const room = await open({ content: login(two) });
    await room.engine.files.switchTo(one.id, PATH, false);
    const refused = room.engine.files.switchTo(one.id, "/home/me/other.json", false);
    await expect(refused).rejects.toMatchObject({ code: "file_in_use", hint: "rotor account take plus-1" });
  });

  test("it waits for a refresh under way: a token that is being spent is not written", async () => {
    const { promise: gate, resolve: answer } = Promise.withResolvers<void>();
    const expired = anAccount({ n: 1, credentials: { generation: 1, accessExpiresAtMs: T0 - 1, refreshedAtMs: T0 } });
    const room = await open({
      accounts: [expired, two],
      settings: { refresh_proactively: "off" },
      issuer: async () => {
        await gate;
        const [accessToken, refreshToken] = [login(one, 2).tokens.access_token, "refresh-plus-1-2"];
        return { kind: "refreshed", tokens: { accessToken, refreshToken, idToken: null } };
      },
    });
    const refreshed = room.engine.accounts.refresh(one.id);
    await settle();
    const switched = room.engine.files.switchTo(one.id, PATH, false);
    await settle();
    expect(room.files.text(PATH)).toBeNull();
    answer();
    await Promise.all([refreshed, switched]);
    expect((room.files.json(PATH).tokens as { refresh_token: string }).refresh_token).toBe("refresh-plus-1-2");
  });

  test("no token of a file is in the log", async () => {
    const room = await open({ content: login(stranger, 4), settings: { auth_file_adopt: "adopt" } });
    await put(room, login(two, 3, late + 5_000));
    await room.engine.files.switchTo(one.id, PATH, false);
    await room.engine.files.take(one.id);
    const said = JSON.stringify(room.logged);
    expect(room.logged.length).toBeGreaterThan(3);
    for (const text of ["refresh-plus", login(two, 3).tokens.access_token.split(".")[1]!])
      expect(said).not.toContain(text);
  });
});
