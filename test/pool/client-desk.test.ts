/** The desk of peers: keys that live in memory, what they stand for, and what peers tell. */
import { describe, expect, test } from "bun:test";
import type { PeerEvent, PeerFacts } from "../../src/domain/client-peer.ts";
import { anAccount } from "../support/builders.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createPoolRoom, type PoolRoom } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const facts = (change: Partial<PeerFacts> = {}): PeerFacts => ({
  client: "opencode",
  clientVersion: "1.18.33",
  linkVersion: "0.1.0",
  pid: 7,
  instance: "one",
  directory: "/srv/demo",
  project: "demo-1a2b3c4d5e6f",
  profile: null,
  accountId: null,
  ...change,
});
const code = (work: () => unknown) =>
  Promise.resolve()
    .then(work)
    .then(
      () => "done",
      (error: { code: string }) => error.code,
    );
const shake = async (room: PoolRoom, change: Partial<PeerFacts> = {}, former: string | null = null) => {
  const { peer, key } = await room.engine.clients.shakeHands(facts(change), former);
  return { peer, text: key.reveal() };
};

describe("keys of peers", () => {
  test("the same peer gets the same key, another one gets another, and both count under the client's name", async () => {
    const room = await createPoolRoom();
    const first = await shake(room);
    const again = await shake(room, { directory: "/srv/other" });
    const other = await shake(room, { instance: "two" });
    expect(again.text).toBe(first.text);
    expect(again.peer.id).toBe(first.peer.id);
    expect(other.text).not.toBe(first.text);
    expect(room.engine.clients.list()).toHaveLength(2);
    const [label, ...more] = room.engine.keys.list();
    expect([label!.name, more.length]).toEqual(["opencode", 0]);
    expect([first.peer.keyId, other.peer.keyId]).toEqual([label!.id, label!.id]);
    expect(room.engine.clients.admit(first.text)).toEqual({
      keyId: label!.id,
      only: null,
      profile: null,
      project: "demo-1a2b3c4d5e6f",
    });
  });

  test("handshakes that come together make one client key", async () => {
    const room = await createPoolRoom();
    const all = await Promise.all(["a", "b", "c", "d"].map((instance) => shake(room, { instance })));
    expect(room.engine.keys.list()).toHaveLength(1);
    expect(new Set(all.map(({ text }) => text)).size).toBe(4);
  });

  test("no part of the secret is written anywhere", async () => {
    const store = createMemoryStore();
    const room = await createPoolRoom({ store });
    const { text, peer } = await shake(room);
    const secret = text.slice(text.lastIndexOf("_") + 1);
    expect(JSON.stringify(await store.loadPool())).not.toContain(secret);
    expect(JSON.stringify([room.logged, room.engine.clients.list()])).not.toContain(secret);
    expect(`${(await room.engine.clients.shakeHands(facts(), null)).key}`).toBe("[secret]");
    expect(room.engine.keys.verify(text)).toBeNull();
    expect(peer.facts.client).toBe("opencode");
  });

  test("a key ends by itself, and a handshake before that keeps it", async () => {
    const room = await createPoolRoom();
    const { text } = await shake(room);
    await room.clock.advance(11 * HOUR_MS);
    await shake(room);
    await room.clock.advance(11 * HOUR_MS);
    expect(room.engine.clients.admit(text)).not.toBeNull();
    await room.clock.advance(HOUR_MS);
    expect(room.engine.clients.admit(text)).toBeNull();
    expect(room.engine.clients.list()).toEqual([]);
    expect((await shake(room)).text).not.toBe(text);
  });

  test("a peer keeps its key over a daemon that has forgotten it", async () => {
    const store = createMemoryStore();
    const before = await createPoolRoom({ store });
    const { text } = await shake(before);
    const after = await createPoolRoom({ store });
    expect(after.engine.clients.admit(text)).toBeNull();
    expect((await shake(after, {}, text)).text).toBe(text);
    expect((await shake(after, {}, text)).text).toBe(text);
    expect(after.engine.clients.admit(text)).not.toBeNull();
    expect(after.engine.clients.list()).toHaveLength(1);
  });

  test("what is no key of a handshake is not taken for one", async () => {
    const room = await createPoolRoom();
    const made = await room.engine.keys.create("laptop");
    expect(await code(() => shake(room, {}, "hello"))).toBe("invalid_request");
    expect(await code(() => shake(room, {}, made.secret))).toBe("invalid_request");
    expect(room.engine.clients.list()).toEqual([]);
  });

  test("a wrong secret, and a key whose client key was revoked, open nothing", async () => {
    const room = await createPoolRoom();
    const { text, peer } = await shake(room);
    const wrong = text.slice(0, -1) + (text.endsWith("A") ? "B" : "A");
    expect(room.engine.clients.admit(wrong)).toBeNull();
    await room.engine.keys.revoke(peer.keyId);
    expect(room.engine.clients.admit(text)).toBeNull();
    const again = await shake(room);
    expect(again.peer.keyId).not.toBe(peer.keyId);
    expect(room.engine.clients.admit(again.text)?.keyId).toBe(again.peer.keyId);
  });

  test("a client whose key has expired is told so", async () => {
    const room = await createPoolRoom();
    const terms = { models: [], efforts: [], tiers: [], limits: [], expiresAtMs: room.clock.nowMs() + HOUR_MS };
    await room.engine.keys.create("opencode", terms);
    const { text } = await shake(room);
    await room.clock.advance(HOUR_MS);
    expect(room.engine.clients.admit(text)).toBeNull();
    expect(await code(() => shake(room))).toBe("key_expired");
  });

  test("of more peers than can be, the one that was seen the longest ago makes room", async () => {
    const room = await createPoolRoom();
    const first = await shake(room, { instance: "first" });
    for (let n = 0; n < 256; n++) {
      await room.clock.advance(1);
      await shake(room, { instance: `n${n}` });
    }
    expect(room.engine.clients.list()).toHaveLength(256);
    expect(room.engine.clients.admit(first.text)).toBeNull();
  });
});

