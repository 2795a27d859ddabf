/**
 * Findings as people read them: by group, a mark and a line each, and the command that mends what is not in order.
 */
import { FindingLevel } from "../../gen/rotor/v1/daemon_service_pb.ts";
import type { Context } from "../command.ts";
import { printable } from "../print.ts";
import { wrapText } from "../text/table.ts";
import { formatEnd } from "../text/time-text.ts";
import { toMs } from "../text/wire-text.ts";
import { GROUPS, groupOf, type OwnFinding } from "./finding.ts";

/** So many accounts in order are read; of more, those that are not in order are what people look for. */
const ACCOUNTS_SHOWN = 12;

export function report(context: Context, findings: readonly OwnFinding[]): void {
  const { print } = context;
  for (const { name } of GROUPS) {
    const own = findings.filter(({ check }) => groupOf(check) === name);
    if (own.length === 0) continue;
    print.line(print.style.bold(name));
    const { shown, left } = folded(own);
    for (const finding of shown) showOne(context, finding);
    if (left > 0) print.line(`  … and ${left} more accounts in order`);
  }
  const count = (level: FindingLevel) => findings.filter((finding) => finding.level === level).length;
  print.note(
    `${count(FindingLevel.ERROR)} bad, ${count(FindingLevel.WARNING)} to look at, ${count(FindingLevel.OK)} ok`,
  );
}

function folded(findings: readonly OwnFinding[]): { shown: readonly OwnFinding[]; left: number } {
  const isFine = ({ check, level }: OwnFinding) => check === "accounts.state" && level === FindingLevel.OK;
  const fine = findings.filter(isFine);
  if (fine.length <= ACCOUNTS_SHOWN) return { shown: findings, left: 0 };
  const kept = new Set(fine.slice(0, ACCOUNTS_SHOWN));
  const shown = findings.filter((finding) => !isFine(finding) || kept.has(finding));
  return { shown, left: fine.length - ACCOUNTS_SHOWN };
}

function showOne({ print, nowMs }: Context, { level, message, hint, endTime }: OwnFinding): void {
  const { style, columns } = print;
  const marks: Readonly<Record<FindingLevel, string>> = {
    [FindingLevel.UNSPECIFIED]: "?",
    [FindingLevel.OK]: style.good("✓"),
    [FindingLevel.WARNING]: style.warn("!"),
    [FindingLevel.ERROR]: style.bad("✗"),
  };
  const endMs = toMs(endTime);
  const text = `${printable(message)}${endMs === null ? "" : `; back ${formatEnd(endMs, nowMs())}`}`;
  const lines = columns === null ? [text] : wrapText(text, columns - 4);
  lines.forEach((line, i) => {
    print.line(`  ${i === 0 ? marks[level] : " "} ${line}`);
  });
  if (hint !== "" && level !== FindingLevel.OK) print.line(`    try: ${printable(hint)}`);
}
