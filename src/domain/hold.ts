/**
 * "May this account serve this ask now, and if not, why and until when?" is answered here and nowhere else.
 */
import type { Account, CooldownReason } from "./account.ts";
import type { Ask } from "./ask.ts";
import { pacedUntilMs, paceOf } from "./pace.ts";
import { activePin } from "./pin.ts";
import { isMeant, type RuleRef } from "./rule.ts";
import { isKept, isSpeaking, type RuleSet } from "./rule-set.ts";
import { scarcityOf } from "./threshold.ts";
import { countsModel, isExhausted, usedPercentNow, type Window } from "./window.ts";

export type Hold =
  | { readonly kind: "disabled"; readonly untilMs: null }
  | { readonly kind: "paused"; readonly untilMs: number | null }
  | { readonly kind: "draining"; readonly untilMs: null }
  | { readonly kind: "needs_login"; readonly untilMs: null; readonly reason: string; readonly sinceMs: number }
  | { readonly kind: "cooling_down"; readonly untilMs: number; readonly reason: CooldownReason }
  | {
      readonly kind: "window_exhausted";
      readonly untilMs: number | null;
      readonly limit: string;
      readonly lengthMinutes: number | null;
    }
  | {
      /** The rest of a window is kept back, by order of a threshold or of a rule. */
      readonly kind: "reserved";
      readonly untilMs: number | null;
      readonly limit: string;
      readonly lengthMinutes: number | null;
      /** What is kept, 0–100. */
      readonly keptPercent: number;
      /** null = a threshold's. */
      readonly rule: RuleRef | null;
    }
  | { readonly kind: "off_schedule"; readonly untilMs: number | null; readonly rule: RuleRef }
  | { readonly kind: "model_unsupported"; readonly untilMs: number; readonly model: string }
  | { readonly kind: "at_capacity"; readonly untilMs: null; readonly openLeases: number }
  /** It had the requests that it may have in this time. */
  | { readonly kind: "pacing"; readonly untilMs: number; readonly requestsPerMinute: number };

export type HoldKind = Hold["kind"];

const NONE: readonly Hold[] = Object.freeze([]);

export type HoldAsk = Pick<
  Ask,
  "nowMs" | "model" | "openLeases" | "maxLeases" | "pacing" | "affinity" | "pin" | "thresholds" | "rules"
>;

/** Every reason why `account` may not serve `ask` now; the shared empty list when there is none (no allocation on the hot path). */
export function holdsOn(account: Account, ask: HoldAsk): readonly Hold[] {
  const { nowMs, model } = ask;
  let holds: Hold[] | null = null;
  if (!account.enabled) holds = withHold(holds, { kind: "disabled", untilMs: null });
  const { pause, draining } = account.orders;
  if (pause !== null && (pause.untilMs === null || pause.untilMs > nowMs))
    holds = withHold(holds, { kind: "paused", untilMs: pause.untilMs });
  // What is on it already is served to its end: a conversation is not torn from an account that only takes no new ones.
  if (draining && ask.affinity !== account.id) holds = withHold(holds, { kind: "draining", untilMs: null });
  if (account.login.kind === "needs_login") {
    holds = withHold(holds, {
      kind: "needs_login",
      untilMs: null,
      reason: account.login.reason,
      sinceMs: account.login.sinceMs,
    });
  }
  const { cooldown } = account;
  if (cooldown !== null && cooldown.untilMs > nowMs) {
    holds = withHold(holds, { kind: "cooling_down", untilMs: cooldown.untilMs, reason: cooldown.reason });
  }
  const mayKeepBack = keepsBack(ask);
  for (const window of account.windows) {
    if (isExhausted(window, nowMs)) {
      if (!countsModel(window, model)) continue;
      const { resetsAtMs: untilMs, limit, lengthMinutes } = window;
      holds = withHold(holds, { kind: "window_exhausted", untilMs, limit, lengthMinutes });
    } else if (mayKeepBack && countsModel(window, model) && !isPinned(account, ask)) {
      const { resetsAtMs: untilMs, limit, lengthMinutes } = window;
      const { action, belowPercent } = scarcityOf(window, ask.thresholds, nowMs);
      if (action === "hold")
        holds = withHold(holds, {
          kind: "reserved",
          untilMs,
          limit,
          lengthMinutes,
          keptPercent: belowPercent,
          rule: null,
        });
    }
  }
  for (const refused of account.unsupportedModels) {
    if (refused.model === model && refused.untilMs > nowMs)
      holds = withHold(holds, { kind: "model_unsupported", untilMs: refused.untilMs, model });
  }
  if (ask.rules !== null) holds = withRules(holds, account, ask, ask.rules);
  const openLeases = ask.openLeases.get(account.id) ?? 0;
  if (openLeases >= ask.maxLeases) holds = withHold(holds, { kind: "at_capacity", untilMs: null, openLeases });
  const pacedMs = ask.pacing.spentUntilMs.size === 0 ? null : pacedUntilMs(account, ask.pacing, nowMs);
  if (pacedMs !== null) {
    const { requestsPerMinute } = paceOf(account, ask.pacing)!;
    holds = withHold(holds, { kind: "pacing", untilMs: pacedMs, requestsPerMinute });
  }
  return holds ?? NONE;
}

