/**
 * What each table is when the store is looked through, copied, restored or salvaged: the one list. Every table of the schema stands here
 * (test/store/tables.test.ts), so that none is forgotten by a restore. Order matters: what others belong to comes first.
 */

/**
 * vital: serving needs it; looked through at every start, salvaged row by row, replaced by a restore.
 * history: what happened; added up by a restore. sums: as history, but a row grows, so the present one wins over the backup's.
 * derived: sums of other tables; not in a backup, and made anew after a restore (usage-sums.ts). passing: a note to this very file; means nothing in a copy and is emptied there.
 */
type TableRole = "vital" | "history" | "sums" | "derived" | "passing";

interface Table {
  readonly name: string;
  readonly role: TableRole;
  /** Its column that names the account that a row belongs to; without the account there is no row. */
  readonly owner?: string;
}

const TABLES: readonly Table[] = [
  { name: "account", role: "vital" },
  { name: "credential", role: "vital" },
  { name: "refresh_intent", role: "vital" },
  { name: "redeem_intent", role: "vital" },
  { name: "data_key", role: "vital" },
  { name: "spare_key", role: "passing" },
  { name: "pool", role: "vital" },
  { name: "client_key", role: "vital" },
  { name: "budget", role: "vital" },
  { name: "price", role: "vital" },
  { name: "watched_file", role: "vital" },
  { name: "setting", role: "vital" },
  { name: "rule", role: "vital" },
  { name: "profile", role: "vital" },
  { name: "model_alias", role: "vital" },
  { name: "model_list", role: "passing" },
  { name: "exchange_batch", role: "history" },
  { name: "audit", role: "history" },
  { name: "ledger_batch", role: "history" },
  { name: "usage_hour", role: "sums" },
  { name: "usage_side", role: "derived" },
  { name: "usage_conversation", role: "derived" },
  { name: "window_sample", role: "sums", owner: "account_id" },
];

const ofRole = (...roles: readonly TableRole[]) => TABLES.filter(({ role }) => roles.includes(role));
const namesOf = (tables: readonly Table[]): readonly string[] => tables.map(({ name }) => name);

export const ALL_TABLES = namesOf(TABLES);
export const VITAL_TABLES = namesOf(ofRole("vital"));
export const DERIVED_TABLES = namesOf(ofRole("derived"));
export const PASSING_TABLES = namesOf(ofRole("passing"));
export const HISTORY_TABLES: readonly Table[] = ofRole("history", "sums");
