/**
 * `rotor pool rule …`: what the operator wants of selection, and what it would have done.
 */
import { readFileSync } from "node:fs";
import { AppError } from "../../base/errors.ts";
import {
  AddRuleResponseSchema,
  ListRulesResponseSchema,
  PreviewRulesResponseSchema,
  RemoveRuleResponseSchema,
  type RuleList,
  SetRulesResponseSchema,
} from "../../gen/rotor/v1/rule_service_pb.ts";
import type { Argument, Command, Context, Input, Option } from "../command.ts";
import { previewLines, ruleLines, wholeWarnings } from "../text/rule-text.ts";
import { parseSince } from "../text/time-text.ts";
import { toTimestamp } from "../text/wire-text.ts";

const RULE_ARGUMENT: Argument = {
  name: "RULE",
  about: "one rule, in as many words (rotor help rules)",
  variadic: true,
  completes: ["keep", "prefer", "avoid", "only", "off"],
};
const CHANGE_OPTIONS: readonly Option[] = [
  { name: "dry-run", about: "say what there is to say about it and change nothing" },
  { name: "force", about: "also when it leaves nobody usable" },
];
const FILE_OPTION: Option = {
  name: "file",
  value: "FILE",
  about: "a whole list instead; - reads from a pipe",
  completes: "file",
};

const list: Command = {
  path: ["pool", "rule", "list"],
  summary: "the rules in force, by line",
  starts: true,
  async run({ daemon, print }) {
    const response = await (await daemon()).rules.listRules({});
    if (print.asJson(ListRulesResponseSchema, response)) return;
    if (response.list!.lines.length === 0) {
      print.note("no rules; rotor help rules says what they are");
      return;
    }
    for (const line of ruleLines(response.list!)) print.line(line);
    for (const warning of wholeWarnings(response.list!)) print.warning(warning);
  },
};

const add: Command = {
  path: ["pool", "rule", "add"],
  summary: "one rule more; in force at once",
  details: ["Say it first: rotor pool rule preview RULE shows what it would have done in the last 7 days."],
  args: [RULE_ARGUMENT],
  options: [{ name: "line", value: "N", about: "becomes line N; at the end unless told" }, ...CHANGE_OPTIONS],
  examples: ["rotor pool rule add keep 20% of work-pro", "rotor pool rule add avoid tag:work 18:00-08:00"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const text = input.rest(0).join(" ");
    const line = lineOf(input.value("line"), 0);
    const response = await (await context.daemon()).rules.addRule({ text, line, ...changeOf(input) });
    if (print.asJson(AddRuleResponseSchema, response)) return;
    const place = line === 0 ? response.list!.lines.length : line;
    report(
      context,
      response.list!,
      input,
      `line ${place} is in force; take it away with: rotor pool rule remove ${place}`,
    );
  },
};

const set: Command = {
  path: ["pool", "rule", "set"],
  summary: "the whole list of rules, from a file",
  details: ["All of it or nothing. rotor pool rule list --json shows what it replaces."],
  args: [{ name: "FILE", about: "a rule a line; - reads from a pipe", completes: "file" }],
  options: CHANGE_OPTIONS,
  starts: true,
  async run(context, input) {
    const lines = await linesOf(context, input.arg(0) ?? "");
    const response = await (await context.daemon()).rules.setRules({ lines, ...changeOf(input) });
    if (context.print.asJson(SetRulesResponseSchema, response)) return;
    report(context, response.list!, input, `${lines.length} lines are in force`);
  },
};

const remove: Command = {
  path: ["pool", "rule", "remove"],
  summary: "take a line of the rules away",
  args: [{ name: "LINE", about: "its number in rotor pool rule list" }],
  options: CHANGE_OPTIONS,
  starts: true,
  async run(context, input) {
    const link = await context.daemon();
    const line = lineOf(input.arg(0), -1);
    const gone = (await link.rules.listRules({})).list!.lines.find((one) => one.line === line)?.text ?? "";
    const response = await link.rules.removeRule({ line, ...changeOf(input) });
    if (context.print.asJson(RemoveRuleResponseSchema, response)) return;
    report(context, response.list!, input, `gone; back with: rotor pool rule add --line ${line} '${gone}'`);
  },
};

