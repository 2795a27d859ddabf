/**
 * Puts a foreign store together from what the readers of a product found. Pure; the one place that maps their strategies to ours and
 * checks their settings against our catalogue.
 */
import { isSettingKey, readSetting } from "../domain/setting.ts";
import { isStrategyName } from "../domain/strategy.ts";
import type { ForeignSetting, ForeignStore } from "./foreign-store.ts";
import { type JsonNode, number } from "./json-node.ts";

export const EMPTY_STORE: Omit<ForeignStore, "format" | "remarks"> = {
  accounts: [],
  pin: null,
  strategy: null,
  keys: [],
  settings: [],
  profiles: [],
  budgets: [],
  ledger: [],
  choice: null,
};

/** Theirs → what ours would be called. A name that this version has not yet is told in a remark. */
const STRATEGIES: Readonly<Record<string, string>> = {
  "round-robin": "round-robin",
  "least-used": "least-used",
  random: "random",
  "weighted-round-robin": "weighted-round-robin",
  "use-up": "drain-first",
  sequential: "drain-first",
  hybrid: "balanced",
};

/** Our name for the strategy at `at`; null with a remark when there is none. */
export function strategyAt(at: JsonNode): string | null {
  if (at.isNothing) return null;
  const ours = typeof at.value === "string" && Object.hasOwn(STRATEGIES, at.value) ? STRATEGIES[at.value]! : null;
  if (ours !== null && isStrategyName(ours)) return ours;
  at.note("is a strategy that Rotor does not have; the one in force stays");
  return null;
}

/** How a number of theirs becomes a setting of ours: divided by `unitMs`, and held within the bounds of the catalogue by refusal. */
export interface SettingRule {
  readonly key: string;
  /** null = it is a switch. */
  readonly unitMs: number | null;
}

/** The setting at `at`, or null with a remark when it is absent from, or refused by, our catalogue. */
export function settingAt(at: JsonNode, rule: SettingRule): ForeignSetting | null {
  if (at.isNothing) return null;
  const isSwitch = rule.unitMs === null;
  if (isSwitch ? typeof at.value !== "boolean" : typeof at.value !== "number" || !Number.isFinite(at.value)) {
    at.note(`must be ${isSwitch ? "true or false" : "a number"}; it is left out`);
    return null;
  }
  const value = isSwitch ? String(at.value) : String(Math.round(number(at) / rule.unitMs!));
  const reading = isSettingKey(rule.key) ? readSetting(rule.key, value) : null;
  if (reading?.ok) return { key: rule.key, value, from: at.path };
  at.note(reading === null ? "has no setting here" : `is left out: ${reading.reason}`);
  return null;
}
