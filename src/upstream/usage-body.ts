/**
 * The body of `GET /wham/usage` → windows, subscription and credits (wire §3.10). Pure. Any field may be null; plans differ in which windows they have.
 */
import type { Observation } from "../domain/outcome.ts";
import type { WindowReading } from "../domain/window.ts";
import { tierOf } from "./codex-headers.ts";
import { creditsIn, resetCreditsIn } from "./credits-reading.ts";
import { asObject, objectAt, parseObject, textAt } from "./json.ts";
import { readSlots } from "./rate-limit-event.ts";
import { MAIN_LIMIT } from "./window-reading.ts";

/** null when the text is not such an answer. */
export function readUsageBody(text: string, nowMs: number): Observation | null {
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
  return {
    windows: main.limit_reached === true ? withFullest(windows) : windows,
    from: "usage_endpoint",
    tier: tierOf(textAt(body, "plan_type")),
    atMs: nowMs,
    credits: creditsIn(body),
    resetCredits: resetCreditsIn(body),
  };
}

/** Upstream says that it would refuse now. Figures are rounded, so that it may stand at 99 %: then the fullest one is meant. */
function withFullest(windows: readonly WindowReading[]): readonly WindowReading[] {
  const main = windows.filter(({ limit }) => limit === MAIN_LIMIT);
  const fullest = Math.max(...main.map(({ usedPercent }) => usedPercent));
  if (fullest >= 100) return windows;
  return windows.map((window) =>
    window.limit === MAIN_LIMIT && window.usedPercent === fullest ? { ...window, usedPercent: 100 } : window,
  );
}
