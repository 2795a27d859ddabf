/**
 * What to say when a plan has nobody: the kind of refusal and, where there is one, the true earliest end (product §4, contracts §4).
 * Pure; the words and bytes are the doors' business.
 */
import type { Ask } from "./ask.ts";
import type { HoldKind } from "./hold.ts";
import { activePin } from "./pin.ts";
import type { HeldAccount, Plan } from "./plan.ts";
import type { RuleRef } from "./rule.ts";

export type Refusal =
  | { readonly kind: "no_accounts" }
  /** There are accounts, and a profile or rules let this ask use none of them. */
  | { readonly kind: "nobody_allowed"; readonly profile: string | null; readonly rules: readonly RuleRef[] }
  /** Somebody becomes usable at a known time. */
  | { readonly kind: "pool_exhausted"; readonly untilMs: number }
  /** The pinned account is held: waiting is not the remedy, taking the pin off is. */
  | { readonly kind: "pinned_account_held"; readonly untilMs: number | null }
  /** The same of an account that the client itself asked for (`rotor codex --account`). */
  | { readonly kind: "asked_account_held"; readonly untilMs: number | null }
  /** Everyone who could serve at all was refused this model. */
  | { readonly kind: "model_unsupported"; readonly model: string }
  /** All are busy with as many requests as they may have; ends when one of those does. */
  | { readonly kind: "at_capacity" }
  /** No hold of anybody has a known end. */
  | { readonly kind: "no_usable_account"; readonly kinds: readonly HoldKind[] }
  /** Accounts without a hold remain, but this exchange has tried as many as it may. */
  | { readonly kind: "attempts_exhausted" };

export function refusalOf(plan: Plan, ask: Pick<Ask, "pin" | "nowMs" | "model">): Refusal {
  const pin = activePin(ask.pin, ask.nowMs);
  if (plan.usableCount > 0 || plan.passedOver.some((account) => account.because === "tried")) {
    return { kind: "attempts_exhausted" };
  }
  if (pin !== null) return { kind: "pinned_account_held", untilMs: plan.nextUsableAtMs };
  if (plan.held.length + plan.passedOver.length === 0) return { kind: "no_accounts" };
  const allowed = plan.held.filter(({ isBarred }) => !isBarred);
  const able = allowed.filter((account) => !has(account, "disabled") && !has(account, "needs_login"));
  if (ask.model !== null && able.length > 0 && able.every((account) => has(account, "model_unsupported"))) {
    return { kind: "model_unsupported", model: ask.model };
  }
  if (plan.nextUsableAtMs !== null) return { kind: "pool_exhausted", untilMs: plan.nextUsableAtMs };
  if (allowed.length === 0) return { kind: "nobody_allowed", profile: plan.profile, rules: plan.rules };
  if (able.some((account) => account.holds.every((hold) => hold.kind === "at_capacity")))
    return { kind: "at_capacity" };
  return { kind: "no_usable_account", kinds: kindsOf(allowed) };
}

function has(account: HeldAccount, kind: HoldKind): boolean {
  return account.holds.some((hold) => hold.kind === kind);
}

function kindsOf(held: readonly HeldAccount[]): HoldKind[] {
  return [...new Set(held.flatMap((account) => account.holds.map((hold) => hold.kind)))];
}
