/**
 * The API's own spellings turned into the words that people type and read: enum values, timestamps, durations.
 */
import type { DescEnum } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { formatInstant } from "../../base/clock.ts";

/** Milliseconds since the epoch; null when the field is absent. */
export function toMs(time: Timestamp | undefined): number | null {
  return time === undefined ? null : Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1_000_000);
}

export function toTimestamp(atMs: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(atMs / 1_000);
  return { seconds: BigInt(seconds), nanos: (atMs - seconds * 1_000) * 1_000_000 };
}

/** As the API spells it in JSON; null stays null. */
export function toTimestampText(atMs: number | null): string | null {
  return atMs === null ? null : formatInstant(atMs);
}

export function durationMs(duration: Duration | undefined): number | null {
  return duration === undefined ? null : Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
}

/** `STRATEGY_ROUND_ROBIN` → `round-robin`. */
export function enumText(schema: DescEnum, value: number): string {
  const found = schema.values.find((entry) => entry.number === value);
  return found ? wordOf(schema, found.name) : `unknown (${value})`;
}

/** Every word that {@link enumValue} takes: all values but the zero one. */
export function enumWords(schema: DescEnum): string[] {
  return schema.values.filter((entry) => entry.number !== 0).map((entry) => wordOf(schema, entry.name));
}

/** `round-robin`, `round_robin`, `Round-Robin` → the value; null when there is none. */
export function enumValue(schema: DescEnum, word: string): number | null {
  const wanted = word.trim().toLowerCase().replaceAll("_", "-");
  const found = schema.values.find((entry) => entry.number !== 0 && wordOf(schema, entry.name) === wanted);
  return found?.number ?? null;
}

function wordOf(schema: DescEnum, name: string): string {
  return name
    .toLowerCase()
    .slice(schema.sharedPrefix?.length ?? 0)
    .replaceAll("_", "-");
}
