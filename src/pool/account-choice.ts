/**
 * Which account an exchange asks next: the plan's first, after a bounded wait when nobody is usable yet. Remembers whom it tried and how
 * much of its patience is left; everything else it reads from the pool.
 */
import { EXCHANGE_MAX_ATTEMPTS } from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { AccountId } from "../domain/account.ts";
import type { Ask } from "../domain/ask.ts";
import type { ExchangeId } from "../domain/exchange.ts";
import type { Hold } from "../domain/hold.ts";
import { NO_PACING, paceOf } from "../domain/pace.ts";
import type { Plan } from "../domain/plan.ts";
import { rank } from "../domain/rank.ts";
import { type Refusal, refusalOf } from "../domain/refusal.ts";
import type { Settings } from "../domain/setting.ts";
import { homePaceEndMs, placeAtMs } from "../domain/waiting.ts";
import type { AffinityTable } from "./affinity-table.ts";
import type { ExchangeRequest } from "./engine.ts";
import type { ExchangeRecord } from "./exchange-record.ts";
import type { Keeper } from "./keeper.ts";
import type { Lease } from "./lease.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { ReadyProfile, Rulebook } from "./rulebook.ts";
import type { Look, Waiter } from "./wait-line.ts";

export interface ChoiceDeps {
  readonly keeper: Keeper;
  readonly leases: LeaseDesk;
  readonly affinity: AffinityTable;
  readonly rulebook: Pick<Rulebook, "choose">;
  readonly settings: () => Settings;
  readonly clock: Clock;
}

const NOBODY: ReadonlySet<AccountId> = new Set();

/** What an exchange stands in line for. */
type Wish =
  /** Whoever may serve. */
  | "anybody"
  /** As that, but only who is usable now, since waiting would not mend the trouble. */
  | "anybody_now"
  /** One of those that it has asked. */
  | "asked";

/** It stands in line itself: most exchanges need not wait, and nothing is made for them that only one in line needs. */
export class AccountChoice implements Waiter {
  readonly #deps: ChoiceDeps;
  readonly #request: ExchangeRequest;
  readonly #record: ExchangeRecord;
  #tried: Set<AccountId> | null = null;
  /** Everybody that this exchange asked, whatever came of it. */
  #asked: Set<AccountId> | null = null;
  #wish: Wish = "anybody";
  /** Since it first had to wait; its patience is counted from then. */
  #waitsSinceMs: number | null = null;
  /** Since it stands in line this time. */
  #standsSinceMs: number | null = null;
  #profile: ReadyProfile | null = null;
  #likenessText: string | null = null;

  constructor(deps: ChoiceDeps, request: ExchangeRequest, record: ExchangeRecord) {
    this.#deps = deps;
    this.#request = request;
    this.#record = record;
  }

  /** Through which profile it asks: the budgets of that. Throws `profile_not_found`, or `model_not_allowed` by that profile. */
  enter(): readonly string[] {
    const { keyId, model, profile = null, project = null } = this.#request;
    const chosen = this.#deps.rulebook.choose({ keyId, profile, project });
    this.#profile = chosen;
    if (chosen === null) return [];
    if (model === null || chosen.isModel(model)) return chosen.budgets;
    throw new AppError("model_not_allowed", `the profile ${chosen.name} does not allow the model ${model}`, {
      facts: { profile: chosen.name, model },
      hint: `rotor profile show ${chosen.name}`,
    });
  }

  /** It had its chance; another one is next. */
  exclude(accountId: AccountId): void {
    this.#tried = (this.#tried ?? new Set()).add(accountId);
    this.#asked = (this.#asked ?? new Set()).add(accountId);
  }

