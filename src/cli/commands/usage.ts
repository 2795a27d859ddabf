/**
 * `rotor usage`: what was used, by whom, and what it would have cost.
 */
import { AppError } from "../../base/errors.ts";
import {
  ListPricesResponseSchema,
  QueryUsageResponseSchema,
  ResetPriceResponseSchema,
  SetPriceResponseSchema,
  UsageGroup,
  UsageGroupSchema,
} from "../../gen/rotor/v1/usage_service_pb.ts";
import type { Command, Context, Input } from "../command.ts";
import { resolveAccount, resolveKey } from "../resolve.ts";
import { renderTable } from "../text/table.ts";
import { parseSince } from "../text/time-text.ts";
import { priceLines, usageCsv, usageLines, usageNotes } from "../text/usage-text.ts";
import { enumValue, enumWords, toTimestamp } from "../text/wire-text.ts";
import { listAccounts } from "./account.ts";

const GROUPS = enumWords(UsageGroupSchema);
const HINT = { hint: "rotor help usage" };

const usage: Command = {
  path: ["usage"],
  summary: "what was used: requests, tokens, cache and estimated cost",
  details: [
    "Costs are estimates: what the same tokens would have cost at the public API, by the prices of rotor usage price. Your subscription charges none of it.",
    "Begin and end are rounded to full hours, days are those of UTC. Sums by conversation come from single requests, which are kept for a shorter time (rotor setting get ledger_days_kept).",
  ],
  options: [
    { name: "since", value: "TIME", about: "from when on: 24h, 7d (unless told), 2026-11-01" },
    { name: "until", value: "TIME", about: "until when; now unless told" },
    { name: "by", value: "GROUP", about: `${GROUPS.join(", ")}; day unless told`, completes: GROUPS },
    { name: "account", value: "ACCOUNT", about: "only what this account served", completes: "account" },
    { name: "model", value: "MODEL", about: "only this model" },
    { name: "key", value: "KEY", about: "only this client key", completes: "key" },
    { name: "project", value: "PROJECT", about: "only this project" },
    { name: "csv", about: "print comma-separated values" },
  ],
  examples: ["rotor usage --since 30d --by model", "rotor usage --by account --csv > usage.csv"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const groupBy = groupOf(input.value("by"));
    const { usage } = await context.daemon();
    const response = await usage.queryUsage({ ...(await filtersOf(context, input)), groupBy });
    if (input.has("csv")) {
      if (print.json) throw new AppError("bad_usage", "--csv and --json are two ways to print it; give one", HINT);
      print.text(usageCsv(response, groupBy));
      return;
    }
    if (print.asJson(QueryUsageResponseSchema, response)) return;
    if (response.totals!.requests === 0n) {
      print.note("nothing was used in that time");
      return;
    }
    for (const line of usageLines(response, groupBy, { width: print.columns, style: print.style })) print.line(line);
    for (const note of usageNotes(response)) print.note(note);
  },
};

function groupOf(text: string | null): UsageGroup {
  if (text === null) return UsageGroup.DAY;
  const value = enumValue(UsageGroupSchema, text);
  if (value !== null) return value;
  throw new AppError("bad_usage", `--by takes ${GROUPS.join(", ")}, not ${text}`, HINT);
}

async function filtersOf(context: Context, input: Input) {
  const account = input.value("account");
  const key = input.value("key");
  const link = await context.daemon();
  return {
    startTime: instantOf(input, "since", context.nowMs()),
    endTime: instantOf(input, "until", context.nowMs()),
    accountId: account === null ? "" : resolveAccount(await listAccounts(context), account).id,
    keyId: key === null ? "" : resolveKey((await link.keys.listKeys({})).keys, key).id,
    model: input.value("model") ?? "",
    project: input.value("project") ?? "",
  };
}

function instantOf(input: Input, name: string, nowMs: number) {
  const text = input.value(name);
  if (text === null) return undefined;
  const atMs = parseSince(text, nowMs);
  if (atMs !== null) return toTimestamp(atMs);
  throw new AppError("bad_usage", `--${name} ${text} is neither a duration such as 7d nor a time in the past`, HINT);
}

const PRICE_HINT = { hint: "rotor help usage price" };

const price: Command = {
  path: ["usage", "price"],
  summary: "the prices that costs are estimated with; set or reset one",
  details: [
    "Prices are USD for a million tokens, with the day that they are of. A model without a price has no cost, and reports say so. What is set counts for requests that end from then on.",
  ],
  args: [
    { name: "ACTION", about: "list (unless told), set or reset", optional: true, completes: ["list", "set", "reset"] },
    { name: "MODEL", about: "the model", optional: true },
  ],
  options: [
    { name: "input", value: "USD", about: "for a million tokens of input" },
    { name: "cached", value: "USD", about: "of input that was read from the prompt cache; a tenth of it unless told" },
    { name: "output", value: "USD", about: "for a million tokens of output" },
  ],
  examples: ["rotor usage price", "rotor usage price set gpt-5.5 --input 5 --cached 0.5 --output 30"],
  starts: true,
  async run(context, input) {
    const [action, model] = [input.arg(0) ?? "list", input.arg(1) ?? ""];
    if (action === "list") return listPrices(context);
    if (action !== "set" && action !== "reset")
      throw new AppError("bad_usage", `say list, set or reset, not ${action}`, PRICE_HINT);
    if (model === "") throw new AppError("bad_usage", `say which model to ${action} the price of`, PRICE_HINT);
    const { print } = context;
    const { usage } = await context.daemon();
    if (action === "reset") {
      const response = await usage.resetPrice({ model });
      if (print.asJson(ResetPriceResponseSchema, response)) return;
      const now = response.price === undefined ? "it has no price now" : priceText(response.price);
      print.note(`${model}: ${now}`);
      return;
    }
    const inputUsd = usdOf(input, "input");
    const outputUsd = usdOf(input, "output");
    if (inputUsd === null || outputUsd === null)
      throw new AppError("bad_usage", "--input and --output are needed", PRICE_HINT);
    const response = await usage.setPrice({
      model,
      inputUsd,
      outputUsd,
      cachedInputUsd: usdOf(input, "cached") ?? inputUsd / 10,
    });
    if (print.asJson(SetPriceResponseSchema, response)) return;
    print.note(`${model}: ${priceText(response.price!)}`);
  },
};

function priceText(price: { inputUsd: number; cachedInputUsd: number; outputUsd: number; asOf: string }): string {
  return `${price.inputUsd} in, ${price.cachedInputUsd} cached, ${price.outputUsd} out, USD for a million tokens, of ${price.asOf}`;
}

function usdOf(input: Input, name: string): number | null {
  const text = input.value(name);
  if (text === null) return null;
  if (/^\$?\d+(\.\d+)?$/.test(text)) return Number(text.replace("$", ""));
  throw new AppError("bad_usage", `--${name} takes USD such as 1.25, not ${text}`, PRICE_HINT);
}

async function listPrices({ daemon, print }: Context): Promise<undefined> {
  const response = await (await daemon()).usage.listPrices({});
  if (print.asJson(ListPricesResponseSchema, response)) return;
  const { columns, rows } = priceLines(response.prices);
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
}

export const usageCommands: readonly Command[] = [usage, price];
