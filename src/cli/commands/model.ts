/**
 * `rotor model …`: what may be asked for, and what other names stand for.
 */
import { AppError } from "../../base/errors.ts";
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import {
  GetModelResponseSchema,
  ListModelsResponseSchema,
  type Model,
  type ModelSource,
  RemoveModelAliasResponseSchema,
  SetModelAliasResponseSchema,
} from "../../gen/rotor/v1/model_service_pb.ts";
import type { Argument, Command, Context } from "../command.ts";
import { printable } from "../print.ts";
import { notFound } from "../resolve.ts";
import { mappingText } from "../text/exchange-text.ts";
import { renderFacts, renderTable } from "../text/table.ts";
import { formatAgo } from "../text/time-text.ts";
import { toMs } from "../text/wire-text.ts";
import { listAccounts } from "./account.ts";

const NAME_ARGUMENT: Argument = {
  name: "NAME",
  about: "model, alias, or either with -high, -fast, …",
  completes: "model",
};

const list: Command = {
  path: ["model", "list"],
  summary: "models that the accounts may use, with their limits",
  options: [
    { name: "refresh", about: "ask upstream for every account's list now" },
    { name: "all", short: "a", about: "those too that upstream's own pickers leave out" },
  ],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const response = await (await context.daemon()).models.listModels({ refresh: input.has("refresh") });
    if (print.asJson(ListModelsResponseSchema, response)) return;
    const accounts = await listAccounts(context);
    const models = response.models.filter(({ listed }) => listed || input.has("all"));
    const rows = models.map((model) => [
      printable(model.name),
      tokensText(model.contextTokens),
      effortsText(model),
      model.serviceTiers.map(printable).join(", ") || "–",
      whoText(model, accounts),
    ]);
    const columns = ["MODEL", "CONTEXT", "EFFORTS", "TIERS", "ACCOUNTS"].map((header) => ({ header }));
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
    for (const { name, target } of response.aliases) print.line(`${name} stands for ${target}`);
    if (models.length === 0) print.note("no account has told its models yet");
    for (const source of response.sources) sayProblem(context, source, accounts);
  },
};

/** The default is the one in brackets. */
function effortsText({ efforts, defaultEffort }: Model): string {
  const texts = efforts.map((effort) => (effort === defaultEffort ? `[${printable(effort)}]` : printable(effort)));
  return texts.join(" ") || "–";
}

function tokensText(tokens: bigint): string {
  return tokens === 0n ? "–" : `${Math.round(Number(tokens) / 1_000)}k`;
}

function whoText({ accountIds }: Model, accounts: readonly Account[]): string {
  const having = accounts.filter(({ id }) => accountIds.includes(id));
  if (having.length === accounts.length && accounts.length > 1) return "all";
  return having.map(({ alias }) => printable(alias)).join(", ") || "–";
}

function sayProblem({ print, nowMs }: Context, source: ModelSource, accounts: readonly Account[]): void {
  if (source.problem === "") return;
  const alias = printable(accounts.find(({ id }) => id === source.accountId)?.alias ?? source.accountId);
  const fetchedMs = toMs(source.fetchTime);
  const kept = fetchedMs === null ? "there is none" : `the one from ${formatAgo(fetchedMs, nowMs())} stays`;
  print.warning(`no new list for ${alias} (${printable(source.problem)}); ${kept}`);
}

const show: Command = {
  path: ["model", "show"],
  summary: "one model, and what a name is sent as",
  args: [NAME_ARGUMENT],
  examples: ["rotor model show gpt-5.5-high-fast"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const response = await (await context.daemon()).models.getModel({ name: input.arg(0) ?? "" });
    if (print.asJson(GetModelResponseSchema, response)) return;
    const model = response.model!;
    const facts: [string, string][] = [
      ["model", printable(model.name)],
      ["called", printable(model.displayName)],
      ["context", contextText(model)],
      ["longest answer", model.maxOutputTokens === 0n ? "not said" : `${model.maxOutputTokens} tokens`],
      ["efforts", effortsText(model)],
      ["service tiers", model.serviceTiers.map(printable).join(", ") || "–"],
      ["verbosity", model.verbosity ? `can be chosen (${printable(model.defaultVerbosity) || "not said"})` : "fixed"],
      ["takes", model.inputModalities.map(printable).join(", ") || "not said"],
      ["successor", printable(model.upgradeTo) || "–"],
      ["accounts", whoText(model, await listAccounts(context))],
    ];
    if (response.mapping !== undefined) facts.unshift(["sent as", mappingText(response.mapping)]);
    for (const line of renderFacts(facts, print.columns)) print.line(line);
  },
};

function contextText({ contextTokens, maxContextTokens }: Model): string {
  if (contextTokens === 0n) return "not said";
  const most = maxContextTokens > contextTokens ? `, ${maxContextTokens} at most` : "";
  return `${contextTokens} tokens${most}`;
}

const ALIAS_ACTIONS = ["list", "set", "remove"] as const;

const alias: Command = {
  path: ["model", "alias"],
  summary: "names that stand for models: list, set or remove them",
  details: ["The model may end in an effort or -fast. A name that is a model's own means the other one from then on."],
  args: [
    {
      name: "ACTION",
      about: "list, set or remove; list when it is left out",
      optional: true,
      completes: ALIAS_ACTIONS,
    },
    { name: "NAME", about: "the alias", optional: true, completes: "model_alias" },
    { name: "MODEL", about: "what it is to stand for", optional: true, completes: "model" },
  ],
  examples: ["rotor model alias set quick gpt-5.5-low", "rotor model alias remove quick"],
  starts: true,
  async run(context, input) {
    const [action, name, target] = [input.arg(0) ?? "list", input.arg(1), input.arg(2)];
    if (action === "list" && name === null) return await listAliases(context);
    if (action === "set" && name !== null && target !== null) return await setAlias(context, name, target);
    if (action === "remove" && name !== null && target === null) return await removeAlias(context, name);
    const isKnown = (ALIAS_ACTIONS as readonly string[]).includes(action);
    const words = isKnown ? `${action} takes other arguments` : notFound("action", action, ALIAS_ACTIONS);
    throw new AppError("bad_usage", words, { hint: "rotor help model alias" });
  },
};

async function listAliases({ daemon, print }: Context): Promise<undefined> {
  const response = await (await daemon()).models.listModels({});
  if (print.asJson(ListModelsResponseSchema, { ...response, models: [], sources: [] })) return;
  const rows = response.aliases.map(({ name, target }) => [name, target]);
  if (rows.length === 0) {
    print.note("no aliases yet; make one with: rotor model alias set NAME MODEL");
    return;
  }
  const columns = ["NAME", "STANDS FOR"].map((header) => ({ header }));
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
}

async function setAlias({ daemon, print }: Context, name: string, target: string): Promise<undefined> {
  const response = await (await daemon()).models.setModelAlias({ name, target });
  if (print.asJson(SetModelAliasResponseSchema, response)) return;
  print.note(`${name} stands for ${target}`);
}

async function removeAlias({ daemon, print }: Context, name: string): Promise<undefined> {
  const response = await (await daemon()).models.removeModelAlias({ name });
  if (print.asJson(RemoveModelAliasResponseSchema, response)) return;
  print.note(`${name} stands for itself again; back: rotor model alias set ${name} ${response.alias!.target}`);
}

export const modelCommands: readonly Command[] = [list, show, alias];
