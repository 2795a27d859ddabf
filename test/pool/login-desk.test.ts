/** A login's way from a person to an account, and every other way that it can end. Time is the test's. */
import { describe, expect, test } from "bun:test";
import { LOGINS_ENDED_MAX, LOGINS_OPEN_MAX } from "../../src/base/bounds.ts";
import { AppError } from "../../src/base/errors.ts";
import type { LoginMethod } from "../../src/domain/login.ts";
import type { LoginRequest } from "../../src/pool/engine.ts";
import type { NewLogin } from "../../src/upstream/oauth-login.ts";
import { anAccount } from "../support/builders.ts";
import { approved, DEVICE_REDIRECT, NOT_YET, newLoginOf } from "../support/fake-login-issuer.ts";
import { settle, T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type PoolRoom } from "../support/pool-room.ts";

const MINUTE_MS = 60_000;
const LATER_MS = T0 + 864_000_000;
const wish = (method: LoginMethod, change: Partial<LoginRequest> = {}): LoginRequest => ({
  method,
  alias: null,
  accountId: null,
  loginHint: null,
  ...change,
});
const start = (room: PoolRoom, method: LoginMethod, change: Partial<LoginRequest> = {}) =>
  room.engine.logins.start(wish(method, change));
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code: string }) => error.code,
  );
const NEW = anAccount({ n: 7, tier: "pro" });
const callback = (query: Record<string, string>) => `http://127.0.0.1:1455/auth/callback?${new URLSearchParams(query)}`;

async function roomWith(accounts = [anAccount({ n: 1 })]): Promise<PoolRoom> {
  const room = await createPoolRoom({ accounts });
  room.loginIssuer.codes.set("good", newLoginOf(NEW, LATER_MS));
  return room;
}

describe("a browser login", () => {
  test("adds the account that signed in, and the listener is open only while it waits", async () => {
    const room = await roomWith([]);
    const login = await start(room, "browser", { alias: "work", loginHint: "a@b.example" });
    expect(login).toMatchObject({ state: "pending", redirectUri: "http://127.0.0.1:1457/auth/callback" });
    expect(login.expiresAtMs - login.startedAtMs).toBe(15 * MINUTE_MS);
    expect(room.loginIssuer.asked).toEqual([
      { redirectUri: "http://127.0.0.1:1457/auth/callback", askWho: false, loginHint: "a@b.example" },
    ]);
    expect(room.callbacks.isOpen()).toBe(true);
    const end = await room.callbacks.visit({ state: "state-1", code: "good" });
    expect(end).toEqual({ kind: "completed", alias: "work", added: true });
    expect(room.loginIssuer.grants).toEqual([
      { code: "good", verifier: "verifier-1", redirectUri: "http://127.0.0.1:1457/auth/callback" },
    ]);
    const [account] = room.engine.accounts.list();
    expect(account).toMatchObject({ alias: "work", tier: "pro", email: NEW.email, login: { kind: "ok" } });
    expect(room.engine.logins.get(login.id)).toMatchObject({
      state: "completed",
      accountId: account!.id,
      added: true,
      endedAtMs: T0,
    });
    expect(room.callbacks.isOpen()).toBe(false);
    expect((await room.store.loadCredentials(account!.id)).credentials.refreshToken).toBe("refresh-plus-7-fresh");
    expect((await room.ask()).kind).toBe("opened");
  });

  test("asks who signs in as soon as there is another account", async () => {
    const room = await roomWith();
    await start(room, "browser");
    expect(room.loginIssuer.asked[0]).toMatchObject({ askWho: true, loginHint: null });
  });

  test("a state that nobody waits for changes nothing", async () => {
    const room = await roomWith();
    const login = await start(room, "browser");
    expect(await room.callbacks.visit({ state: "state-2", code: "good" })).toEqual({ kind: "state_mismatch" });
    expect(await room.callbacks.visit({ code: "good" })).toEqual({ kind: "malformed" });
    expect(await room.callbacks.visit({ state: "state-1" })).toEqual({ kind: "malformed" });
    expect(room.loginIssuer.grants).toEqual([]);
    expect(room.engine.logins.get(login.id).state).toBe("pending");
  });

  test("a refusal that comes back ends it with upstream's words, without e-mail addresses", async () => {
    const room = await roomWith();
    const login = await start(room, "browser");
    const end = await room.callbacks.visit({
      state: "state-1",
      error: "access_denied",
      error_description: "a@b.example said no",
    });
    const message = "the sign-in was refused: [removed] said no (access_denied)";
    expect(end).toEqual({ kind: "failed", message });
    expect(room.engine.logins.get(login.id)).toMatchObject({
      state: "failed",
      error: { code: "login_refused", message },
    });
    expect(room.callbacks.isOpen()).toBe(false);
  });

  test("a page that is loaded again spends no second code", async () => {
    const room = await roomWith();
    const gate = Promise.withResolvers<NewLogin>();
    room.loginIssuer.codes.set("slow", gate.promise);
    await start(room, "browser");
    const visits = [1, 2, 3].map(() => room.callbacks.visit({ state: "state-1", code: "slow" }));
    await settle();
    gate.resolve(newLoginOf(NEW, LATER_MS));
    expect((await Promise.all(visits)).map(({ kind }) => kind)).toEqual(["completed", "completed", "completed"]);
    expect(room.loginIssuer.grants).toHaveLength(1);
    expect(room.engine.accounts.list()).toHaveLength(2);
  });

  test("without a free port does not begin", async () => {
    const room = await roomWith();
    room.callbacks.taken = true;
    expect(await code(start(room, "browser"))).toBe("address_in_use");
    expect(room.engine.logins.list()).toEqual([]);
    expect(await code(start(room, "manual"))).toBe("done");
  });
});

