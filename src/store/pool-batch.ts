/**
 * Many changes in one transaction: all that an import brings. Sealed before it begins, so that nothing in it can wait.
 */
import { AppError } from "../base/errors.ts";
import type { AccountId } from "../domain/account.ts";
import * as accounts from "./account-table.ts";
import { writeBudget } from "./budget-table.ts";
import { writeProfile, writeRules } from "./choice-table.ts";
import * as credentials from "./credential-table.ts";
import type { StoreDatabase } from "./database.ts";
import * as pool from "./pool-table.ts";
import type { Credentials, PoolBatch } from "./store.ts";

/** Ends the transaction without a trace; never leaves this file. */
class StaleBatch extends Error {}

export async function applyBatch(
  room: {
    readonly db: StoreDatabase;
    readonly seal: { ready(): Promise<unknown>; seal(id: AccountId, credentials: Credentials): Uint8Array };
  },
  batch: PoolBatch,
): Promise<"committed" | "stale"> {
  const { durable } = room.db;
  for (const { account, expectedGeneration } of batch.replaced) {
    if (account.credentials.generation !== expectedGeneration + 1)
      throw new AppError("internal", "new credentials must carry the generation after the expected one");
  }
  if (batch.added.length + batch.replaced.length > 0) await room.seal.ready();
  const sealed = <T extends PoolBatch["added"][number]>(entry: T) => ({
    ...entry,
    envelope: room.seal.seal(entry.account.id, entry.credentials),
  });
  const [added, replaced] = [batch.added.map(sealed), batch.replaced.map(sealed)];
  try {
    durable.transaction(() => {
      for (const id of batch.removed) accounts.deleteAccount(durable, id);
      for (const { account, expectedGeneration, envelope } of replaced) {
        accounts.requireAccount(durable, account.id);
        if (credentials.swapCredential(durable, account, expectedGeneration, envelope) === "stale")
          throw new StaleBatch();
        accounts.updateWholeAccount(durable, account);
      }
      for (const { account, envelope } of added) {
        accounts.insertAccount(durable, account);
        credentials.insertCredential(durable, account, envelope);
      }
      if (batch.pool !== null) {
        if (batch.pool.pin !== null) accounts.requireAccount(durable, batch.pool.pin.accountId);
        pool.writePool(durable, batch.pool.strategy, batch.pool.pin);
      }
      for (const key of batch.keys) pool.insertKey(durable, key);
      for (const [key, value] of batch.settings) pool.writeSetting(durable, key, value);
      for (const profile of batch.profiles) writeProfile(durable, profile);
      for (const budget of batch.budgets) writeBudget(durable, budget);
      if (batch.rules !== null) writeRules(durable, batch.rules);
    });
  } catch (thrown) {
    if (thrown instanceof StaleBatch) return "stale";
    throw thrown;
  }
  return "committed";
}
