/**
 * Exchanges in words: one line each for lists and watches, and the whole story of one, attempt by attempt.
 */
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import type { Attempt, CacheMove, Exchange, ExchangeSpend } from "../../gen/rotor/v1/exchange_pb.ts";
import type { ModelMapping } from "../../gen/rotor/v1/model_service_pb.ts";
import type { Waiting } from "../../gen/rotor/v1/pool_pb.ts";
import { printable, type Style } from "../print.ts";
import { shortIds } from "../resolve.ts";
import { countText, usdText } from "./limit-text.ts";
import { expectText, planLines } from "./plan-text.ts";
import { type Column, renderFacts, renderTable } from "./table.ts";
import { formatAgo, formatClock, formatDuration, formatEnd, formatSeconds } from "./time-text.ts";
import { durationMs, toMs } from "./wire-text.ts";

/** `window_exhausted` → `window exhausted`. */
function words(code: string): string {
  return printable(code).replaceAll("_", " ");
}

const NEXT_WORDS: Readonly<Record<string, string>> = {
  done: "done",
  refresh: "renewed the login and tried again",
  same: "tried the same account again",
  next: "moved to the next account",
  strip: "tried again without another account's reasoning",
  wait: "waited for an account",
  answer: "gave up and answered the client",
};

/** How it ended, short: `200`, `open`, `waiting, 2 in line`, `client gone`, `429 pool_exhausted`. */
function endText(exchange: Exchange, nowMs: number): string {
  const { waiting } = exchange;
  if (waiting) return `waiting, ${waiting.position} in line${expectText(waiting, nowMs)}`;
  if (exchange.endTime === undefined) return "open";
  if (exchange.status === 0) return "client gone";
  return exchange.errorCode === "" ? String(exchange.status) : `${exchange.status} ${printable(exchange.errorCode)}`;
}

/** `spare → work`: accounts in the order in which they were tried. */
export function routeText(exchange: Exchange): string {
  const aliases: string[] = [];
  for (const attempt of exchange.attempts)
    if (aliases.at(-1) !== attempt.accountAlias) aliases.push(attempt.accountAlias);
  if (aliases.length === 0) return exchange.accountAlias || "–";
  return aliases.map(printable).join(" → ");
}

/** Why it moved, one clause for each attempt that did not serve. */
export function whyText(exchange: Exchange): string {
  return exchange.attempts
    .filter((attempt) => attempt.next !== "done" && attempt.next !== "")
    .map((attempt) => `${printable(attempt.accountAlias)}: ${words(attempt.outcome)}`)
    .join(", ");
}

const COLUMNS: readonly Column[] = [
  { header: "#", align: "right" },
  { header: "ID" },
  { header: "WHEN" },
  { header: "MODEL", max: 16 },
  { header: "TOOK", align: "right" },
  { header: "STATUS" },
  { header: "ACCOUNT" },
];

export function exchangeTable(
  exchanges: readonly Exchange[],
  view: { nowMs: number; width: number | null; style: Style },
): string[] {
  const ids = shortIds(exchanges);
  const rows = exchanges.map((exchange, i) => {
    const startMs = toMs(exchange.startTime);
    return [
      String(i + 1),
      ids.get(exchange.id)!,
      startMs === null ? "–" : formatAgo(startMs, view.nowMs),
      printable(exchange.model) || "–",
      tookText(exchange),
      endText(exchange, view.nowMs),
      routeText(exchange),
    ];
  });
  return renderTable(COLUMNS, rows, { width: view.width, header: view.style.bold });
}

function tookText(exchange: Exchange): string {
  const startMs = toMs(exchange.startTime);
  const endMs = toMs(exchange.endTime);
  return startMs === null || endMs === null ? "–" : formatDuration(endMs - startMs);
}

/** One line of a watch. */
export function exchangeLine(exchange: Exchange, nowMs: number): string {
  const why = whyText(exchange);
  return [
    formatSeconds(toMs(exchange.endTime) ?? nowMs),
    exchange.id,
    printable(exchange.model) || "–",
    endText(exchange, nowMs),
    tookText(exchange),
    routeText(exchange),
    ...(why === "" ? [] : [`(${why})`]),
  ].join("  ");
}

export function exchangeStory(
  exchange: Exchange,
  view: { accounts: readonly Account[]; nowMs: number; width: number | null },
): string[] {
  const { nowMs } = view;
  const startMs = toMs(exchange.startTime);
  const facts: [string, string][] = [
    ["exchange", exchange.id],
    ["asked", `${printable(exchange.method)} ${printable(exchange.path)} (${printable(exchange.surface)})`],
  ];
  if (startMs !== null) facts.push(["when", `${formatClock(startMs, nowMs)} (${formatAgo(startMs, nowMs)})`]);
  facts.push(["model", modelText(exchange)], ["answer", answerText(exchange, nowMs)]);
  if (exchange.keyId !== "") facts.push(["client key", exchange.keyId]);
  if (exchange.plan && exchange.plan.profile !== "") facts.push(["profile", printable(exchange.plan.profile)]);
  if (exchange.conversation !== "") facts.push(["conversation", printable(exchange.conversation)]);
  facts.push(["took", timesText(exchange)]);
  if (exchange.waiting) facts.push(["waiting", waitingText(exchange.waiting, nowMs)]);
  if (exchange.usage) facts.push(["tokens", usageText(exchange.usage)]);
  if (exchange.spend) facts.push(...spendFacts(exchange.spend));
  const lines = renderFacts(facts, view.width);
  lines.push("", exchange.attempts.length === 0 ? "attempts: none" : "attempts");
  exchange.attempts.forEach((attempt, i) => {
    lines.push(...attemptLines(attempt, i + 1, i + 1 === exchange.attempts.length));
  });
  if (exchange.plan) lines.push("", "the plan that ran", ...planLines(exchange.plan, view).map(indented));
  return lines;
}

