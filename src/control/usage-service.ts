/** UsageService (proto/rotor/v1/usage_service.proto): translates and calls the history, usage and price desks. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import type { UsageService } from "../gen/rotor/v1/usage_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { historyMessage } from "./convert/forecast.ts";
import { aliasLookup } from "./convert/pool.ts";
import { priceMessage, toUsageQuery, usageMessage } from "./convert/usage.ts";
import { toAccountId, toInstantMs } from "./convert/values.ts";

const DAY_MS = 86_400_000;

export function createUsageService(engine: () => Engine, clock: Clock): ServiceImpl<typeof UsageService> {
  return {
    async listWindowHistory(request) {
      const accountId = request.accountId === "" ? null : toAccountId(request.accountId);
      const sinceMs = toInstantMs(request.startTime) ?? clock.nowMs() - DAY_MS;
      return historyMessage(await engine().history.series({ accountId, sinceMs }), aliasLookup(engine()));
    },
    async queryUsage(request) {
      const query = toUsageQuery(request, clock.nowMs());
      return usageMessage(await engine().ledger.query(query), query, engine());
    },
    listPrices: () => ({ prices: engine().prices.list().map(priceMessage) }),
    async setPrice({ model, inputUsd, cachedInputUsd, outputUsd }) {
      const price = { input: inputUsd, cachedInput: cachedInputUsd, output: outputUsd };
      return { price: priceMessage(await engine().prices.set(model, price)) };
    },
    async resetPrice({ model }) {
      const price = await engine().prices.reset(model);
      return { price: price === null ? undefined : priceMessage(price) };
    },
  };
}
