/** The rules, profiles and budgets of the pool as a pool file carries them: client keys by their names, since they stay here. Data alone. */
import type { Budget } from "../domain/budget.ts";
import type { ClientKey } from "../domain/client-key.ts";
import type { Profile } from "../domain/profile.ts";
import { printWho } from "../domain/rule.ts";
import type { CarriedBudget, CarriedChoice, CarriedProfile } from "../transfer/foreign-store.ts";

export function choiceToCarry(
  rules: readonly string[],
  profiles: readonly Profile[],
  budgets: readonly Budget[],
  keys: readonly ClientKey[],
): CarriedChoice {
  const nameOf = (id: string) => keys.find((key) => key.id === id && key.revokedAtMs === null)?.name;
  return {
    rules,
    profiles: profiles.map(({ name, accounts, strategy, models, rules, keyIds, projects, budgets }): CarriedProfile => {
      const keyNames = keyIds.flatMap((id) => nameOf(id) ?? []);
      return { name, accounts: printWho(accounts), strategy, models, rules, keyNames, projects, budgets };
    }),
    budgets: budgets.flatMap(({ name, scope, limit, warnPercent, createdAtMs }): CarriedBudget | [] => {
      const of = scope.kind === "key" ? nameOf(scope.keyId) : scope.kind === "project" ? scope.project : "";
      return of === undefined ? [] : { name, scope: scope.kind, of, ...limit, warnPercent, createdAtMs };
    }),
  };
}
