/** Imports at the desk: what becomes of each login, what comes along, and that it is all of it or nothing. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { sha256Hex } from "../../src/base/id.ts";
import { type Account, isProvisional } from "../../src/domain/account.ts";
import type { ImportReport } from "../../src/pool/transfer-desk.ts";
import type { ForeignFile } from "../../src/transfer/json-node.ts";
import { anAccount } from "../support/builders.ts";
import {
  aLogin,
  CANARY,
  clientTokenHash,
  codexAuth,
  codexMultiBundle,
  codexMultiV1,
  DAY_MS,
  fileOf,
  opencodeMultiMap,
} from "../support/foreign-stores.ts";
import { importSamples } from "../support/import-samples.ts";
import { T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type PoolRoom } from "../support/pool-room.ts";

const PLAIN = { dryRun: false, alias: null, sourcePath: null, passphrase: null };
const importInto = (room: PoolRoom, files: readonly ForeignFile[], change = {}): Promise<ImportReport> =>
  room.engine.transfers.importFiles(files, { ...PLAIN, ...change });
const emptyRoom = (options = {}) => createPoolRoom({ accounts: [], ...options });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code: string }) => error.code,
  );
const counts = ({ accounts }: ImportReport) => accounts.map(({ action }) => action);
const workspaceOf = (account: Account) => (isProvisional(account) ? "?" : account.workspaceId);

describe("every format", () => {
  for (const { what, format, files, passphrase, workspaces } of importSamples()) {
    test(`${what}: in once, and the second time all skipped`, async () => {
      const room = await emptyRoom();
      const dry = await importInto(room, files, { passphrase, dryRun: true });
      expect(room.engine.accounts.list()).toEqual([]);
      expect(await room.store.loadPool()).toMatchObject({ accounts: [], keys: [], settings: {}, pin: null });
      const first = await importInto(room, files, { passphrase });
      expect(first).toMatchObject({ format, remarks: dry.remarks, facts: dry.facts });
      expect(first.accounts.map(({ alias }) => alias)).toEqual(dry.accounts.map(({ alias }) => alias));
      expect(room.engine.accounts.list().map(workspaceOf).sort()).toEqual([...workspaces]);
      expect((await room.store.loadPool()).accounts).toEqual([...room.engine.accounts.list()]);
      const before = await room.store.loadPool();
      const again = await importInto(room, files, { passphrase });
      expect(new Set(counts(again))).toEqual(new Set(["skip"]));
      expect(again.facts.some(({ isTaken }) => isTaken)).toBe(false);
      expect(await room.store.loadPool()).toEqual(before);
      expect(room.refreshed).toEqual([]);
      expect(room.seen).toEqual([]);
      const shown = JSON.stringify([dry, first, again, room.logged]).replaceAll(`${CANARY}.person`, "");
      expect(shown).not.toContain(CANARY);
    });
  }
});

describe("what comes along", () => {
  test("tags, notes, switches, lost logins, windows, limits and last uses", async () => {
    const room = await emptyRoom();
    await importInto(room, [fileOf(opencodeMultiMap())]);
    const [work, home, lost] = room.engine.accounts.list();
    expect(work).toMatchObject({ alias: "work-laptop", orders: { tags: ["b", "team-a"], note: "mine" } });
    expect(work!.windows).toHaveLength(2);
    expect(work!.use.lastLeasedAtMs).toBe(T0 - 1_000);
    expect(home).toMatchObject({ enabled: false, cooldown: { untilMs: T0 + 60_000, reason: "rate_limited" } });
    expect(lost!.login.kind).toBe("needs_login");
    expect(lost!.unsupportedModels).toMatchObject([{ model: "gpt-5.5", untilMs: T0 + DAY_MS }]);
    expect(room.engine.selection.view()).toMatchObject({
      strategy: "least-used",
      pin: { accountId: lost!.id, untilMs: T0 + DAY_MS },
    });
  });

  test("pin, strategy and settings only where nothing was decided here, and that is said", async () => {
    const own = anAccount({ n: 9 });
    const room = await createPoolRoom({ accounts: [own] });
    await room.engine.selection.setStrategy("round-robin");
    await room.engine.selection.pin(own.id, null);
    const { facts } = await importInto(room, [fileOf(opencodeMultiMap())]);
    expect(facts.filter(({ kind }) => kind !== "setting")).toMatchObject([
      { kind: "pin", isTaken: false },
      { kind: "strategy", isTaken: false, text: "round-robin was chosen here and stays" },
    ]);
    expect(room.engine.selection.view()).toMatchObject({ strategy: "round-robin", pin: { accountId: own.id } });
  });

  test("a mapped setting is in force at once, and one that was set here stays", async () => {
    const fresh = await emptyRoom();
    const { facts } = await importInto(fresh, codexMultiBundle());
    const taken = facts.filter(({ kind, isTaken }) => kind === "setting" && isTaken);
    expect(taken.length).toBeGreaterThan(0);
    for (const { name } of taken)
      expect(fresh.engine.settings.list().find(({ key }) => key === name)!.source).toBe("saved");
    const { name } = taken[0]!;
    const decided = await emptyRoom();
    const other = fresh.engine.settings.list().find(({ key }) => key === name)!;
    await decided.engine.settings.set(name, String(Number(other.value) + 1));
    const second = await importInto(decided, codexMultiBundle());
    expect(second.facts.find((fact) => fact.name === name)!.isTaken).toBe(false);
  });

  test("clients of the replaced product go on with their tokens", async () => {
    const room = await emptyRoom();
    await importInto(room, codexMultiBundle());
    const key = room.engine.keys.verify("a client token");
    expect(key).toMatchObject({ name: "my-client", hash: { algorithm: "sha256-text", hex: clientTokenHash } });
    expect(room.engine.keys.verify("a client toker")).toBeNull();
    expect(room.engine.keys.verify(clientTokenHash)).toBeNull();
    await room.engine.keys.revoke(key!.id);
    expect(room.engine.keys.verify("a client token")).toBeNull();
    const { secret } = await room.engine.keys.create("ours");
    expect(room.engine.keys.verify(secret)!.name).toBe("ours");
    // A hash over a whole text never admits the secret part of ours, nor the other way round.
    expect(room.engine.keys.verify(secret.slice(-43))).toBeNull();
  });

  test("a project's profile comes with its tags and models, and one that is here stays", async () => {
    const room = await emptyRoom();
    const { facts } = await importInto(room, codexMultiBundle());
    expect(facts.filter(({ kind }) => kind === "profile").map(({ isTaken }) => isTaken)).toEqual([true]);
    const [profile] = room.engine.profiles.list();
    expect(profile).toMatchObject({ accounts: [], strategy: null, keyIds: [] });
    expect(profile!.projects).toHaveLength(1);
    const again = await importInto(room, codexMultiBundle());
    expect(again.facts.find(({ kind }) => kind === "profile")).toMatchObject({ isTaken: false });
    expect((await room.store.loadPool()).profiles).toHaveLength(1);
  });

  test("a budget that a profile was counted to comes along as one of its own", async () => {
    const room = await emptyRoom();
    const shared = { window: "week", maxRequests: 50, maxTokens: null, maxCostUsd: 5, updatedAt: T0 };
    const bundle = codexMultiBundle().map((file) =>
      file.name === "budget-guards.json" ? fileOf({ version: 1, limits: { demo: shared } }, file.name) : file,
    );
    const { facts } = await importInto(room, bundle);
    const [profile] = room.engine.profiles.list();
    expect(profile!.budgets).toEqual(["imported-week-requests", "imported-week-cost"]);
    expect(room.engine.budgets.list().map(({ budget }) => budget.scope.kind)).toEqual(["profiles", "profiles"]);
    expect(facts.find(({ kind }) => kind === "budget")!.text).toBe("50 requests a week for the profile demo");
    await importInto(room, bundle);
    expect(room.engine.profiles.list()).toHaveLength(1);
  });

  test("budgets and the ledger come along once, and never in place of what was decided here", async () => {
    const room = await emptyRoom();
    await room.engine.budgets.set({
      name: "mine",
      scope: { kind: "all" },
      limit: { measure: "tokens", amount: 7, period: "day" },
      warnPercent: null,
    });
    const { facts, remarks } = await importInto(room, codexMultiBundle());
    const of = (kind: string) => facts.filter((fact) => fact.kind === kind).map(({ name, isTaken }) => [name, isTaken]);
    expect(of("budget")).toEqual([
      ["imported-day-requests", true],
      ["mine", false],
      ["imported-day-cost", true],
    ]);
    expect(of("ledger")).toEqual([["usage", true]]);
    expect(remarks.filter((remark) => remark.includes("not carried over; the source keeps"))).toEqual([]);
    const budgets = room.engine.budgets.list().map(({ budget }) => [budget.name, budget.limit.amount]);
    expect(budgets).toEqual([
      ["imported-day-cost", 10_000_000],
      ["imported-day-requests", 100],
      ["mine", 7],
    ]);
    expect((await room.store.loadPool()).budgets).toHaveLength(3);
    const used = () => room.engine.ledger.query({ sinceMs: 0, untilMs: T0 + DAY_MS, groupBy: "model" });
    const before = await used();
    expect(JSON.stringify(before)).toContain('"outputTokens":40');
    await importInto(room, codexMultiBundle());
    expect(await used()).toEqual(before);
  });
});

describe("all or nothing", () => {
  test("what the disk refuses leaves memory as it was", async () => {
    const room = await createPoolRoom({ accounts: [anAccount({ n: 1 })] });
    const before = JSON.stringify([
      room.engine.accounts.list(),
      room.engine.selection.view(),
      room.engine.settings.list(),
    ]);
    room.store.applyBatch = () => Promise.reject(new Error("disk full"));
    expect(await code(importInto(room, codexMultiBundle()))).not.toBe("done");
    expect(
      JSON.stringify([room.engine.accounts.list(), room.engine.selection.view(), room.engine.settings.list()]),
    ).toBe(before);
    expect(room.engine.keys.list()).toEqual([]);
    expect(room.engine.keys.verify("a client token")).toBeNull();
  });

  test("a renewal in between is no loss: the plan is made anew", async () => {
    const known = anAccount({
      n: 1,
      credentials: { generation: 1, accessExpiresAtMs: T0 + 60_000, refreshedAtMs: T0 },
    });
    const room = await createPoolRoom({ accounts: [known] });
    const apply = room.store.applyBatch.bind(room.store);
    let calls = 0;
    room.store.applyBatch = async (batch) => {
      calls++;
      if (calls > 1) return apply(batch);
      return "stale";
    };
    expect(counts(await importInto(room, [fileOf(codexAuth(aLogin(1)))]))).toEqual(["replace"]);
    expect(calls).toBe(2);
    expect((await room.store.loadCredentials(known.id)).generation).toBe(2);
  });

  test("two at once: the second sees what the first has added", async () => {
    const room = await emptyRoom();
    const files = [fileOf(codexAuth(aLogin(1)))];
    const [a, b] = await Promise.all([importInto(room, files), importInto(room, files)]);
    expect([counts(a), counts(b)]).toEqual([["add"], ["skip"]]);
  });

  test("a file that another program goes on using is watched only when everything in it is right", async () => {
    const room = await emptyRoom();
    const path = "/home/me/.codex/auth.json";
    expect(await code(importInto(room, [fileOf({ tokens: {} })], { sourcePath: path }))).toBe("invalid_import");
    expect(room.engine.files.list()).toEqual([]);
    await importInto(room, [fileOf(codexAuth(aLogin(1)))], { sourcePath: path });
    expect(room.engine.files.list()).toMatchObject([{ path }]);
    expect(room.engine.accounts.list()[0]!.refreshOwner).toEqual({ kind: "file", path });
  });
});

describe("logins that say nothing of whose they are", () => {
  const renewedAs = (n: number) => (token: string) => {
    const { accessToken, idToken } = aLogin(n, "renewed", T0 + DAY_MS);
    return { kind: "refreshed", tokens: { accessToken, refreshToken: `${token}-next`, idToken } } as const;
  };

  /** The store says that its login is limited for another moment. */
  const asked = async (room: PoolRoom) => {
    await room.clock.advance(10);
    return room.ask();
  };

  test("the first refresh names the account, and only then it serves", async () => {
    const room = await emptyRoom({ issuer: renewedAs(1) });
    await importInto(room, [fileOf(codexMultiV1())]);
    const [nameless] = room.engine.accounts.list();
    expect(isProvisional(nameless!)).toBe(true);
    expect(room.refreshed).toEqual([]);
    expect((await asked(room)).kind).toBe("opened");
    expect(room.seen.map(({ workspaceId }) => workspaceId)).toEqual(["workspace-1"]);
    expect(room.engine.accounts.list()).toMatchObject([
      { id: nameless!.id, workspaceId: "workspace-1", userId: anAccount({ n: 1 }).userId },
    ]);
    expect((await room.store.loadPool()).accounts[0]!.workspaceId).toBe("workspace-1");
    // The old file again: its token is spent, and the account is known by it all the same.
    expect(counts(await importInto(room, [fileOf(codexMultiV1())]))).toEqual(["skip"]);
  });

  test("it joins the account that it turns out to be, which takes the fresh login", async () => {
    const known = anAccount({ n: 1, login: { kind: "needs_login", reason: "x", sinceMs: T0 } });
    const room = await createPoolRoom({ accounts: [known], issuer: renewedAs(1) });
    await importInto(room, [fileOf(codexMultiV1())]);
    const nameless = room.engine.accounts.list()[1]!;
    await room.engine.selection.pin(nameless.id, null);
    await code(room.engine.accounts.refresh(nameless.id));
    expect(room.engine.accounts.list()).toMatchObject([{ id: known.id, login: { kind: "ok" } }]);
    expect((await room.store.loadPool()).accounts).toHaveLength(1);
    expect((await room.store.loadCredentials(known.id)).credentials.refreshToken).toBe(
      `${aLogin(1).refreshToken}-next`,
    );
    expect(room.engine.selection.view().pin).toBeNull();
    expect((await asked(room)).kind).toBe("opened");
  });

  test("tokens that a crash left without their name get it without another refresh", async () => {
    const room = await emptyRoom({ issuer: renewedAs(1) });
    await importInto(room, [fileOf(codexMultiV1())]);
    const apply = room.store.applyBatch.bind(room.store);
    room.store.applyBatch = () => Promise.reject(new Error("power cut"));
    const [nameless] = room.engine.accounts.list();
    await code(room.engine.accounts.refresh(nameless!.id));
    room.store.applyBatch = apply;
    const after = await createPoolRoom({ store: room.store, issuer: renewedAs(1), clock: room.clock });
    expect((await asked(after)).kind).toBe("opened");
    expect([room.refreshed.length, after.refreshed.length]).toEqual([1, 0]);
    expect(after.seen[0]!.workspaceId).toBe("workspace-1");
  });

  test("a renewal that still says nothing needs a login, and sends nothing in its name", async () => {
    const issuer = () => ({
      kind: "refreshed",
      tokens: { accessToken: "opaque", refreshToken: "next", idToken: null },
    });
    const room = await emptyRoom({ issuer });
    await importInto(room, [fileOf(codexMultiV1())]);
    expect((await asked(room)).kind).toBe("refused");
    expect(room.engine.accounts.list()[0]!.login).toMatchObject({ kind: "needs_login", reason: "identity_unknown" });
    expect(room.seen).toEqual([]);
  });
});

