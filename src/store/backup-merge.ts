/**
 * What becomes of the present store's logins, revoked keys and history when a backup takes its place. The freshest login wins: an older
 * refresh token was used up by the newer one, and trying it can cost the login. Never loses what it was not told to.
 */
import { AppError, fromUnknown } from "../base/errors.ts";
import type { AccountId } from "../domain/account.ts";
import { damaged } from "./backup-file.ts";
import type { Connection, SqlRow, SqlValue } from "./database.ts";
import { bytesOf, numberOf, textOf } from "./row.ts";
import type { Seal } from "./seal.ts";
import { HISTORY_TABLES } from "./tables.ts";

/**
 * added: only in the backup · removed: only in the store · kept: the store's login is newer and stays · older: the backup's login is
 * older and is taken all the same (exact) · newer: the backup's login is newer · same: one and the same login · found: only in a broken
 * store, and carried over
 */
export type RestoreChange = "added" | "removed" | "kept" | "older" | "newer" | "same" | "found";

export interface RestorePlan {
  readonly schemaVersion: number;
  readonly accountCount: number;
  readonly keyCount: number;
  readonly changes: readonly { readonly alias: string; readonly change: RestoreChange }[];
  /** Keys that were revoked after the backup, and stay so. */
  readonly keysKeptRevoked: number;
  /** Whether all that matters of a broken store could be read. */
  readonly readWhole: boolean;
}

/** Seals every login anew. Rejects with `backup_damaged` when one does not open. */
export function resealAll(db: Connection, from: Seal, to: Seal, path: string): void {
  db.transaction(() => {
    for (const row of db.all("SELECT account_id, envelope FROM credential")) {
      const id = textOf(row, "account_id") as AccountId;
      const envelope = reseal(row, id, id, from, to);
      if (envelope === null) throw damaged(path, "a login in it does not open");
      db.run("UPDATE credential SET envelope = ? WHERE account_id = ?", envelope, id);
    }
  });
}

function reseal(row: SqlRow, fromId: AccountId, toId: AccountId, from: Seal, to: Seal): Uint8Array | null {
  try {
    return to.seal(toId, from.open(fromId, bytesOf(row, "envelope")));
  } catch (thrown) {
    if (fromUnknown(thrown).code === "store_damaged") return null;
    throw thrown;
  }
}

const LOGINS = `SELECT account.*, credential.generation, credential.access_expires_at_ms, credential.refreshed_at_ms,
  credential.envelope, intent.generation AS intent_generation, intent.token_hash, intent.started_at_ms
  FROM X.account AS account JOIN X.credential AS credential ON credential.account_id = account.id
  LEFT JOIN X.refresh_intent AS intent ON intent.account_id = account.id`;

/** Brings into `db` what must survive of the store at `other`; `adopt` carries over its accounts that `db` does not know. */
export function mergeStores(job: {
  db: Connection;
  other: string | null;
  seal: Seal;
  exact: boolean;
  adopt: boolean;
}): Pick<RestorePlan, "changes" | "keysKeptRevoked"> {
  const { db, other, exact } = job;
  const restored = db.all(`${LOGINS.replaceAll("X.", "main.")} ORDER BY account.position`);
  if (other === null)
    return { changes: restored.map((row) => ({ alias: textOf(row, "alias"), change: "added" })), keysKeptRevoked: 0 };
  db.run("ATTACH ? AS other", other);
  try {
    const present = db.all(`${LOGINS.replaceAll("X.", "other.")} ORDER BY account.position`);
    const merged = db.transaction(() => {
      const changes = mergeLogins({ ...job, restored, present });
      const keysKeptRevoked = exact ? 0 : keepRevoked(db);
      return { changes, keysKeptRevoked };
    });
    if (!exact) db.transaction(() => keepHistory(db));
    return merged;
  } finally {
    db.script("DETACH other");
  }
}

function mergeLogins(job: {
  db: Connection;
  seal: Seal;
  exact: boolean;
  adopt: boolean;
  restored: readonly SqlRow[];
  present: readonly SqlRow[];
}): RestorePlan["changes"] {
  const { db, seal, exact, restored, present } = job;
  const changes: { alias: string; change: RestoreChange }[] = [];
  const met = new Set<SqlRow>();
  for (const row of restored) {
    const alias = textOf(row, "alias");
    const twin = present.find((one) => isTwin(one, row)) ?? null;
    if (twin !== null) met.add(twin);
    const order = twin === null ? null : compareFreshness(twin, row);
    if (twin === null) changes.push({ alias, change: "added" });
    else if (order === 0) changes.push({ alias, change: "same" });
    else if (order! < 0) changes.push({ alias, change: "newer" });
    else if (exact || !takeLogin(db, twin, row, seal)) changes.push({ alias, change: "older" });
    else changes.push({ alias, change: "kept" });
  }
  for (const row of present.filter((one) => !met.has(one))) {
    const adopted = job.adopt && !exact && adopt(db, row);
    changes.push({ alias: textOf(row, "alias"), change: adopted ? "found" : "removed" });
  }
  return changes;
}

