/**
 * Sums of the ledger, kept so that a report over a million turns reads some thousand rows: by the hour and everything that turns are told
 * apart by, by the hour and one of these alone, and by the hour for conversations. They grow in the transaction that writes the rows, and
 * what is derived of others can be made anew. Never read by anybody who chooses an account.
 */
import type { LedgerRow } from "../domain/ledger.ts";
import { DAY_MS, HOUR_MS } from "../domain/limit.ts";
import type { Connection, SqlValue } from "./database.ts";
import { wholeMs } from "./row.ts";
import type { LedgerKept } from "./store.ts";

/** Columns of every table of sums, in the order in which {@link grow} has them. */
const SUMS = [
  "requests",
  "served",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "cost_micro_usd",
  "unpriced",
  "latency_ms",
  "first_byte_ms",
  "first_bytes",
] as const;

/** What turns are told apart by. */
const SIDES = ["account_id", "model", "key_id", "project"] as const;
/** A side of sums over everything. */
export const ALL_SIDES = "all";
/** A turn may count to several budgets of its profile, and mostly to none. */
export const BUDGET_SIDE = "budget";

/** Sums of sums. */
export const SUMS_ADDED = SUMS.map((column) => `sum(${column}) AS ${column}`).join(", ");
const SUM_COLUMNS = SUMS.join(", ");

function adding(table: string, keys: readonly string[]): string {
  const columns = [...keys, ...SUMS];
  const marks = columns.map(() => "?").join(", ");
  const grown = SUMS.map((column) => `${column} = ${column} + excluded.${column}`).join(", ");
  return `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${marks}) ON CONFLICT (${keys.join(", ")}) DO UPDATE SET ${grown}`;
}

const ADD_TO_HOUR = adding("usage_hour", ["hour_ms", ...SIDES]);
const ADD_TO_SIDE = adding("usage_side", ["side", "hour_ms", "value"]);
const ADD_TO_CONVERSATION = adding("usage_conversation", ["hour_ms", "conversation", ...SIDES]);

interface Group {
  /** Values of the columns that it is kept by. */
  readonly key: readonly SqlValue[];
  readonly sums: number[];
}

/** Sums of the rows of one batch: many rows fall into few of them, and each is written once. */
export class SumBatch {
  readonly #hours = new Map<string, Group>();
  readonly #conversations = new Map<string, Group>();
  readonly #budgets = new Map<string, Group>();

