/**
 * Owns the state of the pool: accounts, strategy, pin, burst. The only place that changes them: events go in, `domain/transition`
 * says what becomes of it, and the effects are carried out here. Writes behind what may be late, at once what may not.
 */
import {
  COOLDOWN_FIRST_MS,
  COOLDOWN_LONGEST_MS,
  OWNER_LATE_FIRST_MS,
  REFRESH_COOLDOWN_FIRST_MS,
} from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { type Burst, NO_BURST, noteFailure, noteServed, pauseEndMs } from "../domain/burst.ts";
import { activePin, type Pin } from "../domain/pin.ts";
import type { StrategyName } from "../domain/strategy.ts";
import { type AccountEvent, type Ladders, transition } from "../domain/transition.ts";
import type { ChoiceChange, Store, StoredPool } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { Scheduler } from "./scheduler.ts";

export interface Keeper {
  /** In the order in which they were added. The same array until an account is added or removed; its entries change. */
  accounts(): readonly Account[];
  get(id: AccountId): Account | null;
  /** As `get`, but an unknown id throws `account_not_found`. */
  require(id: AccountId): Account;
  strategy(): StrategyName;
  pin(): Pin | null;
  pauseUntilMs(): number | null;
  revision(): number;

  /** Applies an event; what must be durable is on its way and is awaited by `settled`. Unknown accounts are ignored: they were removed meanwhile. */
  apply(id: AccountId, event: AccountEvent): Account | null;
  /** As `apply`, and resolves when the change is on disk. For what an operator or the credential keeper waits on. */
  commit(id: AccountId, event: AccountEvent): Promise<Account>;
  /** As `commit`, of all or of none; `along`: what the disk takes in the same step. */
  commitAll(events: ReadonlyMap<AccountId, AccountEvent>, along?: ChoiceChange): Promise<readonly Account[]>;
  /** Takes over accounts that the store has accepted. */
  adopt(accounts: readonly Account[]): void;
  forget(id: AccountId): void;
  /** Takes over what the store has accepted. */
  adoptPool(change: { strategy: StrategyName; pin: Pin | null }): void;
  savePool(change: { strategy?: StrategyName; pin?: Pin | null }): Promise<void>;

  /** Calls back after every visible change. */
  watch(onChange: () => void): () => void;
  /** Who is told, in the same turn, that windows of an account were observed: it must only take note. */
  sampleTo(onSample: (id: AccountId) => void): void;
  /** Something that `accounts` does not show has changed (a lease came or went). */
  announce(): void;
  /** Writes everything that waits. */
  flush(): Promise<void>;
}

/** Long enough to make one write of a burst of answers, short enough that a crash forgets next to nothing. */
const FLUSH_AFTER_MS = 500;

/** A model that upstream refused is asked for again after six hours: plans and roll-outs change within a day. */
export const LADDERS: Ladders = {
  cooldownFirstMs: COOLDOWN_FIRST_MS,
  cooldownLongestMs: COOLDOWN_LONGEST_MS,
  refreshFirstMs: REFRESH_COOLDOWN_FIRST_MS,
  ownerLateFirstMs: OWNER_LATE_FIRST_MS,
  modelUnsupportedMs: 6 * 3_600_000,
};

