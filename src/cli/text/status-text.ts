/**
 * The one page of `rotor status`: daemon, pool, cooldowns with their ends, budgets, tools, accounts, what came in lately.
 */
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import type { Client } from "../../gen/rotor/v1/client_service_pb.ts";
import {
  type Counters,
  type Daemon,
  DaemonState,
  DaemonStateSchema,
  type GetStatusResponse,
} from "../../gen/rotor/v1/daemon_service_pb.ts";
import type { ToolState } from "../connect/tool-state.ts";
import { type Printer, printable, type Style } from "../print.ts";
import { accountTable, holdReason } from "./account-text.ts";
import { exchangeTable } from "./exchange-text.ts";
import { isUsedUp, limitUseText } from "./limit-text.ts";
import { poolFacts } from "./plan-text.ts";
import { renderFacts } from "./table.ts";
import { formatAgo } from "./time-text.ts";
import { enumText, toMs } from "./wire-text.ts";

export interface StatusView {
  readonly print: Pick<Printer, "style" | "columns">;
  readonly full: boolean;
  readonly nowMs: number;
  /** Tools that were connected. */
  readonly tools: readonly ToolState[];
}

/** Requests on the short page. */
const RECENT_SHOWN = 3;

export function statusLines(response: GetStatusResponse, view: StatusView): string[] {
  const { full, nowMs } = view;
  const { style, columns: width } = view.print;
  const { daemon, pool, accounts, recentExchanges, counters } = response;
  const lines = daemon === undefined ? [] : renderFacts(daemonFacts(daemon, full, nowMs), width);
  const section = (title: string, body: readonly string[]) => {
    if (body.length > 0) lines.push("", style.bold(title), ...body);
  };
  if (pool) {
    const facts = poolFacts(pool, { accounts, nowMs });
    if (!full && counters !== undefined) facts.push(["since start", counterLine(counters)]);
    section("pool", renderFacts(facts, width));
  }
  if (full) section("held", renderFacts(heldFacts(accounts, nowMs), width));
  section("budgets", renderFacts(budgetFacts(response, style, nowMs), width));
  section(
    "tools",
    renderFacts(
      view.tools.map((tool) => toolFact(tool, style, nowMs)),
      width,
    ),
  );
  section(
    "clients",
    renderFacts(
      response.clients.map((client) => clientFact(client, nowMs)),
      width,
    ),
  );
  section("accounts", accounts.length === 0 ? [] : accountTable(accounts, { nowMs, width, style }));
  if (pool && accounts.length === 0) lines.push("", "no accounts yet; sign in with: rotor login");
  const recent = full ? recentExchanges : recentExchanges.slice(0, RECENT_SHOWN);
  section("recent", recent.length === 0 ? [] : exchangeTable(recent, { nowMs, width, style }));
  if (full && counters) section("since the start", renderFacts(counterFacts(counters), width));
  return lines;
}

function daemonFacts(daemon: Daemon, full: boolean, nowMs: number): [string, string][] {
  const startMs = toMs(daemon.startTime);
  const since = startMs === null ? "" : `, up since ${formatAgo(startMs, nowMs).replace(/ ago$/, "")}`;
  const facts: [string, string][] = [["daemon", `rotor ${daemon.version}, pid ${daemon.pid}${since}`]];
  const reason = daemon.stateReason === "" ? "" : `: ${printable(daemon.stateReason)}`;
  facts.push(["state", `${enumText(DaemonStateSchema, daemon.state)}${reason}`]);
  if (daemon.state !== DaemonState.READY) facts.push(["", `try: ${mending(daemon.state)}`]);
  for (const notice of daemon.notices) facts.push(["notice", printable(notice)]);
  facts.push(["proxy", daemon.proxyUrl || "does not listen"]);
  if (!full) return facts;
  facts.push(["socket", daemon.socketPath], ["data", daemon.dataDir], ["config", daemon.configFile]);
  facts.push(["log", daemon.logFile], ["upstream", daemon.upstreamUrl], ["issuer", daemon.issuer]);
  return facts;
}

function mending(state: DaemonState): string {
  return state === DaemonState.LOCKED ? "rotor seal unlock" : "rotor doctor";
}

/** Every hold of every account, with its end when that is known. */
function heldFacts(accounts: readonly Account[], nowMs: number): [string, string][] {
  return accounts.flatMap(({ alias, holds }) =>
    holds.map((hold): [string, string] => [alias, holdReason(hold, nowMs)]),
  );
}

function budgetFacts({ budgets }: GetStatusResponse, style: Style, nowMs: number): [string, string][] {
  return budgets.map(({ name, use }) => {
    const text = limitUseText(use!, nowMs);
    return [name, isUsedUp(use!) ? style.bad(text) : text];
  });
}

/** `connected, key codex-laptop, used 2m ago`; what has drifted, and what mends it. */
function toolFact(
  { name, drift, hint, keyName, lastSeenAtMs }: ToolState,
  style: Style,
  nowMs: number,
): [string, string] {
  if (drift.length > 0)
    return [name, style.bad(printable(`drifted: ${drift.join("; ")} (try: ${hint ?? "rotor doctor"})`))];
  const seen = lastSeenAtMs === null ? "" : `, used ${formatAgo(lastSeenAtMs, nowMs)}`;
  return [name, `connected${keyName === null ? "" : `, key ${keyName}`}${seen}`];
}

/** `1.18.33, ~/src/demo, profile work, seen 2m ago`. */
function clientFact(client: Client, nowMs: number): [string, string] {
  const seenMs = toMs(client.lastSeenTime);
  const words = [
    client.clientVersion,
    client.pid === 0 ? "" : `pid ${client.pid}`,
    client.directory,
    client.profile === "" ? "" : `profile ${client.profile}`,
    seenMs === null ? "" : `seen ${formatAgo(seenMs, nowMs)}`,
  ];
  return [printable(client.client), printable(words.filter((word) => word !== "").join(", "))];
}

function counterLine(counters: Counters): string {
  const { exchanges, served, failovers, refreshes, refreshFailures, probes } = counters;
  const failed = refreshFailures === 0n ? "" : `, ${refreshFailures} failed`;
  return `requests ${exchanges} (served ${served}, moved on ${failovers}), renewals ${refreshes}${failed}, probes ${probes}`;
}

function counterFacts(counters: Counters): [string, string][] {
  return [
    ["requests", String(counters.exchanges)],
    ["served", String(counters.served)],
    ["moved on", String(counters.failovers)],
    ["renewals", `${counters.refreshes}, ${counters.refreshFailures} failed`],
    ["probes", String(counters.probes)],
    ["clients gone", String(counters.clientsGone)],
  ];
}
