/**
 * Window history and forecasts in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AccountForecast, PoolForecast, SupplyForecast, WindowForecast } from "../../domain/forecast.ts";
import type { HistoryStep, WindowSeries } from "../../domain/window-history.ts";
import * as poolPb from "../../gen/rotor/v1/pool_pb.ts";
import * as usagePb from "../../gen/rotor/v1/usage_service_pb.ts";
import type { Engine } from "../../pool/engine.ts";
import { windowMessage } from "./accounts.ts";
import type { AliasOf } from "./pool.ts";
import { instant, int64 } from "./values.ts";

const STEPS: Readonly<Record<HistoryStep, usagePb.HistoryStep>> = {
  fine: usagePb.HistoryStep.FINE,
  hour: usagePb.HistoryStep.HOUR,
  day: usagePb.HistoryStep.DAY,
};

const KINDS: Readonly<Record<SupplyForecast["kind"], poolPb.SupplyKind>> = {
  short: poolPb.SupplyKind.SHORT,
  long: poolPb.SupplyKind.LONG,
};

export function historyMessage(
  { step, series }: { step: HistoryStep; series: readonly WindowSeries[] },
  aliasOf: AliasOf,
): MessageInitShape<typeof usagePb.ListWindowHistoryResponseSchema> {
  return { step: STEPS[step], series: series.map((one) => seriesMessage(one, aliasOf)) };
}

function seriesMessage(series: WindowSeries, aliasOf: AliasOf): MessageInitShape<typeof usagePb.WindowSeriesSchema> {
  return {
    accountId: series.accountId,
    alias: aliasOf(series.accountId),
    limit: series.limit,
    slot: series.slot,
    lengthMinutes: int64(series.lengthMinutes ?? 0),
    samples: series.samples.map((sample) => ({
      time: instant(sample.atMs),
      usedPercent: sample.usedPercent,
      resetTime: instant(sample.resetsAtMs),
    })),
  };
}

export function forecastMessage(
  forecast: PoolForecast,
  engine: Engine,
  aliasOf: AliasOf,
): MessageInitShape<typeof poolPb.PoolForecastSchema> {
  return {
    time: instant(forecast.atMs),
    accounts: forecast.accounts.map((account) => accountMessage(account, engine, aliasOf, forecast.atMs)),
    supplies: forecast.supplies.map(supplyMessage),
    runOutTime: instant(forecast.runsOutAtMs),
  };
}

function accountMessage(
  account: AccountForecast,
  engine: Engine,
  aliasOf: AliasOf,
  atMs: number,
): MessageInitShape<typeof poolPb.AccountForecastSchema> {
  const window = ({ window, pace, runsOutAtMs }: WindowForecast) => ({
    window: windowMessage(window, engine.selection.scarcityOf(window).level, atMs),
    percentPerHour: pace?.percentPerHour,
    runOutTime: instant(runsOutAtMs),
  });
  return {
    accountId: account.accountId,
    alias: aliasOf(account.accountId),
    windows: account.windows.map(window),
    runOutTime: instant(account.runsOutAtMs),
    counts: account.counts,
  };
}

function supplyMessage(supply: SupplyForecast): MessageInitShape<typeof poolPb.SupplyForecastSchema> {
  return {
    kind: KINDS[supply.kind],
    demandPercentPerHour: supply.demandPercentPerHour,
    leftPercent: supply.leftPercent,
    runOutTime: instant(supply.runsOutAtMs),
    horizonTime: instant(supply.untilMs),
  };
}
