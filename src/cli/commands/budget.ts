/**
 * `rotor budget …`: how much everybody, one client key or one project may use.
 */
import { create } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import {
  type Budget,
  ListBudgetsResponseSchema,
  RemoveBudgetResponseSchema,
  SetBudgetResponseSchema,
} from "../../gen/rotor/v1/budget_service_pb.ts";
import type { Key } from "../../gen/rotor/v1/key_service_pb.ts";
import type { Argument, Command, Context } from "../command.ts";
import { printable } from "../print.ts";
import { notFound, resolveKey } from "../resolve.ts";
import { isUsedUp, limitText, limitUseText, parseLimit, usedPercent } from "../text/limit-text.ts";
import { renderTable } from "../text/table.ts";
import { formatEnd } from "../text/time-text.ts";
import { toMs } from "../text/wire-text.ts";

const NAME: Argument = { name: "NAME", about: "the budget" };

const set: Command = {
  path: ["budget", "set"],
  summary: "make a budget, or change it",
  details: [
    "When it is used up, requests that count to it are refused until its period ends, with an answer that names the budget and that time. What was used in the period so far counts.",
    "With --scope profiles it counts what is asked through the profiles that name it: rotor profile set NAME --budget BUDGET.",
    "Periods are those of the calendar in UTC: full hours, days from midnight, weeks from Monday, months from the first.",
  ],
  args: [{ name: "NAME", about: "1–40 of a–z 0–9 . _ -" }],
  options: [
    { name: "limit", value: "LIMIT", about: 'how much: "20 USD/week", "2M tokens/day", "100 requests/hour"' },
    { name: "scope", value: "SCOPE", about: "whose requests: all (unless told), key:KEY, project:NAME, or profiles" },
    { name: "warn", value: "PERCENT", about: "say so in the log when so much is used" },
  ],
  examples: [
    'rotor budget set team --limit "20 USD/week" --warn 80',
    'rotor budget set ci --scope key:ci --limit "2M tokens/day"',
    'rotor budget set night --scope profiles --limit "5 USD/day"',
  ],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const text = input.value("limit");
    if (text === null) throw new AppError("bad_usage", "--limit is missing", { hint: "rotor help budget set" });
    const limit = parseLimit(text);
    const scope = await scopeOf(context, input.value("scope") ?? "all");
    const warnPercent = percentOf(input.value("warn"));
    const { budgets } = await context.daemon();
    const response = await budgets.setBudget({ name: input.arg(0) ?? "", scope: { of: scope }, limit, warnPercent });
    if (print.asJson(SetBudgetResponseSchema, response)) return;
    print.note(`the budget ${response.budget!.name}: ${limitUseText(response.budget!.use!, nowMs())}`);
  },
};

async function scopeOf(context: Context, text: string) {
  const [kind, ...rest] = text.split(":");
  const name = rest.join(":");
  if (text === "all") return { case: undefined } as const;
  if (text === "profiles") return { case: "profiles", value: true } as const;
  if (kind === "project" && name !== "") return { case: "project", value: name } as const;
  if (kind === "key" && name !== "") {
    const { keys } = await (await context.daemon()).keys.listKeys({});
    return { case: "keyId", value: resolveKey(keys, name).id } as const;
  }
  throw new AppError("bad_usage", `--scope takes all, key:KEY, project:NAME or profiles, not ${text}`, {
    hint: "rotor help budget set",
  });
}

function percentOf(text: string | null): number {
  if (text === null) return 0;
  const percent = /^\d+%?$/.test(text) ? Number.parseInt(text, 10) : 0;
  if (percent >= 1 && percent <= 100) return percent;
  throw new AppError("bad_usage", `--warn takes a percentage from 1 to 100, not ${text}`, {
    hint: "rotor help budget set",
  });
}

function scopeText({ scope }: Budget, keys: readonly Key[]): string {
  const of = scope?.of;
  if (of?.case === "project") return `project ${printable(of.value)}`;
  if (of?.case === "keyId") return `key ${keys.find(({ id }) => id === of.value)?.name ?? of.value}`;
  return of?.case === "profiles" ? "profiles" : "all";
}

const list: Command = {
  path: ["budget", "list"],
  summary: "all budgets and how they stand",
  starts: true,
  async run(context) {
    const { print, nowMs } = context;
    const link = await context.daemon();
    const response = await link.budgets.listBudgets({});
    if (print.asJson(ListBudgetsResponseSchema, response)) return;
    if (response.budgets.length === 0) {
      print.note('no budgets; make one with: rotor budget set NAME --limit "20 USD/week"');
      return;
    }
    const { keys } = await link.keys.listKeys({});
    const rows = response.budgets.map((budget) => [
      budget.name,
      scopeText(budget, keys),
      limitText(budget.use!.limit!),
      `${usedPercent(budget.use!)}%`,
      formatEnd(toMs(budget.use!.resetTime) ?? 0, nowMs()),
    ]);
    const columns = [
      { header: "NAME" },
      { header: "FOR" },
      { header: "LIMIT" },
      { header: "USED", align: "right" as const },
      { header: "STARTS AGAIN" },
    ];
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  },
};

const check: Command = {
  path: ["budget", "check"],
  summary: "is something left of a budget, or of all of them",
  details: ["Exit code 1 when one of them is used up: for scripts that ask before they begin."],
  args: [{ ...NAME, optional: true }],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const { budgets: all } = await (await context.daemon()).budgets.listBudgets({});
    const name = input.arg(0);
    const budgets = name === null ? all : [budgetOf(all, name)];
    const usedUp = budgets.filter((budget) => isUsedUp(budget.use!));
    if (!print.asJson(ListBudgetsResponseSchema, create(ListBudgetsResponseSchema, { budgets }))) {
      if (budgets.length === 0) print.note("no budgets");
      for (const budget of budgets) {
        const left = isUsedUp(budget.use!) ? print.style.bad("used up") : print.style.good("ok");
        print.line(`${budget.name}: ${left}, ${limitUseText(budget.use!, nowMs())}`);
      }
    }
    return usedUp.length > 0 ? 1 : undefined;
  },
};

function budgetOf(budgets: readonly Budget[], name: string): Budget {
  const found = budgets.find((budget) => budget.name === name);
  if (found) return found;
  throw new AppError(
    "budget_not_found",
    notFound(
      "budget",
      name,
      budgets.map((budget) => budget.name),
    ),
  );
}

const remove: Command = {
  path: ["budget", "remove"],
  summary: "take a budget away",
  args: [NAME],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const { budgets } = await context.daemon();
    const name = budgetOf((await budgets.listBudgets({})).budgets, input.arg(0) ?? "").name;
    const response = await budgets.removeBudget({ name });
    if (print.asJson(RemoveBudgetResponseSchema, response)) return;
    print.note(`the budget ${name} is gone`);
  },
};

export const budgetCommands: readonly Command[] = [set, list, check, remove];