describe("several logins at once", () => {
  test("share one listener, which closes after the last, and are told apart by their state", async () => {
    const room = await roomWith([]);
    room.loginIssuer.codes.set("other", newLoginOf(anAccount({ n: 8 }), LATER_MS));
    const [first, second] = [await start(room, "browser", { alias: "one" }), await start(room, "browser")];
    expect(room.callbacks.opened()).toBe(1);
    expect(await room.callbacks.visit({ state: "state-2", code: "other" })).toMatchObject({ alias: "plus" });
    expect(room.callbacks.isOpen()).toBe(true);
    expect(await room.callbacks.visit({ state: "state-1", code: "good" })).toMatchObject({ alias: "one" });
    expect(room.callbacks.isOpen()).toBe(false);
    expect(room.engine.logins.list().map(({ id }) => id)).toEqual([second.id, first.id]);
    await start(room, "browser");
    expect(room.callbacks.opened()).toBe(2);
  });

  test("of one person end as one account, whichever is first", async () => {
    const room = await roomWith([]);
    for (const mark of ["a", "b", "c"]) room.loginIssuer.codes.set(mark, newLoginOf(NEW, LATER_MS, mark));
    for (const _ of "abc") await start(room, "browser");
    const ends = await Promise.all(
      [..."abc"].map((mark, i) => room.callbacks.visit({ state: `state-${i + 1}`, code: mark })),
    );
    expect(ends.map(({ kind }) => kind)).toEqual(["completed", "completed", "completed"]);
    expect(ends.filter((end) => end.kind === "completed" && end.added)).toHaveLength(1);
    expect(room.engine.accounts.list().map(({ alias }) => alias)).toEqual(["pro"]);
  });

  test("are bounded, and ended ones make room", async () => {
    const room = await roomWith();
    const logins = [];
    for (let i = 0; i < LOGINS_OPEN_MAX; i++) logins.push(await start(room, i % 2 === 0 ? "manual" : "device"));
    expect(await code(start(room, "manual"))).toBe("too_many_logins");
    await room.engine.logins.cancel(logins[3]!.id);
    const both = [start(room, "device"), start(room, "device")].map(code);
    expect((await Promise.all(both)).sort()).toEqual(["done", "too_many_logins"]);
  });
});

