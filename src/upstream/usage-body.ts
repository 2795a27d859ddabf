/**
 * The body of `GET /wham/usage` → windows and subscription (wire §3.10). Pure. Any field may be null; plans differ in which windows they have.
 */
import type { WindowReading } from "../domain/window.ts";
import { tierOf } from "./codex-headers.ts";
import { asObject, objectAt, parseObject, textAt } from "./json.ts";
import { readSlots } from "./rate-limit-event.ts";
import { MAIN_LIMIT } from "./window-reading.ts";

export interface UsageReading {
  readonly windows: readonly WindowReading[];
  readonly tier: string | null;
  /** Upstream's own word that it would refuse now, whatever the figures say; null when it said nothing. */
  readonly limitReached: boolean | null;
}

/** null when the text is not such an answer. */
export function readUsageBody(text: string, nowMs: number): UsageReading | null {
  const body = parseObject(text);
  if (body === null || !("rate_limit" in body)) return null;
  const main = objectAt(body, "rate_limit");
  const windows = readSlots(main, MAIN_LIMIT, null, nowMs);
  const additional: unknown[] = Array.isArray(body.additional_rate_limits) ? body.additional_rate_limits : [];
  for (const value of additional) {
    const entry = asObject(value);
    const limit = entry === null ? null : (textAt(entry, "metered_feature") ?? textAt(entry, "limit_name"));
    if (entry === null || limit === null) continue;
    windows.push(...readSlots(objectAt(entry, "rate_limit"), limit, textAt(entry, "limit_name"), nowMs));
  }
  const { limit_reached: limitReached } = main;
  return {
    windows,
    tier: tierOf(textAt(body, "plan_type")),
    limitReached: typeof limitReached === "boolean" ? limitReached : null,
  };
}
