/** Puts together what operators say of choosing: rules and profiles, over the rulebook that selection reads. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Settings } from "../domain/setting.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { BudgetDesk } from "./budget-desk.ts";
import type { Choice } from "./choice.ts";
import type { ExchangeBook } from "./exchange-book.ts";
import type { Keeper } from "./keeper.ts";
import type { KeyDeskWithFlush } from "./key-desk.ts";
import { createProfileDesk } from "./profile-desk.ts";
import { createRuleDesk } from "./rule-desk.ts";
import type { Rulebook } from "./rulebook.ts";

export function createChoice(deps: {
  rulebook: Rulebook;
  keeper: Keeper;
  settings: () => Settings;
  store: Store;
  audit: AuditNotes;
  clock: Clock;
  log: Log;
  keys: KeyDeskWithFlush;
  exchanges: ExchangeBook;
  budgets: Pick<BudgetDesk, "list">;
}): Choice {
  const { keeper, settings, clock } = deps;
  const { accounts, announce } = keeper;
  const budgets = () => deps.budgets.list().map(({ budget }) => budget);
  const shared = { ...deps, budgets, accounts, announce, thresholds: settings, nowMs: () => clock.nowMs() };
  return { rules: createRuleDesk(shared), profiles: createProfileDesk(shared) };
}
