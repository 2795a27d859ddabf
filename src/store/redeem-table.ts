/**
 * Reset credits on their way, in SQL: the id under which each was asked for, kept until its end is known.
 */
import type { AccountId } from "../domain/account.ts";
import type { Connection } from "./database.ts";
import { numberOf, textOf, wholeMs } from "./row.ts";
import type { RedeemIntent } from "./store.ts";

/** The one that stands afterwards: an earlier one, else this. */
export function writeRedeem(db: Connection, { accountId, requestId, startedAtMs }: RedeemIntent): RedeemIntent {
  db.run(
    `INSERT INTO redeem_intent (account_id, request_id, started_at_ms) VALUES (?, ?, ?)
     ON CONFLICT (account_id) DO NOTHING`,
    accountId,
    requestId,
    wholeMs(startedAtMs),
  );
  const row = db.first("SELECT * FROM redeem_intent WHERE account_id = ?", accountId)!;
  return {
    accountId: textOf(row, "account_id") as AccountId,
    requestId: textOf(row, "request_id"),
    startedAtMs: numberOf(row, "started_at_ms"),
  };
}

export function deleteRedeem(db: Connection, { accountId, requestId }: RedeemIntent): void {
  db.run("DELETE FROM redeem_intent WHERE account_id = ? AND request_id = ?", accountId, requestId);
}
