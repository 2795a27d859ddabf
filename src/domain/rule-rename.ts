/**
 * What names an account or a tag in rules and profiles, and the same with another name: an account that is renamed stays the one that was
 * meant. Touches no character of a line but the name. Pure.
 */
import type { Profile } from "./profile.ts";
import { printWho, type RuleRef, type Who } from "./rule.ts";
import { parseRules } from "./rule-syntax.ts";

/** What is renamed. */
export interface Named {
  readonly kind: "alias" | "tag";
  readonly name: string;
}

/** What is said of choosing. */
export interface Sayings {
  readonly rules: readonly string[];
  readonly profiles: readonly Profile[];
}

/** Rules and profiles that name it. */
export interface Mentions {
  readonly rules: readonly RuleRef[];
  /** Profiles whose accounts it is among. */
  readonly profiles: readonly string[];
}

export function mentionsOf(named: Named, { rules, profiles }: Sayings): Mentions {
  return {
    rules: [
      ...linesNaming(named, rules, null),
      ...profiles.flatMap((profile) => linesNaming(named, profile.rules, profile.name)),
    ],
    profiles: profiles.filter(({ accounts }) => isNamed(named, accounts)).map(({ name }) => name),
  };
}

/** null = nothing in it names it. `profiles`: those that change. */
export function renamedIn(named: Named, to: string, { rules, profiles }: Sayings): Sayings | null {
  const renamed = profiles.map((profile): Profile => {
    const accounts = profile.accounts.map((one) => (isSame(named, one) ? { kind: named.kind, name: to } : one));
    return { ...profile, accounts, rules: profile.rules.map((line) => renamedLine(named, to, line)) };
  });
  const changed = renamed.filter((profile, i) => JSON.stringify(profile) !== JSON.stringify(profiles[i]));
  const lines = rules.map((line) => renamedLine(named, to, line));
  const isChanged = lines.some((line, i) => line !== rules[i]);
  return changed.length === 0 && !isChanged ? null : { rules: lines, profiles: changed };
}

function linesNaming(named: Named, lines: readonly string[], profile: string | null): RuleRef[] {
  const naming = parseRules(lines).rules.filter(({ rule }) => isNamed(named, rule.who));
  return naming.map(({ line, text }) => ({ line, text, profile }));
}

function isNamed(named: Named, who: readonly Who[]): boolean {
  return who.some((one) => isSame(named, one));
}

function isSame({ kind, name }: Named, one: Who): boolean {
  return one.kind === kind && one.name === name;
}

/** A word that could be the name may be a model or a day: what reads differently beyond who is meant is put back. */
function renamedLine(named: Named, to: string, line: string): string {
  const [read] = parseRules([line]).rules;
  if (read === undefined || !isNamed(named, read.rule.who)) return line;
  const said = /^[^#]*(?:\S#[^#]*)*/.exec(line)![0];
  const words = [...said.matchAll(/[^\s,]+/g)].reverse();
  const spelt = [printWho([named]), `${named.kind}:${named.name}`];
  const besideWho = ({ rule }: typeof read) => JSON.stringify({ ...rule, who: rule.who.length });
  let renamed = line;
  for (const { 0: word, index } of words) {
    if (!spelt.includes(word.toLowerCase())) continue;
    const tried =
      renamed.slice(0, index) + printWho([{ kind: named.kind, name: to }]) + renamed.slice(index + word.length);
    const [again] = parseRules([tried]).rules;
    if (again !== undefined && besideWho(again) === besideWho(read)) renamed = tried;
  }
  return renamed;
}
