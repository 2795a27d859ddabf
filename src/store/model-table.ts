/** Model aliases, and what upstream last told each account of its models, in SQL. What cannot be read back is asked for again. */
import type { Log } from "../base/log.ts";
import type { AccountId } from "../domain/account.ts";
import type { ModelAlias, ModelFacts, ModelList } from "../domain/model.ts";
import type { Connection } from "./database.ts";
import { numberOf, textOf, textOrNull, wholeMs } from "./row.ts";

export function readModelAliases(db: Connection): ModelAlias[] {
  return db.all("SELECT * FROM model_alias ORDER BY name").map((row) => ({
    name: textOf(row, "name"),
    target: textOf(row, "target"),
    createdAtMs: numberOf(row, "created_at_ms"),
  }));
}

export function writeModelAlias(db: Connection, alias: ModelAlias): void {
  db.run(
    `INSERT INTO model_alias (name, target, created_at_ms) VALUES (?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET target = excluded.target, created_at_ms = excluded.created_at_ms`,
    alias.name,
    alias.target,
    wholeMs(alias.createdAtMs),
  );
}

export function deleteModelAlias(db: Connection, name: string): void {
  db.run("DELETE FROM model_alias WHERE name = ?", name);
}

export function readModelLists(db: Connection, log: Log): ModelList[] {
  return db.all("SELECT * FROM model_list ORDER BY account_id").flatMap((row) => {
    const accountId = textOf(row, "account_id") as AccountId;
    try {
      const models = JSON.parse(textOf(row, "models")) as readonly ModelFacts[];
      if (!Array.isArray(models)) throw new TypeError("no list");
      const etag = textOrNull(row, "etag");
      return [{ accountId, models, etag, fetchedAtMs: numberOf(row, "fetched_at_ms") }];
    } catch (error) {
      log.warn("models.list_dropped", { account_id: accountId, error });
      return [];
    }
  });
}

export function writeModelList(db: Connection, { accountId, models, etag, fetchedAtMs }: ModelList): void {
  db.run(
    `INSERT INTO model_list (account_id, models, etag, fetched_at_ms)
     SELECT id, ?, ?, ? FROM account WHERE id = ?
     ON CONFLICT (account_id) DO UPDATE SET models = excluded.models, etag = excluded.etag,
       fetched_at_ms = excluded.fetched_at_ms`,
    JSON.stringify(models),
    etag,
    wholeMs(fetchedAtMs),
    accountId,
  );
}
