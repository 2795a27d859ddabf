/** ExchangeService (proto/rotor/v1/exchange_service.proto): translates and calls the exchange desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { ExchangeService, ListExchangesRequest } from "../gen/rotor/v1/exchange_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import type { ExchangeQuery } from "../store/store.ts";
import { exchangeMessage } from "./convert/exchanges.ts";
import { aliasLookup } from "./convert/pool.ts";
import { toAccountId, toExchangeId } from "./convert/values.ts";
import { createExchangeFeed } from "./exchange-feed.ts";
import { changes } from "./watch.ts";

export function createExchangeService(engine: () => Engine, clock: Clock): ServiceImpl<typeof ExchangeService> {
  const feed = createExchangeFeed(() => engine().exchanges);
  return {
    async listExchanges(request) {
      const { query, pageSize } = toQuery(request);
      const found = await engine().exchanges.list(query);
      const page = found.slice(0, pageSize);
      const aliasOf = aliasLookup(engine());
      return {
        exchanges: page.map((exchange) => exchangeMessage(exchange, aliasOf)),
        nextPageToken: found.length > pageSize ? page.at(-1)!.id : "",
      };
    },
    async getExchange(request) {
      if (request.exchangeId === "") throw new AppError("invalid_request", "exchange_id is empty");
      const exchange = await engine().exchanges.get(request.exchangeId);
      return { exchange: exchangeMessage(exchange, aliasLookup(engine())) };
    },
    async *watchExchanges(_request, context) {
      const reader = feed.createReader();
      for await (const _ of changes(context, clock, (wake) => reader.open(wake))) {
        const { revision, exchanges } = reader.take();
        const aliasOf = aliasLookup(engine());
        yield { revision, exchanges: exchanges.map((exchange) => exchangeMessage(exchange, aliasOf)) };
      }
    },
  };
}

/** 50 fill a terminal; 1,000 are half a second of reading (proto: ListExchangesRequest). */
const PAGE_DEFAULT = 50;
const PAGE_MAX = 1_000;

/** The query and the size of the page; the query asks for one more, to know whether there is another page. */
function toQuery(request: ListExchangesRequest): { query: ExchangeQuery; pageSize: number } {
  if (request.pageSize < 0) throw new AppError("invalid_request", "page_size is negative");
  const pageSize = Math.min(request.pageSize || PAGE_DEFAULT, PAGE_MAX);
  const query: ExchangeQuery = {
    limit: pageSize + 1,
    ...(request.pageToken === "" ? {} : { before: toExchangeId(request.pageToken) }),
    ...(request.accountId === "" ? {} : { accountId: toAccountId(request.accountId) }),
    ...(request.keyId === "" ? {} : { keyId: request.keyId }),
    ...(request.failed ? { failed: true } : {}),
  };
  return { query, pageSize };
}
