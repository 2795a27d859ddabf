/**
 * The open seal: what opens it, what it forgets, and that at every instant of a change the files that a crash would leave open with the old
 * guard or with the new one, and keep nothing that guards nothing.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { Secret } from "../../src/base/secret.ts";
import { insertAccount } from "../../src/store/account-table.ts";
import { insertCredential, readCredential } from "../../src/store/credential-table.ts";
import { readSpareKeys, readWrappedKey, replaceWrappedKey } from "../../src/store/data-key-table.ts";
import { openDatabase, type StoreDatabase } from "../../src/store/database.ts";
import { createKeyFileGuard } from "../../src/store/key-file-guard.ts";
import { GUARD_KINDS, type GuardKind, type Guards, type KeyGuard } from "../../src/store/key-guard.ts";
import type { Keychain } from "../../src/store/keychain.ts";
import { createKeychainGuard } from "../../src/store/keychain-guard.ts";
import { migrate } from "../../src/store/migrations.ts";
import { createPassphraseGuard, NO_PASSPHRASE, type PassphraseSource } from "../../src/store/passphrase-guard.ts";
import { createSealKeeper, type SealKeeper } from "../../src/store/seal-keeper.ts";
import { expectCode } from "../contract/store.suite.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { accountLike, credentialsLike } from "../support/store-samples.ts";

const PASSPHRASE: PassphraseSource = { passphrase: new Secret("correct horse"), file: null };
const LOGINS = [1, 2, 3];

let folder: string;
const opened: StoreDatabase[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotor-keeper-"));
});
afterEach(() => {
  for (const db of opened.splice(0)) db.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A keychain whose entries lie in a file of the folder, so that a copy of the folder is a copy of everything. */
function fileKeychain(path: string): Keychain {
  const read = (): Record<string, string> => (existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {});
  const write = (entries: Record<string, string>) => writeFileSync(path, JSON.stringify(entries));
  return {
    name: "a keychain",
    probe: async () => {},
    get: async (entry) => read()[entry] ?? null,
    set: async (entry, value) => write({ ...read(), [entry]: value }),
    remove: async (entry) => write(Object.fromEntries(Object.entries(read()).filter(([name]) => name !== entry))),
  };
}

interface Room {
  readonly db: StoreDatabase;
  readonly keeper: SealKeeper;
  /** How many keys the key file and the keychain hold. */
  keys(): number;
}

/** `onInstant` is called before and after everything that a guard does. */
function open(at = folder, source = PASSPHRASE, choice: GuardKind = "key_file", onInstant?: () => void): Room {
  const db = openDatabase(join(at, "rotor.db"));
  opened.push(db);
  migrate(db.durable, db.path);
  const [keyFile, entries] = [join(at, "rotor.key"), join(at, "keychain.json")];
  const guards: Guards = {
    key_file: watched(createKeyFileGuard(keyFile), onInstant),
    passphrase: watched(createPassphraseGuard(source), onInstant),
    keychain: watched(createKeychainGuard(fileKeychain(entries)), onInstant),
  };
  const keeper = createSealKeeper({
    db: db.durable,
    guards,
    choose: async () => choice,
    dice: systemDice,
    clock: createManualClock(),
    log: silentLog,
  });
  const count = (file: string) =>
    existsSync(file) ? readFileSync(file, "utf8").split(/rotor-key-v1[ .]/).length - 1 : 0;
  return { db, keeper, keys: () => count(keyFile) + count(entries) };
}

function watched(guard: KeyGuard, onInstant: (() => void) | undefined): KeyGuard {
  if (onInstant === undefined) return guard;
  const around = async <T>(work: Promise<T>): Promise<T> => {
    onInstant();
    const result = await work;
    onInstant();
    return result;
  };
  return {
    ...guard,
    make: (dice, given) => around(guard.make(dice, given)),
    keep: (key, asker) => around(guard.keep(key, asker)),
    forget: (fingerprint) => around(guard.forget(fingerprint)),
  };
}

async function sealLogins({ db, keeper }: Room): Promise<void> {
  await keeper.ready();
  for (const n of LOGINS) {
    const account = accountLike(n);
    insertAccount(db.durable, account);
    insertCredential(db.durable, account, keeper.seal(account.id, credentialsLike(n)));
  }
}

