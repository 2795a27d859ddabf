/**
 * What an import brings beside logins: pin, strategy, settings, client keys, profiles, budgets and the ledger. Taken only where nothing was decided
 * here yet, and every piece says what became of it.
 */
import { formatInstant } from "../base/clock.ts";
import { createUlid, type Dice } from "../base/id.ts";
import { type AccountId, isAlias } from "../domain/account.ts";
import type { Budget } from "../domain/budget.ts";
import { type ClientKey, NO_TERMS } from "../domain/client-key.ts";
import type { LedgerRow } from "../domain/ledger.ts";
import type { Pin } from "../domain/pin.ts";
import type { Profile } from "../domain/profile.ts";
import { isSettingKey, readSetting, type SettingKey, type SettingState, type SettingValue } from "../domain/setting.ts";
import { DEFAULT_STRATEGY, isStrategyName, type StrategyName } from "../domain/strategy.ts";
import type { CarriedChoice, ForeignKey, ForeignStore } from "../transfer/foreign-store.ts";
import { planChoice } from "./import-choice.ts";
import { planProfiles } from "./import-profiles.ts";
import { type LedgerHere, planBudgets, planLedger } from "./import-spending.ts";

/** One piece, with what becomes of it. */
export interface ImportedFact {
  readonly kind: "pin" | "strategy" | "setting" | "key" | "rule" | "profile" | "budget" | "ledger";
  readonly name: string;
  readonly isTaken: boolean;
  readonly text: string;
}

/** What stands here already. */
export interface Here {
  readonly pin: Pin | null;
  readonly strategy: StrategyName;
  readonly settings: readonly SettingState[];
  readonly keys: readonly ClientKey[];
  readonly rules: readonly string[];
  readonly profiles: readonly Profile[];
  readonly budgets: readonly Budget[];
  readonly ledger: LedgerHere;
}

export interface FactPlan {
  readonly facts: readonly ImportedFact[];
  readonly pool: { readonly strategy: StrategyName; readonly pin: Pin | null } | null;
  readonly keys: readonly ClientKey[];
  readonly settings: ReadonlyMap<SettingKey, SettingValue>;
  /** null = they stay. */
  readonly rules: readonly string[] | null;
  readonly profiles: readonly Profile[];
  readonly budgets: readonly Budget[];
  readonly ledger: readonly LedgerRow[];
}

/** `accountOf`: index in the store → the account that it becomes or belongs to, with its alias. */
export function planFacts(
  store: ForeignStore,
  here: Here,
  accountOf: (index: number) => { readonly id: AccountId; readonly alias: string } | null,
  { nowMs, dice }: { readonly nowMs: number; readonly dice: Dice },
): FactPlan {
  const facts: ImportedFact[] = [];
  const pin = planPin(store, here, accountOf, nowMs, facts);
  const strategy = planStrategy(store, here, facts);
  const isChanged = pin !== here.pin || strategy !== here.strategy;
  const settings = planSettings(store, here, facts);
  const keys = planKeys(store.keys, here.keys, nowMs, dice, facts);
  const found = planProfiles(store.profiles, here.profiles, facts);
  const spending = planBudgets(store.budgets, here.budgets, found, nowMs, facts);
  const own = planChoice(store.choice ?? NO_CHOICE, { ...here, keys: [...here.keys, ...keys] }, facts);
  return {
    pool: isChanged ? { pin, strategy } : null,
    settings,
    keys,
    rules: own.rules,
    profiles: [...spending.profiles, ...own.profiles],
    budgets: [...spending.budgets, ...own.budgets],
    ledger: planLedger(store.ledger, here.ledger, accountOf, facts),
    facts,
  };
}

const NO_CHOICE: CarriedChoice = { rules: [], profiles: [], budgets: [] };

