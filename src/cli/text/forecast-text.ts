/**
 * Forecasts in words: how long the pool and each window last at the pace of the recent past, and what a window held as a sparkline.
 */
import {
  type AccountForecast,
  type PoolForecast,
  SupplyKind,
  type WindowForecast,
} from "../../gen/rotor/v1/pool_pb.ts";
import type { WindowSeries } from "../../gen/rotor/v1/usage_service_pb.ts";
import { percent, windowName } from "./account-text.ts";
import { renderTable } from "./table.ts";
import { formatClock, formatDuration, formatEnd } from "./time-text.ts";
import { toMs } from "./wire-text.ts";

const SUPPLY_WORDS: Readonly<Record<SupplyKind, string>> = {
  [SupplyKind.UNSPECIFIED]: "windows",
  [SupplyKind.SHORT]: "short windows",
  [SupplyKind.LONG]: "long windows",
};

/** `until Thu 14:00 (2d 3h)`. */
export function untilText(endMs: number, nowMs: number): string {
  return `until ${formatClock(endMs, nowMs)} (${formatDuration(endMs - nowMs)})`;
}

/** `lasts until Thu 14:00`, or how far it was looked. */
function poolEnd(forecast: PoolForecast, nowMs: number): string {
  const endMs = toMs(forecast.runOutTime);
  if (endMs !== null) return endMs <= nowMs ? "nothing is left now" : `lasts ${untilText(endMs, nowMs)}`;
  if (forecast.supplies.length === 0) return "nothing was observed yet: serve a request, then ask again";
  return "lasts: nothing runs out for good at this pace";
}

export function forecastLines(forecast: PoolForecast, view: { nowMs: number; width: number | null }): string[] {
  const { nowMs, width } = view;
  const lines = [`the pool ${poolEnd(forecast, nowMs)}`];
  for (const supply of forecast.supplies) {
    const endMs = toMs(supply.runOutTime);
    const horizonMs = toMs(supply.horizonTime) ?? nowMs;
    const end =
      endMs === null ? `enough for ${formatDuration(horizonMs - nowMs)}` : `run out ${formatEnd(endMs, nowMs)}`;
    const pace = `${rate(supply.demandPercentPerHour)} of a Plus window asked`;
    lines.push(`  ${SUPPLY_WORDS[supply.kind]}: ${percent(supply.leftPercent)} left, ${pace}, ${end}`);
  }
  if (forecast.accounts.length === 0) return lines;
  const rows = forecast.accounts.flatMap((account) => accountRows(account, nowMs));
  const columns = [
    { header: "ALIAS", max: 16 },
    { header: "WINDOW" },
    { header: "USED", align: "right" as const },
    { header: "PACE", align: "right" as const },
    { header: "LASTS" },
  ];
  return [...lines, "", ...renderTable(columns, rows, { width })];
}

function accountRows(account: AccountForecast, nowMs: number): string[][] {
  const note = account.counts ? "" : " (not counted)";
  if (account.windows.length === 0) return [[account.alias, "–", "–", "–", `nothing observed yet${note}`]];
  return account.windows.map((one, i) => [
    i === 0 ? account.alias : "",
    one.window === undefined ? "–" : windowName(one.window),
    percent(one.window?.usedPercent ?? 0),
    one.percentPerHour === undefined ? "–" : rate(one.percentPerHour),
    windowEnd(one, nowMs) + note,
  ]);
}

function windowEnd(forecast: WindowForecast, nowMs: number): string {
  const endMs = toMs(forecast.runOutTime);
  const resetMs = toMs(forecast.window?.resetTime);
  if (endMs !== null) return endMs <= nowMs ? "used up" : `runs out ${formatEnd(endMs, nowMs)}`;
  if (forecast.percentPerHour === undefined) return "too little seen";
  return resetMs === null || resetMs <= nowMs ? "no end in sight" : `to its reset ${formatEnd(resetMs, nowMs)}`;
}

/** `4.2 %/h`; small ones with a digit more, so that a week's pace is not always zero. */
function rate(percentPerHour: number): string {
  return `${percentPerHour.toFixed(percentPerHour < 10 ? 1 : 0)} %/h`;
}

/** What a what-if changes: `without work: lasts until …, 1d 3h less`. */
export function whatIfLine(what: string, base: PoolForecast, changed: PoolForecast, nowMs: number): string {
  const [before, after] = [toMs(base.runOutTime), toMs(changed.runOutTime)];
  const text = `${what} the pool ${poolEnd(changed, nowMs)}`;
  if (before === null || after === null || before === after) return before === after ? `${text} (no change)` : text;
  return `${text}, ${formatDuration(Math.abs(after - before))} ${after < before ? "less" : "more"}`;
}

const BARS = "▁▂▃▄▅▆▇█";
const HOURS_SHOWN = 24;
const HOUR_MS = 3_600_000;

/** The last 24 hours of a window, one sign an hour: what it held at the end of each. Empty when nothing was seen. */
function sparkline(series: WindowSeries | undefined, nowMs: number): string {
  const samples = (series?.samples ?? []).map((sample) => ({ ...sample, atMs: toMs(sample.time) ?? 0 }));
  if (samples.length === 0) return "";
  let line = "";
  for (let hour = HOURS_SHOWN - 1; hour >= 0; hour--) {
    const endMs = nowMs - hour * HOUR_MS;
    const last = samples.findLast((sample) => sample.atMs <= endMs);
    if (last === undefined) continue;
    const resetMs = toMs(last.resetTime);
    const used = resetMs !== null && resetMs <= endMs ? 0 : last.usedPercent;
    line += BARS[Math.min(BARS.length - 1, Math.floor((used / 100) * BARS.length))];
  }
  return line;
}

/** One line a window for `account show`: `5h ▁▂▄▆ 12 %/h, runs out in 4h (18:00)`. */
export function trendLines(
  account: AccountForecast | undefined,
  series: readonly WindowSeries[],
  nowMs: number,
): string[] {
  return (account?.windows ?? []).flatMap((one) => {
    const { window } = one;
    if (window === undefined) return [];
    const line = sparkline(
      series.find(({ limit, slot }) => limit === window.limit && slot === window.slot),
      nowMs,
    );
    if (line === "") return [];
    const pace = one.percentPerHour === undefined ? "" : ` ${rate(one.percentPerHour)}, ${windowEnd(one, nowMs)}`;
    return [`${windowName(window)} ${line}${pace}`];
  });
}
