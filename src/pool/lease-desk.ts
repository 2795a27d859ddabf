/**
 * Hands out leases: one in-flight claim on an account each, taken before an attempt and given back after it. Ranks, takes the first, counts.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/id.ts";
import type { AccountId } from "../domain/account.ts";
import type { Ask } from "../domain/ask.ts";
import { lastEndMs } from "../domain/hold.ts";
import { gapMs, NO_PACING, type Pacing, paceOf, spentAfter } from "../domain/pace.ts";
import type { HeldAccount, Plan } from "../domain/plan.ts";
import { rank } from "../domain/rank.ts";
import type { Settings } from "../domain/setting.ts";
import { Standings } from "../domain/standing.ts";
import { presentTurn } from "../domain/turn.ts";
import type { Berth } from "../domain/waiting.ts";
import type { Keeper } from "./keeper.ts";
import type { Lease } from "./lease.ts";
import { createLeaseTimes } from "./lease-times.ts";
import type { ReadyProfile, Rulebook } from "./rulebook.ts";
import { createWaitLine, type WaitLine } from "./wait-line.ts";

export interface LeaseAsk {
  readonly model: string | null;
  readonly affinity: AccountId | null;
  readonly tried: ReadonlySet<AccountId>;
  /** Absent: the whole pool. */
  readonly profile?: ReadyProfile | null;
}

export interface LeaseDesk {
  /** The ask as selection sees it now: state, clock and dice filled in. */
  askFor(wanted: LeaseAsk): Ask;
  plan(ask: Ask, limit?: number): Plan;
  /** Claims `accountId` for an attempt. `isTurn`: selection was free to choose, so that it counts as a turn of this account. */
  take(accountId: AccountId, isTurn: boolean): Lease;
  open(accountId: AccountId): number;
  openTotal(): number;
  lastAccountId(): AccountId | null;
  /** Those who wait for an account. */
  readonly line: WaitLine;
  /** What the accounts of `plan` that `ask` is allowed may take, and when. */
  berths(plan: Plan, ask: Ask): readonly Berth[];
}

export function createLeaseDesk(deps: {
  keeper: Keeper;
  clock: Clock;
  dice: Dice;
  settings: () => Settings;
  book: Pick<Rulebook, "rules">;
}): LeaseDesk {
  const { keeper, clock, dice } = deps;
  const openLeases = new Map<AccountId, number>();
  const standings = new Standings();
  const spentUntilMs = new Map<AccountId, number>();
  const times = createLeaseTimes();
  const line = createWaitLine(clock);
  let total = 0;
  let last: AccountId | null = null;
  let present = presentTurn(keeper.accounts());
  let order = keeper.accounts().reduce((highest, account) => Math.max(highest, account.use.lastLeaseOrder), 0);
  keeper.watch(line.wake);
  let pacingBy: Settings | null = null;
  let paced: Pacing = NO_PACING;
  const pacing = (): Pacing => {
    const settings = deps.settings();
    if (settings === pacingBy) return paced;
    const { account_requests_per_minute: requestsPerMinute, account_burst: burst } = settings;
    pacingBy = settings;
    paced = { usual: { requestsPerMinute, burst }, spentUntilMs };
    return paced;
  };
  const spend = (accountId: AccountId, nowMs: number) => {
    const account = keeper.get(accountId);
    const pace = account === null ? null : paceOf(account, pacing());
    if (pace !== null) spentUntilMs.set(accountId, spentAfter(pace, spentUntilMs.get(accountId) ?? 0, nowMs));
    else if (spentUntilMs.size > 0) spentUntilMs.delete(accountId);
  };
  const giveBack = (accountId: AccountId, fromMs: number) => {
    total--;
    const left = (openLeases.get(accountId) ?? 1) - 1;
    if (left === 0) openLeases.delete(accountId);
    else openLeases.set(accountId, left);
    times.ended(accountId, fromMs, clock.nowMs());
    line.wake();
  };

  return {
    askFor({ model, affinity, tried, profile = null }) {
      const settings = deps.settings();
      const strategy = profile?.strategy ?? keeper.strategy();
      return {
        model,
        affinity,
        tried,
        profile,
        rules: profile === null ? deps.book.rules() : profile.ready,
        nowMs: clock.nowMs(),
        strategy,
        pin: keeper.pin(),
        openLeases,
        maxLeases: settings.account_max_leases,
        pacing: pacing(),
        thresholds: settings,
        // Nobody else looks at it, and each throw is a question to the system.
        dice: strategy === "random" ? dice.fraction() : 0,
      };
    },
    plan: (ask, limit) => rank(keeper.accounts(), ask, limit, standings),
    take(accountId, isTurn) {
      const fromMs = clock.nowMs();
      openLeases.set(accountId, (openLeases.get(accountId) ?? 0) + 1);
      times.began(accountId, fromMs);
      spend(accountId, fromMs);
      total++;
      last = accountId;
      const turn = isTurn ? present : null;
      const leased = keeper.apply(accountId, { kind: "leased", atMs: fromMs, order: ++order, turn });
      if (leased !== null) present = Math.max(present, leased.use.turn);
      return new TakenLease(accountId, fromMs, giveBack);
    },
    open: (accountId) => openLeases.get(accountId) ?? 0,
    openTotal: () => total,
    lastAccountId: () => last,
    line,
    berths(plan, ask) {
      const usable = plan.order.map((accountId): HeldAccount => ({ accountId, holds: [] }));
      const held = plan.held.filter(({ isBarred }) => !isBarred);
      return [...usable, ...held].flatMap((one) => berthOf(one, ask, { keeper, times, openLeases }));
    },
  };
}

class TakenLease implements Lease {
  readonly accountId: AccountId;
  readonly #fromMs: number;
  #giveBack: ((accountId: AccountId, fromMs: number) => void) | null;

  constructor(accountId: AccountId, fromMs: number, giveBack: (accountId: AccountId, fromMs: number) => void) {
    this.accountId = accountId;
    this.#fromMs = fromMs;
    this.#giveBack = giveBack;
  }

  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = null;
    giveBack?.(this.accountId, this.#fromMs);
  }
}

/** [] when no clock says when this account is to be had. */
function berthOf(
  { accountId, holds }: HeldAccount,
  ask: Ask,
  {
    keeper,
    times,
    openLeases,
  }: Pick<Ask, "openLeases"> & { keeper: Keeper; times: ReturnType<typeof createLeaseTimes> },
): Berth[] {
  const { nowMs, maxLeases, pacing } = ask;
  const account = keeper.get(accountId);
  const timed = holds.filter(({ kind }) => kind !== "at_capacity");
  const fromMs = timed.length === 0 ? nowMs : lastEndMs(timed);
  if (account === null || fromMs === null) return [];
  const pace = paceOf(account, pacing);
  const free = Math.max(0, maxLeases - (openLeases.get(accountId) ?? 0));
  const gap = pace === null ? 0 : gapMs(pace);
  const endsAtMs = times.expectedEndsMs(accountId, nowMs);
  return [{ fromMs, gapMs: gap, free, endsAtMs, takesMs: times.usualMs() }];
}
