/** Exports at the desk: what is written can be read again, and a destination is never guessed at. */
import { expect, test } from "bun:test";
import type { ExportOrder } from "../../src/pool/transfer-desk.ts";
import { readForeign } from "../../src/transfer/read-foreign.ts";
import { anAccount } from "../support/builders.ts";
import { aLogin, codexMultiBundle, codexMultiV1, fileOf, ocCodexMulti } from "../support/foreign-stores.ts";
import { createPoolRoom, type PoolRoom } from "../support/pool-room.ts";

const PLAIN: Omit<ExportOrder, "format"> = { accountIds: null, existing: null, passphrase: null, dryRun: false };
const PASSPHRASE = "correct horse";
const into = (room: PoolRoom, order: Partial<ExportOrder> & Pick<ExportOrder, "format">) =>
  room.engine.transfers.exportAccounts({ ...PLAIN, ...order });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code: string }) => error.code,
  );
const importInto = (
  room: PoolRoom,
  files: Parameters<typeof room.engine.transfers.importFiles>[0],
  passphrase: string | null = null,
) => room.engine.transfers.importFiles(files, { dryRun: false, alias: null, sourcePath: null, passphrase });

test("one login for Codex and for OpenCode; never two in one", async () => {
  const room = await createPoolRoom({ accounts: [anAccount({ n: 1 }), anAccount({ n: 2 })] });
  const accountIds = [anAccount({ n: 2 }).id];
  for (const format of ["codex-auth", "opencode-auth"] as const) {
    const { bytes } = await into(room, { format, accountIds });
    const { accounts } = await readForeign([{ name: "", bytes: bytes! }], null);
    expect(accounts.map(({ claims }) => claims.workspaceId)).toEqual(["workspace-2"]);
    expect((await into(room, { format, accountIds, dryRun: true })).bytes).toBeNull();
    expect(await code(into(room, { format }))).toBe("export_refused");
  }
});

test("a merge keeps what only the destination has, and one that cannot be told writes nothing", async () => {
  const room = await createPoolRoom({ accounts: [anAccount({ n: 5 })] });
  const existing = fileOf(ocCodexMulti()).bytes;
  const { bytes, destinationOnly } = await into(room, { format: "oc-codex-multi-auth", existing });
  expect(destinationOnly).toBe(2);
  expect((await readForeign([{ name: "", bytes: bytes! }], null)).accounts).toHaveLength(3);
  const nameless = await createPoolRoom({ accounts: [] });
  await importInto(nameless, [fileOf(codexMultiV1())]);
  const dry = await into(nameless, { format: "oc-codex-multi-auth", existing, dryRun: true });
  expect(dry.rows.map(({ action }) => action)).toEqual(["refuse"]);
  expect(await code(into(nameless, { format: "oc-codex-multi-auth", existing }))).toBe("export_refused");
});

test("a pool file needs a passphrase, and carries pin, strategy, settings and imported keys of a whole pool", async () => {
  const room = await createPoolRoom({ accounts: [] });
  await importInto(room, codexMultiBundle());
  expect(await code(into(room, { format: "rotor-pool-file" }))).toBe("passphrase_required");
  const { bytes } = await into(room, { format: "rotor-pool-file", passphrase: PASSPHRASE });
  const other = await createPoolRoom({ accounts: [] });
  await importInto(other, [{ name: "pool", bytes: bytes! }], PASSPHRASE);
  const facts = ({ engine }: PoolRoom) => ({
    accounts: engine.accounts.list().map(({ id: _, use: __, ...account }) => account),
    strategy: engine.selection.view().strategy,
    pinned: engine.accounts.list().findIndex(({ id }) => id === engine.selection.view().pin?.accountId),
    settings: engine.settings.list(),
    key: engine.keys.verify("a client token")?.name,
  });
  expect(facts(other)).toEqual(facts(room));
  const part = await into(room, {
    format: "rotor-pool-file",
    passphrase: PASSPHRASE,
    accountIds: [room.engine.accounts.list()[0]!.id],
  });
  expect(await readForeign([{ name: "", bytes: part.bytes! }], PASSPHRASE)).toMatchObject({
    strategy: null,
    keys: [],
    settings: [],
  });
});

