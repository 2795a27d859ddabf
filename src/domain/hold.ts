/**
 * "May this account serve this ask now, and if not, why and until when?" is answered here and nowhere else.
 */
import type { Account, CooldownReason } from "./account.ts";
import type { Ask } from "./ask.ts";
import { activePin } from "./pin.ts";
import { scarcityOf } from "./threshold.ts";
import { countsModel, isExhausted } from "./window.ts";

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
      /** The rest of a window is kept back, by order of a threshold. */
      readonly kind: "reserved";
      readonly untilMs: number | null;
      readonly limit: string;
      readonly lengthMinutes: number | null;
      /** What is kept, 0–100. */
      readonly keptPercent: number;
    }
  | { readonly kind: "model_unsupported"; readonly untilMs: number; readonly model: string }
  | { readonly kind: "at_capacity"; readonly untilMs: null; readonly openLeases: number };

export type HoldKind = Hold["kind"];

const NONE: readonly Hold[] = Object.freeze([]);

export type HoldAsk = Pick<Ask, "nowMs" | "model" | "openLeases" | "maxLeases" | "affinity" | "pin" | "thresholds">;

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
        holds = withHold(holds, { kind: "reserved", untilMs, limit, lengthMinutes, keptPercent: belowPercent });
    }
  }
  for (const refused of account.unsupportedModels) {
    if (refused.model === model && refused.untilMs > nowMs)
      holds = withHold(holds, { kind: "model_unsupported", untilMs: refused.untilMs, model });
  }
  const openLeases = ask.openLeases.get(account.id) ?? 0;
  if (openLeases >= ask.maxLeases) holds = withHold(holds, { kind: "at_capacity", untilMs: null, openLeases });
  return holds ?? NONE;
}

/** Seldom: most pools spend what they have, and the hot path need not look closer. */
function keepsBack({ thresholds }: HoldAsk): boolean {
  return thresholds.low_action === "hold" || thresholds.critical_action === "hold";
}

/**
 * A pin lifts the reserve of its account: the threshold is a standing precaution, the pin a newer and plainer order, and what was kept
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
