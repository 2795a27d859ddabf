/**
 * The facts about an account that answers teach (windows, cooldown, refused models, use), as the JSON document they are kept in.
 * All of them are learnt again from the next answers, so a broken part is dropped and named, never a reason not to start.
 */
import type { Account, Cooldown, CooldownReason, UnsupportedModel, UseFacts } from "../domain/account.ts";
import type { Credits, ResetCredits } from "../domain/credits.ts";
import type { Window, WindowSource } from "../domain/window.ts";

export type ObservedFacts = Pick<
  Account,
  "windows" | "credits" | "resetCredits" | "cooldown" | "unsupportedModels" | "use"
>;
export type ObservedPart = keyof ObservedFacts;

const NEVER_USED: UseFacts = {
  lastLeaseOrder: 0,
  lastLeasedAtMs: null,
  lastServedAtMs: null,
  turn: 0,
  exchangesByDay: [],
};

export function formatObserved(facts: ObservedFacts): string {
  const { windows, credits, resetCredits, cooldown, unsupportedModels, use } = facts;
  return JSON.stringify({ windows, credits, resetCredits, cooldown, unsupportedModels, use });
}

export function parseObserved(text: string): { facts: ObservedFacts; dropped: readonly ObservedPart[] } {
  const value = parseJson(text);
  const dropped: ObservedPart[] = [];
  const drop = <T>(part: ObservedPart, instead: T): T => {
    dropped.push(part);
    return instead;
  };
  const { windows, credits, resetCredits, cooldown, unsupportedModels, use } = isObject(value) ? value : {};
  return {
    facts: {
      windows: isListOf(windows, isWindow) ? windows : drop("windows", []),
      credits: credits === null || isCredits(credits) ? credits : drop("credits", null),
      resetCredits: resetCredits === null || isResetCredits(resetCredits) ? resetCredits : drop("resetCredits", null),
      cooldown: cooldown === null || isCooldown(cooldown) ? cooldown : drop("cooldown", null),
      unsupportedModels: isListOf(unsupportedModels, isUnsupportedModel)
        ? unsupportedModels
        : drop("unsupportedModels", []),
      use: isUse(use) ? use : drop("use", NEVER_USED),
    },
    dropped,
  };
}

const WINDOW_SOURCES = { header: 0, event: 0, error: 0, usage_endpoint: 0, import: 0 } satisfies Record<
  WindowSource,
  0
>;
const COOLDOWN_REASONS = {
  rate_limited: 0,
  refresh_failed: 0,
  upstream_failing: 0,
  owner_must_refresh: 0,
} satisfies Record<CooldownReason, 0>;

function isWindow(value: unknown): value is Window {
  return (
    isObject(value) &&
    typeof value.limit === "string" &&
    (value.slot === "primary" || value.slot === "secondary") &&
    (value.models === null || isListOf(value.models, isText)) &&
    isNumberOrNull(value.lengthMinutes) &&
    isNumber(value.usedPercent) &&
    isNumberOrNull(value.resetsAtMs) &&
    isSeen(value)
  );
}

function isSeen(value: Record<string, unknown>): boolean {
  return isNumber(value.observedAtMs) && isOneOf(value.observedFrom, WINDOW_SOURCES);
}

function isCredits(value: unknown): value is Credits {
  return (
    isObject(value) &&
    typeof value.hasCredits === "boolean" &&
    typeof value.unlimited === "boolean" &&
    (value.balance === null || isText(value.balance)) &&
    isSeen(value)
  );
}

function isResetCredits(value: unknown): value is ResetCredits {
  return isObject(value) && isNumber(value.available) && isSeen(value);
}

function isCooldown(value: unknown): value is Cooldown {
  return (
    isObject(value) &&
    isNumber(value.untilMs) &&
    isNumber(value.sinceMs) &&
    isOneOf(value.reason, COOLDOWN_REASONS) &&
    isNumber(value.failures)
  );
}

function isUnsupportedModel(value: unknown): value is UnsupportedModel {
  return isObject(value) && typeof value.model === "string" && isNumber(value.untilMs);
}

function isUse(value: unknown): value is UseFacts {
  return (
    isObject(value) &&
    isNumber(value.lastLeaseOrder) &&
    isNumberOrNull(value.lastLeasedAtMs) &&
    isNumberOrNull(value.lastServedAtMs) &&
    isNumber(value.turn) &&
    isListOf(value.exchangesByDay, isDayCount)
  );
}

function isDayCount(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && isNumber(value[0]) && isNumber(value[1]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isItem);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isNumberOrNull(value: unknown): value is number | null {
  return value === null || isNumber(value);
}

function isOneOf(value: unknown, table: Readonly<Record<string, 0>>): boolean {
  return typeof value === "string" && Object.hasOwn(table, value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
