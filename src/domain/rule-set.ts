/**
 * Rules as selection looks at them: sorted by what they do, patterns and calendars made ready once, when they are saved.
 * Says which rule speaks; `hold.ts` and `rank.ts` act on it. Pure but for each calendar's memory of its present phase.
 */
import type { Account } from "./account.ts";
import { isMeant, type Rule, type RuleRef } from "./rule.ts";
import type { RuleLine } from "./rule-syntax.ts";
import { type Calendar, createCalendar, type ZoneOffset } from "./schedule.ts";
import { isShort, type Window } from "./window.ts";

/** A rule made ready. */
export interface ReadyRule<Some extends Rule = Rule> {
  readonly rule: Some;
  readonly ref: RuleRef;
  readonly calendar: Calendar;
  readonly isModel: (model: string | null) => boolean;
}

type Verb<V extends Rule["verb"]> = Extract<Rule, { readonly verb: V }>;

export interface RuleSet {
  readonly keeps: readonly ReadyRule<Verb<"keep">>[];
  readonly offs: readonly ReadyRule<Verb<"off">>[];
  readonly onlys: readonly ReadyRule<Verb<"only">>[];
  readonly orderings: readonly ReadyRule<Verb<"prefer" | "avoid">>[];
}

/** Lines of one list: the pool's, or a profile's. */
export interface RuleList {
  readonly profile: string | null;
  readonly rules: readonly RuleLine[];
}

/** Earlier lists and lines come first. null when there is no rule at all: selection then has nothing to look at. */
export function compileRules(lists: readonly RuleList[], zone: ZoneOffset): RuleSet | null {
  const ready = lists.flatMap(({ profile, rules }) =>
    rules.map(({ line, text, rule }): ReadyRule => {
      const ref = { line, profile, text };
      return { rule, ref, calendar: createCalendar(rule.when, zone), isModel: modelMatcher(rule.models) };
    }),
  );
  if (ready.length === 0) return null;
  return {
    keeps: ready.filter((one) => one.rule.verb === "keep") as unknown as RuleSet["keeps"],
    offs: ready.filter((one) => one.rule.verb === "off") as unknown as RuleSet["offs"],
    onlys: ready.filter((one) => one.rule.verb === "only") as unknown as RuleSet["onlys"],
    orderings: ready.filter(
      ({ rule }) => rule.verb === "prefer" || rule.verb === "avoid",
    ) as unknown as RuleSet["orderings"],
  };
}

/** Does any of these patterns name the model? None of them = yes. An ask without a model is meant by no pattern. */
export function modelMatcher(patterns: readonly string[]): (model: string | null) => boolean {
  if (patterns.length === 0) return () => true;
  const escaped = patterns.map((pattern) =>
    pattern.replace(/[.*+?^${}()|[\]\\/]/g, (sign) => (sign === "*" ? ".*" : `\\${sign}`)),
  );
  const whole = new RegExp(`^(?:${escaped.join("|")})$`, "i");
  return (model) => model !== null && whole.test(model);
}

interface RuleAsk {
  readonly nowMs: number;
  readonly model: string | null;
}

/** A rule that speaks of models is silent about others; what is kept for a model is kept from all the others. */
export function isSpeaking({ rule, calendar, isModel }: ReadyRule, { nowMs, model }: RuleAsk): boolean {
  if (rule.models.length > 0 && isModel(model) === (rule.verb === "keep")) return false;
  return calendar(nowMs).isActive;
}

/** Does a `keep` speak of this window? */
export function isKept(span: Verb<"keep">["span"], window: Pick<Window, "lengthMinutes">): boolean {
  if (span === null) return true;
  if (span.kind === "length") return window.lengthMinutes === span.minutes;
  return isShort(window) === (span.kind === "short");
}

/** The `only` that leaves this account out; null when none does. */
export function rulingOut(rules: RuleSet, account: Account, ask: RuleAsk): ReadyRule | null {
  for (const one of rules.onlys) if (!isMeant(one.rule.who, account) && isSpeaking(one, ask)) return one;
  return null;
}

/** The first `prefer` or `avoid` that names this account; null when none does. */
export function orderingOf(rules: RuleSet, account: Account, ask: RuleAsk): RuleSet["orderings"][number] | null {
  for (const one of rules.orderings) if (isMeant(one.rule.who, account) && isSpeaking(one, ask)) return one;
  return null;
}

/** Below zero: before those of whom no rule speaks, the first rule's first. Above: behind them. */
export function preferenceBy(rules: RuleSet, ordering: RuleSet["orderings"][number] | null): number {
  if (ordering === null) return 0;
  return ordering.rule.verb === "avoid" ? 1 : rules.orderings.indexOf(ordering) - rules.orderings.length;
}

/** Until when no calendar of these rules changes what it says. */
export function sameRulesUntilMs({ keeps, offs, onlys, orderings }: RuleSet, nowMs: number): number {
  let firstMs = Number.POSITIVE_INFINITY;
  for (const list of [keeps, offs, onlys, orderings])
    for (const { calendar } of list) firstMs = Math.min(firstMs, calendar(nowMs).untilMs ?? firstMs);
  return firstMs;
}
