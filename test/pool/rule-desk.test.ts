/** Rules and profiles as operators change them: saved whole or not at all, refused with words, tried on the past, and written in the log. */
import { describe, expect, test } from "bun:test";
import { anAccount, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type PoolRoom } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const MEANT = { dryRun: false, force: false };
const NOBODY = { keyId: null, profile: null, project: null };
const PROJECT = { key: "demo-1a2b3c4d5e6f", path: "/srv/demo" };
const WISH = { name: "night", accounts: "", strategy: null, models: [], rules: [], keyIds: [], budgets: [] } as const;

const failure = (work: Promise<unknown>) =>
  work.then(
    () => ({ code: "done", message: "" }),
    ({ code, message }: { code: string; message: string }) => ({ code, message }),
  );
const served = async (room: PoolRoom, change: Parameters<PoolRoom["ask"]>[0] = {}) => {
  const answer = await room.ask(change);
  if (answer.kind === "opened") await answer.body.cancel();
  await room.clock.advance(0);
  return answer.kind === "opened" ? room.seen.at(-1)!.workspaceId : answer.kind;
};
const texts = (room: PoolRoom) => room.engine.rules.list().lines.map(({ text }) => text);

describe("rules", () => {
  test("are in force at once, outlive a restart, and are all in the audit log", async () => {
    const room = await createPoolRoom();
    await room.engine.rules.add("  only plus-2  ", null, MEANT);
    await room.engine.rules.add("# why", 1, MEANT);
    expect(texts(room)).toEqual(["# why", "only plus-2"]);
    expect(await served(room)).toBe("workspace-2");
    const again = await createPoolRoom({ store: room.store });
    expect(await served(again)).toBe("workspace-2");
    await again.engine.rules.remove(2, MEANT);
    expect(texts(again)).toEqual(["# why"]);
    const entries = await again.engine.audit.list({ limit: 10 });
    expect(entries.map(({ action, text }) => `${action} ${text}`).toSorted()).toEqual([
      "rule.add line 1: # why",
      "rule.add line 1: only plus-2",
      "rule.remove line 2: only plus-2",
    ]);
  });

  test("a list with one fault changes nothing, and says where it is", async () => {
    const room = await createPoolRoom();
    await room.engine.rules.set(["avoid plus-1"], MEANT);
    expect(await failure(room.engine.rules.set(["avoid plus-2", "keep 20% plus-1"], MEANT))).toEqual({
      code: "invalid_rule",
      message: 'line 2, column 10: "of" is expected here, not "plus-1"',
    });
    expect((await failure(room.engine.rules.remove(2, MEANT))).code).toBe("rule_not_found");
    expect((await failure(room.engine.rules.add("avoid plus-1\nonly plus-2", null, MEANT))).code).toBe("invalid_rule");
    expect(texts(room)).toEqual(["avoid plus-1"]);
  });

  test("that leave nobody are refused, unless that is meant; a rehearsal only says so", async () => {
    const room = await createPoolRoom();
    const rule = ["off all on mon-sun"];
    expect((await room.engine.rules.set(rule, { dryRun: true, force: false })).leavesNobody).toBe(true);
    expect((await failure(room.engine.rules.set(rule, MEANT))).code).toBe("last_usable_account");
    expect(texts(room)).toEqual([]);
    await room.engine.rules.set(rule, { dryRun: false, force: true });
    expect(await served(room)).toBe("refused");
  });

  test("names that nobody has are told, and saved all the same", async () => {
    const room = await createPoolRoom();
    const { warnings } = await room.engine.rules.set(["", "avoid spare"], MEANT);
    expect(warnings).toEqual([{ line: 2, text: "no account is called spare" }]);
  });

  test("a request that waits for an account is served when a rule that was in its way is gone", async () => {
    const room = await createPoolRoom({ settings: { wait_seconds: "20" } });
    await room.engine.rules.set(["off all 11:00-12:01"], { dryRun: false, force: true });
    await room.clock.advance(50_000);
    const waiting = served(room);
    await room.clock.advance(0);
    expect(room.seen).toEqual([]);
    await room.engine.rules.set([], MEANT);
    expect(await waiting).toMatch(/^workspace-/);
    expect(room.clock.nowMs()).toBe(T0 + 50_000);
  });
});

