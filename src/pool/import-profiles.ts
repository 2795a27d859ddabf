/**
 * What becomes of another product's routing profiles: a profile of ours for each project, of the same key, in the words of our rules.
 * A project that has a profile here keeps it. Plans only.
 */
import { isAlias } from "../domain/account.ts";
import { isProjectKey, type Profile } from "../domain/profile.ts";
import { isModelPattern } from "../domain/rule-syntax.ts";
import type { ForeignProfile } from "../transfer/foreign-store.ts";

/** What became of one of them. */
interface ProfileFact {
  readonly kind: "profile";
  readonly name: string;
  readonly isTaken: boolean;
  readonly text: string;
}

/** A profile with the key of the budget that the product counted it to, when that is no budget of its project. */
export interface FoundProfile {
  readonly profile: Profile;
  readonly budgetKey: string | null;
}

export function planProfiles(
  foreign: readonly ForeignProfile[],
  here: readonly Profile[],
  facts: { push(fact: ProfileFact): unknown },
): readonly FoundProfile[] {
  const taken = new Set(here.map(({ name }) => name));
  const planned: FoundProfile[] = [];
  for (const one of foreign) {
    const say = (name: string, isTaken: boolean, text: string) => facts.push({ kind: "profile", name, isTaken, text });
    const label = one.name ?? one.key;
    if (!isProjectKey(one.key)) {
      say(label, false, "it does not say which project it is for");
      continue;
    }
    const owner = [...here, ...planned.map(({ profile }) => profile)].find(({ projects }) =>
      projects.some(({ key }) => key === one.key),
    );
    if (owner !== undefined) {
      say(label, false, `its project has the profile ${owner.name} here, which stays`);
      continue;
    }
    const name = nameFor(label, taken);
    taken.add(name);
    const profile: Profile = {
      name,
      accounts: [],
      strategy: null,
      models: patterns(one.modelAllowlist),
      rules: rulesFor(one),
      keyIds: [],
      projects: [{ key: one.key, path: one.root ?? one.key }],
      budgets: [],
    };
    // What is meant for its own project, or for all, counts to it anyway.
    const isOther = one.budgetKey !== null && one.budgetKey !== one.key && one.budgetKey !== "global";
    planned.push({ profile, budgetKey: isOther ? one.budgetKey : null });
    const weights = one.accountWeights.length === 0 ? "" : "; its weights are not carried over (rotor account weight)";
    say(name, true, `bound to the project ${one.root ?? one.key}${weights}`);
  }
  return planned;
}

/** The product compares a model with whole names and with parts of names. */
function patterns(names: readonly string[]): readonly string[] {
  return names.map((name) => `*${name}*`).filter(isModelPattern);
}

function rulesFor({ preferredTags, avoidTags, modelDenylist }: ForeignProfile): readonly string[] {
  const tags = (names: readonly string[]) => names.filter(isAlias).map((name) => `tag:${name}`);
  const line = (verb: string, who: readonly string[]) => (who.length === 0 ? [] : [`${verb} ${who.join(", ")}`]);
  const denied = patterns(modelDenylist);
  return [
    ...line("prefer", tags(preferredTags)),
    ...line("avoid", tags(avoidTags)),
    ...(denied.length === 0 ? [] : [`off all for ${denied.join(", ")}`]),
  ];
}

function nameFor(label: string, taken: ReadonlySet<string>): string {
  const cleaned = label
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "")
    .slice(0, 36);
  const base = isAlias(cleaned) ? cleaned : "imported";
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(name)) return name;
  }
}
