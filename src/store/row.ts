/** Reading columns of a row by type. A column of another type is a damaged store, never a guess. */
import { AppError } from "../base/errors.ts";
import type { SqlRow } from "./database.ts";

export function textOf(row: SqlRow, column: string): string {
  const value = row[column];
  return typeof value === "string" ? value : wrong(column);
}

export function numberOf(row: SqlRow, column: string): number {
  const value = row[column];
  return typeof value === "number" ? value : wrong(column);
}

export function bytesOf(row: SqlRow, column: string): Uint8Array {
  const value = row[column];
  return value instanceof Uint8Array ? value : wrong(column);
}

export function textOrNull(row: SqlRow, column: string): string | null {
  return row[column] === null ? null : textOf(row, column);
}

export function numberOrNull(row: SqlRow, column: string): number | null {
  return row[column] === null ? null : numberOf(row, column);
}

function wrong(column: string): never {
  throw new AppError("store_damaged", `the column ${column} holds a value of another type`);
}

/**
 * An instant as it can be stored: whole milliseconds. Times come from tokens too, and an absurd one there must not keep a
 * refreshed login from being saved.
 */
export function wholeMs(atMs: number): number {
  return Number.isFinite(atMs) ? Math.min(Math.max(Math.floor(atMs), 0), Number.MAX_SAFE_INTEGER) : 0;
}

export function wholeMsOrNull(atMs: number | null): number | null {
  return atMs === null || !Number.isFinite(atMs) ? null : wholeMs(atMs);
}
