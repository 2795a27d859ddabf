/**
 * The schema, as the numbered steps that lead to it. A step that was ever released is frozen (test/store/migrations.test.ts pins
 * its digest): change the schema by adding a step. `PRAGMA user_version` is the number of the last step taken.
 */
import { AppError } from "../base/errors.ts";
import type { Connection } from "./database.ts";

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** "ROTR": tells our file from another program's SQLite file. */
const APPLICATION_ID = 0x524f5452;

/** Of every table of sums, the same. */
const SUMS = `  requests INTEGER NOT NULL,
  served INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  first_byte_ms INTEGER NOT NULL,
  first_bytes INTEGER NOT NULL,`;

/** Step n is at index n - 1. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: "accounts, credentials, pool, keys, settings, exchanges",
    sql: `
CREATE TABLE account (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  alias TEXT NOT NULL UNIQUE,
  email TEXT,
  user_id TEXT,
  workspace_id TEXT NOT NULL,
  issuer TEXT NOT NULL,
  tier TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  workspace_name TEXT,
  orders TEXT NOT NULL,
  refresh_owner_file TEXT,
  needs_login_reason TEXT,
  needs_login_since_ms INTEGER,
  observed TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX account_identity ON account (workspace_id, issuer, ifnull(user_id, ''));

CREATE TABLE data_key (
  id INTEGER PRIMARY KEY,
  guard TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  recipe TEXT NOT NULL,
  wrapped BLOB NOT NULL,
  created_at_ms INTEGER NOT NULL,
  guarded_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE spare_key (
  guard TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  PRIMARY KEY (guard, fingerprint)
) STRICT;

CREATE TABLE credential (
  account_id TEXT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
  generation INTEGER NOT NULL,
  access_expires_at_ms INTEGER,
  refreshed_at_ms INTEGER NOT NULL,
  envelope BLOB NOT NULL
) STRICT;

CREATE TABLE refresh_intent (
  account_id TEXT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
  generation INTEGER NOT NULL,
  token_hash TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE redeem_intent (
  account_id TEXT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
  request_id TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE pool (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  strategy TEXT NOT NULL,
  pin_account_id TEXT REFERENCES account (id) ON DELETE SET NULL,
  pin_since_ms INTEGER,
  pin_until_ms INTEGER
) STRICT;

CREATE TABLE client_key (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  hash_algorithm TEXT NOT NULL,
  hash_hex TEXT NOT NULL,
  former_hash TEXT,
  terms TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER,
  last_used_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX client_key_name ON client_key (name) WHERE revoked_at_ms IS NULL;

CREATE TABLE budget (
  name TEXT PRIMARY KEY,
  scope TEXT NOT NULL,
  scope_id TEXT NOT NULL,
  measure TEXT NOT NULL,
  amount INTEGER NOT NULL,
  period TEXT NOT NULL,
  warn_percent INTEGER,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE price (
  model TEXT PRIMARY KEY,
  input REAL NOT NULL,
  cached_input REAL NOT NULL,
  output REAL NOT NULL,
  set_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger_batch (
  last_id TEXT NOT NULL,
  first_id TEXT NOT NULL,
  packed BLOB NOT NULL,
  PRIMARY KEY (last_id, first_id)
) STRICT;

CREATE TABLE usage_hour (
  hour_ms INTEGER NOT NULL,
  account_id TEXT NOT NULL,
  model TEXT NOT NULL,
  key_id TEXT NOT NULL,
  project TEXT NOT NULL,
${SUMS}
  PRIMARY KEY (hour_ms, account_id, model, key_id, project)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_side (
  side TEXT NOT NULL,
  hour_ms INTEGER NOT NULL,
  value TEXT NOT NULL,
${SUMS}
  PRIMARY KEY (side, hour_ms, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_conversation (
  hour_ms INTEGER NOT NULL,
  conversation TEXT NOT NULL,
  account_id TEXT NOT NULL,
  model TEXT NOT NULL,
  key_id TEXT NOT NULL,
  project TEXT NOT NULL,
${SUMS}
  PRIMARY KEY (hour_ms, conversation, account_id, model, key_id, project)
) STRICT, WITHOUT ROWID;

CREATE TABLE watched_file (
  position INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  added_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE rule (
  line INTEGER PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE profile (
  position INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  record TEXT NOT NULL
) STRICT;

CREATE TABLE model_alias (
  name TEXT PRIMARY KEY,
  target TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE model_list (
  account_id TEXT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
  models TEXT NOT NULL,
  etag TEXT,
  fetched_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE exchange_batch (
  last_id TEXT NOT NULL,
  first_id TEXT NOT NULL,
  count INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  names TEXT NOT NULL,
  packed BLOB NOT NULL,
  PRIMARY KEY (last_id, first_id)
) STRICT;

CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subjects TEXT NOT NULL,
  text TEXT NOT NULL,
  error_code TEXT
) STRICT;
CREATE INDEX audit_by_time ON audit (at_ms);

CREATE TABLE window_sample (
  account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  step TEXT NOT NULL,
  bucket_ms INTEGER NOT NULL,
  limit_name TEXT NOT NULL,
  slot TEXT NOT NULL,
  length_minutes INTEGER,
  used_percent REAL NOT NULL,
  resets_at_ms INTEGER,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, step, bucket_ms, limit_name, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX window_sample_by_time ON window_sample (step, bucket_ms);
`,
  },
];

/** Brings the file to the newest schema, all the steps or none. Returns those that were taken. */
export function migrate(db: Connection, path: string, migrations: readonly Migration[] = MIGRATIONS): string[] {
  const taken: string[] = [];
  const from = schemaVersion(db);
  if (from > migrations.length) {
    throw new AppError("store_newer", `${path} was written by a newer rotor`, {
      facts: { schemaVersion: from, knownVersion: migrations.length },
    });
  }
  refuseForeignFile(db, path, from);
  if (from === migrations.length) return taken;
  db.transaction(() => {
    for (const { name, sql } of migrations.slice(from)) {
      db.script(sql);
      taken.push(name);
    }
    db.script(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.script(`PRAGMA user_version = ${migrations.length}`);
  });
  return taken;
}

export function schemaVersion(db: Connection): number {
  return Number(db.first("PRAGMA user_version")?.user_version ?? 0);
}

function refuseForeignFile(db: Connection, path: string, version: number): void {
  const applicationId = Number(db.first("PRAGMA application_id")?.application_id ?? 0);
  const tables = Number(db.first("SELECT count(*) AS tables FROM sqlite_schema")?.tables ?? 0);
  const fresh = version === 0 && tables === 0 && applicationId === 0;
  if (!fresh && applicationId !== APPLICATION_ID)
    throw new AppError("store_damaged", `${path} is a database of another program`);
}