describe("properties", () => {
  const copies = fc.array(
    fc.record({ person: fc.integer({ min: 1, max: 3 }), ageHours: fc.integer({ min: -48, max: 48 }) }),
    { minLength: 1, maxLength: 6 },
  );
  const fileFor = ({ person, ageHours }: { person: number; ageHours: number }, n: number) =>
    fileOf(codexAuth(aLogin(person, `h${ageHours}`, T0 + ageHours * 3_600_000)), `auth-${n}.json`);
  const held = async (room: PoolRoom) => {
    const accounts = [...room.engine.accounts.list()].sort((a, b) => (a.workspaceId < b.workspaceId ? -1 : 1));
    const tokens = accounts.map(async ({ id }) => (await room.store.loadCredentials(id)).credentials.accessToken);
    return {
      workspaces: accounts.map(({ workspaceId }) => workspaceId),
      tokens: (await Promise.all(tokens)).map(sha256Hex),
    };
  };

  test("the order of files does not matter, and twice is once", async () => {
    await fc.assert(
      fc.asyncProperty(copies, async (found) => {
        const files = found.map(fileFor);
        const [forth, back] = [await emptyRoom(), await emptyRoom()];
        await importInto(forth, files);
        await importInto(back, files.toReversed());
        expect(await held(forth)).toEqual(await held(back));
        const before = await held(forth);
        expect(new Set(counts(await importInto(forth, files.toReversed())))).toEqual(new Set(["skip"]));
        expect(await held(forth)).toEqual(before);
      }),
      { numRuns: 40 },
    );
  });

  test("a known account never gets older credentials, file after file", async () => {
    await fc.assert(
      fc.asyncProperty(copies, async (found) => {
        const room = await emptyRoom();
        const newest = new Map<string, number>();
        for (const [n, copy] of found.entries()) {
          await importInto(room, [fileFor(copy, n)]);
          const workspace = `workspace-${copy.person}`;
          newest.set(
            workspace,
            Math.max(newest.get(workspace) ?? Number.NEGATIVE_INFINITY, T0 + copy.ageHours * 3_600_000),
          );
          for (const { workspaceId, credentials } of room.engine.accounts.list())
            expect(credentials.accessExpiresAtMs).toBe(newest.get(workspaceId)!);
        }
      }),
      { numRuns: 40 },
    );
  });
});