describe("what a key stands for", () => {
  test("an account and a profile that the peer names; both must be there", async () => {
    const accounts = [anAccount({ n: 1 }), anAccount({ n: 2 })];
    const room = await createPoolRoom({ accounts });
    expect(await code(() => shake(room, { profile: "work" }))).toBe("profile_not_found");
    expect(await code(() => shake(room, { accountId: "nobody" as never }))).toBe("account_not_found");
    const wish = { name: "work", accounts: "plus-2", strategy: null, models: [], rules: [], keyIds: [], budgets: [] };
    await room.engine.profiles.set(wish, false);
    const { peer, text } = await shake(room, { profile: "work", accountId: accounts[1]!.id });
    expect(peer.profile).toBe("work");
    expect(room.engine.clients.admit(text)).toMatchObject({ only: accounts[1]!.id, profile: "work" });
  });

  test("the profile that its project is bound to, or its client key, and none when that is gone", async () => {
    const room = await createPoolRoom();
    const wish = { name: "work", accounts: "", strategy: null, models: [], rules: [], keyIds: [], budgets: [] };
    await room.engine.profiles.set(wish, false);
    await room.engine.profiles.bind("work", { key: "demo-1a2b3c4d5e6f", path: "/srv/demo" });
    expect((await shake(room)).peer.profile).toBe("work");
    const named = await shake(room, { instance: "two", profile: "work" });
    expect(named.peer.profile).toBe("work");
    await room.engine.profiles.remove("work");
    expect(room.engine.clients.list().map((peer) => peer.profile)).toEqual([null, null]);
  });

  test("the models that it may ask for, and which of them to begin with", async () => {
    const account = anAccount({ n: 1 });
    const models = JSON.stringify({
      models: [
        { slug: "gpt-5.5", visibility: "list" },
        { slug: "gpt-5.4-mini", visibility: "list" },
        { slug: "gpt-hidden", visibility: "hide" },
      ],
    });
    const room = await createPoolRoom({ accounts: [account], models: () => ({ body: models, etag: null }) });
    await room.engine.catalogue.view("all");
    const names = async (change: Partial<PeerFacts>) => {
      const { models: offered, firstModel, smallModel } = await room.engine.clients.shakeHands(facts(change), null);
      return [offered.map((model) => model.facts.slug), firstModel, smallModel];
    };
    expect(await names({})).toEqual([["gpt-5.5", "gpt-5.4-mini"], "gpt-5.5", "gpt-5.4-mini"]);
    const wish = { name: "mini", accounts: "", strategy: null, models: ["*mini"], rules: [], keyIds: [], budgets: [] };
    await room.engine.profiles.set(wish, false);
    expect(await names({ profile: "mini" })).toEqual([["gpt-5.4-mini"], "gpt-5.4-mini", "gpt-5.4-mini"]);
    // What its client key may not ask for, it is not offered either.
    const key = room.engine.keys.list().find(({ name }) => name === "opencode")!;
    const terms = { models: ["gpt-5.5"], efforts: [], tiers: [], limits: [], expiresAtMs: null };
    await room.engine.keys.setTerms(key.id, terms);
    expect(await names({})).toEqual([["gpt-5.5"], "gpt-5.5", "gpt-5.5"]);
  });
});

describe("events", () => {
  const idle = { kind: "idle", conversationId: "ses_1", title: "a", message: "" } as const;

  test("are announced and kept, the newest first and a bounded number of them", async () => {
    const room = await createPoolRoom();
    const { peer } = await shake(room);
    const heard: PeerEvent[] = [];
    const stop = room.engine.clients.watch((event) => heard.push(event));
    for (let n = 0; n < 210; n++) room.engine.clients.tell(peer.id, { ...idle, title: `t${n}` });
    stop();
    room.engine.clients.tell(peer.id, idle);
    expect(heard).toHaveLength(210);
    expect(heard[0]).toMatchObject({ client: "opencode", directory: "/srv/demo", peerId: peer.id, title: "t0" });
    expect(room.engine.clients.events()).toHaveLength(200);
    expect(room.engine.clients.events()[1]!.title).toBe("t209");
  });

  test("of a stranger are refused; a peer that closes is gone, and its key with it", async () => {
    const room = await createPoolRoom();
    expect(await code(() => room.engine.clients.tell("nobody", idle))).toBe("client_not_found");
    const { peer, text } = await shake(room);
    room.engine.clients.tell(peer.id, { ...idle, kind: "closed" });
    expect(room.engine.clients.list()).toEqual([]);
    expect(room.engine.clients.admit(text)).toBeNull();
    expect(await code(() => room.engine.clients.tell(peer.id, idle))).toBe("client_not_found");
  });
});
