/** Orders to many accounts: all or none, on disk before they are shown, and never the last one by accident. */
import { expect, test } from "bun:test";
import { AppError } from "../../src/base/errors.ts";
import { anAccount } from "../support/builders.ts";
import { createPoolRoom } from "../support/pool-room.ts";

const ACCOUNTS = [1, 2, 3].map((n) => anAccount({ n }));
const IDS = ACCOUNTS.map(({ id }) => id);
const MEANT = { force: false, dryRun: false };

async function codeOf(call: Promise<unknown>): Promise<string> {
  const thrown = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  return thrown instanceof AppError ? thrown.code : String(thrown);
}

test("all of them, durably, in one entry of the audit log", async () => {
  const room = await createPoolRoom({ accounts: ACCOUNTS });
  const { accounts, audit } = room.engine;
  await audit.order({ actor: { kind: "dashboard" }, action: "account.update" }, () =>
    accounts.edit(IDS.slice(0, 2), { addTags: ["team"] }, MEANT),
  );
  expect((await room.store.loadPool()).accounts.map(({ orders }) => orders.tags)).toEqual([["team"], ["team"], []]);
  const [entry, ...others] = await audit.list({ limit: 9 });
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ action: "account.tag" });
  expect(entry!.subjects.map(({ id }) => id)).toEqual(IDS.slice(0, 2));
  await room.engine.close();
});

test("none of them when one is refused, unknown, or cannot be written", async () => {
  const room = await createPoolRoom({ accounts: ACCOUNTS });
  const { accounts } = room.engine;
  const unknown = anAccount({ n: 9 }).id;
  expect(await codeOf(accounts.edit([IDS[0]!, unknown], { note: "x" }, MEANT))).toBe("account_not_found");
  expect(await codeOf(accounts.edit([], { note: "x" }, MEANT))).toBe("invalid_request");
  expect(await codeOf(accounts.edit(IDS, { alias: "same" }, MEANT))).toBe("invalid_alias");
  expect(await codeOf(accounts.edit(IDS, { weight: 0 }, MEANT))).toBe("invalid_request");
  room.store.saveAccounts = () => Promise.reject(new Error("the disk is full"));
  expect(await codeOf(accounts.edit(IDS, { note: "x" }, MEANT))).toContain("disk is full");
  expect(accounts.list().map(({ orders }) => orders.note)).toEqual(["", "", ""]);
  await room.engine.close();
});

test("a rehearsal shows and changes nothing", async () => {
  const room = await createPoolRoom({ accounts: ACCOUNTS });
  const shown = await room.engine.accounts.edit(IDS, { priority: 3 }, { force: false, dryRun: true });
  expect(shown.map(({ orders }) => orders.priority)).toEqual([3, 3, 3]);
  expect(room.engine.accounts.list().map(({ orders }) => orders.priority)).toEqual([0, 0, 0]);
  await room.engine.close();
});

test("the last that can serve is not taken away by accident, one by one or all at once, by any order without an end", async () => {
  const room = await createPoolRoom({ accounts: ACCOUNTS });
  const { accounts } = room.engine;
  for (const edit of [{ enabled: false }, { pauseUntilMs: null }, { draining: true }]) {
    expect(await codeOf(accounts.edit(IDS, edit, MEANT))).toBe("last_usable_account");
    await accounts.edit(IDS.slice(1), edit, MEANT);
    expect(await codeOf(accounts.edit(IDS.slice(0, 1), edit, MEANT))).toBe("last_usable_account");
    await accounts.edit(IDS.slice(0, 1), edit, { force: true, dryRun: false });
    // What is lost already can be lost no more.
    await accounts.edit(IDS, edit, MEANT);
    await accounts.edit(IDS, { enabled: true, resume: true }, MEANT);
  }
  // A pause with an end comes back by itself.
  await accounts.edit(IDS, { pauseUntilMs: room.clock.nowMs() + 1 }, MEANT);
  await room.engine.close();
});

test("a paused account serves nobody, and serves again when the pause ends, without another order", async () => {
  const room = await createPoolRoom({ accounts: ACCOUNTS.slice(0, 1) });
  const [id] = IDS;
  await room.engine.accounts.edit([id!], { pauseUntilMs: room.clock.nowMs() + 5_000 }, MEANT);
  const waiting = room.ask();
  await room.clock.advance(4_999);
  expect(room.seen).toHaveLength(0);
  await room.clock.advance(1_000);
  expect((await waiting).kind).toBe("opened");
  expect(room.seen).toHaveLength(1);
  await room.engine.close();
});

test("removing revokes only when asked, keeps the account when that fails, and never for another program's login", async () => {
  const answers: { kind: "failed"; message: string }[] = [{ kind: "failed", message: "down" }];
  const shared = anAccount({ n: 4, refreshOwner: { kind: "file", path: "/home/ann/auth.json" } });
  const revoke = () => answers.shift() ?? { kind: "revoked" as const };
  const room = await createPoolRoom({ accounts: [...ACCOUNTS, shared], revoke });
  const { accounts } = room.engine;
  expect(await codeOf(accounts.remove(IDS[0]!, { revoke: true }))).toBe("upstream_unreachable");
  expect(accounts.get(IDS[0]!)).not.toBeNull();
  await accounts.remove(IDS[0]!, { revoke: true });
  await accounts.remove(IDS[1]!);
  expect(await codeOf(accounts.remove(shared.id, { revoke: true }))).toBe("invalid_request");
  expect(accounts.list().map(({ id }) => id)).toEqual([IDS[2]!, shared.id]);
  const token = `refresh-${ACCOUNTS[0]!.alias}-1`;
  expect(room.revoked).toEqual([token, token]);
  await room.engine.close();
});
