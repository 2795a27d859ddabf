/**
 * Which account an exchange asks next: the plan's first, after a bounded wait when nobody is usable yet. Remembers whom it tried and how
 * much of its patience is left; everything else it reads from the pool.
 */
import { EXCHANGE_MAX_ATTEMPTS } from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { AccountId } from "../domain/account.ts";
import type { Ask } from "../domain/ask.ts";
import type { Plan } from "../domain/plan.ts";
import { rank } from "../domain/rank.ts";
import { type Refusal, refusalOf } from "../domain/refusal.ts";
import type { Settings } from "../domain/setting.ts";
import type { AffinityTable } from "./affinity-table.ts";
import type { ExchangeRequest } from "./engine.ts";
import type { ExchangeRecord } from "./exchange-record.ts";
import type { Keeper } from "./keeper.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { ReadyProfile, Rulebook } from "./rulebook.ts";

export interface ChoiceDeps {
  readonly keeper: Keeper;
  readonly leases: LeaseDesk;
  readonly affinity: AffinityTable;
  readonly rulebook: Pick<Rulebook, "choose">;
  readonly settings: () => Settings;
  readonly clock: Clock;
}

const NOBODY: ReadonlySet<AccountId> = new Set();

export class AccountChoice {
  readonly #deps: ChoiceDeps;
  readonly #request: ExchangeRequest;
  readonly #record: ExchangeRecord;
  readonly #tried = new Set<AccountId>();
  /** Everybody that this exchange asked, whatever came of it. */
  readonly #asked = new Set<AccountId>();
  #patienceEndsAtMs: number | null = null;
  #profile: ReadyProfile | null = null;

  constructor(deps: ChoiceDeps, request: ExchangeRequest, record: ExchangeRecord) {
    this.#deps = deps;
    this.#request = request;
    this.#record = record;
  }

  /** Through which profile it asks. Throws `profile_not_found`, or `model_not_allowed` by that profile. */
  enter(): void {
    const { keyId, model, profile = null, project = null } = this.#request;
    const chosen = this.#deps.rulebook.choose({ keyId, profile, project });
    this.#profile = chosen;
    if (chosen === null || model === null || chosen.isModel(model)) return;
    throw new AppError("model_not_allowed", `the profile ${chosen.name} does not allow the model ${model}`, {
      facts: { profile: chosen.name, model },
      hint: `rotor profile show ${chosen.name}`,
    });
  }

  /** It had its chance; another one is next. */
  exclude(accountId: AccountId): void {
    this.#tried.add(accountId);
    this.#asked.add(accountId);
  }

  /** Is it still there and without a hold? Between two tries on one account an operator or another request may have changed that. */
  mayAsk(accountId: AccountId): boolean {
    const { keeper } = this.#deps;
    const account = keeper.get(accountId);
    if (account === null) return false;
    // It has begun to serve this request, so that what holds only for new conversations does not hold for it.
    const ask = this.#ask(accountId, NOBODY);
    return rank([account], ask, 1).usableCount === 1;
  }

  /** null when there is nobody to be had. `mayWait` false: only who is usable now, since waiting would not mend the trouble. */
  async next(mayWait: boolean): Promise<AccountId | null> {
    const { keeper, leases, clock } = this.#deps;
    for (;;) {
      const pausedUntilMs = keeper.pauseUntilMs();
      const plan = this.#plan();
      const first = plan.order[0];
      if (first !== undefined && pausedUntilMs === null) return first;
      if (first === undefined && !mayWait) return null;
      const untilMs = this.#worthWaiting(plan, pausedUntilMs);
      if (untilMs === null) return null;
      const fromMs = clock.nowMs();
      await leases.changed(untilMs, this.#request.signal);
      this.#tried.clear();
      this.#record.waited(clock.nowMs() - fromMs);
    }
  }

  /**
   * One of those asked already, after a wait if that is short; null when it is not, or when somebody else is usable: then the client is
   * better served by sending the request again than by waiting.
   */
  async again(): Promise<AccountId | null> {
    const { leases, clock } = this.#deps;
    const plan = this.#plan();
    const untilMs = plan.order.length > 0 ? null : this.#worthWaiting(plan, null);
    if (untilMs === null) return null;
    const fromMs = clock.nowMs();
    await leases.changed(untilMs, this.#request.signal);
    this.#tried.clear();
    this.#record.waited(clock.nowMs() - fromMs);
    const usable = this.#plan().order.find((accountId) => this.#asked.has(accountId));
    return usable ?? this.again();
  }

  /** Where this conversation lives, when affinity is on and it has a home. */
  home(): AccountId | null {
    const { affinity, settings, clock } = this.#deps;
    const { conversation } = this.#request;
    const now = settings();
    if (!now.affinity || conversation === null) return null;
    return affinity.home(conversation, clock.nowMs(), now.affinity_minutes * 60_000);
  }

  /** This conversation was served there. */
  settle(accountId: AccountId): void {
    const { conversation, stream } = this.#request;
    if (stream && conversation !== null) this.#deps.affinity.settle(conversation, accountId, this.#deps.clock.nowMs());
  }

  /** What the accounts' holds say about why there is nobody. */
  refusal(): Refusal {
    const ask = this.#ask(null, this.#tried);
    return refusalOf(this.#deps.leases.plan(ask, EXCHANGE_MAX_ATTEMPTS), ask);
  }

  #ask(affinity: AccountId | null, tried: ReadonlySet<AccountId>): Ask {
    const { model, only } = this.#request;
    const ask = this.#deps.leases.askFor({ model, affinity, tried, profile: this.#profile });
    return only === undefined ? ask : { ...ask, pin: { accountId: only, sinceMs: ask.nowMs, untilMs: null } };
  }

  #plan(): Plan {
    const { leases } = this.#deps;
    const ask = this.#ask(this.home(), this.#tried);
    const plan = leases.plan(ask, EXCHANGE_MAX_ATTEMPTS);
    this.#record.planned(plan);
    return plan;
  }

  /** Until when to wait: an end within the patience that is left, or any change at all when everybody is merely busy. */
  #worthWaiting(plan: Plan, pausedUntilMs: number | null): number | null {
    const { clock, settings } = this.#deps;
    const nowMs = clock.nowMs();
    this.#patienceEndsAtMs ??= nowMs + settings().wait_seconds * 1_000;
    if (nowMs >= this.#patienceEndsAtMs) return null;
    if (pausedUntilMs !== null && plan.order.length > 0) return Math.min(pausedUntilMs, this.#patienceEndsAtMs);
    if (plan.nextUsableAtMs !== null && plan.nextUsableAtMs <= this.#patienceEndsAtMs) return plan.nextUsableAtMs;
    const busy = plan.held.some(
      ({ holds, isBarred }) => !isBarred && holds.every((hold) => hold.kind === "at_capacity"),
    );
    return busy ? this.#patienceEndsAtMs : null;
  }
}
