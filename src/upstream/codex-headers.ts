/**
 * Response headers → windows and subscription (wire §3.7). Pure. Reads only; what the client gets is not its concern.
 */
import type { HeaderList } from "../base/header-list.ts";
import { headerValue } from "../base/header-list.ts";
import type { Observation } from "../domain/outcome.ts";
import { NOTHING_OBSERVED } from "../domain/outcome.ts";
import type { WindowReading } from "../domain/window.ts";
import { creditsInHeaders, resetCreditsInHeaders } from "./credits-reading.ts";
import { asNumber } from "./json.ts";
import { instantOf } from "./reset-time.ts";
import { MAIN_LIMIT, readWindow } from "./window-reading.ts";

/** `x-codex-primary-used-percent` is the main limit; `x-codex-bengalfox-primary-used-percent` is the limit `codex_bengalfox`. */
const FIGURE = /^x-codex-(?:([a-z0-9][a-z0-9_-]*)-)?(primary|secondary)-used-percent$/;

export function readLimitHeaders(headers: HeaderList, nowMs: number): Observation {
  const codex = headers.filter(([name]) => name.startsWith("x-codex-"));
  if (codex.length === 0) return NOTHING_OBSERVED;
  const windows: WindowReading[] = [];
  for (const [name, value] of codex) {
    const figure = name.endsWith("-used-percent") ? FIGURE.exec(name) : null;
    if (figure === null) continue;
    const slot = figure[2] as WindowReading["slot"];
    const reading = readSlot(codex, figure[1] ?? null, slot, asNumber(value), nowMs);
    if (reading !== null) windows.push(reading);
  }
  return {
    windows,
    from: "header",
    tier: tierOf(headerValue(codex, "x-codex-plan-type")),
    credits: creditsInHeaders(codex),
    resetCredits: resetCreditsInHeaders(codex),
  };
}

/** Which limit this answer ran under, by upstream's word; the main one when it does not say. */
export function activeLimit(headers: HeaderList): string {
  const named = headerValue(headers, "x-codex-active-limit")?.trim().toLowerCase();
  if (!named || named === "primary" || named === "secondary") return MAIN_LIMIT;
  return named;
}

function readSlot(
  headers: HeaderList,
  family: string | null,
  slot: WindowReading["slot"],
  usedPercent: number | null,
  nowMs: number,
): WindowReading | null {
  const base = family === null ? "x-codex" : `x-codex-${family}`;
  const at = (name: string) => headerValue(headers, `${base}-${name}`);
  return readWindow(
    {
      limit: family === null ? MAIN_LIMIT : `${MAIN_LIMIT}_${family}`,
      slot,
      limitName: at("limit-name"),
      usedPercent,
      lengthMinutes: asNumber(at(`${slot}-window-minutes`)),
      resetAtMs: instantOf(at(`${slot}-reset-at`)),
      resetAfterSeconds: asNumber(at(`${slot}-reset-after-seconds`)),
    },
    nowMs,
  );
}

/** Subscriptions as upstream spells them, lower case; an empty or unlikely value is none. */
export function tierOf(value: string | null): string | null {
  const tier = value?.trim().toLowerCase() ?? "";
  return /^[a-z][a-z0-9_-]{0,39}$/.test(tier) ? tier : null;
}
