/** Profiles: made, changed, and given to client keys and projects. A key and a project each belong to one profile at most. */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Account, isAlias } from "../domain/account.ts";
import type { Budget } from "../domain/budget.ts";
import { type ClientKey, type KeyTerms, scopeRefusal } from "../domain/client-key.ts";
import { isProjectKey, type Profile, type ProfileAsk, type Project } from "../domain/profile.ts";
import { findGap, modelsNamed, unknownNames } from "../domain/rule-check.ts";
import { compileRules } from "../domain/rule-set.ts";
import { isModelPattern, parseRules, parseWho } from "../domain/rule-syntax.ts";
import type { StrategyName } from "../domain/strategy.ts";
import type { Thresholds } from "../domain/threshold.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { ModelFilter } from "./model-answers.ts";
import { refuseProblems } from "./rule-desk.ts";
import { plainProfile, type Rulebook } from "./rulebook.ts";

/** A profile as an operator writes it; its projects are bound one by one. */
export interface ProfileWish {
  readonly name: string;
  /** `tag:work, spare`; "" = every account. */
  readonly accounts: string;
  readonly strategy: StrategyName | null;
  readonly models: readonly string[];
  readonly rules: readonly string[];
  readonly keyIds: readonly string[];
  /** Names of budgets that profiles name. */
  readonly budgets: readonly string[];
}

export interface ProfileDesk {
  /** In the order in which they were added. */
  list(): readonly Profile[];
  /** Throws `profile_not_found`. */
  get(name: string): Profile;
  /** Adds or replaces all of it but its projects. Keys that another profile had are this one's from then on. */
  set(wish: ProfileWish, dryRun: boolean): Promise<{ profile: Profile; warnings: readonly string[] }>;
  remove(name: string): Promise<Profile>;
  /** It keeps its place, keys and projects. Rejects with `profile_not_found`. */
  rename(from: string, to: string): Promise<Profile>;
  /**
   * Which models such a request may ask for, by its client key's terms and by the profile that it gets; null = every one. Throws
   * `profile_not_found`.
   */
  modelsFor(ask: ProfileAsk): ModelFilter | null;
  bind(name: string, project: Project): Promise<Profile>;
  /** The profile that the project was bound to; null = none. */
  unbind(projectKey: string): Promise<Profile | null>;
}