test("rules, profiles and budgets come along, the same there as here, and what was decided there stays", async () => {
  const here = await createPoolRoom();
  const { engine } = here;
  const { key } = await engine.keys.create("laptop");
  const limit = { measure: "requests", amount: 50, period: "week" } as const;
  const scopes = [
    { kind: "all" },
    { kind: "profiles" },
    { kind: "project", project: "site" },
    { kind: "key", keyId: key.id },
  ] as const;
  for (const scope of scopes) await engine.budgets.set({ name: `of-${scope.kind}`, scope, limit, warnPercent: 80 });
  const rules = ["# mine", "", "keep 20% of plus-1 weekly", "avoid tag:work 18:00-08:00"];
  await engine.rules.set(rules, { dryRun: false, force: false });
  const wish = {
    accounts: "plus-1, tier:pro",
    strategy: "drain-first",
    models: ["gpt-5*"],
    rules: ["avoid plus-2"],
  } as const;
  await engine.profiles.set({ ...wish, name: "night", keyIds: [key.id], budgets: ["of-profiles"] }, false);
  await engine.profiles.bind("night", { key: "demo-1a2b3c4d5e6f", path: "/srv/demo" });
  const { bytes } = await into(here, { format: "rotor-pool-file", passphrase: PASSPHRASE });
  const choice = ({ engine }: PoolRoom) => ({
    rules: engine.rules.list().lines.map(({ text }) => text),
    profiles: engine.profiles.list().map(({ name, accounts, strategy, models, rules, keyIds, projects, budgets }) => {
      const keys = keyIds.map((id) => engine.keys.list().find((one) => one.id === id)!.name);
      return { name, accounts, strategy, models, rules, keys, projects, budgets };
    }),
    budgets: engine.budgets.list().map(({ budget: { scope, ...budget } }) => ({ ...budget, scope: scope.kind })),
  });
  const files = [{ name: "pool", bytes: bytes! }];
  const rehearse = (room: PoolRoom) =>
    room.engine.transfers.importFiles(files, { dryRun: true, alias: null, sourcePath: null, passphrase: PASSPHRASE });
  const listed = async (room: PoolRoom) =>
    (await rehearse(room)).facts.filter(({ kind }) => ["rule", "profile", "budget"].includes(kind));

  const there = await createPoolRoom({ accounts: [] });
  await there.engine.keys.create("laptop");
  expect((await listed(there)).map(({ name, isTaken }) => [name, isTaken])).toEqual([
    ["of-all", true],
    ["of-key", true],
    ["of-profiles", true],
    ["of-project", true],
    ["night", true],
    ["4 lines", true],
  ]);
  expect(choice(there)).toMatchObject({ rules: [], profiles: [], budgets: [] });
  await importInto(there, files, PASSPHRASE);
  expect(choice(there)).toEqual(choice(here));
  const reopened = await createPoolRoom({ store: there.store });
  expect(choice(reopened)).toEqual(choice(here));
  expect((await listed(reopened)).map(({ isTaken }) => isTaken)).toEqual(Array(6).fill(false));

  const decided = await createPoolRoom({ accounts: [] });
  await decided.engine.rules.set(["# ours"], { dryRun: false, force: false });
  const texts = (await listed(decided)).map(({ name, text }) => [name, text]);
  expect(texts).toContainEqual(["4 lines", "there are rules here, which stay"]);
  expect(texts).toContainEqual(["of-key", "there is no key laptop here"]);
  expect(texts).toContainEqual(["night", "plus-1, tier:pro; gpt-5*; budget of-profiles; without the key laptop"]);
});

test("a login that names nobody stays one on its way", async () => {
  const room = await createPoolRoom({ accounts: [] });
  await importInto(room, [fileOf(codexMultiV1())]);
  const { bytes } = await into(room, { format: "rotor-pool-file", passphrase: PASSPHRASE });
  const [found] = (await readForeign([{ name: "", bytes: bytes! }], PASSPHRASE)).accounts;
  expect(found).toMatchObject({ isIdentified: false, credentials: { refreshToken: aLogin(1).refreshToken } });
  expect(found!.claims.workspaceId).toBe("");
});
