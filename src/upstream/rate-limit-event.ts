/**
 * The `codex.rate_limits` event → windows and subscription (wire §3.8). Pure.
 */
import type { Observation } from "../domain/outcome.ts";
import type { WindowReading } from "../domain/window.ts";
import { tierOf } from "./codex-headers.ts";
import { creditsIn } from "./credits-reading.ts";
import { asObject, type Json, numberAt, objectAt, textAt } from "./json.ts";
import { instantOf } from "./reset-time.ts";
import { MAIN_LIMIT, readWindow } from "./window-reading.ts";

export function readRateLimitEvent(event: Json, nowMs: number): Observation {
  const windows = readSlots(objectAt(event, "rate_limits"), MAIN_LIMIT, null, nowMs);
  const additional = event.additional_rate_limits;
  // An object keyed by limit over the WebSocket (wire §3.8); the usage answer spells the same thing as a list, so both are read.
  const named = Array.isArray(additional)
    ? additional.map((entry: unknown) => [null, entry] as const)
    : Object.entries(asObject(additional) ?? {});
  for (const [key, value] of named) {
    const entry = asObject(value);
    if (entry === null) continue;
    const limit = textAt(entry, "metered_limit_name") ?? textAt(entry, "metered_feature") ?? key;
    if (limit === null) continue;
    const slots = asObject(entry.rate_limit) ?? asObject(entry.rate_limits) ?? entry;
    windows.push(...readSlots(slots, limit, textAt(entry, "limit_name"), nowMs));
  }
  return { windows, from: "event", tier: tierOf(textAt(event, "plan_type")), credits: creditsIn(event) };
}

/** `primary` and `secondary`, or `primary_window` and `secondary_window` as the usage answer has them. */
export function readSlots(slots: Json, limit: string, limitName: string | null, nowMs: number): WindowReading[] {
  const windows: WindowReading[] = [];
  for (const slot of ["primary", "secondary"] as const) {
    const stated = asObject(slots[slot]) ?? asObject(slots[`${slot}_window`]);
    if (stated === null) continue;
    const lengthSeconds = numberAt(stated, "limit_window_seconds");
    const reading = readWindow(
      {
        limit,
        slot,
        limitName,
        usedPercent: numberAt(stated, "used_percent"),
        lengthMinutes: numberAt(stated, "window_minutes") ?? (lengthSeconds === null ? null : lengthSeconds / 60),
        resetAtMs: instantOf(stated.reset_at),
        resetAfterSeconds: numberAt(stated, "reset_after_seconds"),
      },
      nowMs,
    );
    if (reading !== null) windows.push(reading);
  }
  return windows;
}