  /**
   * Is it still there and without a hold? Between two tries on one account an operator or another request may have changed that. Its lease is
   * kept between them: what holds only for those that want one does not hold for it.
   */
  mayAsk(accountId: AccountId): boolean {
    const { keeper } = this.#deps;
    const account = keeper.get(accountId);
    if (account === null) return false;
    const ask: Ask = { ...this.#ask(accountId, NOBODY), maxLeases: Number.POSITIVE_INFINITY, pacing: NO_PACING };
    return rank([account], ask, 1).usableCount === 1;
  }

  /** null when there is nobody to be had. `mayWait` false: only who is usable now, since waiting would not mend the trouble. */
  next(mayWait: boolean): Lease | null | Promise<Lease | null> {
    return this.#stand(mayWait ? "anybody" : "anybody_now");
  }

  /**
   * One of those asked already, after a wait if that is short; null when it is not, or when somebody else is usable: then the client is
   * better served by sending the request again than by waiting.
   */
  again(): Lease | null | Promise<Lease | null> {
    return this.#stand("asked");
  }

  /** Stands in line until a look finds somebody or gives up. */
  #stand(wish: Wish): Lease | null | Promise<Lease | null> {
    this.#wish = wish;
    const found = this.#deps.leases.line.enter(this);
    return found instanceof Promise ? this.#waited(found) : found;
  }

  async #waited(found: Promise<Lease | null>): Promise<Lease | null> {
    const lease = await found;
    if (this.#standsSinceMs !== null) this.#record.waited(this.#deps.clock.nowMs() - this.#standsSinceMs);
    this.#standsSinceMs = null;
    return lease;
  }

  get id(): ExchangeId {
    return this.#record.id;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  sinceMs(): number {
    return this.#waitsSinceMs ?? this.#deps.clock.nowMs();
  }

  givesUpAtMs(): number {
    return this.sinceMs() + this.#deps.settings().wait_seconds * 1_000;
  }

