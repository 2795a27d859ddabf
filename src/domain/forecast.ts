/**
 * How long it lasts: each window of each account, and the pool as a whole, at the pace of the recent past. Pure.
 *
 * For the pool, what was asked of all accounts together goes on being asked, of whoever may serve, soonest reset first (which is what
 * `balanced` comes close to). Windows are counted in the size of a Plus one, so that a Pro is worth what it is.
 */
import type { Account, AccountId } from "./account.ts";
import { capacityOf } from "./balanced.ts";
import type { Hold } from "./hold.ts";
import { countsModel, isShort, usedPercentNow, type Window } from "./window.ts";
import { lookBackMs, type Pace, paceOver, seriesKey, type WindowSeries } from "./window-history.ts";

const HOUR_MS = 3_600_000;

export interface WindowForecast {
  readonly window: Window;
  /** null when too little was seen. */
  readonly pace: Pace | null;
  /** When it is used up at that pace; null = not before it starts again, or not known. */
  readonly runsOutAtMs: number | null;
}

export interface AccountForecast {
  readonly accountId: AccountId;
  readonly windows: readonly WindowForecast[];
  /** The earliest end of its windows; null = none before a reset. */
  readonly runsOutAtMs: number | null;
  /** Counts as supply: nothing holds it without an end. */
  readonly counts: boolean;
}

/** Windows of one kind, over all accounts that count. */
export interface SupplyForecast {
  readonly kind: "short" | "long";
  /** What is asked of them in an hour, as a share of a Plus window, in percent. */
  readonly demandPercentPerHour: number;
  /** What is left of all of them, in percent of what they hold when full. */
  readonly leftPercent: number;
  /** When nobody has any left; null = not within `untilMs`. */
  readonly runsOutAtMs: number | null;
  /** How far this looks. */
  readonly untilMs: number;
}

export interface PoolForecast {
  readonly atMs: number;
  readonly accounts: readonly AccountForecast[];
  readonly supplies: readonly SupplyForecast[];
  /** The earlier end of both; null = lasts as far as this looks. */
  readonly runsOutAtMs: number | null;
}

export interface ForecastAsk {
  readonly nowMs: number;
  readonly model: string | null;
  readonly holdsOn: (account: Account) => readonly Hold[];
  readonly series: readonly WindowSeries[];
  /** What if these were not there: what was asked of them is asked of the others. */
  readonly without: ReadonlySet<AccountId>;
  /** What if there were one more of each of these plans, untouched. */
  readonly extraTiers: readonly string[];
}

export function forecastPool(accounts: readonly Account[], ask: ForecastAsk): PoolForecast {
  const byWindow = new Map(ask.series.map((series) => [seriesKey(series), series]));
  const forecasts = accounts.map((account) => forecastAccount(account, ask, byWindow));
  const supplies = (["short", "long"] as const).flatMap((kind) => supplyOf(kind, accounts, forecasts, ask) ?? []);
  return { atMs: ask.nowMs, accounts: forecasts, supplies, runsOutAtMs: earliest(supplies) };
}

function forecastAccount(
  account: Account,
  ask: ForecastAsk,
  byWindow: ReadonlyMap<string, WindowSeries>,
): AccountForecast {
  const windows = account.windows
    .filter((window) => countsModel(window, ask.model))
    .map((window): WindowForecast => {
      const { samples } = byWindow.get(seriesKey({ accountId: account.id, ...window })) ?? { samples: [] };
      const pace = paceOver(samples, ask.nowMs, lookBackMs(window));
      return { window, pace, runsOutAtMs: windowEndMs(window, pace, ask.nowMs) };
    });
  // What has an end comes back: an exhausted window is supply from its reset on. A full house is no lack of allowance.
  const isAway = ask.holdsOn(account).some((hold) => hold.untilMs === null && hold.kind !== "at_capacity");
  return {
    accountId: account.id,
    windows,
    runsOutAtMs: earliest(windows),
    counts: !isAway && !ask.without.has(account.id),
  };
}

function windowEndMs(window: Window, pace: Pace | null, nowMs: number): number | null {
  const left = 100 - usedPercentNow(window, nowMs);
  if (left <= 0) return nowMs;
  if (pace === null || pace.percentPerHour <= 0) return null;
  const endMs = nowMs + (left / pace.percentPerHour) * HOUR_MS;
  const isInTime = window.resetsAtMs === null || window.resetsAtMs <= nowMs || endMs < window.resetsAtMs;
  return isInTime ? endMs : null;
}

