/**
 * Backups and restores on real files: nothing in one can be read, nothing of a broken one is used, and no login is lost by going back.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { fromUnknown } from "../../src/base/errors.ts";
import { systemDice } from "../../src/base/id.ts";
import { verifyBackupFile } from "../../src/store/backup-file.ts";
import { findBackup, listBackups } from "../../src/store/backup-folder.ts";
import { makeBackup } from "../../src/store/backup-work.ts";
import { finishSwap, openAside } from "../../src/store/database.ts";
import type { WrappedKey } from "../../src/store/seal.ts";
import { IS_DEEP } from "../daemon/support/seed.ts";
import { type BackupRoom, createBackupRoom, keepFiles } from "../support/backup-room.ts";
import { accountLike, credentialsLike, exchangeLike, keyLike, nextGeneration } from "../support/store-samples.ts";

let room: BackupRoom;
beforeEach(() => {
  room = createBackupRoom();
});
afterEach(() => room.remove());

const codeOf = (work: () => unknown) => {
  try {
    work();
    return "fine";
  } catch (thrown) {
    return fromUnknown(thrown).code;
  }
};
const rejection = (work: Promise<unknown>) => work.then(() => "fine").catch((thrown) => fromUnknown(thrown).code);

/** The login of account `n` after one refresh. */
async function refresh(n: number, as = 100 + n): Promise<void> {
  await room.with(async (store) => {
    const { accounts } = await store.loadPool();
    const account = accounts.find(({ id }) => id === accountLike(n).id)!;
    await store.commitRefresh(nextGeneration(account), account.credentials.generation, credentialsLike(as));
  });
}
const token = (n: number) => credentialsLike(n).refreshToken;

test("a backup is private, says what it is, and shows nothing of what is inside", async () => {
  await room.addAccounts(1, 2);
  const { path, accountCount, lock, reason } = await room.backup();
  expect([accountCount, lock?.kind, reason]).toEqual([2, "data_key", "manual"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(room.folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(room.folder)).toHaveLength(1);
  const text = readFileSync(path).toString("latin1");
  for (const word of ["account-1", "person1", "workspace-1", "refresh-token", "SQLite format"])
    expect(text).not.toContain(word);
});

test("a byte changed or cut anywhere is backup_damaged, for lists, checks and restores, and changes nothing", async () => {
  await room.addAccounts(1);
  const { name, path } = await room.backup();
  const before = readFileSync(room.database);
  const whole = readFileSync(path);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.nat({ max: 700 }),
        fc.nat({ max: whole.length - 1 }),
        fc.integer({ min: 1, max: 80 }).map((n) => whole.length - n),
      ),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, mask, cut) => {
        const bad = Buffer.from(cut ? whole.subarray(0, at) : whole);
        if (!cut) bad[at]! ^= mask;
        writeFileSync(path, bad);
        expect(codeOf(() => verifyBackupFile(path))).toBe("backup_damaged");
        const { lock } = findBackup(room.folder, name);
        if (lock !== null) expect(await rejection(room.restore(name))).toBe("backup_damaged");
        expect(readFileSync(room.database).equals(before)).toBe(true);
        expect(existsSync(`${room.database}.draft`)).toBe(false);
      },
    ),
    { numRuns: IS_DEEP ? 2_000 : 80 },
  );
});

test("something added to a backup is damage, too", async () => {
  await room.addAccounts(1);
  const { path } = await room.backup();
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from("x")]));
  expect(codeOf(() => verifyBackupFile(path))).toBe("backup_damaged");
});

test("a restore brings back what was removed, and keeps logins that are newer than the backup's", async () => {
  await room.addAccounts(1, 2);
  const { name } = await room.backup();
  await refresh(1);
  await room.with((store) => store.removeAccount(accountLike(2).id));
  await room.addAccounts(3);
  const plan = await room.restore(name);
  expect(plan.changes).toEqual([
    { alias: "account-1", change: "kept" },
    { alias: "account-2", change: "added" },
    { alias: "account-3", change: "removed" },
  ]);
  expect(await room.logins()).toEqual({ "account-1": token(101), "account-2": token(2) });
});

