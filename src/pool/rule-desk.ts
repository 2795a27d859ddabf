/** The operator's rules: shown, checked, changed as a whole, and tried on the last days before they are. */
import { type Clock, formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Account } from "../domain/account.ts";
import { printRule, type Rule } from "../domain/rule.ts";
import { findGap, modelsNamed, unknownNames } from "../domain/rule-check.ts";
import type { RulePreview } from "../domain/rule-preview.ts";
import { compileRules } from "../domain/rule-set.ts";
import { parseRules, type RuleProblem } from "../domain/rule-syntax.ts";
import type { Thresholds } from "../domain/threshold.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { ExchangeBook } from "./exchange-book.ts";
import { plainProfile, type Rulebook } from "./rulebook.ts";

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

interface RuleDeskDeps {
  readonly rulebook: Rulebook;
  readonly accounts: () => readonly Account[];
  readonly thresholds: () => Thresholds;
  readonly exchanges: Pick<ExchangeBook, "flush">;
  readonly store: Pick<Store, "saveRules" | "previewRules">;
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
      // What has just ended is part of the past.
      await deps.exchanges.flush();
      const now = { nowMs: deps.clock.nowMs(), accounts: deps.accounts(), thresholds: deps.thresholds() };
      const profiles = rulebook.profiles().map(plainProfile);
      return deps.store.previewRules({ lines, sinceMs, profiles, ...now }, rulebook.zone);
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
