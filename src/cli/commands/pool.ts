/**
 * `rotor pool …`: how accounts are chosen, and why.
 */
import { create } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import { StrategySchema } from "../../gen/rotor/v1/pool_pb.ts";
import {
  ExplainSelectionResponseSchema,
  GetPoolResponseSchema,
  PinAccountResponseSchema,
  SetStrategyResponseSchema,
  UnpinAccountResponseSchema,
  WatchPoolResponseSchema,
} from "../../gen/rotor/v1/pool_service_pb.ts";
import type { Command, Context, Input } from "../command.ts";
import { END_OPTIONS, endOf } from "../end-option.ts";
import { projectOf } from "../project.ts";
import { notFound, resolveAccount, resolveKey } from "../resolve.ts";
import { accountTable, stateText } from "../text/account-text.ts";
import { planLines, poolLines } from "../text/plan-text.ts";
import { formatEnd, formatSeconds, parseUntil } from "../text/time-text.ts";
import { enumText, enumValue, enumWords, toMs, toTimestamp } from "../text/wire-text.ts";
import { watching } from "../watching.ts";
import { ACCOUNT_ARGUMENT, listAccounts } from "./account.ts";

const show: Command = {
  path: ["pool", "show"],
  summary: "strategy, pin, who is next and when somebody comes back",
  starts: true,
  async run(context) {
    const { print, nowMs } = context;
    const response = await (await context.daemon()).pool.getPool({});
    if (print.asJson(GetPoolResponseSchema, response)) return;
    const accounts = await listAccounts(context);
    const view = { accounts, nowMs: nowMs(), width: print.columns };
    for (const line of poolLines(response.pool!, view)) print.line(line);
  },
};

/** What each ordering promises, for people; the daemon's strategies keep it. */
const STRATEGY_PROMISES: readonly (readonly [string, string])[] = [
  ["balanced", "spends first what would expire unused, scaled by plan (the default)"],
  ["round-robin", "takes turns: the account chosen longest ago is next"],
  ["least-used", "the account with the fewest requests in the last 7 days is next"],
  ["random", "every usable account is equally likely"],
  ["weighted-round-robin", "takes turns by weight, evenly mixed (rotor account weight)"],
  ["drain-first", "the highest priority until it is used up, then the next in the list (rotor account priority)"],
  ["reset-soonest", "whose tightest window starts again soonest, while something is left of it"],
];

const strategy: Command = {
  path: ["pool", "strategy"],
  summary: "show or change how usable accounts are ordered",
  details: [
    ...STRATEGY_PROMISES.map(([name, promise]) => `${name}: ${promise}.`),
    "With balanced, weights scale what each account is worth. An account of which little is left stands behind the others under every strategy (settings low_… and critical_…).",
    "A conversation stays on its account while that is usable, whatever the strategy (setting affinity).",
  ],
  args: [{ name: "NAME", about: "new ordering", optional: true, completes: enumWords(StrategySchema) }],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const link = await context.daemon();
    const name = input.arg(0);
    if (name === null) {
      const response = await link.pool.getPool({});
      if (print.asJson(GetPoolResponseSchema, response)) return;
      print.line(enumText(StrategySchema, response.pool?.strategy ?? 0));
      return;
    }
    const value = enumValue(StrategySchema, name);
    if (value === null) throw unknownStrategy(name);
    const response = await link.pool.setStrategy({ strategy: value });
    if (print.asJson(SetStrategyResponseSchema, response)) return;
    const later = response.pool?.pin ? "; it takes over when the pin is off (rotor pool unpin)" : "";
    print.note(`the strategy is ${enumText(StrategySchema, value)}${later}`);
  },
};

function unknownStrategy(name: string): AppError {
  const known = enumWords(StrategySchema);
  return new AppError("bad_usage", `${notFound("strategy", name, known)}; there are ${known.join(", ")}`, {
    hint: "rotor help pool strategy",
  });
}

const pin: Command = {
  path: ["pool", "pin"],
  summary: "serve from this account only, strictly",
  details: [
    "While the pin is in force no other account is ever taken: when the pinned one may not serve, requests are refused. Give it an end, or take it off with rotor pool unpin. Changes of the strategy are saved meanwhile and count after it.",
  ],
  args: [ACCOUNT_ARGUMENT],
  options: END_OPTIONS,
  examples: ["rotor pool pin work --for 2h", "rotor pool pin 2 --until 18:00"],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const endMs = endOf(input, nowMs(), "pool pin");
    const link = await context.daemon();
    const account = resolveAccount(await listAccounts(context), input.arg(0) ?? "");
    const endTime = endMs === null ? undefined : toTimestamp(endMs);
    const response = await link.pool.pinAccount({ accountId: account.id, endTime });
    if (print.asJson(PinAccountResponseSchema, response)) return;
    const end = endMs === null ? "until: rotor pool unpin" : `the pin ends ${formatEnd(endMs, nowMs())}`;
    print.note(`only ${account.alias} serves now; ${end}`);
    if (account.holds.length > 0) print.warning(`${account.alias} may not serve: ${stateText(account, nowMs())}`);
  },
};

