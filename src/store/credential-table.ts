/**
 * Sealed credentials, their generation fence, refresh intents and the wrapped data key in SQL. Sees envelopes, never a token.
 */
import type { Account, AccountId } from "../domain/account.ts";
import type { Connection } from "./database.ts";
import { bytesOf, numberOf, textOf, wholeMs, wholeMsOrNull } from "./row.ts";
import type { RefreshIntent } from "./store.ts";

export function insertCredential(db: Connection, account: Account, envelope: Uint8Array): void {
  const { generation, accessExpiresAtMs, refreshedAtMs } = account.credentials;
  db.run(
    `INSERT INTO credential (account_id, generation, access_expires_at_ms, refreshed_at_ms, envelope)
     VALUES (?, ?, ?, ?, ?)`,
    account.id,
    generation,
    wholeMsOrNull(accessExpiresAtMs),
    wholeMs(refreshedAtMs),
    envelope,
  );
}

/** The fence: writes only over `expectedGeneration`. Intents up to that generation have had their answer and go in any case. */
export function swapCredential(
  db: Connection,
  account: Account,
  expectedGeneration: number,
  envelope: Uint8Array,
): "committed" | "stale" {
  const { generation, accessExpiresAtMs, refreshedAtMs } = account.credentials;
  db.run("DELETE FROM refresh_intent WHERE account_id = ? AND generation <= ?", account.id, expectedGeneration);
  const changed = db.run(
    `UPDATE credential SET generation = ?, access_expires_at_ms = ?, refreshed_at_ms = ?, envelope = ?
     WHERE account_id = ? AND generation = ?`,
    generation,
    wholeMsOrNull(accessExpiresAtMs),
    wholeMs(refreshedAtMs),
    envelope,
    account.id,
    expectedGeneration,
  );
  return changed > 0 ? "committed" : "stale";
}

export function readCredential(db: Connection, id: AccountId): { generation: number; envelope: Uint8Array } | null {
  const row = db.first("SELECT generation, envelope FROM credential WHERE account_id = ?", id);
  return row === null ? null : { generation: numberOf(row, "generation"), envelope: bytesOf(row, "envelope") };
}

export function hasCredentials(db: Connection): boolean {
  return db.first("SELECT 1 FROM credential LIMIT 1") !== null;
}

export function writeIntent(db: Connection, intent: RefreshIntent): void {
  db.run(
    `INSERT INTO refresh_intent (account_id, generation, token_hash, started_at_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (account_id) DO UPDATE SET
       generation = excluded.generation, token_hash = excluded.token_hash, started_at_ms = excluded.started_at_ms`,
    intent.accountId,
    intent.generation,
    intent.tokenHash,
    wholeMs(intent.startedAtMs),
  );
}

export function deleteIntent(db: Connection, id: AccountId): void {
  db.run("DELETE FROM refresh_intent WHERE account_id = ?", id);
}

export function readIntents(db: Connection): RefreshIntent[] {
  return db.all("SELECT * FROM refresh_intent ORDER BY started_at_ms, account_id").map((row) => ({
    accountId: textOf(row, "account_id") as AccountId,
    generation: numberOf(row, "generation"),
    tokenHash: textOf(row, "token_hash"),
    startedAtMs: numberOf(row, "started_at_ms"),
  }));
}

/** Every envelope, for a new data key. */
export function readEnvelopes(db: Connection): { accountId: AccountId; envelope: Uint8Array }[] {
  return db.all("SELECT account_id, envelope FROM credential").map((row) => ({
    accountId: textOf(row, "account_id") as AccountId,
    envelope: bytesOf(row, "envelope"),
  }));
}

export function writeEnvelope(db: Connection, id: AccountId, envelope: Uint8Array): void {
  db.run("UPDATE credential SET envelope = ? WHERE account_id = ?", envelope, id);
}