function planPin(
  { pin }: ForeignStore,
  here: Here,
  accountOf: (index: number) => { readonly id: AccountId; readonly alias: string } | null,
  nowMs: number,
  facts: ImportedFact[],
): Pin | null {
  const account = pin === null ? null : accountOf(pin.account);
  if (pin === null || account === null) return here.pin;
  const say = (isTaken: boolean, text: string) => facts.push({ kind: "pin", name: account.alias, isTaken, text });
  if (here.pin?.accountId === account.id) say(false, "pinned here already");
  else if (here.pin !== null) say(false, "another account is pinned here, which stays");
  else if (pin.untilMs !== null && pin.untilMs <= nowMs) say(false, "the pin has ended");
  else {
    say(true, pin.untilMs === null ? "pinned until it is taken off" : `pinned until ${formatInstant(pin.untilMs)}`);
    return { accountId: account.id, sinceMs: nowMs, untilMs: pin.untilMs };
  }
  return here.pin;
}

function planStrategy({ strategy }: ForeignStore, here: Here, facts: ImportedFact[]): StrategyName {
  if (strategy === null || !isStrategyName(strategy)) return here.strategy;
  const say = (isTaken: boolean, text: string) => facts.push({ kind: "strategy", name: strategy, isTaken, text });
  if (strategy === here.strategy) say(false, "in force here already");
  else if (here.strategy !== DEFAULT_STRATEGY) say(false, `${here.strategy} was chosen here and stays`);
  else {
    say(true, `takes the place of ${here.strategy}`);
    return strategy;
  }
  return here.strategy;
}

function planSettings(
  { settings }: ForeignStore,
  here: Here,
  facts: ImportedFact[],
): ReadonlyMap<SettingKey, SettingValue> {
  const taken = new Map<SettingKey, SettingValue>();
  for (const { key, value, from } of settings) {
    const reading = isSettingKey(key) ? readSetting(key, value) : null;
    if (!isSettingKey(key) || reading === null || !reading.ok || taken.has(key)) continue;
    const now = here.settings.find((state) => state.key === key)!;
    const say = (isTaken: boolean, text: string) => facts.push({ kind: "setting", name: key, isTaken, text });
    if (now.value === reading.value) say(false, `is ${value} here already`);
    else if (now.source !== "default") say(false, `was decided here (${now.value}) and stays`);
    else {
      taken.set(key, reading.value);
      say(true, `${now.value} → ${value}, from ${from}`);
    }
  }
  return taken;
}

function planKeys(
  found: readonly ForeignKey[],
  known: readonly ClientKey[],
  nowMs: number,
  dice: Dice,
  facts: ImportedFact[],
): readonly ClientKey[] {
  const taken: ClientKey[] = [];
  for (const key of found) {
    const names = new Set([...known, ...taken].filter((one) => one.revokedAtMs === null).map((one) => one.name));
    const name = freeName(key.name, names);
    const say = (isTaken: boolean, text: string) => facts.push({ kind: "key", name, isTaken, text });
    const hex = key.hashHex.toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(hex)) say(false, "its hash cannot be read");
    else if ([...known, ...taken].some((one) => one.hash.hex === hex)) say(false, "known here already");
    else if (key.revokedAtMs !== null) say(false, "was revoked");
    else if (key.expiresAtMs !== null && key.expiresAtMs <= nowMs) say(false, "has ended");
    else {
      taken.push({
        id: createUlid(nowMs, dice).slice(16),
        name,
        hash: { algorithm: "sha256-text", hex },
        former: null,
        terms: { ...NO_TERMS, expiresAtMs: key.expiresAtMs },
        createdAtMs: key.createdAtMs ?? nowMs,
        revokedAtMs: null,
        lastUsedAtMs: key.lastUsedAtMs,
      });
      say(true, "clients go on using it");
    }
  }
  return taken;
}

function freeName(wish: string, taken: ReadonlySet<string>): string {
  const cleaned = wish
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "")
    .slice(0, 36);
  const base = wish.includes("@") || !isAlias(cleaned) ? "imported" : cleaned;
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(name)) return name;
  }
}
