/**
 * What windows held over time: takes note when one was observed, writes behind, says once in the log when one has run low, and answers for
 * series and forecasts. Nothing here is in the way of a request.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { forecastPool, type PoolForecast } from "../domain/forecast.ts";
import type { Settings } from "../domain/setting.ts";
import { type Level, scarcityOf } from "../domain/threshold.ts";
import { isShort, usedPercentNow, type Window } from "../domain/window.ts";
import {
  HISTORY_STEPS,
  type HistoryStep,
  lookBackMs,
  seriesFrom,
  seriesKey,
  stepFor,
  type WindowSample,
  type WindowSeries,
} from "../domain/window-history.ts";
import type { Store } from "../store/store.ts";
import type { HistoryDesk, SelectionDesk } from "./engine.ts";
import type { Keeper } from "./keeper.ts";
import type { Scheduler } from "./scheduler.ts";

export interface WindowHistory extends HistoryDesk {
  flush(): Promise<void>;
}

/** The finest step is five minutes: a write a minute loses nothing of it but what a crash takes. */
const FLUSH_AFTER_MS = 60_000;

const LEVELS: readonly Level[] = ["ok", "low", "critical"];

interface Noted {
  /** When the figure was observed that was written last. */
  readonly atMs: number;
  readonly level: Level;
}

export function createWindowHistory(deps: {
  keeper: Keeper;
  store: Store;
  selection: Pick<SelectionDesk, "holdsOn">;
  settings: () => Settings;
  clock: Clock;
  scheduler: Scheduler;
  log: Log;
}): WindowHistory {
  const { keeper, store, clock, scheduler, log } = deps;
  const dirty = new Set<AccountId>();
  const noted = new Map<string, Noted>();
  let writing: Promise<void> = Promise.resolve();

  const levelOf = (window: Window) => scarcityOf(window, deps.settings(), clock.nowMs()).level;
  /** What a window holds since it was last written; null when nothing new was seen. */
  const take = (account: Account, window: Window): WindowSample | null => {
    const key = seriesKey({ accountId: account.id, ...window });
    const before = noted.get(key);
    if (before !== undefined && before.atMs >= window.observedAtMs) return null;
    const level = levelOf(window);
    noted.set(key, { atMs: window.observedAtMs, level });
    if (LEVELS.indexOf(level) > LEVELS.indexOf(before?.level ?? "ok")) sayLow(account, window, level);
    const { limit, slot, lengthMinutes, usedPercent, resetsAtMs, observedAtMs: atMs } = window;
    return { accountId: account.id, limit, slot, lengthMinutes, usedPercent, resetsAtMs, atMs };
  };
  const sayLow = (account: Account, window: Window, level: Level) =>
    log.warn(`account.window_${level}`, {
      account: account.alias,
      limit: window.limit,
      length_minutes: window.lengthMinutes,
      left_percent: Math.round(100 - usedPercentNow(window, clock.nowMs())),
      until_ms: window.resetsAtMs,
    });
  const flush = (): Promise<void> => {
    const accounts = [...dirty].flatMap((id) => keeper.get(id) ?? []);
    dirty.clear();
    const batch = accounts.flatMap((account) => account.windows.flatMap((window) => take(account, window) ?? []));
    if (batch.length === 0) return writing;
    writing = writing
      .then(() => store.appendWindowSamples(batch, clock.nowMs()))
      .catch((error) => log.error("window_history.save_failed", { count: batch.length, error }));
    return writing;
  };

  // What is known at the start is neither news nor a new figure.
  for (const account of keeper.accounts()) {
    for (const window of account.windows)
      noted.set(seriesKey({ accountId: account.id, ...window }), { atMs: window.observedAtMs, level: levelOf(window) });
  }
  keeper.sampleTo((id) => {
    if (dirty.size === 0) scheduler.at("window_history.flush", clock.nowMs() + FLUSH_AFTER_MS, () => void flush());
    dirty.add(id);
  });

  const read = async (step: HistoryStep, sinceMs: number, accountId?: AccountId): Promise<WindowSeries[]> =>
    seriesFrom(await store.listWindowHistory({ step, sinceMs, accountId }));
  return {
    async series({ accountId, sinceMs }) {
      await flush();
      const finest = stepFor(sinceMs, clock.nowMs());
      // All accounts at once are looked at as a whole, not minute by minute.
      const step = accountId === null && finest === "fine" ? "hour" : finest;
      return { step, series: await read(step, sinceMs, accountId ?? undefined) };
    },
    async forecast({ model, without, extraTiers }): Promise<PoolForecast> {
      await flush();
      const nowMs = clock.nowMs();
      for (const id of without) keeper.require(id);
      const back = (step: HistoryStep, lengthMinutes: number | null) =>
        read(step, nowMs - lookBackMs({ lengthMinutes }) - HISTORY_STEPS[step].everyMs);
      // Fine steps for short windows, hours for the others: neither look-back takes more than two dozen figures of a window.
      const [fine, hourly] = await Promise.all([back("fine", 0), back("hour", null)]);
      const series = [...fine.filter(isShort), ...hourly.filter((one) => !isShort(one))];
      const { holdsOn } = deps.selection;
      return forecastPool(keeper.accounts(), { nowMs, model, holdsOn, series, without, extraTiers });
    },
    flush,
  };
}