test("an exact restore takes the older login, and says so; taking it back brings the newer one again", async () => {
  await room.addAccounts(1);
  const { name } = await room.backup();
  await refresh(1);
  const safety = await room.backup("before-restore");
  const plan = await room.restore(name, { exact: true });
  expect(plan.changes).toEqual([{ alias: "account-1", change: "older" }]);
  expect(await room.logins()).toEqual({ "account-1": token(1) });
  expect((await room.restore(safety.name)).changes).toEqual([{ alias: "account-1", change: "newer" }]);
  expect(await room.logins()).toEqual({ "account-1": token(101) });
});

test("an account that was removed and signed in to again is the same one: its new login stays", async () => {
  await room.addAccounts(1);
  const { name } = await room.backup();
  await room.with(async (store) => {
    await store.removeAccount(accountLike(1).id);
    const again = { ...accountLike(1), id: accountLike(9).id, alias: "again" };
    const credentials = { ...again.credentials, refreshedAtMs: again.credentials.refreshedAtMs + 1 };
    await store.addAccounts([{ account: { ...again, credentials }, credentials: credentialsLike(77) }]);
  });
  expect((await room.restore(name)).changes).toEqual([{ alias: "account-1", change: "kept" }]);
  expect(await room.logins()).toEqual({ "account-1": token(77) });
});

test("a key that was revoked since stays revoked, history is added up, and a refresh on its way is tried again", async () => {
  await room.addAccounts(1);
  await room.with(async (store) => {
    await store.addKey(keyLike(1));
    await store.appendExchanges([exchangeLike(1)], 100);
  });
  const { name } = await room.backup();
  const intent = { accountId: accountLike(1).id, generation: 2, tokenHash: "h", startedAtMs: 5 };
  await refresh(1);
  await room.with(async (store) => {
    await store.saveKey(keyLike(1, { revokedAtMs: 99 }));
    await store.appendExchanges([exchangeLike(2)], 100);
    await store.beginRefresh(intent);
  });
  expect((await room.restore(name)).keysKeptRevoked).toBe(1);
  await room.with(async (store) => {
    expect((await store.loadPool()).keys.map(({ revokedAtMs }) => revokedAtMs)).toEqual([99]);
    expect(await store.listExchanges({ limit: 10 })).toHaveLength(2);
    expect(await store.refreshIntents()).toEqual([intent]);
    expect((await store.check()).integrity).toBe("ok");
  });
});

test("a portable backup opens on another machine with its passphrase alone", async () => {
  await room.addAccounts(1, 2);
  const { path, lock } = await room.backup("manual", "correct horse");
  expect(lock?.kind).toBe("passphrase");
  const elsewhere = createBackupRoom();
  try {
    await elsewhere.addAccounts(3);
    const own = await elsewhere.backup();
    writeFileSync(own.path, readFileSync(path));
    expect(await rejection(elsewhere.restore(own.name))).toBe("passphrase_required");
    expect(await rejection(elsewhere.restore(own.name, { passphrase: "wrong" }))).toBe("passphrase_wrong");
    await elsewhere.restore(own.name, { passphrase: "correct horse" });
    expect(await elsewhere.logins()).toEqual({ "account-1": token(1), "account-2": token(2) });
  } finally {
    await elsewhere.remove();
  }
});

test("a backup of another installation does not open without its key", async () => {
  await room.addAccounts(1);
  const { path } = await room.backup();
  const elsewhere = createBackupRoom();
  try {
    await elsewhere.addAccounts(2);
    const own = await elsewhere.backup();
    writeFileSync(own.path, readFileSync(path));
    expect(await rejection(elsewhere.restore(own.name))).toBe("seal_key_missing");
  } finally {
    await elsewhere.remove();
  }
});

