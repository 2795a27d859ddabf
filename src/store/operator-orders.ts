/**
 * The operator's orders on an account (tags, note, weight, priority, pause, draining, pace), as the JSON document they are kept in.
 * A part that cannot be read falls back to "no order" and is named: it must never keep the daemon from starting.
 */
import { NO_ORDERS, type Orders } from "../domain/account.ts";

export function formatOrders({ tags, note, weight, priority, pause, draining, pace }: Orders): string {
  return JSON.stringify({ tags, note, weight, priority, pause, draining, pace });
}

export function parseOrders(text: string): { value: Orders; dropped: readonly string[] } {
  const given = parseJson(text);
  const dropped: string[] = [];
  const take = <K extends keyof Orders>(part: K, isSound: (value: unknown) => value is Orders[K]): Orders[K] => {
    const value = given[part];
    if (isSound(value)) return value;
    dropped.push(part);
    return NO_ORDERS[part];
  };
  const value: Orders = {
    tags: take("tags", isTags),
    note: take("note", (note) => typeof note === "string"),
    weight: take("weight", (weight): weight is number => isNumber(weight) && weight > 0),
    priority: take("priority", isNumber),
    pause: take("pause", isPause),
    draining: take("draining", (draining) => typeof draining === "boolean"),
    pace: take("pace", isPaceOrNone),
  };
  return { value, dropped };
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isTags(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((tag) => typeof tag === "string");
}

function isPause(value: unknown): value is Orders["pause"] {
  if (value === null) return true;
  if (typeof value !== "object") return false;
  const { sinceMs, untilMs } = value as Record<string, unknown>;
  return isNumber(sinceMs) && (untilMs === null || isNumber(untilMs));
}

function isPaceOrNone(value: unknown): value is Orders["pace"] {
  if (value === null) return true;
  if (typeof value !== "object") return false;
  const { requestsPerMinute, burst } = value as Record<string, unknown>;
  return isNumber(requestsPerMinute) && requestsPerMinute >= 0 && isNumber(burst) && burst >= 1;
}