/** As it was sent; with what was asked when that was another. */
function modelText({ model, modelMapping }: Exchange): string {
  return modelMapping === undefined ? printable(model) || "–" : mappingText(modelMapping);
}

/** `gpt-5.5-high → gpt-5.5, effort high` */
export function mappingText({ asked, sent, effort, serviceTier }: ModelMapping): string {
  const more = [
    ...(effort === "" ? [] : [`effort ${printable(effort)}`]),
    ...(serviceTier === "" ? [] : [`service tier ${printable(serviceTier)}`]),
  ];
  return [`${printable(asked)} → ${printable(sent)}`, ...more].join(", ");
}

function indented(line: string): string {
  return line === "" ? "" : `  ${line}`;
}

function answerText(exchange: Exchange, nowMs: number): string {
  const by = exchange.accountAlias === "" ? "" : ` from ${printable(exchange.accountAlias)}`;
  return `${endText(exchange, nowMs)}${by}`;
}

/** `for an account, 2 in line for 3s, expected in 4s (14:05), gives up in 17s (14:05)`. */
function waitingText(waiting: Waiting, nowMs: number): string {
  const sinceMs = toMs(waiting.startTime);
  const endMs = toMs(waiting.giveUpTime);
  const since = sinceMs === null ? "" : ` for ${formatDuration(Math.max(0, nowMs - sinceMs))}`;
  const end = endMs === null ? "" : `, gives up ${formatEnd(endMs, nowMs)}`;
  return `for an account, ${waiting.position} in line${since}${expectText(waiting, nowMs)}${end}`;
}

function timesText(exchange: Exchange): string {
  const parts = [tookText(exchange)];
  const firstByteMs = durationMs(exchange.firstByteDuration);
  if (firstByteMs !== null) parts.push(`first byte after ${formatDuration(firstByteMs)}`);
  const waitMs = durationMs(exchange.waitDuration);
  if (waitMs !== null && waitMs > 0) parts.push(`waited ${formatDuration(waitMs)} for an account`);
  return parts.join(", ");
}

function usageText(usage: NonNullable<Exchange["usage"]>): string {
  return `${usage.inputTokens} in (${usage.cachedInputTokens} cached), ${usage.outputTokens} out (${usage.reasoningTokens} reasoning)`;
}

function spendFacts(spend: ExchangeSpend): [string, string][] {
  const { project, effort, tier, budgets, costMicroUsd, move } = spend;
  const facts: [string, string][] = [];
  const asked = [effort === "" ? "" : `effort ${effort}`, tier === "" ? "" : `tier ${tier}`];
  if (asked.some((part) => part !== "")) facts.push(["asked for", printable(asked.filter(Boolean).join(", "))]);
  if (project !== "") facts.push(["project", printable(project)]);
  if (budgets.length > 0) facts.push(["budgets", budgets.map(printable).join(", ")]);
  if (costMicroUsd !== undefined) facts.push(["cost", `${usdText(costMicroUsd)} USD, had the API been asked`]);
  if (move) facts.push(["moved", moveText(move)]);
  return facts;
}

function moveText({ fromAccountAlias, cachedBeforeTokens, cachedAfterTokens, costMicroUsd }: CacheMove): string {
  const from = `from ${printable(fromAccountAlias) || "another account"}`;
  const cached = `${countText(cachedBeforeTokens)} cached tokens before, ${countText(cachedAfterTokens)} after`;
  if (costMicroUsd === undefined) return `${from}: ${cached}`;
  return `${from}: ${cached}; ${costMicroUsd > 0n ? `that cost ${usdText(costMicroUsd)} USD of cache` : "no cache was lost"}`;
}

function attemptLines(attempt: Attempt, number: number, isLast: boolean): string[] {
  const startMs = toMs(attempt.startTime);
  const endMs = toMs(attempt.endTime);
  const took = startMs === null || endMs === null ? "" : ` after ${formatDuration(endMs - startMs)}`;
  const status = attempt.status === 0 ? "" : `${attempt.status} `;
  const head = `  ${number}. ${printable(attempt.accountAlias)}: ${status}${words(attempt.outcome)}${took}`;
  const nobodyLeft = isLast && attempt.next === "next";
  const next = nobodyLeft ? "nobody else could take it" : (NEXT_WORDS[attempt.next] ?? words(attempt.next));
  const lines = [next === "done" || next === "" ? head : `${head}; ${next}`];
  if (attempt.message !== "") lines.push(`     upstream said: ${printable(attempt.message)}`);
  return lines;
}