test("a swap that was cut short is ended at the next start, and the old log does not reach the new store", async () => {
  await room.addAccounts(1);
  const { name } = await room.backup();
  await room.addAccounts(2);
  await room.restore(name, { swap: false });
  const store = await room.open();
  await store.addAccounts([{ account: accountLike(3), credentials: credentialsLike(3) }]);
  const log = readFileSync(`${room.database}-wal`);
  await store.close();
  // As a process leaves it that died between the two steps of a swap.
  renameSync(`${room.database}.draft`, `${room.database}.next`);
  writeFileSync(`${room.database}-wal`, log);
  expect(await room.logins()).toEqual({ "account-1": token(1) });
  expect(finishSwap(room.database)).toBe(false);
});

test("a store whose pages are overwritten anywhere comes back whole from its backup, with every newer login that can be read", async () => {
  await room.addAccounts(1, 2, 3);
  const { name } = await room.backup();
  await refresh(2);
  await room.addAccounts(4);
  const kept = keepFiles(room.database);
  const size = statSync(room.database).size;
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: size - 1 }), fc.integer({ min: 1, max: 9_000 }), async (at, length) => {
      kept.putBack();
      const bytes = readFileSync(room.database);
      bytes.fill(0xa5, at, Math.min(at + length, bytes.length));
      writeFileSync(room.database, bytes);
      const plan = await room.restore(name, { broken: true });
      const logins = await room.logins();
      for (const n of [1, 3]) expect(logins[`account-${n}`]).toBe(token(n));
      // Either its newer login could be read, or it is the backup's: never none, never half of one.
      expect([token(2), token(102)]).toContain(logins["account-2"]!);
      expect([undefined, token(4)]).toContain(logins["account-4"]);
      if (plan.readWhole) expect([logins["account-2"], logins["account-4"]]).toEqual([token(102), token(4)]);
    }),
    { numRuns: IS_DEEP ? 600 : 20 },
  );
});

test("when only history is broken, every login and key is read from the store itself", async () => {
  await room.addAccounts(1);
  const { name } = await room.backup();
  await refresh(1);
  const db = openAside(room.database);
  const [{ rootpage } = { rootpage: 0 }] = db.all("SELECT rootpage FROM sqlite_schema WHERE name = 'exchange_batch'");
  db.close();
  const bytes = readFileSync(room.database);
  bytes.fill(0xa5, (Number(rootpage) - 1) * 4096, Number(rootpage) * 4096);
  writeFileSync(room.database, bytes);
  expect((await room.restore(name, { broken: true })).readWhole).toBe(true);
  expect(await room.logins()).toEqual({ "account-1": token(101) });
});

test("a disk without room is refused before anything is written", async () => {
  await room.addAccounts(1);
  const { name } = await room.backup();
  // A file with a hole in it claims more than any disk has, and takes nothing.
  const huge = join(room.folder, "huge.db");
  closeSync(openSync(huge, "wx"));
  truncateSync(huge, 8 * 2 ** 40);
  const wrapped = { id: 1, guard: "key_file", wrapped: new Uint8Array(0) } as unknown as WrappedKey;
  const key = { dataKey: new Uint8Array(32), wrapped };
  const base = { folder: room.folder, name: "20261121T101500Z-daily.rotor-backup", reason: "daily" } as const;
  const job = { ...base, database: huge, nowMs: 0, rotorVersion: "0", key, passphrase: null };
  expect(await rejection(makeBackup(job, systemDice))).toBe("disk_full");
  expect(readdirSync(room.folder).toSorted()).toEqual([name, "huge.db"].toSorted());
});

test("the newest comes first, whatever their names say within one second", async () => {
  await room.addAccounts(1);
  const first = await room.backup();
  const second = await room.backup();
  const times = listBackups(room.folder).map(({ createdAtMs }) => createdAtMs);
  expect(times).toEqual(times.toSorted((a, b) => b - a));
  expect(listBackups(room.folder)).toHaveLength(2);
  expect(new Set([first.name, second.name]).size).toBe(2);
});
