/**
 * One window as upstream's headers, events or usage answer state it, made into a reading. The same rules for all three sources.
 */
import type { WindowReading } from "../domain/window.ts";
import { instantAfter, saneInstant } from "./reset-time.ts";

/** The limit that counts every model. */
export const MAIN_LIMIT = "codex";

export interface StatedWindow {
  readonly limit: string;
  readonly slot: WindowReading["slot"];
  /** Upstream's display name of a family limit; for the ones seen it is the model's slug in capitals ("GPT-X-Spark"). */
  readonly limitName: string | null;
  readonly usedPercent: number | null;
  readonly lengthMinutes: number | null;
  readonly resetAtMs: number | null;
  readonly resetAfterSeconds: number | null;
}

/** null when nothing can be learnt: no figure, an empty slot, or a window that has already started again. */
export function readWindow(stated: StatedWindow, nowMs: number): WindowReading | null {
  const { usedPercent } = stated;
  if (usedPercent === null) return null;
  const lengthMinutes = stated.lengthMinutes !== null && stated.lengthMinutes > 0 ? stated.lengthMinutes : null;
  const saneAtMs = saneInstant(stated.resetAtMs, nowMs);
  const resetsAtMs = saneAtMs ?? instantAfter(stated.resetAfterSeconds, nowMs);
  // Plans without a second window send it as zeros (wire §3.10): that is no window at all.
  if (usedPercent <= 0 && lengthMinutes === null && resetsAtMs === null) return null;
  // Its reset has just passed: the figure belongs to the window before, and would hold the account with no end in sight.
  if (resetsAtMs === null && isRecentPast(stated.resetAtMs, lengthMinutes, nowMs)) return null;
  return {
    limit: stated.limit,
    slot: stated.slot,
    models: modelsOf(stated),
    lengthMinutes,
    usedPercent: Math.min(100, Math.max(0, usedPercent)),
    resetsAtMs,
  };
}

const DAY_MINUTES = 1_440;

/** Within one length of the window before now: a reset that happened, not a garbled number. */
function isRecentPast(atMs: number | null, lengthMinutes: number | null, nowMs: number): boolean {
  return atMs !== null && atMs <= nowMs && nowMs - atMs <= (lengthMinutes ?? DAY_MINUTES) * 60_000;
}

/**
 * A family limit counts the model that it is named after. One without a name counts none that we know: it is shown, and holds nothing,
 * because holding every model for the sake of one would stop an account that can still serve.
 */
function modelsOf(stated: StatedWindow): readonly string[] | null {
  if (stated.limit === MAIN_LIMIT) return null;
  return stated.limitName === null ? [] : [stated.limitName.trim().toLowerCase().replace(/\s+/g, "-")];
}
