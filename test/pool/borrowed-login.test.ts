/** Custody with foreign owners: what another program renews is adopted, never renewed here; a refusal is final only after a look. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Account, OWNED_HERE } from "../../src/domain/account.ts";
import type { RefreshResult } from "../../src/upstream/upstream.ts";
import { anAccount } from "../support/builders.ts";
import { authJson } from "../support/login-file.ts";
import { T0 } from "../support/manual-clock.ts";
import { createMemoryFiles } from "../support/memory-files.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createPoolRoom, type RoomOptions, rotate, tokenFor } from "../support/pool-room.ts";

const PATH = "/home/me/.codex/auth.json";
const DAY_MS = 86_400_000;
const late = T0 + 10 * DAY_MS;
const REUSED: RefreshResult = { kind: "refused", code: "refresh_token_reused", message: "" };
const borrowed = (change: Partial<Account> = {}) =>
  anAccount({
    n: 1,
    refreshOwner: { kind: "file", path: PATH },
    credentials: { generation: 1, accessExpiresAtMs: T0 - 1, refreshedAtMs: T0 - 10 * DAY_MS },
    ...change,
  });
const owned = (change: Partial<Account> = {}) => borrowed({ refreshOwner: OWNED_HERE, ...change });

async function room(account: Account, options: RoomOptions & { content?: unknown } = {}) {
  const store = createMemoryStore();
  const files = createMemoryFiles();
  await store.addAccounts([
    {
      account,
      credentials: {
        accessToken: tokenFor(account, account.credentials.accessExpiresAtMs!, "gen1"),
        refreshToken: `refresh-${account.alias}-1`,
        idToken: null,
      },
    },
  ]);
  await store.addWatchedFile({ path: PATH, addedAtMs: T0 });
  if (options.content !== undefined) files.put(PATH, options.content);
  const made = await createPoolRoom({ issuer: rotate([account], late), ...options, store, files });
  return { ...made, now: () => made.engine.accounts.get(account.id)! };
}

const at = (account: Account, n: number, expiresAtMs: number, family?: string) =>
  authJson(account, { n, expiresAtMs, ...(family === undefined ? {} : { family }) });

describe("a login that another program renews", () => {
  test("is never renewed here: what the file holds newer is adopted, on demand and without waiting for a notice", async () => {
    const account = borrowed();
    const { ask, files, seen, refreshed, now } = await room(account, {
      content: at(account, 1, T0 - 1),
      settings: { auth_file_watch: "off" },
    });
    files.put(PATH, at(account, 2, late));
    expect((await ask()).kind).toBe("opened");
    expect(refreshed).toEqual([]);
    expect(seen[0]!.accessToken).toBe(tokenFor(account, late, "gen2"));
    expect(now()).toMatchObject({ refreshOwner: { kind: "file", path: PATH }, credentials: { generation: 2 } });
  });

  test("when the file's is expired too, the account is set aside with words, and comes back with the first newer state", async () => {
    const account = borrowed();
    const { ask, files, refreshed, now, clock, engine } = await room(account, { content: at(account, 1, T0 - 1) });
    const refused = ask();
    await clock.advance(60_000);
    expect((await refused).kind).toBe("refused");
    expect(now().cooldown).toMatchObject({ reason: "owner_must_refresh" });
    expect(refreshed).toEqual([]);
    files.put(PATH, at(account, 2, late));
    await clock.advance(1_000);
    expect(now().cooldown).toBeNull();
    expect(engine.files.list()[0]).toMatchObject({ accountId: account.id, notice: null });
    expect((await ask()).kind).toBe("opened");
  });

  test("a request that waits is served as soon as the other program has renewed", async () => {
    const account = borrowed();
    const { ask, files, clock, refreshed } = await room(account, { content: at(account, 1, T0 - 1) });
    const answer = ask();
    await clock.advance(1_000);
    files.put(PATH, at(account, 2, late));
    await clock.advance(1_000);
    expect((await answer).kind).toBe("opened");
    expect(refreshed).toEqual([]);
  });

  test("an order to renew it is refused with the command that mends it", async () => {
    const account = borrowed({ credentials: { generation: 1, accessExpiresAtMs: late, refreshedAtMs: T0 } });
    const { engine, refreshed } = await room(account, { content: at(account, 1, late) });
    await expect(engine.accounts.refresh(account.id)).rejects.toMatchObject({
      code: "owner_must_refresh",
      hint: "rotor account take plus-1",
    });
    expect(refreshed).toEqual([]);
  });

  test("nothing is planned for it either: days pass and nothing is sent", async () => {
    const account = borrowed({ credentials: { generation: 1, accessExpiresAtMs: late, refreshedAtMs: T0 } });
    const { clock, refreshed } = await room(account, { content: at(account, 1, late) });
    await clock.advance(20 * DAY_MS);
    expect(refreshed).toEqual([]);
  });

  test("a 401 is answered from the file; with nothing newer there the account waits and nothing is sent", async () => {
    const account = borrowed({ credentials: { generation: 1, accessExpiresAtMs: late, refreshedAtMs: T0 } });
    const old = tokenFor(account, late, "gen1");
    const { ask, files, refreshed, now } = await room(account, {
      content: at(account, 1, late),
      upstream: ({ accessToken }) => (accessToken.reveal() === old ? { kind: "unauthorized", message: "" } : "serve"),
    });
    files.put(PATH, at(account, 2, late + 60_000));
    expect((await ask()).kind).toBe("opened");
    expect([refreshed, now().login.kind]).toEqual([[], "ok"]);
  });

  test("taken, the freshest state comes over first, and Rotor renews from there", async () => {
    const account = borrowed();
    const { engine, files, refreshed, ask, now } = await room(account, {
      content: at(account, 1, T0 - 1),
      settings: { auth_file_watch: "off", refresh_proactively: "off" },
    });
    files.put(PATH, at(account, 5, T0));
    expect((await engine.files.take(account.id)).refreshOwner).toEqual(OWNED_HERE);
    await ask();
    expect(refreshed).toEqual(["refresh-plus-1-5"]);
    expect(now().credentials.generation).toBe(3);
  });
});

describe("a login of Rotor's that lies in a file too", () => {
  test("is not shown again when the other program has renewed it: that would be a replay", async () => {
    const account = owned();
    const { ask, refreshed, now } = await room(account, {
      content: at(account, 2, late),
      settings: { auth_file_watch: "off" },
    });
    expect((await ask()).kind).toBe("opened");
    expect(refreshed).toEqual([]);
    expect(now().refreshOwner).toEqual({ kind: "file", path: PATH });
  });

  test("a sign-in of its own in the file is left alone while ours works", async () => {
    const account = owned();
    const content = at(account, 7, late, "theirs");
    const { ask, refreshed, now, store } = await room(account, { content, settings: { auth_file_watch: "off" } });
    const generation = (await store.loadCredentials(account.id)).generation;
    await store.replaceCredentials(
      { ...account, credentials: { ...account.credentials, generation: generation + 1 } },
      generation,
      { accessToken: tokenFor(account, T0 - 1, "mine", "ours"), refreshToken: "refresh-plus-1-1", idToken: null },
    );
    await ask();
    expect([refreshed, now().refreshOwner]).toEqual([["refresh-plus-1-1"], OWNED_HERE]);
  });

  test("a refusal for good is judged after a fresh look: the newer login of the same person takes over", async () => {
    const account = owned();
    let files: ReturnType<typeof createMemoryFiles> | null = null;
    const made = await room(account, {
      content: at(account, 1, T0 - 1),
      settings: { auth_file_watch: "off" },
      issuer: () => {
        files!.put(PATH, at(account, 2, late));
        return REUSED;
      },
    });
    files = made.files;
    expect((await made.ask()).kind).toBe("opened");
    expect(made.refreshed).toEqual(["refresh-plus-1-1"]);
    expect(made.now()).toMatchObject({ login: { kind: "ok" }, refreshOwner: { kind: "file", path: PATH } });
  });

  test("who has renewed and not written yet is given a moment", async () => {
    const account = owned();
    const made = await room(account, {
      content: at(account, 1, T0 - 1),
      settings: { auth_file_watch: "off" },
      issuer: () => REUSED,
    });
    const answer = made.ask();
    await made.clock.advance(400);
    made.files.put(PATH, at(account, 2, late));
    await made.clock.advance(2_000);
    expect((await answer).kind).toBe("opened");
    expect(made.now().login.kind).toBe("ok");
  });

  test("with nothing newer, or only somebody else's login, the refusal stands and is said", async () => {
    for (const stranger of [false, true]) {
      const account = owned();
      const content = at(stranger ? anAccount({ n: 2 }) : account, 1, stranger ? late : T0 - 1);
      const made = await room(account, { content, issuer: () => REUSED, settings: { refresh_proactively: "off" } });
      const answer = made.ask();
      await made.clock.advance(5_000);
      expect((await answer).kind).toBe("refused");
      expect(made.now().login).toMatchObject({ kind: "needs_login", reason: "refresh_token_reused" });
    }
  });

  test("a lost account is healed by a newer login that appears in the file, without anybody's order", async () => {
    const account = owned({ login: { kind: "needs_login", reason: "refresh_token_reused", sinceMs: T0 } });
    const { files, clock, now } = await room(account, { content: at(account, 1, T0 - 1) });
    await clock.advance(1_000);
    expect(now().login.kind).toBe("needs_login");
    files.put(PATH, at(account, 9, late, "theirs"));
    await clock.advance(1_000);
    expect(now()).toMatchObject({ login: { kind: "ok" }, refreshOwner: { kind: "file", path: PATH } });
  });
});

/** An issuer without any grace, and a program that renews at any time and writes a little later. */
test("beside a program that renews when it likes, no account is ever lost, and a shared login is never spent by Rotor", async () => {
  const steps = fc.array(fc.constantFrom("ask", "renew", "renew_slowly", "minutes", "days"), {
    minLength: 1,
    maxLength: 25,
  });
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (script, isShared) => {
      const account = isShared ? borrowed() : owned();
      const spent = new Set<string>();
      let newest = 1;
      const files = { current: null as ReturnType<typeof createMemoryFiles> | null };
      const issue = (): number => {
        spent.add(`refresh-plus-1-${newest}`);
        return ++newest;
      };
      let nowMs = () => T0;
      const made = await room(account, {
        content: at(account, 1, T0 - 1),
        issuer: (token) => {
          if (spent.has(token)) return REUSED;
          const n = issue();
          const accessToken = tokenFor(account, nowMs() + 10 * DAY_MS, `gen${n}`);
          return {
            kind: "refreshed",
            tokens: { accessToken, refreshToken: `refresh-plus-1-${n}`, idToken: null },
          };
        },
      });
      files.current = made.files;
      nowMs = () => made.clock.nowMs();
      let unwritten: unknown = null;
      const write = () => {
        if (unwritten !== null) made.files.put(PATH, unwritten);
        unwritten = null;
      };
      for (const step of script) {
        const holds = JSON.parse(made.files.text(PATH)!).tokens.refresh_token;
        if (step === "ask") void made.ask();
        else if (step === "minutes") await made.clock.advance(300_000);
        else if (step === "days") made.clock.jumpTo(made.clock.nowMs() + 11 * DAY_MS);
        // The other program has only what its file has; a spent token gets it nothing.
        else if (!spent.has(holds)) {
          unwritten = at(account, issue(), made.clock.nowMs() + 10 * DAY_MS);
          if (step === "renew") write();
        }
        await made.clock.advance(400);
        write();
        await made.clock.advance(1_000);
      }
      if (isShared) expect(made.refreshed).toEqual([]);
      // At most once each: what Rotor was refused it does not show again.
      expect(new Set(made.refreshed).size).toBe(made.refreshed.length);
      const isOthers = spent.has(JSON.parse(made.files.text(PATH)!).tokens.refresh_token);
      if (!isOthers) expect(made.now().login.kind).toBe("ok");
      const closed = made.engine.close();
      await made.clock.advance(30_000);
      await closed;
    }),
    { numRuns: 60 },
  );
});
