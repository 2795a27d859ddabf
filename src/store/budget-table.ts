/** Budgets and the operator's own prices in SQL. What another version wrote and this one cannot understand is told and left out. */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Budget, BudgetScope } from "../domain/budget.ts";
import { MEASURES, PERIODS } from "../domain/limit.ts";
import type { SavedPrice } from "../domain/price.ts";
import type { Connection, SqlRow } from "./database.ts";
import { numberOf, numberOrNull, textOf, wholeMs } from "./row.ts";

/** By name. */
export function readBudgets(db: Connection, log: Log): Budget[] {
  return db.all("SELECT * FROM budget ORDER BY name").flatMap((row) => {
    const budget = budgetFrom(row);
    if (budget === null) log.warn("budget.dropped", { budget: textOf(row, "name") });
    return budget ?? [];
  });
}

function budgetFrom(row: SqlRow): Budget | null {
  const scope = scopeFrom(textOf(row, "scope"), textOf(row, "scope_id"));
  const measure = MEASURES.find((known) => known === row.measure);
  const period = PERIODS.find((known) => known === row.period);
  if (scope === null || measure === undefined || period === undefined) return null;
  return {
    name: textOf(row, "name"),
    scope,
    limit: { measure, amount: numberOf(row, "amount"), period },
    warnPercent: numberOrNull(row, "warn_percent"),
    createdAtMs: numberOf(row, "created_at_ms"),
  };
}

function scopeFrom(kind: string, id: string): BudgetScope | null {
  if (kind === "all") return { kind };
  if (kind === "key") return { kind, keyId: id };
  if (kind === "profiles") return { kind };
  return kind === "project" ? { kind, project: id } : null;
}

function scopeId(scope: BudgetScope): string {
  return scope.kind === "key" ? scope.keyId : scope.kind === "project" ? scope.project : "";
}

export function writeBudget(db: Connection, { name, scope, limit, warnPercent, createdAtMs }: Budget): void {
  db.run(
    `INSERT INTO budget (name, scope, scope_id, measure, amount, period, warn_percent, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET scope = excluded.scope, scope_id = excluded.scope_id, measure = excluded.measure,
       amount = excluded.amount, period = excluded.period, warn_percent = excluded.warn_percent`,
    name,
    scope.kind,
    scopeId(scope),
    limit.measure,
    limit.amount,
    limit.period,
    warnPercent,
    wholeMs(createdAtMs),
  );
}

export function deleteBudget(db: Connection, name: string): void {
  if (db.run("DELETE FROM budget WHERE name = ?", name) === 0)
    throw new AppError("budget_not_found", `there is no budget ${name}`);
}

export function readPrices(db: Connection): SavedPrice[] {
  return db.all("SELECT * FROM price ORDER BY model").map((row) => ({
    model: textOf(row, "model"),
    input: numberOf(row, "input"),
    cachedInput: numberOf(row, "cached_input"),
    output: numberOf(row, "output"),
    setAtMs: numberOf(row, "set_at_ms"),
  }));
}

export function writePrice(db: Connection, price: SavedPrice): void {
  db.run(
    "INSERT OR REPLACE INTO price (model, input, cached_input, output, set_at_ms) VALUES (?, ?, ?, ?, ?)",
    price.model,
    price.input,
    price.cachedInput,
    price.output,
    wholeMs(price.setAtMs),
  );
}

export function deletePrice(db: Connection, model: string): void {
  db.run("DELETE FROM price WHERE model = ?", model);
}