function earliest(list: readonly { readonly runsOutAtMs: number | null }[]): number | null {
  return list.reduce<number | null>((first, { runsOutAtMs: endMs }) => {
    if (endMs === null) return first;
    return first === null ? endMs : Math.min(first, endMs);
  }, null);
}

/** One window as supply, in Plus windows. */
interface Supply {
  left: number;
  resetsAtMs: number;
  readonly capacity: number;
  readonly lengthMs: number;
}

/** How far to look. Longer than this, no pace of a day means anything. */
const HORIZON_MS = { short: 24 * HOUR_MS, long: 28 * 24 * HOUR_MS };
/** Of a window that was never seen, or does not say. */
const USUAL_LENGTH_MS = { short: 5 * HOUR_MS, long: 7 * 24 * HOUR_MS };

/** null when there is no window of this kind: nothing can run out. */
function supplyOf(
  kind: "short" | "long",
  accounts: readonly Account[],
  forecasts: readonly AccountForecast[],
  ask: ForecastAsk,
): SupplyForecast | null {
  const supplies: Supply[] = [];
  let demand = 0;
  let isSeen = false;
  for (const [n, account] of accounts.entries()) {
    const forecast = forecasts[n]!;
    const size = capacityOf(account.tier);
    const binding = tightest(forecast.windows, kind, ask.nowMs);
    if (binding !== null) {
      isSeen = true;
      demand += ((binding.pace?.percentPerHour ?? 0) / 100) * size;
    }
    // An account without a window of this kind is not bound by one, unless nothing at all was seen of it.
    if (forecast.counts && (binding !== null || account.windows.length === 0))
      supplies.push(supplyFrom(binding?.window ?? null, kind, size, ask.nowMs));
  }
  if (!isSeen) return null;
  for (const tier of ask.extraTiers) supplies.push(supplyFrom(null, kind, capacityOf(tier), ask.nowMs));
  const full = supplies.reduce((sum, supply) => sum + supply.capacity, 0);
  const left = supplies.reduce((sum, supply) => sum + supply.left, 0);
  const untilMs = ask.nowMs + HORIZON_MS[kind];
  return {
    kind,
    demandPercentPerHour: demand * 100,
    leftPercent: full === 0 ? 0 : (100 * left) / full,
    runsOutAtMs: dryAtMs(supplies, demand, ask.nowMs, untilMs),
    untilMs,
  };
}

function tightest(windows: readonly WindowForecast[], kind: "short" | "long", nowMs: number): WindowForecast | null {
  let found: WindowForecast | null = null;
  for (const one of windows) {
    if (isShort(one.window) !== (kind === "short")) continue;
    if (found === null || usedPercentNow(one.window, nowMs) > usedPercentNow(found.window, nowMs)) found = one;
  }
  return found;
}

function supplyFrom(window: Window | null, kind: "short" | "long", capacity: number, nowMs: number): Supply {
  const lengthMs = (window?.lengthMinutes ?? 0) * 60_000 || USUAL_LENGTH_MS[kind];
  const used = window === null ? 0 : usedPercentNow(window, nowMs);
  const hasBegun = window?.resetsAtMs != null && window.resetsAtMs > nowMs;
  return {
    capacity,
    lengthMs,
    left: (capacity * (100 - used)) / 100,
    resetsAtMs: hasBegun ? window.resetsAtMs! : nowMs + lengthMs,
  };
}

/** From reset to reset: what is asked until the next one is taken from whoever starts again soonest. */
function dryAtMs(supplies: readonly Supply[], demandPerHour: number, nowMs: number, untilMs: number): number | null {
  let left = supplies.reduce((sum, supply) => sum + supply.left, 0);
  if (left <= 0) return nowMs;
  if (demandPerHour <= 0) return null;
  const queue = supplies.map((supply) => ({ ...supply }));
  for (let atMs = nowMs; atMs < untilMs; ) {
    queue.sort((a, b) => a.resetsAtMs - b.resetsAtMs);
    const nextMs = Math.min(queue[0]!.resetsAtMs, untilMs);
    const wanted = (demandPerHour * (nextMs - atMs)) / HOUR_MS;
    if (wanted > left) return atMs + (left / demandPerHour) * HOUR_MS;
    let rest = wanted;
    for (const supply of queue) {
      const taken = Math.min(rest, supply.left);
      supply.left -= taken;
      rest -= taken;
      if (supply.resetsAtMs > nextMs) continue;
      supply.left = supply.capacity;
      supply.resetsAtMs += supply.lengthMs;
    }
    left = queue.reduce((sum, supply) => sum + supply.left, 0);
    atMs = nextMs;
  }
  return null;
}
