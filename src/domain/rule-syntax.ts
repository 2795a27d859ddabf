/**
 * Reads rules: `keep 20% of tag:work weekly`, `off work-pro mon-fri 09:00-17:00`. What it does not understand it names with line and
 * column, and never guesses: a rule that means less than it says is worse than none. Pure.
 */
import { DAY_NAMES, type Rule, SPAN_NAMES, type Span, type Who } from "./rule.ts";
import { EVERY_DAY, type TimeRange, type When } from "./schedule.ts";

export interface RuleProblem {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A line with a rule in it. */
export interface RuleLine {
  readonly line: number;
  /** As it was written, without the spaces around it. */
  readonly text: string;
  readonly rule: Rule;
}

export interface RuleReading {
  readonly rules: readonly RuleLine[];
  readonly problems: readonly RuleProblem[];
}

/** More than anybody reads through. Each costs every selection a look. */
const RULES_MAX = 200;
const RULE_MAX_CHARS = 400;

/** Empty lines and everything behind a `#` count for nothing. */
export function parseRules(lines: readonly string[]): RuleReading {
  const rules: RuleLine[] = [];
  const problems: RuleProblem[] = [];
  for (const [index, text] of lines.entries()) {
    const line = index + 1;
    const read = parseRule(text);
    if (read.kind === "rule") rules.push({ line, text: text.trim(), rule: read.rule });
    else if (read.kind === "problem") problems.push({ line, column: read.column, message: read.message });
  }
  if (lines.length > RULES_MAX)
    problems.push({ line: RULES_MAX + 1, column: 1, message: `there may be ${RULES_MAX} lines of rules` });
  return { rules, problems };
}

type RuleRead =
  | { readonly kind: "rule"; readonly rule: Rule }
  | { readonly kind: "nothing" }
  | { readonly kind: "problem"; readonly column: number; readonly message: string };

function parseRule(text: string): RuleRead {
  if (text.length > RULE_MAX_CHARS)
    return { kind: "problem", column: RULE_MAX_CHARS, message: `a rule has at most ${RULE_MAX_CHARS} characters` };
  const words = wordsOf(text);
  if (words.length === 0) return { kind: "nothing" };
  try {
    return { kind: "rule", rule: readRule(new Words(words, text)) };
  } catch (thrown) {
    if (thrown instanceof NotUnderstood) return { kind: "problem", column: thrown.column, message: thrown.message };
    throw thrown;
  }
}

/** Accounts as in a rule: `tag:work, work-pro`. */
export function parseWho(text: string): readonly Who[] | { readonly column: number; readonly message: string } {
  try {
    const words = new Words(wordsOf(text), text);
    const who = readWho(words);
    const rest = words.next();
    return rest === null ? who : { column: rest.column, message: `"${rest.text}" was not expected` };
  } catch (thrown) {
    if (thrown instanceof NotUnderstood) return { column: thrown.column, message: thrown.message };
    throw thrown;
  }
}

export function isModelPattern(text: string): boolean {
  return /^[A-Za-z0-9*][A-Za-z0-9*._:/-]{0,79}$/.test(text);
}

interface Word {
  readonly text: string;
  readonly column: number;
}

/** Never leaves this file. */
class NotUnderstood extends Error {
  readonly column: number;
  constructor(column: number, message: string) {
    super(message);
    this.column = column;
  }
}

function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const match of text.matchAll(/,|[^\s,]+/g)) {
    if (match[0].startsWith("#")) break;
    words.push({ text: match[0], column: match.index + 1 });
  }
  return words;
}

class Words {
  readonly #words: readonly Word[];
  readonly #end: number;
  #at = 0;

  constructor(words: readonly Word[], text: string) {
    this.#words = words;
    this.#end = text.trimEnd().length + 1;
  }

  peek(): Word | null {
    return this.#words[this.#at] ?? null;
  }

  next(): Word | null {
    return this.#words[this.#at++] ?? null;
  }

