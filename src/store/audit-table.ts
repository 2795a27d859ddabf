/**
 * The audit log in SQL: columns for what lists filter by, the actor and the subjects as JSON. Ids are ULIDs, so their order is the order of
 * time. Entries are added and grow old; none is ever changed.
 */

import { isErrorCode } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Actor, AuditEntry, AuditSubject } from "../domain/audit.ts";
import type { Connection, SqlRow, SqlValue, StoreDatabase } from "./database.ts";
import { numberOf, textOf, textOrNull, wholeMs } from "./row.ts";
import type { AuditQuery, Store } from "./store.ts";

function insertAudit(db: Connection, batch: readonly AuditEntry[], keepSinceMs: number): void {
  for (const entry of batch) {
    db.run(
      `INSERT INTO audit (id, at_ms, actor, action, subjects, text, error_code) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
      entry.id,
      wholeMs(entry.atMs),
      JSON.stringify(entry.actor),
      entry.action,
      JSON.stringify(entry.subjects),
      entry.text,
      entry.errorCode,
    );
  }
  db.run("DELETE FROM audit WHERE at_ms < ?", wholeMs(keepSinceMs));
}

function readAudit(db: Connection, query: AuditQuery, log: Log): AuditEntry[] {
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  const require = (condition: string, ...bound: SqlValue[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (query.before !== undefined) require("id < ?", query.before);
  if (query.sinceMs !== undefined) require("at_ms >= ?", wholeMs(query.sinceMs));
  // A noun stands for all of its verbs.
  if (query.action !== undefined)
    require("(action = ? OR substr(action, 1, ?) = ?)", query.action, query.action.length + 1, `${query.action}.`);
  if (query.actor !== undefined) require("actor ->> 'kind' = ?", query.actor);
  if (query.subject !== undefined)
    require("EXISTS (SELECT 1 FROM json_each(subjects) WHERE ? IN (value ->> 'id', value ->> 'name'))", query.subject);
  if (query.failed === true) require("error_code IS NOT NULL");
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const rows = db.all(`SELECT * FROM audit ${where} ORDER BY id DESC LIMIT ?`, ...values, query.limit);
  return rows.flatMap((row) => entryFrom(row, log) ?? []);
}

/** An entry that cannot be read back is told and passed over. */
function entryFrom(row: SqlRow, log: Log): AuditEntry | null {
  const id = textOf(row, "id");
  const errorCode = textOrNull(row, "error_code");
  try {
    return {
      id,
      atMs: numberOf(row, "at_ms"),
      actor: JSON.parse(textOf(row, "actor")) as Actor,
      action: textOf(row, "action"),
      subjects: JSON.parse(textOf(row, "subjects")) as readonly AuditSubject[],
      text: textOf(row, "text"),
      errorCode: errorCode === null ? null : isErrorCode(errorCode) ? errorCode : "internal",
    };
  } catch (error) {
    log.warn("audit.entry_dropped", { audit_id: id, error });
    return null;
  }
}

/** Audit as a part of the store. */
export function createAuditTable({ durable, relaxed }: StoreDatabase, log: Log) {
  return {
    async appendAudit(batch, keepSinceMs) {
      durable.transaction(() => insertAudit(durable, batch, keepSinceMs));
    },
    listAudit: async (query) => readAudit(relaxed, query, log),
  } satisfies Partial<Store>;
}
