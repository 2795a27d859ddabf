/**
 * Accounts in SQL: everything about them but their sealed credentials. Each statement writes only the columns that its caller owns,
 * so that an observation written late never undoes an operator's order.
 */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Account, type AccountId, OWNED_HERE } from "../domain/account.ts";
import { type Connection, isUniqueViolation, type SqlRow } from "./database.ts";
import { formatObserved, parseObserved } from "./observed-facts.ts";
import { formatOrders, parseOrders } from "./operator-orders.ts";
import { numberOf, numberOrNull, textOf, textOrNull, wholeMs } from "./row.ts";

/** In the order in which they were added. */
export function readAccounts(db: Connection, log: Log): Account[] {
  return db
    .all(
      `SELECT account.*, generation, access_expires_at_ms, refreshed_at_ms
       FROM account JOIN credential ON credential.account_id = account.id ORDER BY position`,
    )
    .map((row) => accountFrom(row, log));
}

function accountFrom(row: SqlRow, log: Log): Account {
  const { facts, dropped } = parseObserved(textOf(row, "observed"));
  const alias = textOf(row, "alias");
  if (dropped.length > 0) log.warn("account.observations_dropped", { alias, parts: dropped });
  const orders = parseOrders(textOf(row, "orders"));
  if (orders.dropped.length > 0) log.warn("account.orders_dropped", { alias, parts: orders.dropped });
  const ownerFile = textOrNull(row, "refresh_owner_file");
  const reason = textOrNull(row, "needs_login_reason");
  return {
    id: textOf(row, "id") as AccountId,
    alias,
    email: textOrNull(row, "email"),
    userId: textOrNull(row, "user_id"),
    workspaceId: textOf(row, "workspace_id"),
    workspaceName: textOrNull(row, "workspace_name"),
    issuer: textOf(row, "issuer"),
    tier: textOf(row, "tier"),
    createdAtMs: numberOf(row, "created_at_ms"),
    enabled: numberOf(row, "enabled") !== 0,
    orders: orders.value,
    refreshOwner: ownerFile === null ? OWNED_HERE : { kind: "file", path: ownerFile },
    login:
      reason === null
        ? { kind: "ok" }
        : { kind: "needs_login", reason, sinceMs: numberOrNull(row, "needs_login_since_ms") ?? 0 },
    credentials: {
      generation: numberOf(row, "generation"),
      accessExpiresAtMs: numberOrNull(row, "access_expires_at_ms"),
      refreshedAtMs: numberOf(row, "refreshed_at_ms"),
    },
    ...facts,
  };
}

export function insertAccount(db: Connection, account: Account): void {
  refusingConflicts(db, account, () =>
    db.run(
      `INSERT INTO account (id, alias, email, user_id, workspace_id, issuer, tier, created_at_ms, enabled,
         workspace_name, orders, refresh_owner_file, needs_login_reason, needs_login_since_ms, observed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      account.id,
      account.alias,
      account.email,
      account.userId,
      account.workspaceId,
      account.issuer,
      account.tier,
      wholeMs(account.createdAtMs),
      account.enabled ? 1 : 0,
      ...orderColumns(account),
      ...loginColumns(account),
      formatObserved(account),
    ),
  );
}

/** Everything but the id and the time of creation: what a new login may change. */
export function updateWholeAccount(db: Connection, account: Account): void {
  refusingConflicts(db, account, () =>
    db.run(
      `UPDATE account SET alias = ?, email = ?, user_id = ?, workspace_id = ?, issuer = ?, tier = ?, enabled = ?,
         workspace_name = ?, orders = ?, refresh_owner_file = ?, needs_login_reason = ?, needs_login_since_ms = ?, observed = ? WHERE id = ?`,
      account.alias,
      account.email,
      account.userId,
      account.workspaceId,
      account.issuer,
      account.tier,
      account.enabled ? 1 : 0,
      ...orderColumns(account),
      ...loginColumns(account),
      formatObserved(account),
      account.id,
    ),
  );
}

/** What an operator or the credential keeper changed. A login state speaks of one generation of credentials only. */
export function updateSavedAccount(db: Connection, account: Account): void {
  requireAccount(db, account.id);
  refusingConflicts(db, account, () =>
    db.run(
      `UPDATE account SET alias = ?, email = ?, enabled = ?, workspace_name = ?, orders = ?, refresh_owner_file = ?, tier = ?,
         observed = ? WHERE id = ?`,
      account.alias,
      account.email,
      account.enabled ? 1 : 0,
      ...orderColumns(account),
      account.tier,
      formatObserved(account),
      account.id,
    ),
  );
  db.run(
    `UPDATE account SET needs_login_reason = ?, needs_login_since_ms = ?
     WHERE id = ? AND ? = (SELECT generation FROM credential WHERE account_id = account.id)`,
    ...loginColumns(account),
    account.id,
    account.credentials.generation,
  );
}

/** What comes with refreshed credentials: alias and the operator's switch stay as they are. */
export function updateRefreshedAccount(db: Connection, account: Account): void {
  db.run(
    `UPDATE account SET email = ?, tier = ?, needs_login_reason = ?, needs_login_since_ms = ?, observed = ? WHERE id = ?`,
    account.email,
    account.tier,
    ...loginColumns(account),
    formatObserved(account),
    account.id,
  );
}

export function updateObservations(db: Connection, account: Account): void {
  db.run("UPDATE account SET tier = ?, observed = ? WHERE id = ?", account.tier, formatObserved(account), account.id);
}

/** Credentials, a refresh intent and a pin go with it (foreign keys). */
export function deleteAccount(db: Connection, id: AccountId): void {
  if (db.run("DELETE FROM account WHERE id = ?", id) === 0) throw accountNotFound();
}

/** None, unless somebody else wrote to the file: both are written in one transaction. */
export function countWithoutCredentials(db: Connection): number {
  const sql = "SELECT count(*) AS bare FROM account WHERE id NOT IN (SELECT account_id FROM credential)";
  return numberOf(db.first(sql)!, "bare");
}

export function requireAccount(db: Connection, id: AccountId): void {
  if (db.first("SELECT 1 FROM account WHERE id = ?", id) === null) throw accountNotFound();
}

export function accountNotFound(): AppError {
  return new AppError("account_not_found", "there is no such account");
}

function orderColumns({ workspaceName, orders, refreshOwner }: Account): [string | null, string, string | null] {
  return [workspaceName, formatOrders(orders), refreshOwner.kind === "file" ? refreshOwner.path : null];
}

function loginColumns({ login }: Account): [string | null, number | null] {
  return login.kind === "ok" ? [null, null] : [login.reason, wholeMs(login.sinceMs)];
}

/** The UNIQUE rules of the table decide; what was broken is looked up only then. */
function refusingConflicts(db: Connection, account: Account, write: () => void): void {
  try {
    write();
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    const aliasOwner = db.first("SELECT id FROM account WHERE alias = ?", account.alias);
    const twin = db.first(
      `SELECT alias FROM account
       WHERE id <> ? AND workspace_id = ? AND issuer = ? AND ifnull(user_id, '') = ifnull(?, '')`,
      account.id,
      account.workspaceId,
      account.issuer,
      account.userId,
    );
    if (twin !== null)
      throw new AppError("account_exists", `this login is already here as ${textOf(twin, "alias")}`, { cause });
    if (aliasOwner !== null && aliasOwner.id !== account.id)
      throw new AppError("alias_taken", `the alias ${account.alias} is taken`, { cause });
    throw new AppError("account_exists", "this account is already here", { cause });
  }
}
