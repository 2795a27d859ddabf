/**
 * The ledger: notes what each turn used when it ends, writes behind in batches, and answers for reports. Knows which account a conversation
 * was at last, and so what a move has cost of its prompt cache. Nothing here is in the way of a byte.
 */
import { AFFINITY_MAX_CONVERSATIONS } from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { AccountId } from "../domain/account.ts";
import { type CacheMove, lostTokens } from "../domain/cache-move.ts";
import type { Exchange } from "../domain/exchange.ts";
import type { LedgerRow, UsageQuery, UsageReport } from "../domain/ledger.ts";
import { DAY_MS } from "../domain/limit.ts";
import type { Usage } from "../domain/outcome.ts";
import type { Settings } from "../domain/setting.ts";
import type { Store } from "../store/store.ts";
import type { PriceDesk } from "./price-desk.ts";
import type { Scheduler } from "./scheduler.ts";

export interface LedgerDesk {
  /** What has ended by now is in it. */
  query(query: UsageQuery): Promise<UsageReport>;
}

export interface Ledger extends LedgerDesk {
  /** What came of a turn's cache when its conversation went on at another account; null when it did not. Once for each turn. */
  moveOf(
    turn: Pick<Exchange, "conversation" | "servedBy" | "servedByAlias" | "model">,
    tier: string | null,
    usage: Usage | null,
  ): CacheMove | null;
  add(exchange: Exchange, isServed: boolean): void;
  /** Turns that were counted elsewhere; one that is here already counts no second time. */
  adopt(rows: readonly LedgerRow[]): Promise<void>;
  flush(): Promise<void>;
}

/** A write a second, or for so many turns: as with exchanges, a larger batch would hold up the streams. A turn is a third of an exchange. */
const FLUSH_AFTER_MS = 1_000;
const FLUSH_AT_COUNT = 512;
/** A write of so many takes some milliseconds. */
const ADOPT_AT_ONCE = 512;

const NO_TOKENS: Usage = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };

interface LastTurn {
  readonly accountId: AccountId;
  readonly alias: string;
  readonly cached: number;
}

export function createLedger(deps: {
  store: Pick<Store, "appendLedger" | "adoptTurns" | "queryUsage">;
  prices: Pick<PriceDesk, "costOf">;
  settings: () => Settings;
  clock: Clock;
  scheduler: Scheduler;
  log: Log;
}): Ledger {
  const { store, prices, clock, scheduler, log } = deps;
  /** By conversation; the least recently used first. */
  const lastTurns = new Map<string, LastTurn>();
  let waiting: LedgerRow[] = [];
  let writing: Promise<void> = Promise.resolve();

  const write = (how: "appendLedger" | "adoptTurns", batch: readonly LedgerRow[]): Promise<void> => {
    const { ledger_days_kept, usage_days_kept } = deps.settings();
    const nowMs = clock.nowMs();
    const kept = { rowsSinceMs: nowMs - ledger_days_kept * DAY_MS, sumsSinceMs: nowMs - usage_days_kept * DAY_MS };
    writing = writing
      .then(() => store[how](batch, kept))
      .catch((error) => log.error("ledger.save_failed", { count: batch.length, error }));
    return writing;
  };
  const flush = (): Promise<void> => {
    if (waiting.length === 0) return writing;
    const batch = waiting;
    waiting = [];
    return write("appendLedger", batch);
  };

  return {
    async adopt(rows) {
      for (let from = 0; from < rows.length; from += ADOPT_AT_ONCE) {
        await write("adoptTurns", rows.slice(from, from + ADOPT_AT_ONCE));
        // The streams have their turn.
        if (from + ADOPT_AT_ONCE < rows.length) await clock.sleep(0);
      }
    },
    moveOf({ conversation, servedBy, servedByAlias, model }, tier, usage) {
      if (conversation === null || servedBy === null || usage === null) return null;
      const before = lastTurns.get(conversation);
      lastTurns.delete(conversation);
      lastTurns.set(conversation, { accountId: servedBy, alias: servedByAlias ?? "", cached: usage.cachedInputTokens });
      if (lastTurns.size > AFFINITY_MAX_CONVERSATIONS) lastTurns.delete(lastTurns.keys().next().value!);
      if (before === undefined || before.accountId === servedBy) return null;
      const lost = lostTokens(before.cached, usage);
      const anew = prices.costOf(model, tier, { ...NO_TOKENS, inputTokens: lost });
      const cached = prices.costOf(model, tier, { ...NO_TOKENS, inputTokens: lost, cachedInputTokens: lost });
      return {
        fromAccountId: before.accountId,
        fromAlias: before.alias,
        cachedBefore: before.cached,
        cachedAfter: usage.cachedInputTokens,
        costMicroUsd: anew === null || cached === null ? null : anew - cached,
      };
    },
    add(exchange, isServed) {
      waiting.push(rowOf(exchange, isServed, clock.nowMs()));
      if (waiting.length >= FLUSH_AT_COUNT) void flush();
      else if (waiting.length === 1) scheduler.at("ledger.flush", clock.nowMs() + FLUSH_AFTER_MS, () => void flush());
    },
    async query(query) {
      await flush();
      return store.queryUsage(query);
    },
    flush,
  };
}

function rowOf(exchange: Exchange, isServed: boolean, nowMs: number): LedgerRow {
  const { id, startedAtMs, endedAtMs, model, keyId, conversation, surface, status, errorCode, firstByteMs } = exchange;
  const { project = null, effort = null, tier = null, budgets = [], costMicroUsd = null } = exchange.spend ?? {};
  return {
    id,
    atMs: startedAtMs,
    accountId: exchange.servedBy,
    model,
    keyId,
    project,
    conversation,
    surface,
    effort,
    tier,
    budgets,
    status,
    errorCode,
    isServed,
    ...(exchange.usage ?? NO_TOKENS),
    costMicroUsd,
    latencyMs: (endedAtMs ?? nowMs) - startedAtMs,
    firstByteMs,
  };
}
