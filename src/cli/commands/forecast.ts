/**
 * `rotor pool forecast` and `rotor pool best`: how long it lasts, and whom to use now.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import { type Plan, PlanReason, Strategy, StrategySchema } from "../../gen/rotor/v1/pool_pb.ts";
import {
  ExplainSelectionResponseSchema,
  type ForecastPoolRequestSchema,
  ForecastPoolResponseSchema,
} from "../../gen/rotor/v1/pool_service_pb.ts";
import type { Command, Context } from "../command.ts";
import type { ExitCode } from "../failure.ts";
import { resolveAccount } from "../resolve.ts";
import { windowsText } from "../text/account-text.ts";
import { forecastLines, untilText, whatIfLine } from "../text/forecast-text.ts";
import { formatEnd, formatSeconds } from "../text/time-text.ts";
import { enumText, toMs } from "../text/wire-text.ts";
import { watching } from "../watching.ts";
import { listAccounts } from "./account.ts";

const forecast: Command = {
  path: ["pool", "forecast"],
  summary: "how long every window and the whole pool last at the pace of today",
  details: [
    "The pace is that of the last two hours for windows of up to a day, and of the last 24 hours for longer ones. What is asked of all accounts together goes on being asked of those that may serve; an account that is disabled, paused without an end or in need of a login does not count.",
    "--without and --with say what would be: without an account, or with one more of a plan. With --json the answer is the one to that question.",
  ],
  options: [
    { name: "model", value: "MODEL", about: "for requests for this model" },
    { name: "live", about: "go on: drawn anew when something changes; with --json a line each" },
    { name: "without", value: "ACCOUNT", about: "as if this account were not there" },
    { name: "with", value: "TIER", about: "as if there were one more of this plan: plus, pro, team, …" },
  ],
  examples: [
    "rotor pool forecast",
    "rotor pool forecast --without work",
    "rotor pool forecast --with plus",
    "rotor pool forecast --live",
  ],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const { pool } = await context.daemon();
    const model = input.value("model") ?? "";
    const [without, tier] = [input.value("without"), input.value("with")];
    const left = without === null ? null : resolveAccount(await listAccounts(context), without);
    const request = {
      model,
      withoutAccountIds: left === null ? [] : [left.id],
      extraTiers: tier === null ? [] : [tier],
    };
    const isWhatIf = left !== null || tier !== null;
    if (input.has("live")) return await goOn(context, request, isWhatIf);
    const response = await pool.forecastPool(request);
    if (print.asJson(ForecastPoolResponseSchema, response)) return;
    const base = isWhatIf ? (await pool.forecastPool({ model })).forecast! : response.forecast!;
    for (const line of forecastLines(base, { nowMs: nowMs(), width: print.columns })) print.line(line);
    if (!isWhatIf) return;
    const what = [left === null ? "" : `without ${left.alias}`, tier === null ? "" : `with one more ${tier}`];
    print.line();
    print.line(whatIfLine(what.filter((part) => part !== "").join(" and "), base, response.forecast!, nowMs()));
  },
};

type ForecastAsk = MessageInitShape<typeof ForecastPoolRequestSchema>;

/** Time alone changes it too: ends come nearer, and a pace that is not kept up fades. */
const DRAW_EVERY_MS = 15_000;
/** A busy pool changes with every request; nobody reads faster than this. */
const REST_MS = 300;

async function goOn(context: Context, request: ForecastAsk, isWhatIf: boolean): Promise<ExitCode> {
  const { io, print, nowMs } = context;
  if (isWhatIf)
    throw new AppError("bad_usage", "--live follows what is; --without and --with say what would be", {
      hint: "rotor help pool forecast",
    });
  if (!print.json && !print.draws)
    throw new AppError("bad_usage", "--live draws on a terminal, which this is not", {
      hint: "rotor pool forecast --live --json",
    });
  const { pool, watch } = await context.daemon();
  const draw = async () => {
    const response = await pool.forecastPool(request);
    if (print.asJson(ForecastPoolResponseSchema, response)) return;
    const lines = forecastLines(response.forecast!, { nowMs: nowMs(), width: print.columns });
    print.screen([...lines, "", print.style.dim(`${formatSeconds(nowMs())}, Ctrl-C ends it`)]);
  };
  const ended = new AbortController();
  const signal = AbortSignal.any([io.interrupted, ended.signal]);
  let wake: () => void = () => {};
  const drawing = async (): Promise<ExitCode> => {
    try {
      for (;;) {
        // Before the picture: a change while it is made is worth another one.
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await draw();
        await Promise.race([changed, io.clock.sleep(DRAW_EVERY_MS, signal)]);
        await io.clock.sleep(REST_MS, signal);
      }
    } catch (thrown) {
      if (io.interrupted.aborted) return 0;
      throw thrown;
    }
  };
  try {
    const changes = watch.pool.watchPool({}, { signal });
    return await Promise.race([drawing(), watching(context, changes, () => wake())]);
  } finally {
    ended.abort();
  }
}

const STRATEGY_REASONS: Readonly<Record<Strategy, string>> = {
  [Strategy.UNSPECIFIED]: "the strategy puts it first",
  [Strategy.BALANCED]: "most would expire unused there",
  [Strategy.ROUND_ROBIN]: "it was chosen longest ago",
  [Strategy.LEAST_USED]: "it had the fewest requests in the last 7 days",
  [Strategy.RANDOM]: "by chance",
  [Strategy.WEIGHTED_ROUND_ROBIN]: "it is its turn by weight",
  [Strategy.DRAIN_FIRST]: "it is to be used up first",
  [Strategy.RESET_SOONEST]: "its tightest window starts again soonest",
};

function reasonText(plan: Plan): string {
  if (plan.reason === PlanReason.PIN) return "it is pinned";
  if (plan.usableCount === 1) return "nobody else is usable";
  return `${enumText(StrategySchema, plan.strategy)}: ${STRATEGY_REASONS[plan.strategy] ?? "the strategy puts it first"}`;
}

const best: Command = {
  path: ["pool", "best"],
  summary: "whom a new conversation would get now, and why, in one line",
  details: [
    "The first of rotor pool explain, from the code that chooses. Exit code 1 when nobody is usable. With --json: the whole plan.",
  ],
  options: [{ name: "model", value: "MODEL", about: "for a request for this model" }],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const { pool } = await context.daemon();
    const model = input.value("model") ?? "";
    const response = await pool.explainSelection({ model });
    if (print.asJson(ExplainSelectionResponseSchema, response)) return;
    const plan = response.plan!;
    const first = plan.accountIds[0];
    if (first === undefined) {
      const nextMs = toMs(plan.nextUsableTime);
      const next = nextMs === null ? "" : `; next usable ${formatEnd(nextMs, nowMs())}`;
      throw new AppError("pool_exhausted", `nobody is usable${next}`);
    }
    const accounts = await listAccounts(context);
    const account = accounts.find(({ id }) => id === first);
    const lasts = (await pool.forecastPool({ model })).forecast?.accounts.find(({ accountId }) => accountId === first);
    const endMs = toMs(lasts?.runOutTime);
    const end = endMs === null ? "" : `, at this pace ${untilText(endMs, nowMs())}`;
    const windows =
      account === undefined || account.windows.length === 0 ? "" : `; ${windowsText(account.windows)}${end}`;
    print.line(`${account?.alias ?? first}: ${reasonText(plan)}${windows}`);
  },
};

export const forecastCommands: readonly Command[] = [forecast, best];
