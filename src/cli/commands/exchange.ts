/**
 * `rotor exchange …`: what clients asked and how it went.
 */
import { AppError } from "../../base/errors.ts";
import type { Exchange } from "../../gen/rotor/v1/exchange_pb.ts";
import {
  GetExchangeResponseSchema,
  ListExchangesResponseSchema,
  WatchExchangesResponseSchema,
} from "../../gen/rotor/v1/exchange_service_pb.ts";
import type { Command, Context, Input } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { exchangeNumber, resolveAccount, resolveKey } from "../resolve.ts";
import { exchangeLine, exchangeStory, exchangeTable } from "../text/exchange-text.ts";
import { watching } from "../watching.ts";
import { listAccounts } from "./account.ts";

/** A screenful. */
const LISTED = 20;
/** What one page of the API holds at most. */
const LISTED_MOST = 1_000;

const list: Command = {
  path: ["exchange", "list"],
  summary: "recent requests, newest first",
  options: [
    { name: "number", short: "n", value: "N", about: `how many, ${LISTED} unless told` },
    { name: "account", value: "ACCOUNT", about: "only those that this account was tried for", completes: "account" },
    { name: "key", value: "KEY", about: "only those of this client key", completes: "key" },
    { name: "failed", about: "only those that ended with a status of 400 or above" },
  ],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const link = await context.daemon();
    const filter = await filterOf(context, link, input);
    const response = await link.exchanges.listExchanges({ pageSize: pageSize(input.value("number")), ...filter });
    if (print.asJson(ListExchangesResponseSchema, response)) return;
    if (response.exchanges.length === 0) {
      print.note("no requests yet");
      return;
    }
    const view = { nowMs: nowMs(), width: print.columns, style: print.style };
    for (const line of exchangeTable(response.exchanges, view)) print.line(line);
  },
};

async function filterOf(context: Context, link: DaemonLink, input: Input) {
  const account = input.value("account");
  const key = input.value("key");
  return {
    accountId: account === null ? "" : resolveAccount(await listAccounts(context), account).id,
    keyId: key === null ? "" : resolveKey((await link.keys.listKeys({})).keys, key).id,
    failed: input.has("failed"),
  };
}

function pageSize(text: string | null): number {
  if (text === null) return LISTED;
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= LISTED_MOST) return number;
  throw new AppError("bad_usage", `-n takes a number from 1 to ${LISTED_MOST}, not ${text}`, {
    hint: "rotor help exchange list",
  });
}

const show: Command = {
  path: ["exchange", "show"],
  summary: "one request: every try, why it moved, and the plan that ran",
  args: [{ name: "EXCHANGE", about: "id or its beginning (also in x-rotor-exchange), or list number" }],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const link = await context.daemon();
    const response = await link.exchanges.getExchange({ exchangeId: await exchangeId(link, input.arg(0) ?? "") });
    if (print.asJson(GetExchangeResponseSchema, response)) return;
    const view = { accounts: await listAccounts(context), nowMs: nowMs(), width: print.columns };
    for (const line of exchangeStory(response.exchange!, view)) print.line(line);
  },
};

async function exchangeId(link: DaemonLink, name: string): Promise<string> {
  const number = exchangeNumber(name);
  if (number === null) return name.trim().toUpperCase();
  const { exchanges } = await link.exchanges.listExchanges({ pageSize: number });
  const found = exchanges[number - 1];
  if (found) return found.id;
  throw new AppError("exchange_not_found", `there are only ${exchanges.length} requests`);
}

const watch: Command = {
  path: ["exchange", "watch"],
  summary: "requests as they come, move and end",
  starts: true,
  async run(context) {
    const { io, print, nowMs } = context;
    const link = await context.daemon();
    const said = new Map<string, string>();
    if (!print.json) print.note("watching; Ctrl-C stops");
    const report = (exchange: Exchange) => {
      const state = `${exchange.attempts.length}/${exchange.status}/${exchange.endTime === undefined}`;
      if (said.get(exchange.id) === state) return;
      if (exchange.endTime === undefined) said.set(exchange.id, state);
      else said.delete(exchange.id);
      print.line(exchangeLine(exchange, nowMs()));
    };
    return watching(context, link.watch.exchanges.watchExchanges({}, { signal: io.interrupted }), (response) => {
      if (print.json) print.message(WatchExchangesResponseSchema, response);
      else for (const exchange of response.exchanges) report(exchange);
    });
  },
};

export const exchangeCommands: readonly Command[] = [list, show, watch];