  /** What decides who can serve it, beside the pool; equal for two that would find the same accounts. */
  likeness(): string | null {
    if (this.#wish !== "anybody" || this.#isLikeNobody()) return null;
    const { model, only = null } = this.#request;
    this.#likenessText ??= JSON.stringify([model, only, this.#profile?.name ?? null]);
    return this.#likenessText;
  }

  look(): Look {
    // Whoever was tried may have come back while this one waited.
    if (this.#standsSinceMs !== null) this.#tried = null;
    const home = this.home();
    const plan = this.#plan(home);
    return this.#wish === "asked" ? this.#lookAgain(plan, home) : this.#lookForAnybody(plan, home);
  }

  moved(): void {
    this.#standsSinceMs ??= this.#deps.clock.nowMs();
    this.#record.waits();
  }

  #lookForAnybody(plan: Plan, home: AccountId | null): Look {
    const mayWait = this.#wish === "anybody";
    const pausedUntilMs = this.#deps.keeper.pauseUntilMs();
    const homeEndMs = mayWait ? homePaceEndMs(plan, home) : null;
    if (homeEndMs !== null && this.#hasPatienceUntil(homeEndMs)) return { kind: "wait", untilMs: homeEndMs };
    const first = plan.order[0];
    if (first !== undefined && pausedUntilMs === null) return this.#go(first, home);
    if (first === undefined && !mayWait) return LEAVE;
    return waiting(this.#worthWaiting(plan, pausedUntilMs));
  }

  #lookAgain(plan: Plan, home: AccountId | null): Look {
    const usable = plan.order.find((accountId) => this.#asked?.has(accountId) ?? false);
    if (usable !== undefined) return this.#go(usable, home);
    return plan.order.length > 0 ? LEAVE : waiting(this.#worthWaiting(plan, null));
  }

  #go(accountId: AccountId, home: AccountId | null): Look {
    return { kind: "go", lease: this.#deps.leases.take(accountId, accountId !== home) };
  }

  expectedAtMs(ahead: number): number | null {
    const { leases, keeper } = this.#deps;
    const home = this.home();
    const ask = this.#ask(home, NOBODY);
    const plan = leases.plan(ask, EXCHANGE_MAX_ATTEMPTS);
    const atMs = homePaceEndMs(plan, home) ?? placeAtMs(leases.berths(plan, ask), ahead);
    return atMs === null ? null : Math.max(atMs, keeper.pauseUntilMs() ?? 0);
  }

  /** One that is drained keeps the conversations that are on it, and one that is paced is waited for by them. */
  #isLikeNobody(): boolean {
    const home = this.home();
    const account = home === null ? null : this.#deps.keeper.get(home);
    if (account === null) return false;
    return account.orders.draining || paceOf(account, this.#ask(null, NOBODY).pacing) !== null;
  }

  /** Where this conversation lives, when affinity is on and it has a home. */
  home(): AccountId | null {
    const { affinity, settings, clock } = this.#deps;
    const { conversation } = this.#request;
    if (conversation === null) return null;
    const now = settings();
    if (!now.affinity) return null;
    return affinity.home(conversation, clock.nowMs(), now.affinity_minutes * 60_000);
  }

  /** This conversation was served there. */
  settle(accountId: AccountId): void {
    const { conversation, stream } = this.#request;
    if (stream && conversation !== null) this.#deps.affinity.settle(conversation, accountId, this.#deps.clock.nowMs());
  }

  /** What the accounts' holds say about why there is nobody. */
  refusal(): Refusal {
    const ask = this.#ask(null, this.#tried ?? NOBODY);
    const refusal = refusalOf(this.#deps.leases.plan(ask, EXCHANGE_MAX_ATTEMPTS), ask);
    // No operator's pin: taking that off would not help.
    const isAsked = refusal.kind === "pinned_account_held" && this.#request.only !== undefined;
    return isAsked ? { ...refusal, kind: "asked_account_held" } : refusal;
  }

  #ask(affinity: AccountId | null, tried: ReadonlySet<AccountId>): Ask {
    const { model, only } = this.#request;
    const ask = this.#deps.leases.askFor({ model, affinity, tried, profile: this.#profile });
    return only === undefined ? ask : { ...ask, pin: { accountId: only, sinceMs: ask.nowMs, untilMs: null } };
  }

  #plan(home: AccountId | null): Plan {
    const { leases } = this.#deps;
    const ask = this.#ask(home, this.#tried ?? NOBODY);
    const plan = leases.plan(ask, EXCHANGE_MAX_ATTEMPTS);
    this.#record.planned(plan);
    return plan;
  }

  #hasPatienceUntil(endMs: number): boolean {
    this.#waitsSinceMs ??= this.#deps.clock.nowMs();
    return endMs <= this.givesUpAtMs();
  }

  /** Until when to wait: an end within the patience that is left, or any change at all when everybody is merely busy. */
  #worthWaiting(plan: Plan, pausedUntilMs: number | null): number | null {
    const nowMs = this.#deps.clock.nowMs();
    this.#waitsSinceMs ??= nowMs;
    const givesUpAtMs = this.givesUpAtMs();
    if (nowMs >= givesUpAtMs) return null;
    if (pausedUntilMs !== null && plan.order.length > 0) return Math.min(pausedUntilMs, givesUpAtMs);
    if (plan.nextUsableAtMs !== null && plan.nextUsableAtMs <= givesUpAtMs) return plan.nextUsableAtMs;
    const busy = plan.held.some(({ holds, isBarred }) => !isBarred && isMerelyBusy(holds, givesUpAtMs));
    return busy ? givesUpAtMs : null;
  }
}

/** Some request ends, nobody knows when; what else holds it has an end before then. */
function isMerelyBusy(holds: readonly Hold[], givesUpAtMs: number): boolean {
  return holds.every((hold) => hold.kind === "at_capacity" || (hold.kind === "pacing" && hold.untilMs <= givesUpAtMs));
}

const LEAVE: Look = { kind: "leave" };

function waiting(untilMs: number | null): Look {
  return untilMs === null ? LEAVE : { kind: "wait", untilMs };
}
