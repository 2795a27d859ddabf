/**
 * Credits as upstream's headers, events and usage answer state them, made into a reading. Pure; one set of rules for all three.
 */
import type { CreditsReading } from "../domain/credits.ts";
import { asNumber, type Json, numberAt, objectAt } from "./json.ts";

/** `x-codex-credits-has-credits: True` and its like (wire §3.7); null when they are not there. */
export function creditsStated(
  hasCredits: string | null,
  unlimited: string | null,
  balance: string | null,
): CreditsReading | null {
  const has = flagIn(hasCredits);
  return has === null ? null : readingOf(has, flagIn(unlimited), balance);
}

/** The member `credits` of an event or of the usage answer. */
export function creditsIn(body: Json): CreditsReading | null {
  const { has_credits: has, unlimited, balance } = objectAt(body, "credits");
  return typeof has === "boolean" ? readingOf(has, unlimited === true, balance) : null;
}

/** `x-codex-rate-limit-reset-credits-available`. */
export function resetCreditsStated(available: string | null): number | null {
  return countOf(asNumber(available));
}

export function resetCreditsIn(body: Json): number | null {
  return countOf(numberAt(objectAt(body, "rate_limit_reset_credits"), "available_count"));
}

function readingOf(hasCredits: boolean, unlimited: boolean | null, balance: unknown): CreditsReading {
  return { hasCredits, unlimited: unlimited === true, balance: balanceOf(balance) };
}

/** A number as it was written: it is shown, never reckoned with. */
function balanceOf(value: unknown): string | null {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : "";
  return /^-?\d{1,15}(?:\.\d{1,9})?$/.test(text) ? text : null;
}

function flagIn(value: string | null): boolean | null {
  const word = value?.trim().toLowerCase();
  return word === "true" ? true : word === "false" ? false : null;
}

function countOf(number: number | null): number | null {
  return number !== null && Number.isInteger(number) && number >= 0 ? number : null;
}
