/**
 * Instants, numbers and ids between domain and API. Whether an id exists is the engine's to say. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import {
  type Duration,
  durationFromMs,
  durationMs,
  type Timestamp,
  timestampFromMs,
  timestampMs,
} from "@bufbuild/protobuf/wkt";
import { AppError } from "../../base/errors.ts";
import { isUlid } from "../../base/id.ts";
import type { AccountId } from "../../domain/account.ts";
import type { ExchangeId } from "../../domain/exchange.ts";

export function instant(atMs: number | null): Timestamp | undefined {
  return atMs === null ? undefined : timestampFromMs(atMs);
}

/** null when absent; fractions of a millisecond are dropped. */
export function toInstantMs(time: Timestamp | undefined): number | null {
  return time === undefined ? null : Math.floor(timestampMs(time));
}

export function duration(lengthMs: number | null): Duration | undefined {
  return lengthMs === null ? undefined : durationFromMs(lengthMs);
}

/** null when absent. */
export function toDurationMs(length: Duration | undefined): number | null {
  return length === undefined ? null : Math.max(0, durationMs(length));
}

export function int64(number: number): bigint {
  return BigInt(Math.trunc(number));
}

export function toAccountId(text: string): AccountId {
  if (text === "") throw new AppError("invalid_request", "account_id is empty");
  return text as AccountId;
}

export function toExchangeId(text: string): ExchangeId {
  if (!isUlid(text)) throw new AppError("invalid_request", `${text} is not the id of an exchange`);
  return text as ExchangeId;
}
