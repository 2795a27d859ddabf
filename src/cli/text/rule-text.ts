/** Rules, and what they would have done, in words. */
import type { PreviewRulesResponse, RuleEffect, RuleList } from "../../gen/rotor/v1/rule_service_pb.ts";
import { printable, type Style } from "../print.ts";
import { renderTable } from "./table.ts";
import { formatAgo, formatDuration } from "./time-text.ts";
import { toMs } from "./wire-text.ts";

const EFFECTS_SHOWN = 20;

/** Each line with its number, and below it what is wrong or odd about it. */
export function ruleLines(list: RuleList): string[] {
  const width = String(list.lines.length).length;
  return list.lines.flatMap(({ line, text }) => [
    `${String(line).padStart(width)}  ${printable(text)}`.trimEnd(),
    ...list.problems
      .filter((problem) => problem.line === line)
      .map(({ column, message }) => `${" ".repeat(width + 1 + column)}^ ${printable(message)}`),
    ...list.warnings
      .filter((warning) => warning.line === line)
      .map((warning) => `${" ".repeat(width + 2)}(${printable(warning.text)})`),
  ]);
}

/** What is odd about all of them together. */
export function wholeWarnings(list: RuleList): string[] {
  return list.warnings.filter(({ line }) => line === 0).map(({ text }) => printable(text));
}

export function previewLines(
  preview: PreviewRulesResponse,
  view: { nowMs: number; width: number | null; style: Style },
): string[] {
  const { nowMs } = view;
  const sinceMs = toMs(preview.sinceTime) ?? nowMs;
  const all = [preview.sameCount, preview.elsewhereCount, preview.nowhereCount, preview.gainedCount];
  const total = all.reduce((sum, count) => sum + count, 0n);
  const lines = [`of ${total} requests in the last ${formatDuration(nowMs - sinceMs)}`];
  const say = (count: bigint, words: string) => {
    if (count > 0n) lines.push(`  ${count} ${words}`);
  };
  say(preview.sameCount, "would have gone where they went");
  say(preview.elsewhereCount, "would have gone to another account");
  say(preview.nowhereCount, "would have found nobody");
  say(preview.gainedCount, "were refused and would have been served");
  say(preview.unknownCount, "more cannot be judged: too little was kept of them");
  if (preview.cut) lines.push("  older ones were not looked at");
  if (preview.effects.length > 0) lines.push("", ...effectTable(preview.effects, view));
  const more = preview.effects.length - EFFECTS_SHOWN;
  if (more > 0) lines.push(`and ${more} more (--json)`);
  if (preview.held.length > 0) {
    lines.push("", `by the history of windows, of ${preview.hourCount} hours`);
    for (const { alias, heldHours } of preview.held)
      lines.push(`  ${printable(alias)} would have been kept from serving in ${heldHours}`);
  }
  return lines;
}

function effectTable(
  effects: readonly RuleEffect[],
  { nowMs, width, style }: { nowMs: number; width: number | null; style: Style },
): string[] {
  const rows = effects.slice(0, EFFECTS_SHOWN).map(({ startTime, model, fromAlias, toAlias, rule, line }) => {
    const startMs = toMs(startTime);
    return [
      startMs === null ? "–" : formatAgo(startMs, nowMs),
      printable(model) || "–",
      printable(fromAlias) || "nobody",
      printable(toAlias) || "nobody",
      line === 0 ? "–" : `${line}: ${printable(rule)}`,
    ];
  });
  const columns = ["WHEN", "MODEL", "WENT TO", "WOULD GO TO", "RULE"].map((header) => ({ header }));
  return renderTable(columns, rows, { width, header: style.bold });
}
