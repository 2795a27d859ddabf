/** What only the SQLite store promises: files and their rights, damage told in words, no token on the disk, survival of odd values. */

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { createLog, type Log } from "../../src/base/log.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { expectCode } from "../contract/store.suite.ts";
import { createManualClock } from "../support/manual-clock.ts";
import {
  accountLike,
  credentialsLike,
  exchangeId,
  exchangeLike,
  keyLike,
  nextGeneration,
  windowLike,
} from "../support/store-samples.ts";
import { createTempFolder, type TempFolder } from "../support/temp-store.ts";

let temp: TempFolder;
beforeEach(() => {
  temp = createTempFolder();
});
afterEach(() => temp.remove());

function recordingLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ clock: createManualClock(), level: "debug", sinks: [(line) => lines.push(line)] }), lines };
}

const first = (n = 1) => ({ account: accountLike(n), credentials: credentialsLike(n) });

/** Changes the file behind the store's back. */
function tamper(sql: string): void {
  const file = new Database(temp.paths.database);
  file.run(sql);
  file.close();
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe("files", () => {
  test("are ours alone from the first, whatever the umask", async () => {
    const umask = process.umask(0);
    try {
      const store = await temp.open();
      await store.addAccounts([first()]);
      const modes = filesUnder(temp.folder).map((file) => statSync(file).mode & 0o777);
      expect(modes).toHaveLength(4);
      expect(new Set(modes)).toEqual(new Set([0o600]));
      expect(statSync(dirname(temp.paths.database)).mode & 0o777).toBe(0o700);
      expect(statSync(dirname(temp.paths.keyFile)).mode & 0o777).toBe(0o700);
    } finally {
      process.umask(umask);
    }
  });

  test("that let others in are named by the check and closed at the next start", async () => {
    const store = await temp.open();
    const { database, keyFile } = temp.paths;
    for (const file of [database, `${database}-wal`, keyFile]) chmodSync(file, 0o644);
    expect((await store.check()).looseFiles.toSorted()).toEqual([keyFile, database, `${database}-wal`].toSorted());
    await store.close();
    expect((await (await temp.open()).check()).looseFiles).toEqual([]);
  });

  test("a clean close leaves one file, and everything is in it", async () => {
    const store = await temp.open();
    await store.addAccounts([first()]);
    await store.appendExchanges([exchangeLike(1)], 10);
    await store.close();
    expect(readdirSync(dirname(temp.paths.database))).toEqual(["rotor.db"]);
    const again = await temp.open();
    expect((await again.loadPool()).accounts).toEqual([accountLike(1)]);
    expect((await again.loadCredentials(accountLike(1).id)).credentials).toEqual(credentialsLike(1));
    expect(await again.listExchanges({ limit: 1 })).toEqual([exchangeLike(1)]);
  });

  test("a folder that cannot be made is told in words", async () => {
    writeFileSync(join(temp.folder, "file"), "");
    const paths = { ...temp.paths, database: join(temp.folder, "file", "rotor.db") };
    const odd = { paths, dice: { bytes: () => new Uint8Array(), fraction: () => 0 }, clock: createManualClock() };
    await expectCode(openSqliteStore({ ...odd, log: recordingLog().log }), "start_failed");
  });
});

describe("no token is on the disk or in the log", () => {
  const canary = (generation: number) => ({
    accessToken: `CANARYACCESS${generation}`.repeat(40),
    refreshToken: `CANARYREFRESH${generation}`.repeat(5),
    idToken: `CANARYID${generation}`.repeat(40),
  });

  test("in any file, at any point of a login's life", async () => {
    const { log, lines } = recordingLog();
    const store = await temp.open(log);
    let looked = 0;
    const look = () => {
      for (const file of filesUnder(temp.folder)) {
        looked++;
        const bytes = readFileSync(file);
        for (const form of ["CANARY", Buffer.from("CANARYACC").toString("base64").slice(0, 10), "434e4152"])
          expect({ file, form, found: bytes.includes(form) }).toEqual({ file, form, found: false });
      }
    };
    await store.addAccounts([{ account: accountLike(1), credentials: canary(1) }]);
    look();
    let account = accountLike(1);
    for (let generation = 1; generation < 40; generation++) {
      await store.beginRefresh({ accountId: account.id, generation, tokenHash: "hash", startedAtMs: 1 });
      account = nextGeneration(account);
      await store.commitRefresh(account, generation, canary(generation + 1));
    }
    look();
    await store.replaceCredentials(nextGeneration(account), 40, canary(41));
    await store.loadCredentials(account.id);
    await store.removeAccount(account.id);
    look();
    await store.close();
    look();
    expect(looked).toBeGreaterThan(10);
    expect(lines.join("\n")).not.toContain("CANARY");
  });
});

describe("the key file", () => {
  test("missing: the store opens, credentials do not, and it heals when the file is back", async () => {
    const store = await temp.open();
    await store.addAccounts([first()]);
    await store.close();
    const key = readFileSync(temp.paths.keyFile);
    rmSync(temp.paths.keyFile);
    const { log, lines } = recordingLog();
    const locked = await temp.open(log);
    expect(lines.filter((line) => line.includes("seal.stays_shut"))).toHaveLength(1);
    expect((await locked.loadPool()).accounts).toEqual([accountLike(1)]);
    await expectCode(locked.loadCredentials(accountLike(1).id), "seal_key_missing");
    await expectCode(locked.addAccounts([first(2)]), "seal_key_missing");
    await expectCode(locked.commitRefresh(nextGeneration(accountLike(1)), 1, credentialsLike(2)), "seal_key_missing");
    await expectCode(locked.loadCredentials(accountLike(2).id), "account_not_found");
    expect(existsSync(temp.paths.keyFile)).toBe(false);
    writeFileSync(temp.paths.keyFile, key);
    expect((await locked.loadCredentials(accountLike(1).id)).credentials).toEqual(credentialsLike(1));
  });

  test("lost while nothing was sealed: a new one takes its place", async () => {
    await (await temp.open()).close();
    rmSync(temp.paths.keyFile);
    const store = await temp.open();
    await store.addAccounts([first()]);
    expect((await store.loadCredentials(accountLike(1).id)).credentials).toEqual(credentialsLike(1));
  });

  test("an envelope that was moved to another account does not open", async () => {
    const store = await temp.open();
    await store.addAccounts([first(1), first(2)]);
    const [one, two] = [accountLike(1).id, accountLike(2).id];
    tamper(`UPDATE credential SET envelope = (SELECT envelope FROM credential WHERE account_id = '${one}')
            WHERE account_id = '${two}'`);
    await expectCode(store.loadCredentials(two), "store_damaged");
    expect((await store.loadCredentials(one)).credentials).toEqual(credentialsLike(1));
  });
});

describe("damage", () => {
  async function grown(): Promise<Buffer> {
    const store = await temp.open();
    await store.addAccounts(Array.from({ length: 60 }, (_, n) => first(n)));
    await store.appendExchanges(
      Array.from({ length: 60 }, (_, n) => exchangeLike(n)),
      100,
    );
    await store.close();
    return readFileSync(temp.paths.database);
  }

  test("text instead of a database", async () => {
    mkdirSync(dirname(temp.paths.database), { recursive: true });
    writeFileSync(temp.paths.database, "this is not a database\n".repeat(300));
    const error = await expectCode(temp.open(), "store_damaged");
    expect(error.message).toContain(temp.paths.database);
    expect(readFileSync(temp.paths.database, "utf8")).toStartWith("this is not");
  });

  test("a file cut to nothing is not taken for a new store", async () => {
    await grown();
    truncateSync(temp.paths.database, 0);
    const error = await expectCode(temp.open(), "store_damaged");
    expect(error.message).toContain("empty");
    expect(statSync(temp.paths.database).size).toBe(0);
  });

  test("a file cut short", async () => {
    const whole = await grown();
    truncateSync(temp.paths.database, Math.floor(whole.length / 2));
    await expectCode(temp.open(), "store_damaged");
  });

  test("any overwritten page is told at the start or by the check, never served", async () => {
    const whole = await grown();
    const pages = whole.length / 4096;
    let told = 0;
    for (let page = 0; page < pages; page++) {
      const broken = Buffer.from(whole);
      broken.fill(0xa5, page * 4096, page * 4096 + 4096);
      for (const left of ["-wal", "-shm"]) rmSync(`${temp.paths.database}${left}`, { force: true });
      writeFileSync(temp.paths.database, broken, { mode: 0o600 });
      const outcome = await temp.open().then(
        async (store) => {
          const { integrity } = await store.check();
          await store.close();
          return integrity;
        },
        (thrown: { code: string }) => thrown.code,
      );
      if (outcome !== "ok") told++;
    }
    expect(told).toBe(pages);
  });

  test("an account whose credentials are gone is not offered, and the check says so", async () => {
    const store = await temp.open();
    await store.addAccounts([first(1), first(2)]);
    tamper(`DELETE FROM credential WHERE account_id = '${accountLike(1).id}'`);
    expect((await store.loadPool()).accounts).toEqual([accountLike(2)]);
    await expectCode(store.loadCredentials(accountLike(1).id), "account_not_found");
    expect((await store.check()).integrity).toContain("1 accounts have no credentials");
  });

  test("rows that belong to nothing are found by the check", async () => {
    const store = await temp.open();
    tamper("PRAGMA foreign_keys = OFF; INSERT INTO refresh_intent VALUES ('nobody', 1, 'hash', 1)");
    expect((await store.check()).integrity).toContain("1 rows belong to nothing");
  });
});

describe("what another version or hand wrote", () => {
  test("broken observations are dropped part by part and told", async () => {
    const { log, lines } = recordingLog();
    const store = await temp.open(log);
    const account = accountLike(1, { windows: [windowLike()], unsupportedModels: [{ model: "m", untilMs: 1 }] });
    await store.addAccounts([{ account, credentials: credentialsLike(1) }]);
    tamper(`UPDATE account SET observed = json_set(observed, '$.windows[0].usedPercent', 'much', '$.use', 3)`);
    expect((await store.loadPool()).accounts).toEqual([{ ...account, windows: [] }]);
    tamper("UPDATE account SET observed = 'not json'");
    expect((await store.loadPool()).accounts).toEqual([accountLike(1)]);
    expect(lines.filter((line) => line.includes("account.observations_dropped"))).toHaveLength(2);
    expect(lines.join("\n")).not.toContain("@");
  });

  test("unknown strategies, settings and key hashes are left out", async () => {
    const { log, lines } = recordingLog();
    const store = await temp.open(log);
    await store.addKey(keyLike(1));
    await store.addKey(keyLike(2));
    tamper("INSERT INTO pool (id, strategy) VALUES (1, 'by-moonlight')");
    tamper("INSERT INTO setting (key, value) VALUES ('from_the_future', '1'), ('wait_seconds', '-3')");
    tamper("UPDATE client_key SET hash_algorithm = 'argon2id' WHERE position = 1");
    expect(await store.loadPool()).toEqual({
      accounts: [],
      strategy: "balanced",
      pin: null,
      keys: [keyLike(2)],
      settings: {},
      budgets: [],
      prices: [],
      watchedFiles: [],
      rules: [],
      profiles: [],
      modelAliases: [],
      modelLists: [],
    });
    expect(lines.map((line) => JSON.parse(line).event).filter((event) => event.endsWith("dropped"))).toEqual([
      "pool.strategy_dropped",
      "key.dropped",
      "setting.dropped",
      "setting.dropped",
    ]);
  });

  test("an exchange that cannot be read is passed over", async () => {
    const store = await temp.open();
    await store.appendExchanges(
      [1, 2, 3].map((n) => exchangeLike(n)),
      10,
    );
    await store.appendExchanges([exchangeLike(4)], 10);
    await store.appendExchanges([exchangeLike(5)], 10);
    tamper(`UPDATE exchange_batch SET packed = x'00' WHERE last_id = '${exchangeId(3)}'`);
    const packed = Buffer.from(Bun.zstdCompressSync("[null]")).toString("hex");
    tamper(`UPDATE exchange_batch SET packed = x'${packed}' WHERE last_id = '${exchangeId(4)}'`);
    expect(await store.listExchanges({ limit: 9 })).toEqual([exchangeLike(5)]);
    expect(await store.getExchange(exchangeId(3))).toBeNull();
  });
});

describe("a refreshed login is saved whatever its token says", () => {
  test.each([1.5, -1, 1e300, Number.NaN, Number.POSITIVE_INFINITY])("expiry %p", async (accessExpiresAtMs) => {
    const store = await temp.open();
    await store.addAccounts([first()]);
    const next = nextGeneration(accountLike(1));
    const odd = { ...next, credentials: { ...next.credentials, accessExpiresAtMs } };
    expect(await store.commitRefresh(odd, 1, credentialsLike(2))).toBe("committed");
    expect((await store.loadCredentials(odd.id)).credentials).toEqual(credentialsLike(2));
    expect((await store.loadPool()).accounts).toHaveLength(1);
  });
});

describe("history", () => {
  test("a bound that was lowered far is reached over several batches, oldest first", async () => {
    const store = await temp.open();
    for (let n = 0; n < 600; n++) await store.appendExchanges([exchangeLike(n)], 10_000);
    const oldest = async () => (await store.listExchanges({ limit: 10_000 })).at(-1)!.id;
    await store.appendExchanges([], 100);
    expect(await oldest()).toBe(exchangeId(256));
    await store.appendExchanges([], 100);
    expect(await oldest()).toBe(exchangeId(500));
    await store.appendExchanges([], 100);
    expect(await oldest()).toBe(exchangeId(500));
  });

  test("what was written at once goes at once, and not before the bound is kept without it", async () => {
    const store = await temp.open();
    const some = (from: number, count: number) => Array.from({ length: count }, (_, n) => exchangeLike(from + n));
    await store.appendExchanges(some(0, 10), 10);
    await store.appendExchanges(some(10, 5), 10);
    await store.close();
    const again = await temp.open();
    const count = async () => (await again.listExchanges({ limit: 10_000 })).length;
    expect(await count()).toBe(15);
    await again.appendExchanges(some(15, 4), 10);
    expect(await count()).toBe(19);
    await again.appendExchanges(some(19, 1), 10);
    expect(await count()).toBe(10);
  });

  test("many at once are packed in parts, and each part is found", async () => {
    const store = await temp.open();
    const many = Array.from({ length: 3_000 }, (_, n) => exchangeLike((n * 7) % 3_000));
    await store.appendExchanges(many, 10_000);
    const there = (await store.listExchanges({ limit: 10_000 })).map(({ id }) => id);
    expect(there).toEqual(Array.from({ length: 3_000 }, (_, n) => exchangeId(2_999 - n)));
    for (const n of [0, 511, 512, 2_999]) expect(await store.getExchange(exchangeId(n))).toEqual(exchangeLike(n));
  });
});
