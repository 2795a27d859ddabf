/**
 * Rules and profiles in force, made ready when they change and only read by selection. The one place that says through which profile a
 * request asks. Keeps nothing on disk: the desks save first, and then put it here.
 */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { ruleName } from "../domain/explain.ts";
import { chooseProfile, type Profile, type ProfileAsk } from "../domain/profile.ts";
import type { Mentions, Sayings } from "../domain/rule-rename.ts";
import { compileRules, modelMatcher, type RuleSet } from "../domain/rule-set.ts";
import { parseRules } from "../domain/rule-syntax.ts";
import type { ZoneOffset } from "../domain/schedule.ts";

/** A profile as selection takes it; its rules are those of the pool, and then its own. */
export interface ReadyProfile extends Profile {
  readonly ready: RuleSet | null;
  readonly isModel: (model: string | null) => boolean;
}

/** As it is kept: data alone. */
export function plainProfile({ ready: _ready, isModel: _isModel, ...profile }: ReadyProfile): Profile {
  return profile;
}

/** Every line and profile, as they are kept. */
export function sayingsOf(rulebook: Pick<Rulebook, "lines" | "profiles">): Sayings {
  return { rules: rulebook.lines(), profiles: rulebook.profiles().map(plainProfile) };
}

/** Takes over lines, and profiles by their names, that the store has accepted. */
export function adoptSayings(rulebook: Rulebook, { rules, profiles }: Sayings): void {
  rulebook.adoptLines(rules);
  const known = rulebook.profiles().map(plainProfile);
  rulebook.adoptProfiles(known.map((one) => profiles.find(({ name }) => name === one.name) ?? one));
}

/** `rule 2: keep 20% of work, the profile night`; "" = nowhere. */
export function mentionsText(mentions: Mentions): string {
  return mentionTexts(mentions).join(", ");
}

export function mentionTexts({ rules, profiles }: Mentions): string[] {
  return [...rules.map(ruleName), ...profiles.map((name) => `the profile ${name}`)];
}

export interface Rulebook {
  readonly zone: ZoneOffset;
  lines(): readonly string[];
  /** Of an ask that no profile asks through. */
  rules(): RuleSet | null;
  profiles(): readonly ReadyProfile[];
  /** Throws `profile_not_found`. */
  require(name: string): ReadyProfile;
  /** null = none. Throws `profile_not_found` when the request names one that is not there. */
  choose(ask: ProfileAsk): ReadyProfile | null;
  adoptLines(lines: readonly string[]): void;
  /** In the order in which they were added. */
  adoptProfiles(profiles: readonly Profile[]): void;
}

export function createRulebook(deps: {
  stored: { readonly rules: readonly string[]; readonly profiles: readonly Profile[] };
  zone: ZoneOffset;
  log: Log;
}): Rulebook {
  const { zone, log } = deps;
  let lines = deps.stored.rules;
  let profiles: readonly ReadyProfile[] = [];
  let rules: RuleSet | null = null;

  /** What was saved was understood; a line that is not any more (another version wrote it) is told and left out. */
  const read = (text: readonly string[], profile: string | null) => {
    const { rules: read, problems } = parseRules(text);
    for (const problem of problems) log.warn("rule.unreadable", { profile, ...problem });
    return { profile, rules: read };
  };
  const makeReady = (next: readonly Profile[]) => {
    rules = compileRules([read(lines, null)], zone);
    profiles = next.map((profile) => ({
      ...profile,
      ready: compileRules([read(lines, null), read(profile.rules, profile.name)], zone),
      isModel: modelMatcher(profile.models),
    }));
  };
  const missing = (name: string) =>
    new AppError("profile_not_found", `there is no profile ${name}`, { facts: { profile: name } });
  makeReady(deps.stored.profiles);

  return {
    zone,
    lines: () => lines,
    rules: () => rules,
    profiles: () => profiles,
    require(name) {
      const found = profiles.find((one) => one.name === name);
      if (found === undefined) throw missing(name);
      return found;
    },
    choose(ask) {
      if (profiles.length === 0 && ask.profile === null) return null;
      const choice = chooseProfile(profiles, ask);
      if (choice.kind === "unknown") throw missing(choice.name.slice(0, NAME_SHOWN));
      return choice.kind === "chosen" ? choice.profile : null;
    },
    adoptLines(next) {
      lines = next;
      makeReady(profiles);
    },
    adoptProfiles: makeReady,
  };
}

/** What a header may make an error say. */
const NAME_SHOWN = 40;