describe("a device login", () => {
  test("polls at the issuer's pace until somebody has typed the code", async () => {
    const room = await roomWith();
    room.loginIssuer.polls.push(NOT_YET, NOT_YET, approved("good"));
    const login = await start(room, "device");
    expect(login).toMatchObject({
      userCode: "ABCD-0001",
      verificationUrl: "https://issuer.test/codex/device",
      authorizeUrl: null,
      redirectUri: null,
    });
    expect(room.callbacks.opened()).toBe(0);
    await room.clock.advance(4_999);
    expect(room.loginIssuer.polled).toBe(0);
    await room.clock.advance(5_001);
    expect([room.loginIssuer.polled, room.engine.logins.get(login.id).state]).toEqual([2, "pending"]);
    await room.clock.advance(5_000);
    expect(room.engine.logins.get(login.id)).toMatchObject({ state: "completed", added: true });
    expect(room.loginIssuer.grants).toEqual([
      { code: "good", verifier: "verifier-device", redirectUri: DEVICE_REDIRECT },
    ]);
    await room.clock.advance(MINUTE_MS);
    expect(room.loginIssuer.polled).toBe(3);
  });

  test("pauses longer when it is told to", async () => {
    const room = await roomWith();
    room.loginIssuer.polls.push({ kind: "pending", slower: true, problem: "the issuer answered 429" });
    await start(room, "device");
    await room.clock.advance(14_999);
    expect(room.loginIssuer.polled).toBe(1);
    await room.clock.advance(1);
    expect(room.loginIssuer.polled).toBe(2);
  });

  test("that is refused has failed", async () => {
    const room = await roomWith();
    room.loginIssuer.polls.push(new AppError("login_refused", "the issuer answered 400: no"));
    const login = await start(room, "device");
    await room.clock.advance(5_000);
    expect(room.engine.logins.get(login.id)).toMatchObject({ state: "failed", error: { code: "login_refused" } });
  });

  test("says at its end why the issuer could not be asked, and asks no more", async () => {
    const room = await roomWith();
    for (let i = 0; i < 200; i++)
      room.loginIssuer.polls.push({ kind: "pending", slower: false, problem: "the issuer cannot be reached (X)" });
    const login = await start(room, "device");
    await room.clock.advance(15 * MINUTE_MS);
    expect(room.engine.logins.get(login.id)).toMatchObject({
      state: "expired",
      error: { message: "nobody finished it within 15 minutes (the issuer cannot be reached (X))" },
    });
    const { polled } = room.loginIssuer;
    await room.clock.advance(MINUTE_MS);
    expect(room.loginIssuer.polled).toBe(polled);
  });

  test("takes no address", async () => {
    const room = await roomWith();
    const { id } = await start(room, "device");
    expect(await code(room.engine.logins.complete(id, callback({ state: "s", code: "good" })))).toBe(
      "invalid_callback",
    );
  });
});

describe("a login by hand", () => {
  test("is completed by the address that the browser ended at", async () => {
    const room = await roomWith();
    const login = await start(room, "manual");
    expect(login.redirectUri).toBe("http://127.0.0.1:1455/auth/callback");
    expect(room.callbacks.opened()).toBe(0);
    const address = ` ${callback({ code: "good", scope: "openid", state: "state-1" })}\n`;
    const done = await room.engine.logins.complete(login.id, address);
    expect(done).toMatchObject({ state: "completed", added: true });
    // Once more, as people do: nothing happens, and nothing is sent.
    expect(await room.engine.logins.complete(login.id, address)).toBe(done);
    expect(room.loginIssuer.grants).toHaveLength(1);
  });

  test("goes on after a wrong paste, which is named and not repeated", async () => {
    const room = await roomWith();
    const login = await start(room, "manual");
    const wrong = {
      "not the address of a page": "state-1",
      "sign-in page": login.authorizeUrl!,
      "no code and state": "http://127.0.0.1:1455/auth/callback?code=pasted-secret",
      "another login": callback({ code: "pasted-secret", state: "state-9" }),
      "too long": callback({ code: "x".repeat(9_000), state: "state-1" }),
    };
    for (const [words, text] of Object.entries(wrong)) {
      const error = await room.engine.logins.complete(login.id, text).catch((thrown) => thrown);
      expect([error.code, error.message.includes(words)]).toEqual(["invalid_callback", true]);
      expect(error.message).not.toContain("pasted-secret");
    }
    expect(room.engine.logins.get(login.id).state).toBe("pending");
  });

  test("whose code the issuer refuses has failed", async () => {
    const room = await roomWith();
    const { id } = await start(room, "manual");
    const end = await room.engine.logins.complete(id, callback({ code: "bad", state: "state-1" }));
    expect(end).toMatchObject({ state: "failed", accountId: null, error: { code: "login_refused" } });
    const again = room.engine.logins.complete(id, callback({ code: "good", state: "state-1" }));
    expect(await code(again)).toBe("invalid_callback");
  });

  test("also serves a browser login whose browser is elsewhere", async () => {
    const room = await roomWith();
    const { id } = await start(room, "browser");
    const address = callback({ code: "good", state: "state-1" });
    expect((await room.engine.logins.complete(id, address)).state).toBe("completed");
    expect(room.callbacks.isOpen()).toBe(false);
  });
});