describe("a preview", () => {
  test("says which requests would have gone elsewhere, nowhere, or been served after all", async () => {
    const room = await createPoolRoom();
    await room.engine.rules.set(["only plus-1"], MEANT);
    expect(await served(room)).toBe("workspace-1");
    await room.engine.rules.set(["off all on mon-sun"], { dryRun: false, force: true });
    expect(await served(room)).toBe("refused");
    const back = T0 - HOUR_MS;
    const counts = async (...lines: string[]) => (await room.engine.rules.preview(lines, back)).counts;
    expect(await counts()).toEqual({ same: 1, elsewhere: 0, nowhere: 0, gained: 1 });
    expect(await counts("avoid plus-1")).toEqual({ same: 0, elsewhere: 1, nowhere: 0, gained: 1 });
    expect(await counts("prefer plus-1")).toEqual({ same: 1, elsewhere: 0, nowhere: 0, gained: 1 });
    expect(await counts("only tag:none")).toMatchObject({ same: 1, nowhere: 1, gained: 0 });
    const { changes } = await room.engine.rules.preview(["", "avoid plus-1"], back);
    expect(changes.map(({ replay }) => [replay.kind, replay.rule?.line ?? null])).toEqual([
      ["gained", null],
      ["elsewhere", 2],
    ]);
    expect(texts(room)).toEqual(["off all on mon-sun"]);
  });

  test("knows from the history of windows what was left then, and how long an account would have been kept", async () => {
    const room = await createPoolRoom({ accounts: [anAccount({ n: 1 }), anAccount({ n: 2 })] });
    const sample = { limit: "codex", slot: "primary", lengthMinutes: 300, resetsAtMs: null } as const;
    const [id] = room.engine.accounts.list().map((account) => account.id);
    const at = (hours: number, usedPercent: number) => ({
      ...sample,
      accountId: id!,
      usedPercent,
      atMs: T0 + hours * HOUR_MS,
    });
    await room.store.appendWindowSamples([at(0, 10), at(4, 85), at(6, 50)], T0 + 8 * HOUR_MS);
    await room.clock.advance(8 * HOUR_MS);
    const { held, hours } = await room.engine.rules.preview(["keep 20% of plus-1"], T0);
    expect([held, hours]).toEqual([[{ accountId: id!, hours: 2 }], 8]);
  });
});

describe("a new name", () => {
  const said = ({ engine }: PoolRoom) => ({
    rules: engine.rules.list().lines.map(({ text }) => text),
    profiles: engine.profiles.list().map(({ name, accounts, rules }) => [name, accounts, rules]),
  });

  test("of an account or a tag is taken over by the rules and profiles that name it, in one step and one entry of the log", async () => {
    const room = await createPoolRoom();
    const { engine } = room;
    const [first, second] = engine.accounts.list().map(({ id }) => id);
    await engine.accounts.edit([first!, second!], { addTags: ["team"] }, MEANT);
    await engine.rules.set(["# plus-1", "only plus-1", "avoid tag:team"], MEANT);
    await engine.profiles.set({ ...WISH, accounts: "plus-1, tag:team", rules: ["avoid plus-1"] }, false);
    await engine.accounts.update(first!, { alias: "work", force: false });
    expect((await engine.accounts.renameTag("team", "eu", { dryRun: true })).map(({ alias }) => alias)).toEqual([
      "work",
      "plus-2",
    ]);
    expect(said(room).rules[2]).toBe("avoid tag:team");
    await engine.accounts.renameTag("team", "eu", { dryRun: false });
    const expected = {
      rules: ["# plus-1", "only work", "avoid tag:eu"],
      profiles: [
        [
          "night",
          [
            { kind: "alias", name: "work" },
            { kind: "tag", name: "eu" },
          ],
          ["avoid work"],
        ],
      ],
    };
    expect(said(room)).toEqual(expected as unknown as ReturnType<typeof said>);
    expect(await served(room)).toBe("workspace-1");
    const again = await createPoolRoom({ store: room.store });
    expect(said(again)).toEqual(said(room));
    expect(again.engine.accounts.list().map(({ orders }) => orders.tags)).toEqual([["eu"], ["eu"], []]);
    const entries = (await again.engine.audit.list({ limit: 20 })).map(({ action, text }) => `${action} ${text}`);
    expect(entries).toContain(
      "account.rename plus-1 → work; also in rule 2: only work, profile night, rule 1: avoid work, the profile night",
    );
    expect(await failure(engine.accounts.renameTag("team", "eu", { dryRun: false }))).toMatchObject({
      code: "invalid_request",
    });
  });

  test("that the disk refuses is nobody's: neither the account's nor the rules'", async () => {
    const room = await createPoolRoom();
    await room.engine.rules.set(["avoid plus-1"], MEANT);
    room.store.saveAccounts = () => Promise.reject(new Error("disk full"));
    const [first] = room.engine.accounts.list();
    await failure(room.engine.accounts.update(first!.id, { alias: "work", force: false }));
    expect([texts(room), room.engine.accounts.get(first!.id)!.alias]).toEqual([["avoid plus-1"], "plus-1"]);
  });

  test("of a profile keeps its place, keys and projects; an account that goes says who names it still", async () => {
    const room = await createPoolRoom();
    const { key } = await room.engine.keys.create("laptop");
    const { profiles } = room.engine;
    await profiles.set({ ...WISH, accounts: "plus-2", keyIds: [key.id] }, false);
    await profiles.set({ ...WISH, name: "day" }, false);
    await profiles.bind("night", PROJECT);
    expect((await failure(profiles.rename("night", "day"))).code).toBe("invalid_request");
    await profiles.rename("night", "late");
    expect(await served(room, { keyId: key.id })).toBe("workspace-2");
    expect(await served(room, { project: PROJECT.key })).toBe("workspace-2");
    const again = await createPoolRoom({ store: room.store });
    expect(again.engine.profiles.list().map(({ name, keyIds }) => [name, keyIds.length])).toEqual([
      ["late", 1],
      ["day", 0],
    ]);
    const second = room.engine.accounts.list()[1]!;
    expect(room.engine.accounts.mentions(second.id)).toEqual({ rules: [], profiles: ["late"] });
  });
});

