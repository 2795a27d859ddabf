/** The operator's rules: shown, checked, changed as a whole, and tried on the last days before they are. */
import { type Clock, formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { Exchange } from "../domain/exchange.ts";
import { printRule, type Rule } from "../domain/rule.ts";
import { findGap, modelsNamed, unknownNames } from "../domain/rule-check.ts";
import { accountsAt, hoursHeld, type Replay, replayExchange } from "../domain/rule-replay.ts";
import { compileRules } from "../domain/rule-set.ts";
import { parseRules, type RuleProblem } from "../domain/rule-syntax.ts";
import type { Thresholds } from "../domain/threshold.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { ExchangeBook } from "./exchange-book.ts";
import type { Rulebook } from "./rulebook.ts";

export interface RuleLineView {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** As Rotor would write it; null for a line without a rule. */
  readonly canonical: string | null;
  readonly verb: Rule["verb"] | null;
}

export interface RuleReport {
  readonly lines: readonly RuleLineView[];
  readonly problems: readonly RuleProblem[];
  /** What is odd, in words; `line` null = of all of them together. */
  readonly warnings: readonly { readonly line: number | null; readonly text: string }[];
  /** Nobody would be usable at once, who is without these rules. */
  readonly leavesNobody: boolean;
}

export interface RuleChangeOptions {
  readonly dryRun: boolean;
  /** Also when it leaves nobody. */
  readonly force: boolean;
}

export interface RulePreview {
  readonly sinceMs: number;
  readonly counts: Readonly<Record<Replay["kind"], number>>;
  /** Those of which nothing can be said: nothing was kept of what they asked the pool. */
  readonly unknown: number;
  /** Newest first, at most {@link CHANGES_SHOWN}. */
  readonly changes: readonly { readonly exchange: Exchange; readonly replay: Replay }[];
  /** By the history of windows: hours in which the rules would have kept an account from serving, and of how many. */
  readonly held: readonly { readonly accountId: AccountId; readonly hours: number }[];
  readonly hours: number;
  /** More requests came in than are looked at. */
  readonly isCut: boolean;
}

export interface RuleDesk {
  list(): RuleReport;
  /** All or nothing. Rejects with `invalid_rule`, or `last_usable_account` when nobody would be left and `force` is not given. */
  set(lines: readonly string[], options: RuleChangeOptions): Promise<RuleReport>;
  /** At `line`, or at the end for null. As `set`. */
  add(text: string, line: number | null, options: RuleChangeOptions): Promise<RuleReport>;
  /** Rejects with `rule_not_found`. */
  remove(line: number, options: RuleChangeOptions): Promise<RuleReport>;
  /** What these lines would have done since then. Rejects with `invalid_rule`. */
  preview(lines: readonly string[], sinceMs: number): Promise<RulePreview>;
}

const HOUR_MS = 3_600_000;
/** A page is what the store reads at once; so many pages are a second of reading. */
const PAGE = 1_000;
const PAGES_MAX = 10;
const CHANGES_SHOWN = 200;

interface RuleDeskDeps {
  readonly rulebook: Rulebook;
  readonly accounts: () => readonly Account[];
  readonly thresholds: () => Thresholds;
  readonly exchanges: Pick<ExchangeBook, "list">;
  readonly store: Pick<Store, "saveRules" | "listWindowHistory">;
  /** Somebody may be waiting for an account, or watching. */
  readonly announce: () => void;
  readonly audit: AuditNotes;
  readonly clock: Clock;
  readonly log: Log;
}

export function createRuleDesk(deps: RuleDeskDeps): RuleDesk {
  const { rulebook, audit, log } = deps;
  const change = async (
    action: string,
    lines: readonly string[],
    { dryRun, force }: RuleChangeOptions,
    text: string,
  ): Promise<RuleReport> => {
    const report = reportOn(deps, lines);
    if (dryRun) return report;
    refuseProblems(report.problems);
    if (report.leavesNobody && !force)
      throw new AppError("last_usable_account", "no account would be usable under these rules");
    await deps.store.saveRules(lines);
    rulebook.adoptLines(lines);
    deps.announce();
    audit.say({ action, subjects: [], text });
    log.info("rules.changed", { lines: lines.length });
    return report;
  };
  return {
    list: () => reportOn(deps, rulebook.lines()),
    set: (lines, options) => change("rule.set", lines, options, `${lines.length} lines`),
    async add(text, line, options) {
      const before = rulebook.lines();
      if (line !== null && (line < 1 || line > before.length + 1)) throw noLine(line, before.length);
      if (/[\r\n]/.test(text))
        throw new AppError("invalid_rule", "a rule is one line; several are set as a whole list");
      const place = (line ?? before.length + 1) - 1;
      const after = before.toSpliced(place, 0, text.trim());
      return change("rule.add", after, options, `line ${place + 1}: ${text.trim()}`);
    },
    async remove(line, options) {
      const before = rulebook.lines();
      const gone = before[line - 1];
      if (gone === undefined) throw noLine(line, before.length);
      return change("rule.remove", before.toSpliced(line - 1, 1), options, `line ${line}: ${gone}`);
    },
    async preview(lines, sinceMs) {
      refuseProblems(parseRules(lines).problems);
      return previewOf(deps, lines, sinceMs);
    },
  };
}

function noLine(line: number, count: number): AppError {
  return new AppError("rule_not_found", `there is no line ${line}; the rules have ${count}`);
}

/** Rejects a list that is not understood whole, with the place of the first fault. */
export function refuseProblems(problems: readonly RuleProblem[], where = ""): void {
  const [first] = problems;
  if (first === undefined) return;
  const { line, column, message } = first;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  throw new AppError("invalid_rule", `${where}line ${line}, column ${column}: ${message}${more}`, {
    facts: { line, column },
  });
}

function reportOn(deps: RuleDeskDeps, lines: readonly string[]): RuleReport {
  const { rulebook } = deps;
  const accounts = deps.accounts();
  const nowMs = deps.clock.nowMs();
  const { rules, problems } = parseRules(lines);
  const byLine = new Map(rules.map((one) => [one.line, one.rule]));
  const unknown = rules.flatMap(({ line, rule }) => unknownNames(rule.who, accounts).map((text) => ({ line, text })));
  const ready = compileRules([{ profile: null, rules }], rulebook.zone);
  const thresholds = deps.thresholds();
  const gap = findGap(accounts, { nowMs, rules: ready, profile: null, thresholds, models: modelsNamed(rules) });
  const model = gap?.model == null ? "" : ` for ${gap.model}`;
  const when = gap?.atMs === nowMs ? "now" : `at ${formatInstant(gap?.atMs ?? 0)}`;
  return {
    lines: lines.map((text, index) => {
      const rule = byLine.get(index + 1) ?? null;
      const canonical = rule === null ? null : printRule(rule);
      return { line: index + 1, text, canonical, verb: rule?.verb ?? null };
    }),
    problems,
    warnings: [...unknown, ...(gap === null ? [] : [{ line: null, text: `nobody would be usable ${when}${model}` }])],
    leavesNobody: gap?.atMs === nowMs,
  };
}

async function previewOf(deps: RuleDeskDeps, lines: readonly string[], sinceMs: number): Promise<RulePreview> {
  const { rulebook, store } = deps;
  const thresholds = deps.thresholds();
  const nowMs = deps.clock.nowMs();
  const backMs = sinceMs - HOUR_MS;
  const samples = [
    ...(await store.listWindowHistory({ step: "hour", sinceMs: backMs })),
    ...(await store.listWindowHistory({ step: "fine", sinceMs: backMs })),
  ];
  const then = accountsAt(deps.accounts(), samples);
  const under = new Map<string | null, Parameters<typeof replayExchange>[2]>();
  const givenFor = (name: string | null) => {
    const profile = rulebook.profiles().find((one) => one.name === name) ?? null;
    const given = under.get(name) ?? { rules: rulebook.rulesWith(lines, name), profile, thresholds };
    under.set(name, given);
    return given;
  };
  const counts = { same: 0, elsewhere: 0, nowhere: 0, gained: 0 };
  const changes: { exchange: Exchange; replay: Replay }[] = [];
  let unknown = 0;
  const { found, isCut } = await exchangesSince(deps, sinceMs);
  for (const exchange of found) {
    const replay = replayExchange(exchange, then, givenFor(exchange.plan?.profile ?? null));
    if (replay === null) unknown++;
    else counts[replay.kind]++;
    if (replay !== null && replay.kind !== "same" && changes.length < CHANGES_SHOWN) changes.push({ exchange, replay });
  }
  const hours: number[] = [];
  for (let atMs = sinceMs; atMs < nowMs; atMs += HOUR_MS) hours.push(atMs);
  const held = [...hoursHeld(then, hours, givenFor(null))].map(([accountId, count]) => ({ accountId, hours: count }));
  return { sinceMs, counts, unknown, changes, held, hours: hours.length, isCut };
}

/** Newest first. */
async function exchangesSince(
  { exchanges }: RuleDeskDeps,
  sinceMs: number,
): Promise<{ found: readonly Exchange[]; isCut: boolean }> {
  const found: Exchange[] = [];
  for (let page = 0; page < PAGES_MAX; page++) {
    const before = found.at(-1)?.id;
    const next = await exchanges.list({ limit: PAGE, ...(before === undefined ? {} : { before }) });
    found.push(...next.filter(({ startedAtMs }) => startedAtMs >= sinceMs));
    if (next.length < PAGE || next.at(-1)!.startedAtMs < sinceMs) return { found, isCut: false };
  }
  return { found, isCut: true };
}