describe("the end", () => {
  test("comes after 15 minutes, is remembered for an hour, then forgotten", async () => {
    const room = await roomWith();
    const { id } = await start(room, "browser");
    await room.clock.advance(15 * MINUTE_MS - 1);
    expect(room.engine.logins.get(id).state).toBe("pending");
    await room.clock.advance(1);
    expect(room.engine.logins.get(id)).toMatchObject({ state: "expired", error: { code: "login_expired" } });
    expect(room.callbacks.isOpen()).toBe(false);
    const late = room.engine.logins.complete(id, callback({ code: "good", state: "state-1" }));
    expect(await code(late)).toBe("login_expired");
    await room.clock.advance(60 * MINUTE_MS - 1);
    expect(room.engine.logins.list()).toHaveLength(1);
    await room.clock.advance(1);
    expect(room.engine.logins.list()).toEqual([]);
    expect(() => room.engine.logins.get(id)).toThrow(/there is no login/);
  });

  test("does not come between the code and its tokens", async () => {
    const room = await roomWith();
    const gate = Promise.withResolvers<NewLogin>();
    room.loginIssuer.codes.set("slow", gate.promise);
    const { id } = await start(room, "browser");
    await room.clock.advance(15 * MINUTE_MS - 1);
    const visit = room.callbacks.visit({ state: "state-1", code: "slow" });
    await room.clock.advance(1_000);
    gate.resolve(newLoginOf(NEW, LATER_MS));
    expect((await visit).kind).toBe("completed");
    expect(room.engine.logins.get(id).state).toBe("completed");
  });

  test("can be ordered, once and again, and stops an exchange under way", async () => {
    const room = await roomWith();
    room.loginIssuer.codes.set("never", new Promise(() => {}));
    const { id } = await start(room, "browser");
    const visit = room.callbacks.visit({ state: "state-1", code: "never" });
    await settle();
    expect((await room.engine.logins.cancel(id)).state).toBe("canceled");
    expect(await visit).toEqual({ kind: "failed", message: "this login was called off" });
    expect((await room.engine.logins.cancel(id)).state).toBe("canceled");
    expect(room.engine.accounts.list()).toHaveLength(1);
    expect(await code(room.engine.logins.cancel("nobody"))).toBe("login_not_found");
  });

  test("comes too late when the tokens are on their way to the disk", async () => {
    const room = await roomWith();
    const disk = Promise.withResolvers<void>();
    const add = room.store.addAccounts;
    room.store.addAccounts = async (batch) => {
      await disk.promise;
      await add(batch);
    };
    const { id } = await start(room, "browser");
    const visit = room.callbacks.visit({ state: "state-1", code: "good" });
    await settle();
    const canceled = room.engine.logins.cancel(id);
    disk.resolve();
    expect((await canceled).state).toBe("completed");
    expect((await visit).kind).toBe("completed");
  });

  test("of the daemon ends them all and frees the port", async () => {
    const room = await roomWith();
    await start(room, "browser");
    await start(room, "device");
    await room.engine.close();
    expect(room.engine.logins.list().map(({ state }) => state)).toEqual(["canceled", "canceled"]);
    expect(room.callbacks.isOpen()).toBe(false);
    expect(await code(start(room, "manual"))).toBe("not_ready");
    expect(room.clock.pending()).toBe(0);
  });

  test("is kept for the latest hundred only", async () => {
    const room = await roomWith();
    for (let i = 0; i < LOGINS_ENDED_MAX + 5; i++) await room.engine.logins.cancel((await start(room, "manual")).id);
    expect(room.engine.logins.list()).toHaveLength(LOGINS_ENDED_MAX);
  });
});
