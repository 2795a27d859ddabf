/**
 * Response headers → windows and subscription (wire §3.7). Pure. Reads only; what the client gets is not its concern. One walk: every answer has them.
 */
import type { HeaderList } from "../base/header-list.ts";
import { headerValue } from "../base/header-list.ts";
import type { Observation } from "../domain/outcome.ts";
import { NOTHING_OBSERVED } from "../domain/outcome.ts";
import type { WindowReading } from "../domain/window.ts";
import { creditsStated, resetCreditsStated } from "./credits-reading.ts";
import { asNumber } from "./json.ts";
import { instantOf } from "./reset-time.ts";
import { MAIN_LIMIT, readWindow } from "./window-reading.ts";

/** `x-codex-primary-used-percent` is the main limit; `x-codex-bengalfox-primary-used-percent` is the limit `codex_bengalfox`. */
const FAMILY_FIGURE = /^x-codex-([a-z0-9][a-z0-9_-]*)-(primary|secondary)-used-percent$/;

/** As one window's headers have it. */
class Slot {
  figure: string | null = null;
  length: string | null = null;
  resetAt: string | null = null;
  resetAfter: string | null = null;
}

/** What the headers of one answer say, as text. As everywhere, the first of a name counts. */
class Statement {
  readonly primary = new Slot();
  readonly secondary = new Slot();
  plan: string | null = null;
  hasCredits: string | null = null;
  unlimited: string | null = null;
  balance: string | null = null;
  resetCredits: string | null = null;
  /** Names of the figures of other limits. */
  families: string[] | null = null;

  note(name: string, value: string): void {
    switch (name) {
      case "x-codex-plan-type":
        this.plan ??= value;
        break;
      case "x-codex-primary-used-percent":
        this.primary.figure ??= value;
        break;
      case "x-codex-primary-window-minutes":
        this.primary.length ??= value;
        break;
      case "x-codex-primary-reset-at":
        this.primary.resetAt ??= value;
        break;
      case "x-codex-primary-reset-after-seconds":
        this.primary.resetAfter ??= value;
        break;
      case "x-codex-secondary-used-percent":
        this.secondary.figure ??= value;
        break;
      case "x-codex-secondary-window-minutes":
        this.secondary.length ??= value;
        break;
      case "x-codex-secondary-reset-at":
        this.secondary.resetAt ??= value;
        break;
      case "x-codex-secondary-reset-after-seconds":
        this.secondary.resetAfter ??= value;
        break;
      case "x-codex-credits-has-credits":
        this.hasCredits ??= value;
        break;
      case "x-codex-credits-unlimited":
        this.unlimited ??= value;
        break;
      case "x-codex-credits-balance":
        this.balance ??= value;
        break;
      case "x-codex-rate-limit-reset-credits-available":
        this.resetCredits ??= value;
        break;
      default:
        if (name.endsWith("-used-percent")) (this.families ??= []).push(name);
    }
  }
}

export function readLimitHeaders(headers: HeaderList, nowMs: number): Observation {
  let said: Statement | null = null;
  for (const [name, value] of headers) {
    if (name.startsWith("x-codex-")) (said ??= new Statement()).note(name, value);
  }
  if (said === null) return NOTHING_OBSERVED;
  const { families } = said;
  const windows: WindowReading[] = [];
  addWindow(windows, MAIN_LIMIT, "primary", null, said.primary, nowMs);
  addWindow(windows, MAIN_LIMIT, "secondary", null, said.secondary, nowMs);
  if (families !== null) for (const figure of families) addFamily(windows, headers, figure, nowMs);
  return {
    windows,
    from: "header",
    tier: tierOf(said.plan),
    credits: creditsStated(said.hasCredits, said.unlimited, said.balance),
    resetCredits: resetCreditsStated(said.resetCredits),
  };
}

/** Which limit this answer ran under, by upstream's word; the main one when it does not say. */
export function activeLimit(headers: HeaderList): string {
  const named = headerValue(headers, "x-codex-active-limit")?.trim().toLowerCase();
  if (!named || named === "primary" || named === "secondary") return MAIN_LIMIT;
  return named;
}

function addFamily(windows: WindowReading[], headers: HeaderList, figure: string, nowMs: number): void {
  const parts = FAMILY_FIGURE.exec(figure);
  if (parts === null) return;
  const family = parts[1]!;
  const slot = parts[2] as WindowReading["slot"];
  const base = `x-codex-${family}`;
  const at = (name: string) => headerValue(headers, `${base}-${name}`);
  const stated: Slot = {
    figure: headerValue(headers, figure),
    length: at(`${slot}-window-minutes`),
    resetAt: at(`${slot}-reset-at`),
    resetAfter: at(`${slot}-reset-after-seconds`),
  };
  addWindow(windows, `${MAIN_LIMIT}_${family}`, slot, at("limit-name"), stated, nowMs);
}

function addWindow(
  windows: WindowReading[],
  limit: string,
  slot: WindowReading["slot"],
  limitName: string | null,
  stated: Slot,
  nowMs: number,
): void {
  if (stated.figure === null) return;
  const reading = readWindow(
    {
      limit,
      slot,
      limitName,
      usedPercent: asNumber(stated.figure),
      lengthMinutes: asNumber(stated.length),
      resetAtMs: instantOf(stated.resetAt),
      resetAfterSeconds: asNumber(stated.resetAfter),
    },
    nowMs,
  );
  if (reading !== null) windows.push(reading);
}

/** Subscriptions as upstream spells them, lower case; an empty or unlikely value is none. */
export function tierOf(value: string | null): string | null {
  const tier = value?.trim().toLowerCase() ?? "";
  return /^[a-z][a-z0-9_-]{0,39}$/.test(tier) ? tier : null;
}