const check: Command = {
  path: ["pool", "rule", "check"],
  summary: "whether rules can be understood, and what is odd about them",
  details: ["Without a rule or a file: the rules in force. Changes nothing; exit 2 when a line is no rule."],
  args: [{ ...RULE_ARGUMENT, optional: true }],
  options: [FILE_OPTION],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const { lines } = await wanted(context, input);
    const response = await (await context.daemon()).rules.setRules({ lines, dryRun: true });
    const checked = response.list!;
    if (!print.asJson(SetRulesResponseSchema, response)) {
      for (const line of ruleLines(checked)) print.line(line);
      for (const warning of wholeWarnings(checked)) print.warning(warning);
    }
    return checked.problems.length > 0 ? 2 : 0;
  },
};

const preview: Command = {
  path: ["pool", "rule", "preview"],
  summary: "what rules would have done to the requests of the last 7 days",
  details: [
    "The rules in force with RULE behind them, or those of a file. Each request is asked again: who could serve it comes from the plan that ran, what was left of the windows from their history.",
  ],
  args: [{ ...RULE_ARGUMENT, optional: true }],
  options: [
    FILE_OPTION,
    { name: "since", value: "TIME", about: "how far to look back, 7d unless told, 5 weeks at most" },
  ],
  examples: ["rotor pool rule preview keep 20% of work-pro", "rotor pool rule preview --file rules.txt --since 3d"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const nowMs = context.nowMs();
    const since = input.value("since");
    const sinceMs = since === null ? null : parseSince(since, nowMs);
    if (since !== null && sinceMs === null)
      throw new AppError("bad_usage", `--since takes a time such as 3d or 2026-11-20, not ${since}`, {
        hint: "rotor help pool rule preview",
      });
    const { lines } = await wanted(context, input);
    const sinceTime = sinceMs === null ? undefined : toTimestamp(sinceMs);
    const response = await (await context.daemon()).rules.previewRules({ lines, sinceTime });
    if (print.asJson(PreviewRulesResponseSchema, response)) return;
    for (const line of previewLines(response, { nowMs, width: print.columns, style: print.style })) print.line(line);
  },
};

function changeOf(input: Input): { dryRun: boolean; force: boolean } {
  return { dryRun: input.has("dry-run"), force: input.has("force") };
}

function lineOf(text: string | null, absent: number): number {
  if (text === null) return absent;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new AppError("bad_usage", `a line is a number from 1, not ${text}`, { hint: "rotor pool rule list" });
}

/** A rehearsal shows the list as it would be. */
function report({ print }: Context, list: RuleList, input: Input, done: string): void {
  const dryRun = input.has("dry-run");
  if (dryRun) for (const line of ruleLines(list)) print.line(line);
  for (const { line, text } of list.warnings) {
    if (line === 0) print.warning(text);
    else if (!dryRun) print.warning(`line ${line}: ${text}`);
  }
  print.note(dryRun ? "nothing was changed" : done);
}

/** The list that is meant: that of a file, or the one in force with a rule behind it. */
async function wanted(context: Context, input: Input): Promise<{ lines: string[] }> {
  const file = input.value("file");
  const rule = input.rest(0).join(" ");
  if (file !== null && rule !== "")
    throw new AppError("bad_usage", "either a rule or --file", { hint: "rotor help pool rule preview" });
  if (file !== null) return { lines: await linesOf(context, file) };
  const { list } = await (await context.daemon()).rules.listRules({});
  return { lines: [...list!.lines.map(({ text }) => text), ...(rule === "" ? [] : [rule])] };
}

async function linesOf({ io }: Context, file: string): Promise<string[]> {
  let text: string;
  try {
    text = file === "-" ? new TextDecoder().decode(await io.readStdin()) : readFileSync(file, "utf8");
  } catch (cause) {
    throw new AppError("bad_usage", `${file} cannot be read`, { cause });
  }
  return text
    .replace(/\s+$/, "")
    .split(/\r?\n/)
    .filter((line, i, all) => all.length > 1 || line !== "" || i > 0);
}

export const ruleCommands: readonly Command[] = [list, add, remove, set, check, preview];