const unpin: Command = {
  path: ["pool", "unpin"],
  summary: "take the pin off; the strategy decides again",
  starts: true,
  async run(context) {
    const { print } = context;
    const response = await (await context.daemon()).pool.unpinAccount({});
    if (print.asJson(UnpinAccountResponseSchema, response)) return;
    print.note(`no pin; the strategy is ${enumText(StrategySchema, response.pool?.strategy ?? 0)}`);
  },
};

const explain: Command = {
  path: ["pool", "explain"],
  summary: "who would serve now, in which order, and every reason against the others",
  details: ["Comes from the code that chooses, not from a copy of it. Nothing is sent and nothing is reserved."],
  options: [
    { name: "model", value: "MODEL", about: "for a request for this model" },
    { name: "key", value: "KEY", about: "with this client key", completes: "key" },
    { name: "profile", value: "NAME", about: "through this profile", completes: "profile" },
    { name: "project", value: "DIR", about: "from this project", completes: "file" },
    { name: "at", value: "TIME", about: "at that time: 18:00, 2h, 2026-11-24 08:00" },
    { name: "last", about: "the plan of the last request instead of one for now" },
  ],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const given = QUESTIONS.find((option) => input.value(option) !== null);
    if (input.has("last") && given !== undefined) {
      throw new AppError("bad_usage", `--last is a request that came in, with its own ${given}; leave --${given} out`, {
        hint: "rotor help pool explain",
      });
    }
    const link = await context.daemon();
    const plan = input.has("last") ? await lastPlan(context) : undefined;
    const response =
      plan === undefined
        ? await link.pool.explainSelection(await questionOf(context, input))
        : create(ExplainSelectionResponseSchema, { plan });
    if (print.asJson(ExplainSelectionResponseSchema, response)) return;
    const view = { accounts: await listAccounts(context), nowMs: nowMs() };
    for (const line of planLines(response.plan!, view)) print.line(line);
  },
};

const QUESTIONS = ["model", "key", "profile", "project", "at"] as const;

async function questionOf(context: Context, input: Input) {
  const [key, project, at] = [input.value("key"), input.value("project"), input.value("at")];
  const atMs = at === null ? null : parseUntil(at, context.nowMs());
  if (at !== null && atMs === null)
    throw new AppError("bad_usage", `--at takes a time to come, such as 18:00 or 2h, not ${at}`, {
      hint: "rotor help pool explain",
    });
  const link = await context.daemon();
  return {
    model: input.value("model") ?? "",
    keyId: key === null ? "" : resolveKey((await link.keys.listKeys({})).keys, key).id,
    profile: input.value("profile") ?? "",
    projectKey: project === null ? "" : projectOf(project).key,
    time: atMs === null ? undefined : toTimestamp(atMs),
  };
}

async function lastPlan(context: Context) {
  const { exchanges } = await (await context.daemon()).exchanges.listExchanges({ pageSize: 1 });
  const plan = exchanges[0]?.plan;
  if (plan === undefined)
    throw new AppError("exchange_not_found", "no request came in yet", { hint: "rotor pool explain" });
  return plan;
}

const watch: Command = {
  path: ["pool", "watch"],
  summary: "the accounts now, then every change as it happens",
  starts: true,
  async run(context) {
    const { io, print, nowMs } = context;
    const link = await context.daemon();
    const states = new Map<string, string>();
    let first = true;
    return watching(context, link.watch.pool.watchPool({}, { signal: io.interrupted }), (response) => {
      if (print.json) print.message(WatchPoolResponseSchema, response);
      else if (first) {
        const view = { accounts: response.accounts, nowMs: nowMs(), width: print.columns };
        for (const line of poolLines(response.pool!, view)) print.line(line);
        print.line();
        for (const line of accountTable(response.accounts, { ...view, style: print.style })) print.line(line);
      }
      reportChanges(context, response.accounts, states, first);
      first = false;
    });
  },
};

/** One line for each account whose holds changed kind or end; a window that fills a little is not news. */
function reportChanges(
  context: Context,
  accounts: readonly Account[],
  states: Map<string, string>,
  first: boolean,
): void {
  const { print, nowMs } = context;
  const seen = new Set<string>();
  for (const account of accounts) {
    seen.add(account.id);
    const state = account.holds.map((hold) => `${hold.kind}@${toMs(hold.endTime) ?? ""}`).join();
    const before = states.get(account.id);
    states.set(account.id, state);
    if (first || print.json || before === state) continue;
    const what = before === undefined ? "added, " : "";
    print.line(`${formatSeconds(nowMs())}  ${account.alias}: ${what}${stateText(account, nowMs())}`);
  }
  for (const id of states.keys()) {
    if (seen.has(id)) continue;
    states.delete(id);
    if (!print.json) print.line(`${formatSeconds(nowMs())}  ${id}: removed`);
  }
}

export const poolCommands: readonly Command[] = [show, strategy, pin, unpin, explain, watch];
