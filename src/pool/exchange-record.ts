/**
 * The growing record of one exchange: one object that grows, changed here alone and never half when the book looks at it. What the book
 * hands out are copies.
 */
import type { Clock } from "../base/clock.ts";
import { createUlid, type Dice, sha256Hex } from "../base/id.ts";
import type { Account } from "../domain/account.ts";
import type { AttemptRecord, Exchange, ExchangeId, ExchangeSpend } from "../domain/exchange.ts";
import type { Outcome, Usage } from "../domain/outcome.ts";
import { type Plan, recordPlan } from "../domain/plan.ts";
import type { SpendDesk } from "./budget-desk.ts";
import type { ExchangeRequest } from "./engine.ts";
import type { ExchangeBook } from "./exchange-book.ts";
import { messageOf } from "./exchange-refusal.ts";
import type { Ledger } from "./ledger.ts";
import type { PriceDesk } from "./price-desk.ts";
import type { Reservation } from "./spend-book.ts";

type Growing = { -readonly [Field in keyof Exchange]: Exchange[Field] };

export interface RecordDeps {
  readonly book: ExchangeBook;
  readonly budgets: Pick<SpendDesk, "admit" | "settle">;
  readonly prices: Pick<PriceDesk, "costOf">;
  readonly ledger: Pick<Ledger, "add" | "moveOf">;
  readonly clock: Clock;
  readonly dice: Dice;
}

export class ExchangeRecord {
  readonly #deps: RecordDeps;
  readonly #book: ExchangeBook;
  readonly #clock: Clock;
  readonly #request: ExchangeRequest;
  readonly #exchange: Growing;
  #reservation: Reservation | null = null;
  #budgets: readonly string[] = [];

  constructor(deps: RecordDeps, request: ExchangeRequest) {
    this.#deps = deps;
    this.#request = request;
    this.#book = deps.book;
    this.#clock = deps.clock;
    const nowMs = deps.clock.nowMs();
    this.#exchange = {
      id: request.id ?? (createUlid(nowMs, deps.dice) as ExchangeId),
      startedAtMs: nowMs,
      endedAtMs: null,
      surface: request.surface,
      method: request.method,
      path: request.path,
      model: request.model,
      mapping: request.mapping,
      keyId: request.keyId,
      conversation: request.conversation === null ? null : sha256Hex(request.conversation).slice(0, 12),
      attempts: [],
      plan: null,
      servedBy: null,
      servedByAlias: null,
      status: null,
      errorCode: null,
      usage: null,
      spend: null,
      firstByteMs: null,
      waitedMs: 0,
    };
    this.#book.note(this.#exchange);
  }

  get id(): ExchangeId {
    return this.#exchange.id;
  }

  get attempts(): readonly AttemptRecord[] {
    return this.#exchange.attempts;
  }

  /** Different accounts among the attempts so far. */
  get accounts(): number {
    const { attempts } = this.#exchange;
    let count = 0;
    for (const [nth, { accountId }] of attempts.entries())
      if (attempts.findIndex((attempt) => attempt.accountId === accountId) === nth) count++;
    return count;
  }

  /** Holds back what it may use. Throws what the key or a budget does not allow. `budgets`: of the profile that it asks through. */
  admit(budgets: readonly string[]): void {
    if (!isTurn(this.#request)) return;
    this.#budgets = budgets;
    this.#reservation = this.#deps.budgets.admit(this.#request, budgets, this.#exchange.startedAtMs);
  }

  /** Noted with the next change: a plan alone is nothing that a watcher waits for. */
  planned(plan: Plan): void {
    this.#exchange.plan = recordPlan(plan);
  }

  /** It stands in line, or has moved up: where, the line says. */
  waits(): void {
    this.#note();
  }

  waited(forMs: number): void {
    this.#exchange.waitedMs += forMs;
    this.#note();
  }

  attempted(
    account: Account,
    startedAtMs: number,
    outcome: Outcome,
    status: number | null,
    next: AttemptRecord["next"],
  ): void {
    this.#exchange.attempts = [...this.attempts, this.#attempt(account, startedAtMs, outcome, status, next)];
    this.#note();
  }

  opened(account: Account, status: number): void {
    const exchange = this.#exchange;
    exchange.servedBy = account.id;
    exchange.servedByAlias = account.alias;
    exchange.status = status;
    exchange.firstByteMs = this.#clock.nowMs() - exchange.startedAtMs;
    this.#note();
  }

  /** The opened answer is over. */
  closed(account: Account, startedAtMs: number, outcome: Outcome, usage: Usage | null): void {
    const exchange = this.#exchange;
    const attempt = this.#attempt(account, startedAtMs, outcome, exchange.status, "done");
    exchange.attempts = [...exchange.attempts, attempt];
    exchange.usage = usage;
    exchange.endedAtMs = attempt.endedAtMs;
    this.#settle(true);
    this.#note();
  }

  /** Ended without an opened answer. */
  ended(status: number | null, errorCode: string | null): void {
    const exchange = this.#exchange;
    exchange.status = status;
    exchange.errorCode = errorCode;
    exchange.endedAtMs = this.#clock.nowMs();
    this.#settle(false);
    this.#note();
  }

  /** At its end, and once: what it used becomes part of the ledger, and what it held back is free again. */
  #settle(isServed: boolean): void {
    const { budgets, prices, ledger } = this.#deps;
    const exchange = this.#exchange;
    const { usage, model } = exchange;
    if (!isTurn(this.#request)) return;
    const { project, effort, tier } = this.#request;
    const costMicroUsd = usage === null ? null : prices.costOf(model, tier, usage);
    const spend: ExchangeSpend = { project, effort, tier, costMicroUsd, move: ledger.moveOf(exchange, tier, usage) };
    exchange.spend = this.#budgets.length === 0 ? spend : { ...spend, budgets: this.#budgets };
    const tokens = usage === null ? 0 : usage.inputTokens + usage.outputTokens;
    const spent = isServed ? { requests: 1, tokens, costMicroUsd: costMicroUsd ?? 0 } : null;
    if (this.#reservation !== null) budgets.settle(this.#reservation, spent);
    ledger.add(exchange, isServed);
  }

  #attempt(
    account: Account,
    startedAtMs: number,
    outcome: Outcome,
    status: number | null,
    next: AttemptRecord["next"],
  ): AttemptRecord {
    return {
      accountId: account.id,
      alias: account.alias,
      startedAtMs,
      endedAtMs: this.#clock.nowMs(),
      outcome: outcome.kind,
      status,
      message: messageOf(outcome),
      next,
    };
  }

  #note(): void {
    this.#book.note(this.#exchange);
  }
}

/** What uses an account's allowance: an answer of a model, as opposed to lists and status pages. */
function isTurn({ stream, method, model }: ExchangeRequest): boolean {
  return stream || (method === "POST" && model !== null);
}
