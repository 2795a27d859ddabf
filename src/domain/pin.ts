/** A pin: the operator's order "only this account". Strict: it never falls over to another one, and it may have an end. */
import type { AccountId } from "./account.ts";

export interface Pin {
  readonly accountId: AccountId;
  readonly sinceMs: number;
  /** null = until it is taken off. */
  readonly untilMs: number | null;
}

/** The pin in force at `nowMs`; a pin whose end has passed is none. */
export function activePin(pin: Pin | null, nowMs: number): Pin | null {
  return pin !== null && (pin.untilMs === null || pin.untilMs > nowMs) ? pin : null;
}