/** The same login in the same workspace: the id, or, when it was removed and came back, who it is. */
function isTwin(a: SqlRow, b: SqlRow): boolean {
  return a.id === b.id || ["workspace_id", "issuer", "user_id"].every((column) => a[column] === b[column]);
}

/** Above zero when `a` was obtained later. Upstream honours the token that it gave last; a generation only counts within one store. */
function compareFreshness(a: SqlRow, b: SqlRow): number {
  for (const column of ["refreshed_at_ms", "generation", "access_expires_at_ms"]) {
    const order = Number(a[column] ?? 0) - Number(b[column] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}

/** The login with all that speaks of it: its state, and a refresh that was on its way. False when it does not open. */
function takeLogin(db: Connection, from: SqlRow, to: SqlRow, seal: Seal): boolean {
  const id = textOf(to, "id") as AccountId;
  const envelope = reseal(from, textOf(from, "id") as AccountId, id, seal, seal);
  if (envelope === null) return false;
  db.run(
    "UPDATE credential SET generation = ?, access_expires_at_ms = ?, refreshed_at_ms = ?, envelope = ? WHERE account_id = ?",
    numberOf(from, "generation"),
    from.access_expires_at_ms ?? null,
    numberOf(from, "refreshed_at_ms"),
    envelope,
    id,
  );
  const { needs_login_reason: reason = null, needs_login_since_ms: sinceMs = null } = from;
  db.run("UPDATE account SET needs_login_reason = ?, needs_login_since_ms = ? WHERE id = ?", reason, sinceMs, id);
  db.run("DELETE FROM refresh_intent WHERE account_id = ?", id);
  if (from.intent_generation !== null) {
    const { intent_generation: generation = null, token_hash: hash = null, started_at_ms: atMs = null } = from;
    db.run("INSERT INTO refresh_intent VALUES (?, ?, ?, ?)", id, generation, hash, atMs);
  }
  return true;
}

/** An account that only the broken store knew. False when its alias or identity is another one's by now. */
function adopt(db: Connection, row: SqlRow): boolean {
  const id = textOf(row, "id");
  const columns = columnsOf(db, "account").filter((column) => column !== "position");
  const list = columns.join(", ");
  try {
    db.run(`INSERT INTO main.account (${list}) SELECT ${list} FROM other.account WHERE id = ?`, id);
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    return false;
  }
  for (const table of ["credential", "refresh_intent"])
    db.run(`INSERT INTO main.${table} SELECT * FROM other.${table} WHERE account_id = ?`, id);
  return true;
}

/** A key that was taken from somebody stays taken. */
function keepRevoked(db: Connection): number {
  return db.run(
    `UPDATE main.client_key SET revoked_at_ms =
       (SELECT revoked_at_ms FROM other.client_key AS theirs WHERE theirs.id = client_key.id)
     WHERE revoked_at_ms IS NULL
       AND id IN (SELECT id FROM other.client_key WHERE revoked_at_ms IS NOT NULL)`,
  );
}

/** A record of what happened is added up, whatever is restored. */
function keepHistory(db: Connection): void {
  const known = (schema: string) =>
    db.all(`SELECT name FROM ${schema}.sqlite_schema WHERE type = 'table'`).map(({ name }) => name as SqlValue);
  const [ours, theirs] = [known("main"), known("other")];
  for (const { name, role, owner } of HISTORY_TABLES) {
    if (!ours.includes(name) || !theirs.includes(name)) continue;
    const ofKnown = owner === undefined ? "" : `WHERE ${owner} IN (SELECT id FROM main.account)`;
    const verb = role === "sums" ? "REPLACE" : "IGNORE";
    db.run(`INSERT OR ${verb} INTO main.${name} SELECT * FROM other.${name} ${ofKnown}`);
  }
}

function columnsOf(db: Connection, table: string): string[] {
  return db.all(`SELECT name FROM pragma_table_info('${table}')`).map((row) => textOf(row, "name"));
}
