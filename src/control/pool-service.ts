/** PoolService (proto/rotor/v1/pool_service.proto): translates and calls the selection desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { PoolService } from "../gen/rotor/v1/pool_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { accountConverter } from "./convert/accounts.ts";
import { forecastMessage } from "./convert/forecast.ts";
import { aliasLookup, planMessage, poolMessage, toStrategyName } from "./convert/pool.ts";
import { toAccountId, toInstantMs } from "./convert/values.ts";
import { changes } from "./watch.ts";

export function createPoolService(engine: () => Engine, clock: Clock): ServiceImpl<typeof PoolService> {
  const pool = () => poolMessage(engine().selection.view());
  return {
    getPool: () => ({ pool: pool() }),
    async *watchPool(_request, context) {
      const { selection, accounts } = engine();
      for await (const _ of changes(context, clock, (wake) => selection.watch(wake))) {
        yield { pool: pool(), accounts: accounts.list().map(accountConverter(engine(), clock.nowMs())) };
      }
    },
    async setStrategy(request) {
      await engine().selection.setStrategy(toStrategyName(request.strategy));
      return { pool: pool() };
    },
    async pinAccount(request) {
      const untilMs = toInstantMs(request.endTime);
      if (untilMs !== null && untilMs <= clock.nowMs())
        throw new AppError("invalid_request", "the pin would have ended before it began");
      await engine().selection.pin(toAccountId(request.accountId), untilMs);
      return { pool: pool() };
    },
    async unpinAccount() {
      await engine().selection.unpin();
      return { pool: pool() };
    },
    async forecastPool({ model, withoutAccountIds, extraTiers }) {
      const ask = {
        model: model === "" ? null : model,
        without: new Set(withoutAccountIds.map(toAccountId)),
        extraTiers,
      };
      const forecast = await engine().history.forecast(ask);
      return { forecast: forecastMessage(forecast, engine(), aliasLookup(engine())) };
    },
    explainSelection(request) {
      const plan = engine().selection.explain({
        model: textOrNull(request.model),
        from: {
          keyId: textOrNull(request.keyId),
          profile: textOrNull(request.profile),
          project: textOrNull(request.projectKey),
        },
        atMs: toInstantMs(request.time),
      });
      return { plan: planMessage(plan, aliasLookup(engine())) };
    },
  };
}

function textOrNull(text: string): string | null {
  return text === "" ? null : text;
}
