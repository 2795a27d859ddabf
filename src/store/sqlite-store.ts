/**
 * The store in one SQLite file: the intentions of store.ts put together from tables, transactions and the seal.
 * Transactions begin and end here. Every write of credentials is one transaction on the durable connection.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../base/clock.ts";
import { AppError, type ErrorCode, fromUnknown } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import type { Account } from "../domain/account.ts";
import * as accounts from "./account-table.ts";
import type { Aside } from "./aside.ts";
import { createAuditTable } from "./audit-table.ts";
import * as choice from "./choice-table.ts";
import * as credentials from "./credential-table.ts";
import { isLoose, openDatabase, type StoreDatabase } from "./database.ts";
import { createExchangeTable, type ExchangeTable } from "./exchange-table.ts";
import { chooseGuard, createGuards, type GuardOptions } from "./guards.ts";
import { refuseDamage, wholeIntegrityOf } from "./integrity.ts";
import { migrate, schemaVersion } from "./migrations.ts";
import * as models from "./model-table.ts";
import { NO_PASSPHRASE } from "./passphrase-guard.ts";
import { applyBatch } from "./pool-batch.ts";
import * as pool from "./pool-table.ts";
import * as redeems from "./redeem-table.ts";
import { createRulePreview } from "./rule-preview.ts";
import { createSealKeeper, type SealKeeper } from "./seal-keeper.ts";
import { createSpendTables, readSpendPlans } from "./spend-tables.ts";
import type { Store, StoreCheck } from "./store.ts";
import { createWindowHistoryTable } from "./window-history-table.ts";

export interface SqliteStoreOptions {
  readonly paths: Pick<Paths, "database" | "keyFile">;
  readonly dice: Dice;
  readonly clock: Clock;
  readonly log: Log;
  readonly aside?: Aside;
  /** Absent: the key file alone. */
  readonly guards?: Pick<GuardOptions, "choice" | "source" | "platform" | "env">;
}

/** A store with the seal that its logins are under. */
export interface SealedStore extends Store {
  readonly seal: SealKeeper;
}

/** What the parts of an open store share. */
interface Room {
  readonly db: StoreDatabase;
  readonly log: Log;
  readonly exchanges: ExchangeTable;
  /** Tried again whenever it is needed and not open: the operator may have put the key back. */
  readonly seal: SealKeeper;
}

/** The seal stays shut for these: the store opens, and everything works but what needs credentials. */
const SHUT: readonly ErrorCode[] = ["seal_key_missing", "passphrase_required", "passphrase_wrong"];

export function isShut(code: ErrorCode): boolean {
  return SHUT.includes(code);
}