  need(what: string): Word {
    const word = this.next();
    if (word === null) throw new NotUnderstood(this.#end, `${what} is missing at the end`);
    if (word.text === ",") throw new NotUnderstood(word.column, `${what} is expected before the comma`);
    return word;
  }

  take(text: string): boolean {
    if (this.peek()?.text.toLowerCase() !== text) return false;
    this.#at++;
    return true;
  }
}

function readRule(words: Words): Rule {
  const head = words.need("a rule");
  const verb = head.text.toLowerCase();
  if (verb === "keep") {
    const percent = readPercent(words);
    const of = words.need('"of"');
    if (of.text.toLowerCase() !== "of") throw new NotUnderstood(of.column, `"of" is expected here, not "${of.text}"`);
    const who = readWho(words);
    return { verb, percent, who, ...readClauses(words, true) };
  }
  if (verb !== "prefer" && verb !== "avoid" && verb !== "only" && verb !== "off")
    throw new NotUnderstood(head.column, `a rule begins with keep, prefer, avoid, only or off, not "${head.text}"`);
  const who = readWho(words);
  const { models, when } = readClauses(words, false);
  if (verb === "off" && when === null && models.length === 0)
    throw new NotUnderstood(head.column, "off needs a time or a model; for good: rotor account disable ALIAS");
  return { verb, who, models, when };
}

function readPercent(words: Words): number {
  const word = words.need("a share such as 20%");
  const match = /^(\d{1,3})(%?)$/.exec(word.text);
  const percent = match === null ? Number.NaN : Number(match[1]);
  if (!(percent >= 1 && percent <= 100))
    throw new NotUnderstood(word.column, `a share from 1% to 100% is expected here, not "${word.text}"`);
  if (match![2] === "" && !words.take("%")) throw new NotUnderstood(word.column, `"${word.text}" wants a % behind it`);
  return percent;
}

function readWho(words: Words): readonly Who[] {
  const who: Who[] = [];
  do who.push(whoOf(words.need("an alias, tag:NAME, tier:NAME or all")));
  while (words.take(","));
  return who;
}

function whoOf({ text, column }: Word): Who {
  const lower = text.toLowerCase();
  if (lower === "all") return { kind: "all" };
  const match = /^(?:(alias|tag|tier):)?([a-z0-9][a-z0-9._-]{0,39})$/.exec(lower);
  if (match === null)
    throw new NotUnderstood(column, `"${text}" is no account: an alias, tag:NAME, tier:NAME or all is expected here`);
  return { kind: (match[1] ?? "alias") as "alias" | "tag" | "tier", name: match[2]! };
}

function readClauses(
  words: Words,
  maySpan: boolean,
): { span: Span | null; models: readonly string[]; when: When | null } {
  let span: Span | null = null;
  let models: readonly string[] | null = null;
  let when: When | null = null;
  for (let word = words.peek(); word !== null; word = words.peek()) {
    const asSpan: Span | null = maySpan && span === null ? spanOf(word.text) : null;
    if (asSpan !== null) {
      words.next();
      span = asSpan;
    } else if (models === null && words.take("for")) models = readModels(words);
    else if (when === null) when = readWhen(words);
    else throw new NotUnderstood(word.column, `"${word.text}" was not expected`);
  }
  return { span, models: models ?? [], when };
}

function spanOf(text: string): Span | null {
  const lower = text.toLowerCase();
  if (lower === "short" || lower === "long") return { kind: lower };
  const named = Object.hasOwn(SPAN_NAMES, lower) ? SPAN_NAMES[lower]! : null;
  if (named !== null) return { kind: "length", minutes: named };
  const match = /^([1-9]\d{0,4})([mhd])$/.exec(lower);
  if (match === null) return null;
  return { kind: "length", minutes: Number(match[1]) * { m: 1, h: 60, d: 1_440 }[match[2] as "m" | "h" | "d"] };
}

function readModels(words: Words): readonly string[] {
  const models: string[] = [];
  do {
    const word = words.need("a model");
    if (!isModelPattern(word.text))
      throw new NotUnderstood(word.column, `"${word.text}" is no model; gpt-5*, say, is every one that begins so`);
    models.push(word.text);
  } while (words.take(","));
  return models;
}

function readWhen(words: Words): When {
  words.take("on");
  let days = 0;
  const times: TimeRange[] = [];
  let isMore = true;
  while (isMore) {
    const word = words.need("a day or a time");
    const asDays = times.length === 0 ? daysOf(word.text) : null;
    if (asDays === null) times.push(timesOf(word));
    else days |= asDays;
    const following = words.peek();
    isMore = words.take(",") || (times.length === 0 && following !== null && isTime(following.text));
  }
  return { days: days === 0 ? EVERY_DAY : days, times };
}

function daysOf(text: string): number | null {
  const lower = text.toLowerCase();
  if (lower === "weekdays") return 0b0011111;
  if (lower === "weekends") return 0b1100000;
  const ends = lower.split("-").map(dayOf);
  if (ends.length > 2 || ends.includes(-1)) return null;
  const [from, to = from] = ends as [number, number?];
  let days = 0;
  for (let day = from; ; day = (day + 1) % 7) {
    days |= 1 << day;
    if (day === to) return days;
  }
}

function dayOf(text: string): number {
  const full = /^(mon|tues|wednes|thurs|fri|satur|sun)day$/.test(text);
  return full || text.length === 3 ? (DAY_NAMES as readonly string[]).indexOf(text.slice(0, 3)) : -1;
}

const RANGE = /^(\d{1,2}):(\d{2})[-–](\d{1,2}):(\d{2})$/;

function isTime(text: string): boolean {
  return RANGE.test(text);
}

function timesOf({ text, column }: Word): TimeRange {
  const match = RANGE.exec(text);
  if (match === null)
    throw new NotUnderstood(
      column,
      `"${text}" was not expected; a time is 09:00-17:00, a day mon, mon-fri or weekends`,
    );
  const [from, to] = [minuteOf(match[1]!, match[2]!), minuteOf(match[3]!, match[4]!)];
  if (from === null || from === 1_440) throw new NotUnderstood(column, `"${text}" begins at no time of the day`);
  if (to === null) throw new NotUnderstood(column + text.search(/[-–]/) + 1, `"${text}" ends at no time of the day`);
  if (from === to) throw new NotUnderstood(column, `"${text}" ends when it begins`);
  return { from, to };
}

function minuteOf(hour: string, minute: string): number | null {
  const minutes = Number(hour) * 60 + Number(minute);
  return Number(minute) < 60 && minutes <= 1_440 ? minutes : null;
}