export function createKeeper(deps: {
  stored: Pick<StoredPool, "accounts" | "strategy" | "pin">;
  store: Store;
  clock: Clock;
  scheduler: Scheduler;
  audit: AuditNotes;
  log: Log;
}): Keeper {
  const { store, clock, scheduler, audit, log } = deps;
  let accounts: Account[] = [...deps.stored.accounts];
  let strategy = deps.stored.strategy;
  let pin = deps.stored.pin;
  let burst: Burst = NO_BURST;
  let revision = 1;
  const places = new Map<AccountId, number>(accounts.map((account, place) => [account.id, place]));
  const dirty = new Set<AccountId>();
  const watchers = new Set<() => void>();

  let onSample: (id: AccountId) => void = () => {};
  const announce = () => {
    revision++;
    for (const onChange of watchers) onChange();
  };
  const get = (id: AccountId) => {
    const place = places.get(id);
    return place === undefined ? null : accounts[place]!;
  };
  const requireAccount = (id: AccountId) => {
    const account = get(id);
    if (account === null) throw new AppError("account_not_found", `there is no account ${id}`);
    return account;
  };
  const reindex = (next: Account[]) => {
    accounts = next;
    places.clear();
    for (const [place, account] of accounts.entries()) places.set(account.id, place);
  };
  const flush = async () => {
    if (dirty.size === 0) return;
    const batch = [...dirty].map(get).filter((account) => account !== null);
    dirty.clear();
    try {
      await store.saveObservations(batch);
    } catch (error) {
      // The figures live on in memory and are written with the next change.
      log.error("observations.save_failed", { error });
    }
  };
  /** The first change sets the time: put off by each further one, a busy pool would never be written. */
  const writeSoon = (id: AccountId) => {
    if (dirty.size === 0) scheduler.at("keeper.flush", clock.nowMs() + FLUSH_AFTER_MS, () => void flush());
    dirty.add(id);
  };

  const noteUpstream = (id: AccountId, event: AccountEvent) => {
    if (event.kind !== "attempt_ended") return;
    const { kind } = event.outcome;
    const before = burst;
    if (kind === "served") burst = noteServed(burst);
    else if (kind === "upstream_failed" || kind === "timed_out" || kind === "cut")
      burst = noteFailure(burst, id, event.atMs);
    if (burst.pauseUntilMs !== null && burst.pauseUntilMs !== before.pauseUntilMs) {
      log.warn("pool.paused", { until_ms: burst.pauseUntilMs });
      scheduler.at("keeper.pause", burst.pauseUntilMs, announce);
      announce();
    }
  };

  /** Changes memory and says which effects need the disk now. */
  const change = (id: AccountId, event: AccountEvent): { account: Account; durable: boolean } | null => {
    const before = get(id);
    if (before === null) return null;
    const { account, effects } = transition(before, event, LADDERS);
    accounts[places.get(id)!] = account;
    noteUpstream(id, event);
    let durable = false;
    let visible = false;
    for (const effect of effects) {
      if (effect.kind === "persist_durably") durable = true;
      else if (effect.kind === "persist_later") writeSoon(id);
      else if (effect.kind === "announce") visible = true;
      else if (effect.kind === "sample") onSample(id);
      else if (effect.kind === "log") log[effect.level](effect.event, { account: account.alias, ...effect.facts });
      else audit.own({ action: effect.action, subjects: [{ id, name: account.alias }], text: effect.text });
    }
    if (visible) announce();
    return { account, durable };
  };

  const commitAll: Keeper["commitAll"] = async (events, along) => {
    const before = [...events.keys()].map(requireAccount);
    const changed = [...events].map(([id, event]) => change(id, event)!);
    const durable = changed.filter((one) => one.durable).map(({ account }) => account);
    try {
      if (along !== undefined || durable.length > 1) await store.saveAccounts(durable, along);
      else if (durable.length === 1) await store.saveAccount(durable[0]!);
    } catch (error) {
      // What could not be kept must not be shown as done.
      for (const [i, { account }] of changed.entries()) {
        const place = places.get(account.id);
        if (place !== undefined && accounts[place] === account) accounts[place] = before[i]!;
      }
      announce();
      throw error;
    }
    return changed.map(({ account }) => account);
  };

  return {
    accounts: () => accounts,
    get,
    require: requireAccount,
    strategy: () => strategy,
    pin: () => (pin === null ? null : activePin(pin, clock.nowMs())),
    pauseUntilMs: () => (burst.pauseUntilMs === null ? null : pauseEndMs(burst, clock.nowMs())),
    revision: () => revision,
    apply(id, event) {
      const changed = change(id, event);
      if (changed?.durable) {
        store
          .saveAccount(changed.account)
          .catch((error) => log.error("account.save_failed", { account: changed.account.alias, error }));
      }
      return changed?.account ?? null;
    },
    commit: async (id, event) => (await commitAll(new Map([[id, event]])))[0]!,
    commitAll,
    adopt(added) {
      const known = accounts.map((account) => added.find((one) => one.id === account.id) ?? account);
      reindex([...known, ...added.filter((one) => !places.has(one.id))]);
      announce();
    },
    forget(id) {
      reindex(accounts.filter((account) => account.id !== id));
      dirty.delete(id);
      announce();
    },
    adoptPool(next) {
      strategy = next.strategy;
      pin = next.pin;
      announce();
    },
    async savePool(wanted) {
      const next = { strategy: wanted.strategy ?? strategy, pin: wanted.pin === undefined ? pin : wanted.pin };
      await store.savePool(next);
      strategy = next.strategy;
      pin = next.pin;
      announce();
    },
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    sampleTo(next) {
      onSample = next;
    },
    announce,
    flush,
  };
}