/** Opens the store, creating or migrating it. Rejects with `store_damaged` or `store_newer`; a seal that stays shut is no reason. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SealedStore> {
  const { paths, log } = options;
  const db = openDatabase(paths.database);
  try {
    const migrations = migrate(db.durable, paths.database);
    if (migrations.length > 0) log.info("store.migrated", { version: schemaVersion(db.durable), migrations });
    refuseDamage(db);
    const room: Room = {
      db,
      log,
      exchanges: createExchangeTable(db.relaxed, options.clock, log),
      seal: openSealKeeper(db, options),
    };
    await room.seal.ready().catch((cause: unknown) => {
      const { code, message } = fromUnknown(cause);
      if (!isShut(code)) throw cause;
      log.error("seal.stays_shut", { code, message });
    });
    return {
      seal: room.seal,
      ...accountPart(room),
      ...credentialPart(room),
      ...poolPart(room),
      ...exchangePart(room),
      ...createAuditTable(db, log),
      ...createSpendTables(db, options.aside),
      ...createWindowHistoryTable(db.relaxed),
      ...createRulePreview(db, log, options.aside),
      check: () => checkStore(room, paths),
      async close() {
        room.seal.forget();
        db.close();
      },
    };
  } catch (cause) {
    db.close();
    throw cause;
  }
}

function openSealKeeper(db: StoreDatabase, options: SqliteStoreOptions): SealKeeper {
  const { dice, clock, log, paths } = options;
  const keyFileOnly = { choice: "key_file", source: NO_PASSPHRASE, platform: "linux", env: {} } as const;
  const guarding: GuardOptions = { ...(options.guards ?? keyFileOnly), keyFile: paths.keyFile, clock };
  const guards = createGuards(guarding);
  return createSealKeeper({
    db: db.durable,
    guards,
    choose: () => chooseGuard(guards, guarding, log),
    dice,
    clock,
    log,
  });
}

function accountPart(room: Room) {
  const {
    db: { durable, relaxed },
    log,
    seal,
  } = room;
  return {
    async loadPool() {
      return {
        accounts: accounts.readAccounts(relaxed, log),
        ...pool.readPool(relaxed, log),
        keys: pool.readKeys(relaxed, log),
        ...readSpendPlans(relaxed, log),
        settings: pool.readSettings(relaxed, log),
        watchedFiles: pool.readWatchedFiles(relaxed),
        rules: choice.readRules(relaxed),
        profiles: choice.readProfiles(relaxed, log),
        modelAliases: models.readModelAliases(relaxed),
        modelLists: models.readModelLists(relaxed, log),
      };
    },
    async addAccounts(batch) {
      await seal.ready();
      const sealed = batch.map((entry) => ({ ...entry, envelope: seal.seal(entry.account.id, entry.credentials) }));
      durable.transaction(() => {
        for (const { account, envelope } of sealed) {
          accounts.insertAccount(durable, account);
          credentials.insertCredential(durable, account, envelope);
        }
      });
    },
    applyBatch: (batch) => applyBatch(room, batch),
    async removeAccount(id) {
      durable.transaction(() => accounts.deleteAccount(durable, id));
    },
    async saveAccount(account) {
      durable.transaction(() => accounts.updateSavedAccount(durable, account));
    },
    async saveAccounts(batch, along) {
      durable.transaction(() => {
        for (const account of batch) accounts.updateSavedAccount(durable, account);
        if (along !== undefined) choice.writeChoice(durable, along);
      });
    },
    async saveObservations(batch) {
      relaxed.transaction(() => {
        for (const account of batch) accounts.updateObservations(relaxed, account);
      });
    },
  } satisfies Partial<Store>;
}

function credentialPart({ db, seal }: Room) {
  const { durable, relaxed } = db;
  /** Seals, then swaps and saves in one transaction: nothing is saved when another generation is there. */
  const swap = async (
    account: Account,
    expectedGeneration: number,
    fresh: Parameters<Store["commitRefresh"]>[2],
    save: typeof accounts.updateWholeAccount,
  ) => {
    if (account.credentials.generation !== expectedGeneration + 1)
      throw new AppError("internal", "new credentials must carry the generation after the expected one");
    await seal.ready();
    const envelope = seal.seal(account.id, fresh);
    return durable.transaction(() => {
      accounts.requireAccount(durable, account.id);
      const result = credentials.swapCredential(durable, account, expectedGeneration, envelope);
      if (result === "committed") save(durable, account);
      return result;
    });
  };
  return {
    replaceCredentials: (account, expectedGeneration, fresh) =>
      swap(account, expectedGeneration, fresh, accounts.updateWholeAccount),
    commitRefresh: (account, expectedGeneration, fresh) =>
      swap(account, expectedGeneration, fresh, accounts.updateRefreshedAccount),
    async loadCredentials(id) {
      if (credentials.readCredential(durable, id) === null) throw accounts.accountNotFound();
      await seal.ready();
      const found = credentials.readCredential(durable, id);
      if (found === null) throw accounts.accountNotFound();
      return { credentials: seal.open(id, found.envelope), generation: found.generation };
    },
    async beginRefresh(intent) {
      durable.transaction(() => {
        accounts.requireAccount(durable, intent.accountId);
        credentials.writeIntent(durable, intent);
      });
    },
    async abandonRefresh(id) {
      credentials.deleteIntent(relaxed, id);
    },
    async refreshIntents() {
      return credentials.readIntents(durable);
    },
    async beginRedeem(intent) {
      return durable.transaction(() => {
        accounts.requireAccount(durable, intent.accountId);
        return redeems.writeRedeem(durable, intent);
      });
    },
    async endRedeem(intent) {
      redeems.deleteRedeem(durable, intent);
    },
  } satisfies Partial<Store>;
}

function poolPart({ db }: Room) {
  const { durable, relaxed } = db;
  return {
    async savePool({ strategy, pin }) {
      durable.transaction(() => {
        if (pin !== null) accounts.requireAccount(durable, pin.accountId);
        pool.writePool(durable, strategy, pin);
      });
    },
    async addKey(key) {
      durable.transaction(() => pool.insertKey(durable, key));
    },
    async saveKey(key) {
      durable.transaction(() => pool.updateKey(durable, key));
    },
    async touchKeys(lastUsed) {
      relaxed.transaction(() => {
        for (const [id, atMs] of lastUsed) pool.touchKey(relaxed, id, atMs);
      });
    },
    async addWatchedFile(file) {
      durable.transaction(() => pool.insertWatchedFile(durable, file));
    },
    async removeWatchedFile(path) {
      durable.transaction(() => pool.deleteWatchedFile(durable, path));
    },
    async saveRules(lines) {
      durable.transaction(() => choice.writeRules(durable, lines));
    },
    async saveProfiles(profiles, renamed) {
      durable.transaction(() => choice.writeProfiles(durable, profiles, renamed));
    },
    async removeProfile(name) {
      durable.transaction(() => choice.deleteProfile(durable, name));
    },
    async saveModelAlias(alias) {
      durable.transaction(() => models.writeModelAlias(durable, alias));
    },
    async removeModelAlias(name) {
      durable.transaction(() => models.deleteModelAlias(durable, name));
    },
    async saveModelList(list) {
      relaxed.transaction(() => models.writeModelList(relaxed, list));
    },
    async saveSettings(changes) {
      durable.transaction(() => {
        for (const [key, value] of changes) pool.writeSetting(durable, key, value);
      });
    },
  } satisfies Partial<Store>;
}

function exchangePart({ exchanges }: Room) {
  return {
    appendExchanges: async (batch, keep) => exchanges.append(batch, keep),
    listExchanges: async (query) => exchanges.list(query),
    getExchange: async (id) => exchanges.get(id),
  } satisfies Partial<Store>;
}

async function checkStore({ db, seal }: Room, paths: SqliteStoreOptions["paths"]): Promise<StoreCheck> {
  const { guard, fingerprint } = await seal.facts();
  const bytes = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return {
    schemaVersion: schemaVersion(db.durable),
    integrity: wholeIntegrityOf(db),
    sizeBytes: db.files.reduce((sum, file) => sum + bytes(file), 0),
    seal: { guard, fingerprint },
    looseFiles: [dirname(paths.database), ...db.files, paths.keyFile].filter(isLoose),
  };
}
