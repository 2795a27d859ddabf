/**
 * What is odd about a list of rules before it is in force: names that nobody has, and times at which it would leave nobody. Asks the
 * ranking itself, an hour at a time. Pure.
 */
import type { Account, AccountId } from "./account.ts";
import type { Ask } from "./ask.ts";
import { NO_PACING } from "./pace.ts";
import type { ProfileScope } from "./profile.ts";
import { rank } from "./rank.ts";
import type { Who } from "./rule.ts";
import type { RuleSet } from "./rule-set.ts";
import type { RuleLine } from "./rule-syntax.ts";
import type { Thresholds } from "./threshold.ts";

const HOUR_MS = 3_600_000;
/** A week has every schedule in it. */
const WEEK_HOURS = 168;

/** An ask that only accounts, rules and profile decide. */
export function plainAsk(
  given: Pick<Ask, "nowMs" | "model" | "rules" | "profile" | "thresholds"> & Partial<Pick<Ask, "affinity" | "pin">>,
): Ask {
  return {
    strategy: "round-robin",
    pin: null,
    affinity: null,
    tried: new Set<AccountId>(),
    openLeases: new Map<AccountId, number>(),
    maxLeases: 1,
    pacing: NO_PACING,
    dice: 0,
    ...given,
  };
}

/** Names in `who` that no account answers to. */
export function unknownNames(who: readonly Who[], accounts: readonly Account[]): readonly string[] {
  return who.flatMap((one) => {
    if (one.kind === "all") return [];
    const isKnown = accounts.some((account) => {
      if (one.kind === "alias") return account.alias === one.name;
      return one.kind === "tag" ? account.orders.tags.includes(one.name) : account.tier.toLowerCase() === one.name;
    });
    if (isKnown) return [];
    return [one.kind === "alias" ? `no account is called ${one.name}` : `no account has the ${one.kind} ${one.name}`];
  });
}

/** A time at which somebody could serve, and may not by the rules. */
export interface Gap {
  readonly atMs: number;
  readonly model: string | null;
}

/** The first gap from `nowMs` on, within a week, looked for by the hour; one that is there at `nowMs` already has that time. */
export function findGap(
  accounts: readonly Account[],
  given: {
    readonly nowMs: number;
    readonly rules: RuleSet | null;
    readonly profile: ProfileScope | null;
    readonly thresholds: Thresholds;
    /** A model for each pattern that is looked at; null = an ask without one. */
    readonly models: readonly (string | null)[];
  },
): Gap | null {
  const { nowMs, rules, profile, thresholds } = given;
  if (rules === null && profile === null) return null;
  const isServed = (atMs: number, model: string | null, isRuled: boolean) => {
    const narrowed = isRuled ? { rules, profile } : { rules: null, profile: null };
    return rank(accounts, plainAsk({ nowMs: atMs, model, thresholds, ...narrowed }), 1).usableCount > 0;
  };
  for (let hour = 0; hour < WEEK_HOURS; hour++) {
    const atMs = nowMs + hour * HOUR_MS;
    for (const model of given.models)
      if (!isServed(atMs, model, true) && isServed(atMs, model, false)) return { atMs, model };
  }
  return null;
}

/** A model for each pattern that the rules name, so that each of them is tried. */
export function modelsNamed(rules: readonly RuleLine[]): readonly (string | null)[] {
  const named = rules.flatMap(({ rule }) => rule.models.map((pattern) => pattern.replaceAll("*", "")));
  return [null, ...new Set(named.filter((model) => model !== ""))];
}
