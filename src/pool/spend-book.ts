/**
 * What was used in this hour, day, week and month: by all, by each client key, by each project; and what requests under way hold back.
 * Counted in memory alone, so that no request waits for a sum; the hourly sums of the ledger are read once, at the start. Every
 * reservation ends exactly once. Decides nothing.
 */
import type { Budget } from "../domain/budget.ts";
import { type Limit, PERIODS, type Period, periodEndMs, periodStartMs, type Spend } from "../domain/limit.ts";
import type { Store } from "../store/store.ts";

type Growing = { -readonly [Field in keyof Spend]: Spend[Field] };

/** One scope in one period. A new period is a new object: what was reserved in the old one is settled there, and is nobody's concern. */
export interface SpendSlot {
  readonly startMs: number;
  readonly endMs: number;
  readonly used: Growing;
  readonly reserved: Growing;
}

/** The present periods of one scope: replaced when one of them is over, never changed. */
type Slots = Readonly<Record<Period, SpendSlot>>;

export interface Reservation {
  readonly scopes: readonly Slots[];
  readonly held: Spend;
  open: boolean;
}

/** Projects are named by clients: so many are counted at once, beside those that have a budget. The one seen first is forgotten first. */
const PROJECTS_MAX = 5_000;

const nothing = (): Growing => ({ requests: 0, tokens: 0, costMicroUsd: 0 });

const ALL = "all";
export const keyScope = (keyId: string) => `key:${keyId}`;
const projectScope = (project: string) => `project:${project}`;

const budgetScope = (name: string) => `budget:${name}`;

/** Under which name it is counted what a budget goes by. */
export function scopeName({ name, scope }: Pick<Budget, "name" | "scope">): string {
  if (scope.kind === "all") return ALL;
  if (scope.kind === "profiles") return budgetScope(name);
  return scope.kind === "key" ? keyScope(scope.keyId) : projectScope(scope.project);
}

/** Whose request it is. */
export interface Spender {
  readonly keyId: string | null;
  readonly project: string | null;
  /** Of the profile that it asks through. */
  readonly budgets: readonly string[];
}

export class SpendBook {
  readonly #scopes = new Map<string, Slots>();
  readonly #isKept: (scope: string) => boolean;
  #projects = 0;

  /** `isKept`: a budget counts on what is known of this scope. */
  constructor(isKept: (scope: string) => boolean) {
    this.#isKept = isKept;
  }

  /** What the ledger says of the periods of `nowMs`. Called once, before anything is reserved. */
  async readBack(store: Pick<Store, "spentSince">, nowMs: number): Promise<void> {
    for (const period of PERIODS) {
      const { turns, budgets } = await store.spentSince(periodStartMs(period, nowMs));
      for (const { spend, ...whose } of turns)
        for (const scope of scopesOf({ ...whose, budgets: [] })) add(this.slot(scope, period, nowMs).used, spend, 1);
      for (const { budget, spend } of budgets) add(this.slot(budgetScope(budget), period, nowMs).used, spend, 1);
    }
  }

  slot(scope: string, period: Period, nowMs: number): SpendSlot {
    return this.#slots(scope, nowMs)[period];
  }

  slotOf(scope: string, limit: Limit, nowMs: number): SpendSlot {
    return this.slot(scope, limit.period, nowMs);
  }

  reserve(spender: Spender, held: Spend, nowMs: number): Reservation {
    const scopes: Slots[] = [];
    for (const scope of scopesOf(spender)) {
      const slots = this.#slots(scope, nowMs);
      for (const period of PERIODS) add(slots[period].reserved, held, 1);
      scopes.push(slots);
    }
    return { scopes, held, open: true };
  }

  /** `spent` null: nothing was used after all. */
  settle(reservation: Reservation, spent: Spend | null): void {
    if (!reservation.open) return;
    reservation.open = false;
    for (const slots of reservation.scopes) {
      for (const period of PERIODS) {
        const { used, reserved } = slots[period];
        add(reserved, reservation.held, -1);
        if (spent !== null) add(used, spent, 1);
      }
    }
  }

  #slots(scope: string, nowMs: number): Slots {
    const known = this.#scopes.get(scope);
    // Every period ends with an hour.
    if (known !== undefined && nowMs < known.hour.endMs) return known;
    if (known !== undefined) return this.#renew(scope, known, nowMs);
    const isProject = scope.startsWith("project:");
    if (isProject && ++this.#projects > PROJECTS_MAX) this.#forgetProject();
    const slots = Object.fromEntries(PERIODS.map((period) => [period, openSlot(period, nowMs)])) as Slots;
    this.#scopes.set(scope, slots);
    return slots;
  }

  /** What is over is another slot from now on; what was reserved in it is settled where it was. */
  #renew(scope: string, known: Slots, nowMs: number): Slots {
    const next = PERIODS.map((period) => [
      period,
      nowMs < known[period].endMs ? known[period] : openSlot(period, nowMs),
    ]);
    const slots = Object.fromEntries(next) as Slots;
    this.#scopes.set(scope, slots);
    return slots;
  }

  #forgetProject(): void {
    for (const [scope, slots] of this.#scopes) {
      if (!scope.startsWith("project:") || this.#isKept(scope)) continue;
      if (PERIODS.some((period) => slots[period].reserved.requests > 0)) continue;
      this.#scopes.delete(scope);
      this.#projects--;
      return;
    }
  }
}

function openSlot(period: Period, nowMs: number): SpendSlot {
  return {
    startMs: periodStartMs(period, nowMs),
    endMs: periodEndMs(period, nowMs),
    used: nothing(),
    reserved: nothing(),
  };
}

function scopesOf({ keyId, project, budgets }: Spender): string[] {
  const scopes = [ALL];
  for (const name of budgets) scopes.push(budgetScope(name));
  if (keyId !== null) scopes.push(keyScope(keyId));
  if (project !== null) scopes.push(projectScope(project));
  return scopes;
}

function add(to: Growing, spend: Spend, sign: 1 | -1): void {
  to.requests += sign * spend.requests;
  to.tokens += sign * spend.tokens;
  to.costMicroUsd += sign * spend.costMicroUsd;
}