  add(row: LedgerRow): void {
    const atMs = wholeMs(row.atMs);
    const { accountId, model, keyId, project, conversation } = row;
    const sides = `${accountId ?? ""}\n${model ?? ""}\n${keyId ?? ""}\n${project ?? ""}`;
    const hourMs = atMs - (atMs % HOUR_MS);
    const hour = `${hourMs}\n${sides}`;
    let group = this.#hours.get(hour);
    if (group === undefined) this.#hours.set(hour, (group = groupOf([hourMs, ...sidesOf(row)])));
    grow(group.sums, row);
    for (const budget of row.budgets) grow(this.#budgetAt(hourMs, budget).sums, row);
    if (conversation === null) return;
    const named = `${conversation}\n${hour}`;
    let talk = this.#conversations.get(named);
    if (talk === undefined) this.#conversations.set(named, (talk = groupOf([hourMs, conversation, ...sidesOf(row)])));
    grow(talk.sums, row);
  }

  write(db: Connection): void {
    for (const { key, sums } of this.#hours.values()) db.run(ADD_TO_HOUR, ...key, ...sums);
    for (const { key, sums } of this.#bySide()) db.run(ADD_TO_SIDE, ...key, ...sums);
    this.writeFromTurns(db);
  }

  /** Only what nothing but the turns themselves can tell. */
  writeFromTurns(db: Connection): void {
    for (const { key, sums } of this.#budgets.values()) db.run(ADD_TO_SIDE, ...key, ...sums);
    for (const { key, sums } of this.#conversations.values()) db.run(ADD_TO_CONVERSATION, ...key, ...sums);
  }

  #budgetAt(hourMs: number, budget: string): Group {
    const name = `${hourMs}\n${budget}`;
    const group = this.#budgets.get(name) ?? groupOf([BUDGET_SIDE, hourMs, budget]);
    this.#budgets.set(name, group);
    return group;
  }

  #bySide(): Iterable<Group> {
    const groups = new Map<string, Group>();
    for (const { key, sums } of this.#hours.values()) {
      const [hourMs, ...values] = key;
      for (const [side, value] of [[ALL_SIDES, ""], ...SIDES.map((name, place) => [name, values[place]!])]) {
        const name = `${side}\n${hourMs}\n${value}`;
        const group = groups.get(name) ?? groupOf([side!, hourMs!, value!]);
        for (let i = 0; i < sums.length; i++) group.sums[i]! += sums[i]!;
        groups.set(name, group);
      }
    }
    return groups.values();
  }
}

function groupOf(key: readonly SqlValue[]): Group {
  return { key, sums: SUMS.map(() => 0) };
}

function sidesOf({ accountId, model, keyId, project }: LedgerRow): string[] {
  return [accountId ?? "", model ?? "", keyId ?? "", project ?? ""];
}

/** Adds a row, in the order of {@link SUMS}. Whole numbers, whatever upstream said. */
function grow(sums: number[], row: LedgerRow): void {
  const input = wholeMs(row.inputTokens);
  const output = wholeMs(row.outputTokens);
  sums[0]! += 1;
  sums[2]! += input;
  sums[3]! += wholeMs(row.cachedInputTokens);
  sums[4]! += output;
  sums[5]! += wholeMs(row.reasoningTokens);
  if (row.costMicroUsd !== null) sums[6]! += wholeMs(row.costMicroUsd);
  else if (input + output > 0) sums[7]! += 1;
  if (!row.isServed) return;
  sums[1]! += 1;
  sums[8]! += wholeMs(row.latencyMs);
  if (row.firstByteMs === null) return;
  sums[9]! += wholeMs(row.firstByteMs);
  sums[10]! += 1;
}

/** Rows go by whole days, so that the sum of a day is always that of its rows. */
export function keptRowsSinceMs({ rowsSinceMs }: LedgerKept): number {
  return Math.floor(wholeMs(rowsSinceMs) / DAY_MS) * DAY_MS;
}

export function removeOldSums(db: Connection, kept: LedgerKept): void {
  const hourMs = wholeMs(kept.sumsSinceMs) - HOUR_MS;
  db.run("DELETE FROM usage_hour WHERE hour_ms < ?", hourMs);
  for (const side of [ALL_SIDES, BUDGET_SIDE, ...SIDES])
    db.run("DELETE FROM usage_side WHERE side = ? AND hour_ms < ?", side, hourMs);
  db.run("DELETE FROM usage_conversation WHERE hour_ms < ?", keptRowsSinceMs(kept));
}

/** Makes what is derived anew: of the sums by the hour, and of the turns. For a store that was put together of others. */
export function deriveSums(db: Connection, turns: Iterable<readonly LedgerRow[]>): void {
  db.run("DELETE FROM usage_side");
  db.run("DELETE FROM usage_conversation");
  const insert = `INSERT INTO usage_side (side, hour_ms, value, ${SUM_COLUMNS})`;
  db.run(`${insert} SELECT '${ALL_SIDES}', hour_ms, '', ${SUMS_ADDED} FROM usage_hour GROUP BY hour_ms`);
  for (const side of SIDES)
    db.run(`${insert} SELECT '${side}', hour_ms, ${side}, ${SUMS_ADDED} FROM usage_hour GROUP BY hour_ms, ${side}`);
  for (const some of turns) {
    const sums = new SumBatch();
    for (const turn of some) sums.add(turn);
    sums.writeFromTurns(db);
  }
}
