/**
 * What is known of a model: as upstream's list describes it, for one account or for all of them together. Reads no bytes and asks nobody.
 */
import type { AccountId } from "./account.ts";

export interface ModelFacts {
  /** The name that requests say. */
  readonly slug: string;
  /** As people read it; the slug when upstream gives none. */
  readonly name: string;
  /** Upstream's own pickers leave out the others. */
  readonly listed: boolean;
  /** What a conversation may hold before it should be compacted; null = not said. As every limit here, in tokens. */
  readonly contextTokens: number | null;
  readonly maxContextTokens: number | null;
  readonly maxOutputTokens: number | null;
  /** Reasoning efforts, lowest first, as upstream lists them. */
  readonly efforts: readonly string[];
  readonly defaultEffort: string | null;
  /** Service tiers beside the usual one. */
  readonly serviceTiers: readonly string[];
  readonly verbosity: boolean;
  readonly defaultVerbosity: string | null;
  /** `text`, `image`, …; empty = not said. */
  readonly inputModalities: readonly string[];
  /** Wants requests in the "responses-lite" form (wire §3.3). */
  readonly lite: boolean;
  /** The model that upstream offers in its place. */
  readonly upgradeTo: string | null;
  /** Plans that upstream says may use it; null = it does not say. */
  readonly plans: readonly string[] | null;
  /** Oldest client that upstream shows it to, `0.124.0`. */
  readonly minimalClientVersion: string | null;
}

/** What upstream last told one account. Small: the prompts that upstream's entries carry are not in it. */
export interface ModelList {
  readonly accountId: AccountId;
  readonly models: readonly ModelFacts[];
  readonly etag: string | null;
  readonly fetchedAtMs: number;
}

export interface ModelAlias {
  readonly name: string;
  /** Name of a model; may end in an effort or `-fast`. */
  readonly target: string;
  readonly createdAtMs: number;
}

/** A model of the pool, with the accounts whose list has it. */
export interface PoolModel {
  readonly facts: ModelFacts;
  readonly accountIds: readonly AccountId[];
}

/**
 * All lists as one. Where accounts are told different limits, the smaller context counts: a conversation that moves between them must fit
 * wherever it comes to.
 */
export function mergeModels(lists: readonly ModelList[]): readonly PoolModel[] {
  const merged = new Map<string, PoolModel>();
  for (const { accountId, models } of lists) {
    for (const facts of models) {
      const known = merged.get(facts.slug);
      if (known === undefined) merged.set(facts.slug, { facts, accountIds: [accountId] });
      else {
        const accountIds = [...known.accountIds, accountId];
        merged.set(facts.slug, { facts: isTighter(facts, known.facts) ? facts : known.facts, accountIds });
      }
    }
  }
  return [...merged.values()];
}

function isTighter(facts: ModelFacts, than: ModelFacts): boolean {
  return (facts.contextTokens ?? Number.POSITIVE_INFINITY) < (than.contextTokens ?? Number.POSITIVE_INFINITY);
}

/**
 * Models that upstream says this account may not use: its own list leaves them out, and where another account's list has them, they are
 * not for its plan. That a list leaves out a model says nothing alone: upstream serves some that it does not list.
 */
export function modelsRefusedTo(tier: string, own: ModelList, all: readonly PoolModel[]): readonly string[] {
  const listed = new Set(own.models.map(({ slug }) => slug));
  return all
    .filter(({ facts }) => !listed.has(facts.slug) && facts.plans !== null && !facts.plans.includes(tier))
    .map(({ facts }) => facts.slug);
}

/** Is version `a` older than `b`? Dotted numbers; what cannot be read is not older. */
export function isOlderVersion(a: string, b: string): boolean {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (Number.isNaN(difference)) return false;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
