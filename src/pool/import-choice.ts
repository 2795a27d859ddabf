/**
 * What becomes of the rules, profiles and budgets of another Rotor: what nobody has decided here, by its name. Client keys are known by
 * their names, since those of another Rotor stay there. Plans only.
 */
import { isAlias } from "../domain/account.ts";
import { type Budget, type BudgetScope, isProject } from "../domain/budget.ts";
import type { ClientKey } from "../domain/client-key.ts";
import { limitProblem, limitText, MEASURES, PERIODS } from "../domain/limit.ts";
import { isProjectKey, type Profile } from "../domain/profile.ts";
import { parseRules, parseWho } from "../domain/rule-syntax.ts";
import { isStrategyName } from "../domain/strategy.ts";
import type { CarriedBudget, CarriedChoice, CarriedProfile } from "../transfer/foreign-store.ts";

/** What became of one of them. */
interface ChoiceFact {
  readonly kind: "rule" | "profile" | "budget";
  readonly name: string;
  readonly isTaken: boolean;
  readonly text: string;
}

interface Facts {
  push(fact: ChoiceFact): unknown;
}

export interface ChoiceHere {
  readonly rules: readonly string[];
  readonly profiles: readonly Profile[];
  readonly budgets: readonly Budget[];
  /** Those that come with the import among them. */
  readonly keys: readonly ClientKey[];
}

/** `rules` null = they stay. */
export function planChoice({ rules, profiles, budgets }: CarriedChoice, here: ChoiceHere, facts: Facts) {
  const taken = budgets.flatMap((one) => planBudget(one, here, facts) ?? []);
  const all = [...here.budgets, ...taken];
  const planned: Profile[] = [];
  for (const one of profiles) {
    const profile = planProfile(one, { ...here, profiles: [...here.profiles, ...planned], budgets: all }, facts);
    if (profile !== null) planned.push(profile);
  }
  return { rules: planRules(rules, here, facts), profiles: planned, budgets: taken };
}

function planRules(lines: readonly string[], here: ChoiceHere, facts: Facts): readonly string[] | null {
  const count = `${lines.length} ${lines.length === 1 ? "line" : "lines"}`;
  const say = (isTaken: boolean, text: string) => facts.push({ kind: "rule", name: count, isTaken, text });
  const [problem] = parseRules(lines).problems;
  if (lines.length === 0) return null;
  if (lines.join("\n") === here.rules.join("\n")) say(false, "in force here already");
  else if (here.rules.length > 0) say(false, "there are rules here, which stay");
  else if (problem !== undefined) say(false, `line ${problem.line}: ${problem.message}`);
  else {
    say(true, lines.map((line) => line.trim()).join("; "));
    return lines;
  }
  return null;
}

function planProfile(one: CarriedProfile, here: ChoiceHere, facts: Facts): Profile | null {
  const { name, strategy, models, rules } = one;
  const say = (isTaken: boolean, text: string) => facts.push({ kind: "profile", name, isTaken, text });
  const accounts = one.accounts === "" ? [] : parseWho(one.accounts);
  const [problem] = parseRules(rules).problems;
  if (here.profiles.some((known) => known.name === name)) say(false, "there is one of that name here, which stays");
  else if (!isAlias(name)) say(false, "its name is none");
  else if ("message" in accounts) say(false, `accounts: ${accounts.message}`);
  else if (strategy !== null && !isStrategyName(strategy)) say(false, `there is no strategy ${strategy}`);
  else if (problem !== undefined) say(false, `rule ${problem.line}: ${problem.message}`);
  else {
    const keys = one.keyNames.map((keyName) => ({ name: keyName, id: freeKey(keyName, here) }));
    const projects = one.projects.filter(({ key }) => isProjectKey(key) && !isBound(key, here));
    const lost = [
      ...keys.filter(({ id }) => id === null).map((key) => `the key ${key.name}`),
      ...one.projects.filter((project) => !projects.includes(project)).map(({ path }) => `the project ${path}`),
    ];
    say(true, lost.length === 0 ? summaryOf(one) : `${summaryOf(one)}; without ${lost.join(", ")}`);
    const keyIds = keys.flatMap(({ id }) => id ?? []);
    const budgets = one.budgets.filter((budget) => here.budgets.some((known) => known.name === budget));
    return { name, accounts, strategy, models, rules, keyIds, projects, budgets };
  }
  return null;
}

function summaryOf({ accounts, models, budgets }: CarriedProfile): string {
  const parts = [accounts || "every account", models.join(", "), ...budgets.map((name) => `budget ${name}`)];
  return parts.filter((part) => part !== "").join("; ");
}

/** A key belongs to one profile at most. */
function freeKey(name: string, { keys, profiles }: ChoiceHere): string | null {
  const key = keys.find((one) => one.name === name && one.revokedAtMs === null);
  return key === undefined || profiles.some(({ keyIds }) => keyIds.includes(key.id)) ? null : key.id;
}

function isBound(projectKey: string, { profiles }: ChoiceHere): boolean {
  return profiles.some(({ projects }) => projects.some(({ key }) => key === projectKey));
}

function planBudget(one: CarriedBudget, here: ChoiceHere, facts: Facts): Budget | null {
  const { name, warnPercent, createdAtMs } = one;
  const say = (isTaken: boolean, text: string) => facts.push({ kind: "budget", name, isTaken, text });
  const scope = scopeOf(one, here);
  const measure = MEASURES.find((known) => known === one.measure);
  const period = PERIODS.find((known) => known === one.period);
  if (here.budgets.some((known) => known.name === name)) say(false, "there is one of that name here, which stays");
  else if (!isAlias(name)) say(false, "its name is none");
  else if (scope === null) say(false, `there is no ${one.scope} ${one.of} here`);
  else if (measure === undefined || period === undefined) say(false, "its limit cannot be read");
  else {
    const limit = { measure, amount: one.amount, period };
    const problem = limitProblem(limit);
    say(problem === null, problem ?? `${limitText(limit)} for ${one.of === "" ? one.scope : `${one.scope} ${one.of}`}`);
    return problem === null ? { name, scope, limit, warnPercent, createdAtMs } : null;
  }
  return null;
}

function scopeOf({ scope, of }: CarriedBudget, { keys }: ChoiceHere): BudgetScope | null {
  if (scope === "all" || scope === "profiles") return { kind: scope };
  if (scope === "project") return isProject(of) ? { kind: "project", project: of } : null;
  const key = keys.find((one) => one.name === of && one.revokedAtMs === null);
  return scope === "key" && key !== undefined ? { kind: "key", keyId: key.id } : null;
}