/** What rules hold: an account whose time it is not, and windows of which a share is kept. */
function withRules(before: Hold[] | null, account: Account, ask: HoldAsk, rules: RuleSet): Hold[] | null {
  let holds = before;
  for (const off of rules.offs) {
    if (!isMeant(off.rule.who, account) || !isSpeaking(off, ask)) continue;
    holds = withHold(holds, { kind: "off_schedule", untilMs: off.calendar(ask.nowMs).untilMs, rule: off.ref });
  }
  if (rules.keeps.length === 0 || isPinned(account, ask)) return holds;
  for (const window of account.windows) {
    if (isExhausted(window, ask.nowMs) || !countsModel(window, ask.model)) continue;
    const keep = keptBy(rules, account, window, ask);
    if (keep === null) continue;
    const { limit, lengthMinutes, resetsAtMs } = window;
    const untilMs = earlierOf(resetsAtMs, keep.calendar(ask.nowMs).untilMs);
    const keptPercent = keep.rule.percent;
    holds = withHold(holds, { kind: "reserved", untilMs, limit, lengthMinutes, keptPercent, rule: keep.ref });
  }
  return holds;
}

/** The rule that keeps the most of this window, of those that keep what is left of it. */
function keptBy(rules: RuleSet, account: Account, window: Window, ask: HoldAsk): RuleSet["keeps"][number] | null {
  const leftPercent = 100 - usedPercentNow(window, ask.nowMs);
  let most: RuleSet["keeps"][number] | null = null;
  for (const keep of rules.keeps) {
    if (leftPercent > keep.rule.percent || keep.rule.percent <= (most?.rule.percent ?? 0)) continue;
    if (isKept(keep.rule.span, window) && isMeant(keep.rule.who, account) && isSpeaking(keep, ask)) most = keep;
  }
  return most;
}

function earlierOf(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Seldom: most pools spend what they have, and the hot path need not look closer. */
function keepsBack({ thresholds }: HoldAsk): boolean {
  return thresholds.low_action === "hold" || thresholds.critical_action === "hold";
}

/**
 * A pin lifts the reserve of its account: threshold and rule are standing precautions, the pin a newer and plainer order, and what was kept
 * back was kept for somebody who asks for it. It lifts no other hold.
 */
function isPinned(account: Account, { pin, nowMs }: HoldAsk): boolean {
  return activePin(pin, nowMs)?.accountId === account.id;
}

/** No closure over the list: it would be allocated for every account that is looked at. */
function withHold(holds: Hold[] | null, hold: Hold): Hold[] {
  if (holds === null) return [hold];
  holds.push(hold);
  return holds;
}

/** When the last of `holds` ends: the account is usable only after all of them. null = at least one has no known end. */
export function lastEndMs(holds: readonly Hold[]): number | null {
  let last = 0;
  for (const hold of holds) {
    if (hold.untilMs === null) return null;
    if (hold.untilMs > last) last = hold.untilMs;
  }
  return last;
}

/** Until when, from `nowMs` on, nothing but rules, leases and somebody's order or answer can change what `holdsOn` says of this account. */
export function sameHoldsUntilMs({ orders, cooldown, windows, unsupportedModels }: Account, nowMs: number): number {
  let untilMs = Number.POSITIVE_INFINITY;
  if (orders.pause !== null) untilMs = firstAfter(nowMs, orders.pause.untilMs, untilMs);
  if (cooldown !== null) untilMs = firstAfter(nowMs, cooldown.untilMs, untilMs);
  for (const window of windows) untilMs = firstAfter(nowMs, window.resetsAtMs, untilMs);
  for (const refused of unsupportedModels) untilMs = firstAfter(nowMs, refused.untilMs, untilMs);
  return untilMs;
}

function firstAfter(nowMs: number, endMs: number | null, firstMs: number): number {
  return endMs !== null && endMs > nowMs && endMs < firstMs ? endMs : firstMs;
}