describe("profiles", () => {
  test("their rules come after the pool's, their strategy before it, and keys and projects move from one to another", async () => {
    const room = await createPoolRoom();
    const { key } = await room.engine.keys.create("laptop");
    const { profiles } = room.engine;
    await profiles.set({ ...WISH, accounts: "plus-2, plus-3", rules: ["prefer plus-3"], keyIds: [key.id] }, false);
    expect(await served(room, { keyId: key.id })).toBe("workspace-3");
    await profiles.bind("night", PROJECT);
    await profiles.set({ ...WISH, name: "day", keyIds: [key.id], accounts: "plus-1" }, false);
    expect(await served(room, { keyId: key.id })).toBe("workspace-1");
    expect(await served(room, { project: PROJECT.key })).toBe("workspace-3");
    await profiles.bind("day", PROJECT);
    expect(await served(room, { project: PROJECT.key })).toBe("workspace-1");
    const again = await createPoolRoom({ store: room.store });
    expect(
      again.engine.profiles.list().map(({ name, keyIds, projects }) => [name, keyIds.length, projects.length]),
    ).toEqual([
      ["night", 0, 0],
      ["day", 1, 1],
    ]);
    expect((await again.engine.profiles.unbind(PROJECT.key))?.name).toBe("day");
    expect(await again.engine.profiles.unbind(PROJECT.key)).toBeNull();
  });

  test("changing one keeps its projects; a rehearsal and a fault change nothing", async () => {
    const room = await createPoolRoom();
    const { profiles } = room.engine;
    const { warnings } = await profiles.set({ ...WISH, accounts: "tag:nobody" }, true);
    expect(warnings).toEqual(["no account has the tag nobody", "it leaves nobody now"]);
    expect(profiles.list()).toEqual([]);
    await profiles.set(WISH, false);
    await profiles.bind("night", PROJECT);
    await profiles.set({ ...WISH, models: ["gpt-5*"] }, false);
    expect(profiles.get("night").projects).toEqual([PROJECT]);
    for (const [fault, code] of [
      [{ accounts: "tag:" }, "invalid_rule"],
      [{ rules: ["hold"] }, "invalid_rule"],
      [{ models: ["gpt 5"] }, "invalid_request"],
      [{ keyIds: ["nobody"] }, "key_not_found"],
      [{ name: "Not A Name" }, "invalid_request"],
    ] as const)
      expect((await failure(profiles.set({ ...WISH, ...fault }, false))).code).toBe(code);
    expect((await failure(profiles.bind("night", { key: "../..", path: "/" }))).code).toBe("invalid_request");
    expect((await failure(profiles.remove("nobody"))).code).toBe("profile_not_found");
    expect(profiles.list()).toHaveLength(1);
  });

  test("explain is what a request gets: by key, by name, by project, and at a time to come", async () => {
    const room = await createPoolRoom({
      accounts: [
        anAccount({ n: 1, windows: [aWindow({ usedPercent: 100, resetsAtMs: T0 + HOUR_MS })] }),
        anAccount({ n: 2 }),
      ],
    });
    await room.engine.profiles.set({ ...WISH, accounts: "plus-1" }, false);
    await room.engine.profiles.bind("night", PROJECT);
    const { selection } = room.engine;
    const ask = (from: object, atMs: number | null) =>
      selection.explain({ model: null, from: { ...NOBODY, ...from }, atMs });
    expect(ask({}, null)).toMatchObject({ profile: null, usableCount: 1 });
    expect(ask({ profile: "night" }, null)).toMatchObject({
      profile: "night",
      usableCount: 0,
      nextUsableAtMs: T0 + HOUR_MS,
    });
    expect(ask({ project: PROJECT.key }, T0 + HOUR_MS)).toMatchObject({ profile: "night", usableCount: 1 });
    expect(() => ask({ profile: "nowhere" }, null)).toThrow("there is no profile nowhere");
  });
});
