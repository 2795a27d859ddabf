/**
 * What windows held over time, in SQL: one row a window and step of time, in three steps at once, each kept for its time
 * (domain/window-history.ts). Nothing has to be rolled up later, and the table is bounded by the number of windows.
 */
import type { AccountId } from "../domain/account.ts";
import { HISTORY_STEPS, type HistoryStep, type WindowSample } from "../domain/window-history.ts";
import type { Connection, SqlRow, SqlValue } from "./database.ts";
import { numberOf, numberOrNull, textOf, wholeMs, wholeMsOrNull } from "./row.ts";
import type { Store, WindowHistoryQuery } from "./store.ts";

const STEPS = Object.entries(HISTORY_STEPS) as [HistoryStep, (typeof HISTORY_STEPS)[HistoryStep]][];

export function createWindowHistoryTable(db: Connection) {
  return {
    async appendWindowSamples(batch, nowMs) {
      db.transaction(() => appendSamples(db, batch, nowMs));
    },
    listWindowHistory: async (query) => readSamples(db, query),
  } satisfies Partial<Store>;
}

/** The later figure of a step wins, whatever the order of arrival. A sample of an account that is gone is passed over. */
function appendSamples(db: Connection, batch: readonly WindowSample[], nowMs: number): void {
  for (const sample of batch) for (const [step, { everyMs }] of STEPS) upsert(db, sample, step, everyMs);
  for (const [step, { keptMs }] of STEPS)
    db.run("DELETE FROM window_sample WHERE step = ? AND bucket_ms < ?", step, wholeMs(nowMs - keptMs));
}

function upsert(db: Connection, sample: WindowSample, step: HistoryStep, everyMs: number): void {
  const atMs = wholeMs(sample.atMs);
  db.run(
    `INSERT INTO window_sample
       (account_id, step, bucket_ms, limit_name, slot, length_minutes, used_percent, resets_at_ms, at_ms)
     SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM account WHERE id = ?
     ON CONFLICT (account_id, step, bucket_ms, limit_name, slot) DO UPDATE SET
       length_minutes = excluded.length_minutes, used_percent = excluded.used_percent,
       resets_at_ms = excluded.resets_at_ms, at_ms = excluded.at_ms
     WHERE excluded.at_ms >= window_sample.at_ms`,
    step,
    atMs - (atMs % everyMs),
    sample.limit,
    sample.slot,
    sample.lengthMinutes,
    sample.usedPercent,
    wholeMsOrNull(sample.resetsAtMs),
    atMs,
    sample.accountId,
  );
}

/** Oldest first. */
export function readSamples(db: Connection, { step, sinceMs, accountId }: WindowHistoryQuery): WindowSample[] {
  // From the step in which that instant lies: its last figure may be the one that is asked for.
  const values: SqlValue[] = [step, wholeMs(sinceMs - (sinceMs % HISTORY_STEPS[step].everyMs)), wholeMs(sinceMs)];
  const whose = accountId === undefined ? "" : "AND account_id = ?";
  if (accountId !== undefined) values.push(accountId);
  return db
    .all(
      `SELECT * FROM window_sample WHERE step = ? AND bucket_ms >= ? AND at_ms >= ? ${whose}
       ORDER BY at_ms, account_id, limit_name, slot`,
      ...values,
    )
    .map(sampleFrom);
}

function sampleFrom(row: SqlRow): WindowSample {
  return {
    accountId: textOf(row, "account_id") as AccountId,
    limit: textOf(row, "limit_name"),
    slot: textOf(row, "slot") === "secondary" ? "secondary" : "primary",
    lengthMinutes: numberOrNull(row, "length_minutes"),
    usedPercent: numberOf(row, "used_percent"),
    resetsAtMs: numberOrNull(row, "resets_at_ms"),
    atMs: numberOf(row, "at_ms"),
  };
}