function expectLogins({ db, keeper }: Room): void {
  for (const n of LOGINS) {
    const { id } = accountLike(n);
    expect(keeper.open(id, readCredential(db.durable, id)!.envelope)).toEqual(credentialsLike(n));
  }
}

const order = (guard: GuardKind, given: string | null = null, keepOldKey = false) => ({
  guard,
  given: given === null ? null : new Secret(given),
  keepOldKey,
});

describe("a change of guard", () => {
  for (const from of GUARD_KINDS)
    for (const to of GUARD_KINDS)
      test(`from ${from} to ${to}: whatever instant a crash falls on, every login opens and no key is left over`, async () => {
        const copies: string[] = [];
        const instant = () => {
          const copy = mkdtempSync(join(tmpdir(), "rotor-keeper-copy-"));
          cpSync(folder, copy, { recursive: true });
          copies.push(copy);
        };
        let watching = false;
        const room = open(folder, PASSPHRASE, from, () => watching && instant());
        await sealLogins(room);
        const before = (await room.keeper.facts()).fingerprint;
        watching = true;
        await room.keeper.change(order(to));
        instant();
        expectLogins(room);
        const after = (await room.keeper.facts()).fingerprint;
        expect(after).not.toBe(before);
        const ends = new Set<string | null>();
        for (const copy of copies) {
          const crashed = open(copy);
          await crashed.keeper.ready();
          expectLogins(crashed);
          const { guard, fingerprint } = await crashed.keeper.facts();
          expect([before, after]).toContain(fingerprint);
          ends.add(fingerprint);
          expect(crashed.keys()).toBe(guard === "passphrase" ? 0 : 1);
          expect(readSpareKeys(crashed.db.durable)).toEqual([]);
          rmSync(copy, { recursive: true, force: true });
        }
        expect(ends).toEqual(new Set([before, after]));
      });

  test("that fails leaves the old guard in force, and no key of the new one", async () => {
    const room = open();
    await sealLogins(room);
    const before = await room.keeper.facts();
    room.db.durable.script(
      "CREATE TRIGGER full BEFORE INSERT ON data_key BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    );
    expect(await room.keeper.change(order("keychain")).catch((error) => String(error))).toContain("full");
    expect(await room.keeper.facts()).toEqual(before);
    expect(room.keys()).toBe(1);
    room.db.durable.script("DROP TRIGGER full");
    await room.keeper.change(order("keychain"));
    expectLogins(room);
  });

  test("keeps the old key when it is told to", async () => {
    const room = open();
    await sealLogins(room);
    await room.keeper.change(order("key_file", null, true));
    expect(room.keys()).toBe(2);
    await room.keeper.change(order("passphrase"));
    expect(room.keys()).toBe(1);
    expectLogins(room);
  });

  test("to a new passphrase shuts out the old one; an empty one is none", async () => {
    const room = open(folder, NO_PASSPHRASE);
    await sealLogins(room);
    await expectCode(room.keeper.change(order("passphrase")), "passphrase_required");
    await expectCode(room.keeper.change(order("passphrase", "")), "passphrase_required");
    await room.keeper.change(order("passphrase", "one"));
    await room.keeper.change(order("passphrase", "two"));
    room.keeper.forget();
    await expectCode(room.keeper.unlock(new Secret("one")), "passphrase_wrong");
    await expectCode(room.keeper.unlock(null), "passphrase_required");
    await room.keeper.unlock(new Secret("two"));
    expectLogins(room);
  });
});

describe("a new data key", () => {
  test("seals every login again, opens with the same guard, and leaves none of the old envelopes", async () => {
    const room = open();
    await sealLogins(room);
    const old = readCredential(room.db.durable, accountLike(1).id)!.envelope;
    const guard = await room.keeper.facts();
    expect(await room.keeper.rotate()).toBe(LOGINS.length);
    expectLogins(room);
    expect(() => room.keeper.open(accountLike(1).id, old)).toThrow();
    const again = open();
    await again.keeper.ready();
    expectLogins(again);
    expect(await again.keeper.facts()).toMatchObject({ fingerprint: guard.fingerprint, dataKeyNumber: 2 });
    const whole = Buffer.concat(room.db.files.filter(existsSync).map((file) => readFileSync(file)));
    expect(whole.includes(Buffer.from(old))).toBe(false);
  });

  test("is not made when one login does not open: nothing changes", async () => {
    const room = open();
    await sealLogins(room);
    const [one, two] = [accountLike(1).id, accountLike(2).id];
    room.db.durable.run(
      "UPDATE credential SET envelope = (SELECT envelope FROM credential WHERE account_id = ?) WHERE account_id = ?",
      one,
      two,
    );
    await expectCode(room.keeper.rotate(), "store_damaged");
    expect((await room.keeper.facts()).dataKeyNumber).toBe(1);
    const { envelope } = readCredential(room.db.durable, one)!;
    expect(room.keeper.open(one, envelope)).toEqual(credentialsLike(1));
  });
});

describe("forgetting", () => {
  test("shuts everything until somebody unlocks: neither reading nor adding opens it by itself", async () => {
    const room = open();
    await sealLogins(room);
    room.keeper.forget();
    await expectCode(room.keeper.ready(), "store_locked");
    expect(() => room.keeper.seal(accountLike(1).id, credentialsLike(1))).toThrow("locked");
    await expectCode(room.keeper.change(order("keychain")), "store_locked");
    await expectCode(room.keeper.rotate(), "store_locked");
    expect((await room.keeper.facts()).isOpen).toBe(false);
    await room.keeper.unlock(null);
    expectLogins(room);
  });
});

describe("what is altered is told, and never opens to something else", () => {
  test("any byte of the wrapped key, of the recipe and of the fingerprint", async () => {
    const room = open();
    await sealLogins(room);
    await room.keeper.change(order("passphrase"));
    const saved = readWrappedKey(room.db.durable)!;
    const attempt = async (altered: typeof saved): Promise<string> => {
      replaceWrappedKey(room.db.durable, altered);
      const other = open();
      const code = await other.keeper.ready().then(
        () => "opened",
        (error) => String(error.code),
      );
      other.db.close();
      return code;
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(saved.wrapped.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const wrapped = Uint8Array.from(saved.wrapped);
        wrapped[at]! ^= flip;
        expect(await attempt({ ...saved, wrapped })).toBe("store_damaged");
      }),
      // Each run makes a key with argon2id.
      { numRuns: 5 },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(saved.recipe.length - 1), fc.constantFrom("0", "1", "x", " "), async (at, letter) => {
        const recipe = saved.recipe.slice(0, at) + letter + saved.recipe.slice(at + 1);
        fc.pre(recipe !== saved.recipe);
        expect(await attempt({ ...saved, recipe })).toBe("store_damaged");
      }),
    );
    expect(await attempt({ ...saved, fingerprint: "0123456789abcdef" })).toBe("passphrase_wrong");
    expect(await attempt(saved)).toBe("opened");
  });
});

describe("a passphrase in a file", () => {
  test("is its first line; a file that others can read is refused, and so is one that is not there", async () => {
    const file = join(folder, "passphrase");
    writeFileSync(file, "from a file\nand more\n", { mode: 0o600 });
    const source = { passphrase: null, file };
    await sealLogins(open(folder, source, "passphrase"));
    const again = open(folder, { passphrase: new Secret("from a file"), file: null });
    await again.keeper.ready();
    expectLogins(again);
    chmodSync(file, 0o640);
    expect((await expectCode(open(folder, source).keeper.ready(), "passphrase_required")).message).toContain("640");
    rmSync(file);
    await expectCode(open(folder, source).keeper.ready(), "passphrase_required");
  });
});

test("with nothing sealed a lost key is replaced; with something it is told", async () => {
  const room = open();
  await room.keeper.ready();
  rmSync(join(folder, "rotor.key"));
  const fresh = open();
  await sealLogins(fresh);
  expect((await fresh.keeper.facts()).dataKeyNumber).toBe(2);
  rmSync(join(folder, "rotor.key"));
  const told = await expectCode(open().keeper.ready(), "seal_key_missing");
  expect(told.message).toContain("missing");
  expect(existsSync(join(folder, "rotor.key"))).toBe(false);
});
