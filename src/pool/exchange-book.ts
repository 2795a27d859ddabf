/**
 * The record of exchanges: open ones in memory, ended ones written behind in batches. Nothing here is in the way of a byte.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Exchange, ExchangeId } from "../domain/exchange.ts";
import type { Settings } from "../domain/setting.ts";
import type { Waiting } from "../domain/waiting.ts";
import type { ExchangeQuery, Store } from "../store/store.ts";
import type { Scheduler } from "./scheduler.ts";

export interface ExchangeBook {
  /**
   * Notes that an exchange has begun or changed; `endedAtMs` set means that it is over and changes no more. Until then its record goes on
   * growing in the same object: a copy for every change would cost each exchange five, for watchers that are mostly not there.
   */
  note(exchange: Exchange): void;
  open(): readonly Exchange[];
  list(query: ExchangeQuery): Promise<readonly Exchange[]>;
  get(idOrPrefix: string): Promise<Exchange>;
  watch(onChange: (exchange: Exchange) => void): () => void;
  flush(): Promise<void>;
}

/**
 * A write a second, or for so many. What is written at once is packed together, which makes most of the difference up to here; twice as many
 * would hold up the loop that serves streams for longer than a millisecond.
 */
const FLUSH_AFTER_MS = 1_000;
const FLUSH_AT_COUNT = 256;

export function createExchangeBook(deps: {
  store: Store;
  clock: Clock;
  scheduler: Scheduler;
  settings: () => Settings;
  /** Where an exchange stands in line; null = it does not wait. */
  waitingOf: (id: ExchangeId) => Waiting | null;
  log: Log;
}): ExchangeBook {
  const { store, clock, scheduler, log } = deps;
  /** An exchange as it is now, for whoever looks at it later. Its lists are replaced, never changed. */
  const stateOf = (exchange: Exchange): Exchange => {
    const waiting = exchange.endedAtMs === null ? deps.waitingOf(exchange.id) : null;
    return waiting === null ? { ...exchange } : { ...exchange, waiting };
  };
  const open = new Map<ExchangeId, Exchange>();
  let ended: Exchange[] = [];
  let writing: Promise<void> = Promise.resolve();
  const watchers = new Set<(exchange: Exchange) => void>();

  const flush = (): Promise<void> => {
    if (ended.length === 0) return writing;
    const batch = ended;
    ended = [];
    writing = writing
      .then(() => store.appendExchanges(batch, deps.settings().exchanges_kept))
      .catch((error) => log.error("exchanges.save_failed", { count: batch.length, error }));
    return writing;
  };

  return {
    note(exchange) {
      if (exchange.endedAtMs === null) {
        open.set(exchange.id, exchange);
      } else {
        open.delete(exchange.id);
        ended.push(exchange);
        if (ended.length >= FLUSH_AT_COUNT) void flush();
        else if (ended.length === 1)
          scheduler.at("exchanges.flush", clock.nowMs() + FLUSH_AFTER_MS, () => void flush());
      }
      if (watchers.size === 0) return;
      const state = stateOf(exchange);
      for (const onChange of watchers) onChange(state);
    },
    open: () => [...open.values()].map(stateOf),
    async list(query) {
      await flush();
      const stored = await store.listExchanges(query);
      const isOlder = (exchange: Exchange) => query.before === undefined || exchange.id < query.before;
      const waiting = [...open.values()].filter((exchange) => isOlder(exchange) && matches(exchange, query));
      if (waiting.length === 0) return stored;
      // ULIDs sort by time: newest first, open and ended alike.
      return [...waiting.map(stateOf), ...stored].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, query.limit);
    },
    async get(idOrPrefix) {
      await flush();
      const wanted = idOrPrefix.toUpperCase();
      const exact = open.get(wanted as ExchangeId) ?? (await store.getExchange(wanted as ExchangeId));
      if (exact) return stateOf(exact);
      // Recent ones are what people abbreviate; a thousand covers a day.
      const recent = [...open.values(), ...(await store.listExchanges({ limit: 1_000 }))].filter((exchange) =>
        exchange.id.startsWith(wanted),
      );
      if (recent.length === 1) return stateOf(recent[0]!);
      const why = recent.length === 0 ? "there is no such exchange" : `${recent.length} exchanges begin like that`;
      throw new AppError("exchange_not_found", `${idOrPrefix}: ${why}`);
    },
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    flush,
  };
}

function matches(exchange: Exchange, query: ExchangeQuery): boolean {
  if (query.failed) return false;
  if (query.keyId !== undefined && exchange.keyId !== query.keyId) return false;
  return query.accountId === undefined || exchange.attempts.some((attempt) => attempt.accountId === query.accountId);
}
