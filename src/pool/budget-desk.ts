/**
 * Budgets and the terms of client keys: may this request begin, and what did it use? The one owner of reserve and settle (contracts §23):
 * looked up and reserved in one step of the event loop, before any account is asked, settled once at the end. From memory alone.
 */
import { type BodyBytes, lengthOf } from "../base/body-bytes.ts";
import { type Clock, formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { isAlias } from "../domain/account.ts";
import { type Budget, type BudgetScope, isProject } from "../domain/budget.ts";
import { type ClientKey, scopeRefusal, type Wanted } from "../domain/client-key.ts";
import { amountText, hasRoom, type Limit, limitProblem, limitText, measured, type Spend } from "../domain/limit.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { PriceDesk } from "./price-desk.ts";
import { keyScope, type Reservation, SpendBook, type Spender, type SpendSlot, scopeName } from "./spend-book.ts";

/** How a limit stands. `used` and `reserved` are in what it measures. */
export interface LimitUse {
  readonly limit: Limit;
  readonly used: number;
  /** Held back for requests under way. */
  readonly reserved: number;
  readonly resetsAtMs: number;
}

export interface BudgetView {
  readonly budget: Budget;
  readonly use: LimitUse;
}

export interface BudgetDesk {
  /** By name. */
  list(): readonly BudgetView[];
  /** Makes it, or changes the one of that name. What was used so far counts. */
  set(budget: Omit<Budget, "createdAtMs">): Promise<BudgetView>;
  /** Rejects with `budget_not_found`. */
  remove(name: string): Promise<Budget>;
  /** How the limits of a key stand. */
  usesOf(key: ClientKey): readonly LimitUse[];
}

/** What of a request says what it may use, with whose it is. */
interface SpendAsk extends Wanted, Omit<Spender, "budgets"> {
  readonly body: BodyBytes | null;
  readonly plainBody: BodyBytes | null;
}

export interface SpendDesk extends BudgetDesk {
  /**
   * Holds back what the request may use, or throws what it may not: `key_out_of_scope`, `key_limit_reached`, `budget_exhausted`. `named`:
   * budgets of the profile that it asks through.
   */
  admit(request: SpendAsk, named: readonly string[], atMs: number): Reservation;
  /** Once for each reservation, whatever became of it; null: nothing was used. */
  settle(reservation: Reservation, spent: Spend | null): void;
  /** Takes over budgets that the store has accepted. */
  adopt(budgets: readonly Budget[]): void;
}

/** JSON of code and prose takes about four bytes a token; what is much larger holds images, which take fewer. */
const BYTES_PER_TOKEN = 4;
const ESTIMATE_MAX_TOKENS = 300_000;
/** Nobody knows how long an answer gets; a short one, so that the end of a budget is not guarded by a guess. */
const ESTIMATE_OUTPUT_TOKENS = 1_000;

export async function createBudgetDesk(deps: {
  stored: readonly Budget[];
  keyOf: (id: string) => ClientKey | null;
  prices: Pick<PriceDesk, "costOf">;
  store: Pick<Store, "saveBudget" | "removeBudget" | "spentSince">;
  clock: Clock;
  audit: AuditNotes;
  log: Log;
}): Promise<SpendDesk> {
  const { keyOf, prices, store, clock, audit, log } = deps;
  const budgets = new Map(deps.stored.map((budget) => [budget.name, budget]));
  /** Slots in which a budget's warning was said. */
  const warned = new WeakMap<SpendSlot, Set<string>>();
  const book = new SpendBook((scope) => [...budgets.values()].some((budget) => scopeName(budget) === scope));
  await book.readBack(store, clock.nowMs());

  const useOf = (scope: string, limit: Limit): LimitUse => {
    const slot = book.slotOf(scope, limit, clock.nowMs());
    return {
      limit,
      used: measured(limit.measure, slot.used),
      reserved: measured(limit.measure, slot.reserved),
      resetsAtMs: slot.endMs,
    };
  };
  const viewOf = (budget: Budget): BudgetView => ({ budget, use: useOf(scopeName(budget), budget.limit) });

  /** Of several that are used up, the one that resets last: waiting for another one would not help. */
  const refusal = (spender: Spender, key: ClientKey | null, atMs: number): AppError | null => {
    if (budgets.size === 0 && (key === null || key.terms.limits.length === 0)) return null;
    let last: { slot: SpendSlot; error: (slot: SpendSlot) => AppError } | null = null;
    const look = (scope: string, limit: Limit, error: (slot: SpendSlot) => AppError) => {
      const slot = book.slotOf(scope, limit, atMs);
      if (!hasRoom(limit, slot.used, slot.reserved) && slot.endMs > (last?.slot.endMs ?? 0)) last = { slot, error };
    };
    for (const limit of key?.terms.limits ?? [])
      look(keyScope(key!.id), limit, (slot) => limitReached(key!, limit, slot));
    for (const budget of budgets.values())
      if (applies(budget, spender)) look(scopeName(budget), budget.limit, (slot) => budgetExhausted(budget, slot));
    const found = last as { slot: SpendSlot; error: (slot: SpendSlot) => AppError } | null;
    return found === null ? null : found.error(found.slot);
  };
  const warn = (nowMs: number) => {
    for (const budget of budgets.values()) {
      if (budget.warnPercent === null) continue;
      const slot = book.slotOf(scopeName(budget), budget.limit, nowMs);
      const used = measured(budget.limit.measure, slot.used);
      if (used * 100 < budget.limit.amount * budget.warnPercent) continue;
      const said = warned.get(slot) ?? new Set();
      if (said.has(budget.name)) continue;
      warned.set(slot, said.add(budget.name));
      const used_percent = Math.floor((used * 100) / budget.limit.amount);
      log.warn("budget.running_low", { budget: budget.name, used_percent, until_ms: slot.endMs });
    }
  };

  return {
    list: () => [...budgets.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(viewOf),
    async set(wanted) {
      const known = budgets.get(wanted.name);
      const budget: Budget = { ...wanted, createdAtMs: known?.createdAtMs ?? clock.nowMs() };
      refuseBadBudget(budget, keyOf);
      await store.saveBudget(budget);
      budgets.set(budget.name, budget);
      const text = `${limitText(budget.limit)} for ${scopeName(budget)}`;
      audit.say({ action: "budget.set", subjects: [{ id: budget.name, name: budget.name }], text });
      return viewOf(budget);
    },
    async remove(name) {
      const budget = budgets.get(name);
      if (budget === undefined) throw new AppError("budget_not_found", `there is no budget ${name}`);
      await store.removeBudget(name);
      budgets.delete(name);
      audit.say({ action: "budget.remove", subjects: [{ id: name, name }], text: "" });
      return budget;
    },
    usesOf: (key) => key.terms.limits.map((limit) => useOf(keyScope(key.id), limit)),
    admit(request, named, atMs) {
      const key = request.keyId === null ? null : keyOf(request.keyId);
      const beyond = key === null ? null : scopeRefusal(key.terms, request);
      if (beyond !== null) throw outOfScope(key!, beyond);
      const spender: Spender = { keyId: request.keyId, project: request.project, budgets: named };
      const refused = refusal(spender, key, atMs);
      if (refused !== null) throw refused;
      return book.reserve(spender, estimate(request, prices), atMs);
    },
    adopt(added) {
      for (const budget of added) budgets.set(budget.name, budget);
    },
    settle(reservation, spent) {
      book.settle(reservation, spent);
      if (spent !== null && budgets.size > 0) warn(clock.nowMs());
    },
  };
}

function applies({ name, scope }: Budget, { keyId, project, budgets }: Spender): boolean {
  if (scope.kind === "key") return scope.keyId === keyId;
  if (scope.kind === "project") return scope.project === project;
  return scope.kind === "all" || budgets.includes(name);
}

function estimate({ plainBody, body, model, tier }: SpendAsk, prices: Pick<PriceDesk, "costOf">): Spend {
  const bytes = lengthOf(plainBody ?? body ?? []);
  const inputTokens = Math.min(Math.ceil(bytes / BYTES_PER_TOKEN), ESTIMATE_MAX_TOKENS);
  const usage = { inputTokens, cachedInputTokens: 0, outputTokens: ESTIMATE_OUTPUT_TOKENS, reasoningTokens: 0 };
  const costMicroUsd = prices.costOf(model, tier, usage) ?? 0;
  return { requests: 1, tokens: inputTokens + ESTIMATE_OUTPUT_TOKENS, costMicroUsd };
}

function outOfScope(key: ClientKey, beyond: string): AppError {
  return new AppError("key_out_of_scope", `the key ${key.name} may not ask for ${beyond}`, {
    facts: { key: key.name },
    hint: `rotor key show ${key.name}`,
  });
}

function limitReached(key: ClientKey, limit: Limit, slot: SpendSlot): AppError {
  const message = `the key ${key.name} has reached its limit of ${limitText(limit)}${usedText(limit, slot)}`;
  return new AppError("key_limit_reached", message, {
    facts: { key: key.name },
    hint: `rotor key show ${key.name}`,
    retryAtMs: slot.endMs,
  });
}

const WHOSE: Readonly<Record<BudgetScope["kind"], string>> = {
  all: "",
  key: " of this key",
  project: " of project ",
  profiles: " of this profile",
};

function budgetExhausted({ name, limit, scope }: Budget, slot: SpendSlot): AppError {
  const whose = WHOSE[scope.kind] + (scope.kind === "project" ? scope.project : "");
  return new AppError(
    "budget_exhausted",
    `the budget ${name}${whose} is used up: ${limitText(limit)}${usedText(limit, slot)}`,
    {
      facts: { budget: name },
      retryAtMs: slot.endMs,
    },
  );
}

function usedText({ measure }: Limit, slot: SpendSlot): string {
  const reserved = measured(measure, slot.reserved);
  const underWay = reserved > 0 ? `, ${amountText(measure, reserved)} held for requests under way` : "";
  const reset = formatInstant(slot.endMs).slice(0, 16).replace("T", " ");
  return ` (${amountText(measure, measured(measure, slot.used))} used${underWay}); it starts again ${reset} UTC`;
}

function refuseBadBudget({ name, scope, limit, warnPercent }: Budget, keyOf: (id: string) => ClientKey | null): void {
  if (!isAlias(name))
    throw new AppError("bad_usage", `"${name}" cannot be a budget's name: 1 to 40 of a-z 0-9 . _ -, not only digits`);
  const problem = limitProblem(limit);
  if (problem !== null) throw new AppError("invalid_limit", problem);
  if (warnPercent !== null && !(warnPercent >= 1 && warnPercent <= 100))
    throw new AppError("invalid_limit", "a warning is due at 1 to 100 percent");
  if (scope.kind === "key" && keyOf(scope.keyId) === null)
    throw new AppError("key_not_found", `there is no key ${scope.keyId}`);
  if (scope.kind === "project" && !isProject(scope.project))
    throw new AppError("bad_usage", `"${scope.project}" cannot be a project: 1 to 64 of A-Z a-z 0-9 . _ : @ + -`);
}
