/**
 * Rules: what an operator wants of selection, one sentence a line. Here is what a rule is and how it is written down;
 * `rule-syntax.ts` reads them, `rule-set.ts` makes them fast. Pure.
 */
import type { Account } from "./account.ts";
import { EVERY_DAY, type When } from "./schedule.ts";

/** Accounts as a rule or a profile names them. */
export type Who =
  | { readonly kind: "all" }
  | { readonly kind: "alias"; readonly name: string }
  | { readonly kind: "tag"; readonly name: string }
  | { readonly kind: "tier"; readonly name: string };

/** Windows as a rule names them; null elsewhere = all of them. */
export type Span =
  | { readonly kind: "length"; readonly minutes: number }
  | { readonly kind: "short" }
  | { readonly kind: "long" };

interface Sentence {
  /** At least one; an account that any of them names is meant. */
  readonly who: readonly Who[];
  /** Patterns with `*`; none = every model. For `keep`: the models that it is kept for. */
  readonly models: readonly string[];
  /** null = always. */
  readonly when: When | null;
}

export type Rule =
  /** Holds the account while no more than this is left of a window (0–100). */
  | (Sentence & { readonly verb: "keep"; readonly percent: number; readonly span: Span | null })
  /** Puts accounts before or behind the others; the first rule that names an account decides. */
  | (Sentence & { readonly verb: "prefer" | "avoid" })
  /** Nobody else serves. */
  | (Sentence & { readonly verb: "only" })
  /** Holds the account. */
  | (Sentence & { readonly verb: "off" });

/** Which rule it was: by its line in the list that it stands in, and its text. */
export interface RuleRef {
  /** From 1. */
  readonly line: number;
  /** Name of the profile whose rule it is; null = of the whole pool. */
  readonly profile: string | null;
  readonly text: string;
}

export function isMeant(who: readonly Who[], account: Pick<Account, "alias" | "tier" | "orders">): boolean {
  for (const one of who) {
    if (one.kind === "all") return true;
    if (
      one.kind === "alias" ? one.name === account.alias : one.kind === "tier" && one.name === account.tier.toLowerCase()
    )
      return true;
    if (one.kind === "tag" && account.orders.tags.includes(one.name)) return true;
  }
  return false;
}

export const DAY_NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

/** What lengths of windows are called; others are said in days, hours or minutes. */
export const SPAN_NAMES: Readonly<Record<string, number>> = { daily: 1_440, weekly: 10_080, monthly: 43_200 };

/** As the parser reads it back. */
export function printRule(rule: Rule): string {
  const head =
    rule.verb === "keep"
      ? `keep ${rule.percent}% of ${printWho(rule.who)}${rule.span === null ? "" : ` ${printSpan(rule.span)}`}`
      : `${rule.verb} ${printWho(rule.who)}`;
  const models = rule.models.length === 0 ? "" : ` for ${rule.models.join(", ")}`;
  return `${head}${models}${rule.when === null ? "" : ` ${printWhen(rule.when)}`}`;
}

export function printWho(who: readonly Who[]): string {
  return who.map(printOne).join(", ");
}

function printOne(one: Who): string {
  if (one.kind === "all") return "all";
  if (one.kind === "alias") return one.name === "all" ? "alias:all" : one.name;
  return `${one.kind}:${one.name}`;
}

function printSpan(span: Span): string {
  if (span.kind !== "length") return span.kind;
  const { minutes } = span;
  const name = Object.entries(SPAN_NAMES).find(([, length]) => length === minutes)?.[0];
  if (name !== undefined) return name;
  if (minutes % 1_440 === 0) return `${minutes / 1_440}d`;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

function printWhen({ days, times }: When): string {
  const ranges = times.map(({ from, to }) => `${printTime(from)}-${printTime(to)}`).join(", ");
  if (days === EVERY_DAY && ranges !== "") return ranges;
  return ranges === "" ? `on ${printDays(days)}` : `on ${printDays(days)} ${ranges}`;
}

function printTime(minute: number): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function printDays(days: number): string {
  if (days === 0b1100000) return "weekends";
  const runs: [from: number, to: number][] = [];
  for (let day = 0; day < 7; day++) {
    if ((days & (1 << day)) === 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && last[1] === day - 1) last[1] = day;
    else runs.push([day, day]);
  }
  return runs.map(([from, to]) => (from === to ? DAY_NAMES[from] : `${DAY_NAMES[from]}-${DAY_NAMES[to]}`)).join(", ");
}
