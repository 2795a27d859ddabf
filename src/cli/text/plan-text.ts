/**
 * A plan in words: who would serve, in which order and why, and every hold of those who may not.
 */
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import {
  type AppliedRule,
  type Plan,
  PlanReason,
  type Pool,
  StrategySchema,
  type Waiting,
} from "../../gen/rotor/v1/pool_pb.ts";
import { printable } from "../print.ts";
import { holdReason, mendingCommand, windowName, windowsText } from "./account-text.ts";
import { renderFacts } from "./table.ts";
import { formatAgo, formatDuration, formatEnd } from "./time-text.ts";
import { enumText, toMs } from "./wire-text.ts";

const REASON_WORDS: Readonly<Record<PlanReason, string>> = {
  [PlanReason.UNSPECIFIED]: "no reason given",
  [PlanReason.PIN]: "it is pinned",
  [PlanReason.AFFINITY]: "the conversation lives there",
  [PlanReason.RULE]: "a rule puts it first",
  [PlanReason.STRATEGY]: "the strategy puts it first",
  [PlanReason.NONE]: "nobody is usable",
};

const PASSED_OVER_WORDS: Readonly<Record<string, string>> = {
  outside_profile: "usable, but not of this profile",
  ruled_out: "usable, but a rule leaves it out",
  pinned_elsewhere: "usable, but another account is pinned",
  tried: "usable, but this exchange has tried it",
};

function planReason(plan: Plan): string {
  return REASON_WORDS[plan.reason] ?? "no reason given";
}

/** `line 3: keep 20% of work`, with the profile whose rule it is. */
function ruleText({ line, profile, text }: AppliedRule): string {
  return `${profile === "" ? "" : `${printable(profile)} `}line ${line}: ${printable(text)}`;
}

export interface PlanView {
  readonly accounts: readonly Account[];
  readonly nowMs: number;
}

export function planLines(plan: Plan, view: PlanView): string[] {
  const { nowMs } = view;
  const byId = new Map(view.accounts.map((account) => [account.id, account]));
  const aliasOf = (id: string, alias = "") => byId.get(id)?.alias ?? (alias || `${id} (removed)`);
  const lines = [
    ...(plan.profile === "" ? [] : [`profile ${printable(plan.profile)}`]),
    `strategy ${enumText(StrategySchema, plan.strategy)}, ${plan.usableCount} usable, ${plan.heldCount} held`,
  ];
  if (plan.accountIds.length > 0) {
    lines.push("", `order (${planReason(plan)})`);
    plan.accountIds.forEach((id, i) => {
      const account = byId.get(id);
      const windows = account === undefined ? "" : `  ${windowsText(account.windows)}`;
      lines.push(`  ${i + 1}. ${aliasOf(id)}${windows}`);
    });
    const more = plan.usableCount - plan.accountIds.length - plan.passedOver.length;
    if (more > 0) lines.push(`  and ${more} more`);
  } else lines.push("", "order: nobody is usable");
  if (plan.deferred.length > 0) {
    lines.push("", "behind the others");
    for (const { accountId, alias, limit, lengthMinutes, leftPercent } of plan.deferred) {
      const window = windowName({ limit, lengthMinutes, slot: "window" });
      lines.push(
        `  ${aliasOf(accountId, alias)}: ${Math.floor(leftPercent)} % of ${window} left (settings low_…, critical_…)`,
      );
    }
  }
  if (plan.passedOver.length > 0) {
    lines.push("", "passed over");
    for (const { accountId, alias, reason, rule } of plan.passedOver) {
      const why = rule === undefined ? "" : ` (${ruleText(rule)})`;
      lines.push(`  ${aliasOf(accountId, alias)}: ${PASSED_OVER_WORDS[reason] ?? printable(reason)}${why}`);
    }
  }
  if (plan.held.length > 0) {
    lines.push("", "held");
    for (const { accountId, alias, holds } of plan.held) {
      for (const hold of holds) {
        const mend = mendingCommand(hold, aliasOf(accountId, alias));
        lines.push(
          `  ${aliasOf(accountId, alias)}: ${holdReason(hold, nowMs)}${mend === null ? "" : `  (try: ${mend})`}`,
        );
      }
    }
    if (plan.heldCount > plan.held.length) lines.push(`  and ${plan.heldCount - plan.held.length} more`);
  }
  if (plan.rules.length > 0) {
    lines.push("", "rules that acted");
    for (const rule of plan.rules) lines.push(`  ${ruleText(rule)}`);
  }
  const nextMs = toMs(plan.nextUsableTime);
  if (nextMs !== null && plan.usableCount === 0) lines.push("", `next usable ${formatEnd(nextMs, nowMs)}`);
  return lines;
}

/** `3 in line for an account, the first since 4s, expected in 2s (14:05)`. */
function waitingLineText({ waitingCount, firstWaiting }: Pool, nowMs: number): string {
  const sinceMs = toMs(firstWaiting?.startTime);
  const since = sinceMs === null ? "" : `, the first for ${formatDuration(Math.max(0, nowMs - sinceMs))}`;
  return `${waitingCount} in line for an account${since}${expectText(firstWaiting, nowMs)}`;
}

/** `, expected in 4s (14:05)`; nothing when nothing says. */
export function expectText(waiting: Waiting | undefined, nowMs: number): string {
  const atMs = toMs(waiting?.expectTime);
  return atMs === null ? "" : `, expected ${formatEnd(atMs, nowMs)}`;
}

export function poolLines(pool: Pool, view: PlanView & { width: number | null }): string[] {
  return renderFacts(poolFacts(pool, view), view.width);
}

export function poolFacts(pool: Pool, { nowMs, accounts }: PlanView): [string, string][] {
  const aliasOf = (id: string) => accounts.find((account) => account.id === id)?.alias ?? id;
  const facts: [string, string][] = [["strategy", enumText(StrategySchema, pool.strategy)]];
  if (pool.pin) {
    const endMs = toMs(pool.pin.endTime);
    const end = endMs === null ? "until rotor pool unpin" : `ends ${formatEnd(endMs, nowMs)}`;
    const sinceMs = toMs(pool.pin.startTime);
    const since = sinceMs === null ? "" : `, since ${formatAgo(sinceMs, nowMs)}`;
    facts.push(["pin", `${aliasOf(pool.pin.accountId)}, ${end}${since}`]);
  } else facts.push(["pin", "none"]);
  facts.push(["accounts", `${pool.accountCount}, ${pool.usableCount} usable`]);
  const pauseMs = toMs(pool.pauseEndTime);
  if (pauseMs !== null && pauseMs > nowMs) {
    facts.push(["paused", `after a burst of upstream failures, goes on ${formatEnd(pauseMs, nowMs)}`]);
  }
  const nextMs = toMs(pool.nextUsableTime);
  if (nextMs !== null && pool.usableCount === 0) facts.push(["next usable", formatEnd(nextMs, nowMs)]);
  facts.push(["open now", String(pool.openLeases)]);
  if (pool.waitingCount > 0) facts.push(["waiting", waitingLineText(pool, nowMs)]);
  facts.push(["last", pool.lastAccountId === "" ? "none yet" : aliasOf(pool.lastAccountId)]);
  facts.push(["next", pool.nextAccountId === "" ? "nobody" : aliasOf(pool.nextAccountId)]);
  return facts;
}