interface ProfileDeskDeps {
  readonly rulebook: Rulebook;
  readonly accounts: () => readonly Account[];
  readonly thresholds: () => Thresholds;
  /** Whose ids a profile may name, and what they may ask for. */
  readonly keys: { list(): readonly Pick<ClientKey, "id">[]; get(id: string): Pick<ClientKey, "terms"> | null };
  readonly budgets: () => readonly Budget[];
  readonly store: Pick<Store, "saveProfiles" | "removeProfile">;
  readonly announce: () => void;
  readonly audit: AuditNotes;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** More would be no names any more, but a database. */
const PROFILES_MAX = 200;

export function createProfileDesk(deps: ProfileDeskDeps): ProfileDesk {
  const { rulebook, store, audit, log } = deps;
  const named = (name: string) => [{ id: name, name }];
  const adopt = (profiles: readonly Profile[]) => {
    rulebook.adoptProfiles(profiles);
    deps.announce();
  };
  /** Saves what changed; the others stay where they stand in the list. */
  const save = async (changed: readonly Profile[]) => {
    await store.saveProfiles(changed);
    const known = rulebook.profiles().map(plainProfile);
    const fresh = changed.filter(({ name }) => !known.some((one) => one.name === name));
    adopt([...known.map((one) => changed.find(({ name }) => name === one.name) ?? one), ...fresh]);
  };
  const others = (name: string) => rulebook.profiles().filter((one) => one.name !== name);
  const scoped = createScopedFilters();
  return {
    list: () => rulebook.profiles(),
    get: (name) => rulebook.require(name),
    async set(wish, dryRun) {
      const before = rulebook.profiles().find(({ name }) => name === wish.name) ?? null;
      const profile: Profile = { ...readWish(deps, wish), projects: before?.projects ?? [] };
      if (before === null && rulebook.profiles().length >= PROFILES_MAX)
        throw new AppError("invalid_request", `there may be ${PROFILES_MAX} profiles`);
      const warnings = warningsOf(deps, profile);
      if (dryRun) return { profile, warnings };
      const robbed = others(profile.name)
        .filter(({ keyIds }) => keyIds.some((id) => profile.keyIds.includes(id)))
        .map((one) => ({ ...plainProfile(one), keyIds: one.keyIds.filter((id) => !profile.keyIds.includes(id)) }));
      await save([...robbed, profile]);
      audit.say({ action: "profile.set", subjects: named(profile.name), text: before === null ? "added" : "changed" });
      log.info("profile.set", { profile: profile.name });
      return { profile, warnings };
    },
    async remove(name) {
      const gone = rulebook.require(name);
      await store.removeProfile(name);
      adopt(others(name).map(plainProfile));
      audit.say({ action: "profile.remove", subjects: named(name), text: "" });
      log.info("profile.removed", { profile: name });
      return gone;
    },
    async rename(from, to) {
      const before = plainProfile(rulebook.require(from));
      if (!isAlias(to)) throw notAName(to);
      if (from !== to && rulebook.profiles().some(({ name }) => name === to))
        throw new AppError("invalid_request", `there is another profile called ${to}`);
      const renamed: Profile = { ...before, name: to };
      await store.saveProfiles([renamed], { from, to });
      adopt(rulebook.profiles().map((one) => (one.name === from ? renamed : plainProfile(one))));
      audit.say({ action: "profile.rename", subjects: named(to), text: `${from} → ${to}` });
      log.info("profile.renamed", { profile: to });
      return renamed;
    },
    modelsFor(ask) {
      const chosen = rulebook.choose(ask);
      const ofProfile = chosen === null || chosen.models.length === 0 ? null : chosen.isModel;
      const terms = ask.keyId === null ? null : (deps.keys.get(ask.keyId)?.terms ?? null);
      return terms === null || terms.models.length === 0 ? ofProfile : scoped(terms, ofProfile);
    },
    async bind(name, project) {
      const before = plainProfile(rulebook.require(name));
      if (!isProjectKey(project.key) || project.path.length > 4_096)
        throw new AppError("invalid_request", "this is not the key of a project");
      const without = (one: Profile) => one.projects.filter(({ key }) => key !== project.key);
      const robbed = others(name)
        .filter(({ projects }) => projects.some(({ key }) => key === project.key))
        .map((one) => ({ ...plainProfile(one), projects: without(one) }));
      const bound: Profile = { ...before, projects: [...without(before), project] };
      await save([...robbed, bound]);
      audit.say({ action: "profile.bind", subjects: named(name), text: project.key });
      log.info("profile.bound", { profile: name, project: project.key });
      return bound;
    },
    async unbind(projectKey) {
      const owner = rulebook.profiles().find(({ projects }) => projects.some(({ key }) => key === projectKey));
      if (owner === undefined) {
        audit.say({ action: "profile.unbind", subjects: [], text: `${projectKey.slice(0, 60)} was bound to none` });
        return null;
      }
      const left: Profile = {
        ...plainProfile(owner),
        projects: owner.projects.filter(({ key }) => key !== projectKey),
      };
      await save([left]);
      audit.say({ action: "profile.unbind", subjects: named(owner.name), text: projectKey });
      log.info("profile.unbound", { profile: owner.name, project: projectKey });
      return left;
    },
  };
}

/** What a key and a profile both allow: the same function for as long as neither changes, since lists are kept by it. */
function createScopedFilters() {
  const made = new WeakMap<KeyTerms, { ofProfile: ModelFilter | null; filter: ModelFilter }>();
  return (terms: KeyTerms, ofProfile: ModelFilter | null): ModelFilter => {
    const known = made.get(terms);
    if (known?.ofProfile === ofProfile) return known.filter;
    const filter: ModelFilter = (model) =>
      scopeRefusal(terms, { model, effort: null, tier: null }) === null && (ofProfile?.(model) ?? true);
    made.set(terms, { ofProfile, filter });
    return filter;
  };
}

function notAName(name: string): AppError {
  const message = `"${name}" cannot be a profile's name: 1 to 40 of a-z 0-9 . _ -, not only digits`;
  return new AppError("invalid_request", message);
}

/** One that counts other requests anyway would count these twice, or not. */
function refuseOther(name: string, budgets: readonly Budget[]): void {
  const found = budgets.find((budget) => budget.name === name);
  if (found === undefined) throw new AppError("budget_not_found", `there is no budget ${name}`);
  if (found.scope.kind !== "profiles")
    throw new AppError("invalid_request", `the budget ${name} is not one that profiles name`, {
      hint: `rotor budget set ${name} --scope profiles --limit LIMIT`,
    });
}

function readWish(deps: ProfileDeskDeps, wish: ProfileWish): Omit<Profile, "projects"> {
  const { name, strategy, models, rules } = wish;
  const { keys } = deps;
  if (!isAlias(name)) throw notAName(name);
  const accounts = wish.accounts.trim() === "" ? [] : parseWho(wish.accounts);
  if ("message" in accounts)
    throw new AppError("invalid_rule", `accounts, column ${accounts.column}: ${accounts.message}`);
  const strange = models.find((model) => !isModelPattern(model));
  if (strange !== undefined) throw new AppError("invalid_request", `"${strange}" is no model`);
  refuseProblems(parseRules(rules).problems, "rules, ");
  const keyIds = [...new Set(wish.keyIds)];
  const lost = keyIds.find((id) => !keys.list().some((key) => key.id === id));
  if (lost !== undefined) throw new AppError("key_not_found", `there is no key ${lost}`);
  const budgets = [...new Set(wish.budgets)];
  for (const budget of budgets) refuseOther(budget, deps.budgets());
  return { name, accounts, strategy, models: [...new Set(models)], rules, keyIds, budgets };
}

function warningsOf(deps: ProfileDeskDeps, profile: Profile): readonly string[] {
  const accounts = deps.accounts();
  const own = parseRules(profile.rules).rules;
  const pool = parseRules(deps.rulebook.lines()).rules;
  const rules = compileRules(
    [
      { profile: null, rules: pool },
      { profile: profile.name, rules: own },
    ],
    deps.rulebook.zone,
  );
  const nowMs = deps.nowMs();
  const models = modelsNamed([...pool, ...own]);
  const gap = findGap(accounts, { nowMs, rules, profile, thresholds: deps.thresholds(), models });
  const model = gap?.model == null ? "" : ` for ${gap.model}`;
  const when = gap?.atMs === nowMs ? "now" : "at some time of the week";
  return [
    ...unknownNames(profile.accounts, accounts),
    ...own.flatMap(({ rule }) => unknownNames(rule.who, accounts)),
    ...(gap === null ? [] : [`it leaves nobody ${when}${model}`]),
  ];
}
