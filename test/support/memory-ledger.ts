/** Ledger, budgets and prices of the store in memory; a part of memory-store.ts. */
import { AppError } from "../../src/base/errors.ts";
import type { Budget } from "../../src/domain/budget.ts";
import { addUsage, type LedgerRow, totalsOf, type UsageQuery, type UsageTotals } from "../../src/domain/ledger.ts";
import { DAY_MS, HOUR_MS } from "../../src/domain/limit.ts";
import type { SavedPrice } from "../../src/domain/price.ts";
import type { LedgerKept, Store } from "../../src/store/store.ts";
import { reportOf } from "./usage-report.ts";

export interface SpendState {
  readonly budgets: Map<string, Budget>;
  readonly prices: Map<string, SavedPrice>;
  readonly ledger: Map<string, LedgerRow>;
  /** Sums by the hour, by everything that they are kept by. */
  readonly hours: Map<string, { row: LedgerRow; hourMs: number; totals: UsageTotals }>;
}

export function emptySpend(): SpendState {
  return { budgets: new Map(), prices: new Map(), ledger: new Map(), hours: new Map() };
}

export function spendPart(state: SpendState, open: () => void) {
  return {
    async saveBudget(budget) {
      open();
      state.budgets.set(budget.name, structuredClone(budget));
    },
    async removeBudget(name) {
      open();
      if (!state.budgets.delete(name)) throw new AppError("budget_not_found", `there is no budget ${name}`);
    },
    async savePrice(price) {
      open();
      state.prices.set(price.model, structuredClone(price));
    },
    async removePrice(model) {
      open();
      state.prices.delete(model);
    },
  } satisfies Partial<Store>;
}

function hourOf(row: LedgerRow): number {
  return row.atMs - (row.atMs % HOUR_MS);
}

function addTurns(state: SpendState, batch: readonly LedgerRow[], { rowsSinceMs, sumsSinceMs }: LedgerKept): void {
  for (const row of structuredClone(batch)) {
    state.ledger.set(row.id, row);
    const key = [hourOf(row), row.accountId, row.model, row.keyId, row.project].join("\n");
    const sum = state.hours.get(key);
    const totals = sum === undefined ? totalsOf(row) : addUsage(sum.totals, totalsOf(row));
    state.hours.set(key, { row, hourMs: hourOf(row), totals });
  }
  const firstDayMs = Math.floor(rowsSinceMs / DAY_MS) * DAY_MS;
  for (const [id, row] of state.ledger) if (row.atMs < firstDayMs) state.ledger.delete(id);
  for (const [key, { hourMs }] of state.hours) if (hourMs < sumsSinceMs - HOUR_MS) state.hours.delete(key);
}

export function ledgerPart(state: SpendState, open: () => void) {
  const append = (batch: readonly LedgerRow[], kept: LedgerKept) => {
    open();
    addTurns(state, batch, kept);
  };
  return {
    async knownTurns(ids) {
      open();
      return new Set(ids.filter((id) => state.ledger.has(id)));
    },
    async appendLedger(batch, kept) {
      append(batch, kept);
    },
    async adoptTurns(batch, kept) {
      const fresh = new Map(batch.filter(({ id }) => !state.ledger.has(id)).map((row) => [row.id, row]));
      append([...fresh.values()], kept);
    },
    async spentSince(sinceMs) {
      open();
      const sums = [...state.hours.values()].filter(({ hourMs }) => hourMs >= sinceMs);
      const groups = Map.groupBy(sums, ({ row }) => `${row.keyId}\n${row.project}`);
      const turns = [...groups.values()].map((group) => {
        const { row } = group[0]!;
        const all = group.map(({ totals }) => totals).reduce(addUsage);
        const tokens = all.inputTokens + all.outputTokens;
        return {
          keyId: row.keyId,
          project: row.project,
          spend: { requests: all.served, tokens, costMicroUsd: all.costMicroUsd },
        };
      });
      return { turns, budgets: spentOfBudgets([...state.ledger.values()].filter((row) => hourOf(row) >= sinceMs)) };
    },
    async queryUsage(query) {
      open();
      const sinceMs = Math.floor(query.sinceMs / HOUR_MS) * HOUR_MS;
      const untilMs = Math.ceil(query.untilMs / HOUR_MS) * HOUR_MS;
      const isMeant = (row: LedgerRow) =>
        hourOf(row) >= sinceMs &&
        hourOf(row) < untilMs &&
        (query.accountId === undefined || row.accountId === query.accountId) &&
        (query.model === undefined || row.model === query.model) &&
        (query.keyId === undefined || row.keyId === query.keyId) &&
        (query.project === undefined || row.project === query.project);
      const sums =
        query.groupBy === "conversation"
          ? [...state.ledger.values()]
              .filter((row) => row.conversation !== null)
              .map((row) => ({ row, totals: totalsOf(row) }))
          : [...state.hours.values()];
      const groups = Map.groupBy(
        sums.filter(({ row }) => isMeant(row)),
        ({ row }) => bucketOf(row, query.groupBy),
      );
      const found = [...groups].map(([bucket, group]) => {
        return { bucket, totals: group.map(({ totals }) => totals).reduce(addUsage) };
      });
      return reportOf(found, query);
    },
  } satisfies Partial<Store>;
}

function bucketOf(row: LedgerRow, groupBy: UsageQuery["groupBy"]): string {
  if (groupBy === "hour") return String(row.atMs - (row.atMs % HOUR_MS));
  if (groupBy === "day") return String(row.atMs - (row.atMs % DAY_MS));
  const value = { account: row.accountId, model: row.model, key: row.keyId, project: row.project }[
    groupBy as "account" | "model" | "key" | "project"
  ];
  return groupBy === "conversation" ? row.conversation! : (value ?? "");
}

/** From the rows: a store that only had sums would lose who counted to what. */
function spentOfBudgets(rows: readonly LedgerRow[]) {
  const named = Map.groupBy(
    rows.flatMap((row) => row.budgets.map((budget) => ({ budget, row }))),
    ({ budget }) => budget,
  );
  return [...named].map(([budget, found]) => {
    const all = found.map(({ row }) => totalsOf(row)).reduce(addUsage);
    const tokens = all.inputTokens + all.outputTokens;
    return { budget, spend: { requests: all.served, tokens, costMicroUsd: all.costMicroUsd } };
  });
}
