/** Watches: the whole first, then what changed, bursts merged; however they end, nothing stays behind. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import http2 from "node:http2";
import net from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { PENDING_MAX } from "../../src/control/exchange-feed.ts";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { ExchangeService } from "../../src/gen/rotor/v1/exchange_service_pb.ts";
import { PoolService, type WatchPoolResponse } from "../../src/gen/rotor/v1/pool_service_pb.ts";
import { accountOf, exchangeOf } from "../support/fake-engine.ts";
import {
  connectTransport,
  type Door,
  grpcClient,
  grpcTransport,
  grpcWebTransport,
  openDoor,
  until,
} from "./harness.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor();
  door.engine.put(accountOf("one"));
});
afterEach(() => door.close());

/** Reads messages one at a time; `stop` hangs up. */
function reader<T>(open: (signal: AbortSignal) => AsyncIterable<T>) {
  const abort = new AbortController();
  const messages = open(abort.signal)[Symbol.asyncIterator]();
  return {
    async next(): Promise<T> {
      const { done, value } = await messages.next();
      if (done) throw new Error("the watch has ended");
      return value;
    },
    /** "ended", or the code with which it broke. */
    async end(): Promise<"ended" | Code> {
      try {
        while (!(await messages.next()).done);
        return "ended";
      } catch (thrown) {
        return ConnectError.from(thrown).code;
      }
    },
    stop: () => abort.abort(),
  };
}

function watchPool(transport = grpcTransport(door.path)) {
  const client = createClient(PoolService, transport);
  return reader<WatchPoolResponse>((signal) => client.watchPool({}, { signal }));
}

for (const [name, transport] of [
  ["gRPC", grpcTransport],
  ["Connect", connectTransport],
  ["gRPC-Web", grpcWebTransport],
] as const) {
  test(`${name}: the pool as it is, then after a change, until the caller hangs up`, async () => {
    const watch = watchPool(transport(door.path));
    const first = await watch.next();
    expect(first.accounts.map((account) => account.alias)).toEqual(["one"]);
    expect(first.pool?.accountCount).toBe(1);
    door.engine.put(accountOf("two"));
    const second = await watch.next();
    expect(second.accounts.map((account) => account.alias)).toEqual(["one", "two"]);
    expect(second.pool!.revision).toBe(first.pool!.revision + 1n);
    expect(door.engine.watchers().pool).toBe(1);
    watch.stop();
    await until("the watcher is gone", () => door.engine.watchers().pool === 0);
    expect(await watch.end()).toBe(Code.Canceled);
  });
}

test("a daemon that is locked ends the watch and says so, instead of leaving it deaf", async () => {
  const watch = watchPool();
  await watch.next();
  door.facts.setState("locked", "the seal was locked by order");
  expect(await watch.end()).toBe(Code.FailedPrecondition);
  await until("the watcher is gone", () => door.engine.watchers().pool === 0);
});

test("a burst becomes one message with the latest state, and the gap in revisions shows it", async () => {
  const watch = watchPool();
  const first = await watch.next();
  for (let i = 1; i <= 500; i++) door.engine.setOpenLeases(accountOf("one").id, i);
  const second = await watch.next();
  expect(second.pool?.openLeases).toBe(500);
  expect(second.pool!.revision).toBe(first.pool!.revision + 500n);
  watch.stop();
});

test("a change between two messages is not lost", async () => {
  const watch = watchPool();
  await watch.next();
  for (const alias of ["two", "three", "four"]) {
    door.engine.put(accountOf(alias));
    const message = await watch.next();
    expect(message.accounts.at(-1)?.alias).toBe(alias);
  }
  watch.stop();
});

test("open exchanges first, then each one when it changes", async () => {
  door.engine.record(exchangeOf(1));
  door.engine.record(exchangeOf(2, { endedAtMs: 1, status: 200 }));
  const client = grpcClient(ExchangeService, door.path);
  const watch = reader((signal) => client.watchExchanges({}, { signal }));
  const first = await watch.next();
  expect(first.exchanges.map((exchange) => exchange.id)).toEqual([exchangeOf(1).id]);
  door.engine.record(exchangeOf(3));
  const second = await watch.next();
  expect(second.exchanges.map((exchange) => exchange.id)).toEqual([exchangeOf(3).id]);
  expect(second.revision).toBe(first.revision + 1n);
  // Two changes of one exchange and one of another: each once, in its latest state, in the order of their last change.
  door.engine.record(exchangeOf(3, { model: "other" }));
  door.engine.record(exchangeOf(1, { endedAtMs: 1, status: 200 }));
  door.engine.record(exchangeOf(3, { endedAtMs: 1, status: 429 }));
  const third = await watch.next();
  expect(third.exchanges.map((exchange) => [exchange.id, exchange.status])).toEqual([
    [exchangeOf(1).id, 200],
    [exchangeOf(3).id, 429],
  ]);
  expect(third.revision).toBe(second.revision + 3n);
  watch.stop();
  await until("the watcher is gone", () => door.engine.watchers().exchanges === 0);
});

test("with nothing open the first message comes all the same, and many watchers share one subscription", async () => {
  const client = grpcClient(ExchangeService, door.path);
  const watches = [0, 1, 2].map(() => reader((signal) => client.watchExchanges({}, { signal })));
  for (const watch of watches) expect((await watch.next()).exchanges).toEqual([]);
  expect(door.engine.watchers().exchanges).toBe(1);
  door.engine.record(exchangeOf(1));
  const revisions = await Promise.all(watches.map(async (watch) => (await watch.next()).revision));
  expect(new Set(revisions).size).toBe(1);
  for (const watch of watches) watch.stop();
  await until("the subscription is gone", () => door.engine.watchers().exchanges === 0);
});

test("a watcher that does not look forgets the oldest, never the newest", async () => {
  const client = grpcClient(ExchangeService, door.path);
  const watch = reader((signal) => client.watchExchanges({}, { signal }));
  const first = await watch.next();
  const count = PENDING_MAX + 200;
  for (let i = 1; i <= count; i++) door.engine.record(exchangeOf(i));
  const second = await watch.next();
  expect(second.exchanges).toHaveLength(PENDING_MAX);
  expect(second.exchanges.at(-1)?.id).toBe(exchangeOf(count).id);
  expect(second.revision).toBe(first.revision + BigInt(count));
  watch.stop();
});

test("the state of the daemon, service by service", async () => {
  const health = grpcClient(Health, door.path);
  expect((await health.check({})).status).toBe(Status.SERVING);
  expect((await health.check({ service: "rotor.v1.PoolService" })).status).toBe(Status.SERVING);
  const error = await health.check({ service: "nope" }).catch(ConnectError.from);
  expect((error as ConnectError).code).toBe(Code.NotFound);

  const watch = reader((signal) => health.watch({ service: "rotor.v1.PoolService" }, { signal }));
  const unknown = reader((signal) => health.watch({ service: "nope" }, { signal }));
  expect((await watch.next()).status).toBe(Status.SERVING);
  expect((await unknown.next()).status).toBe(Status.SERVICE_UNKNOWN);
  door.facts.setState("damaged");
  expect((await watch.next()).status).toBe(Status.NOT_SERVING);
  expect((await health.check({})).status).toBe(Status.NOT_SERVING);
  expect((await health.check({ service: "rotor.v1.DaemonService" })).status).toBe(Status.SERVING);
  door.facts.setState("ready");
  expect((await watch.next()).status).toBe(Status.SERVING);
  watch.stop();
  unknown.stop();
  await until("both watchers are gone", () => door.facts.watchers() === 0);
});

test("a hundred watchers that are cut off leave none", async () => {
  const watches = Array.from({ length: 100 }, () => watchPool());
  await Promise.all(watches.map((watch) => watch.next()));
  expect(door.engine.watchers().pool).toBe(100);
  for (const watch of watches) watch.stop();
  await until("all watchers are gone", () => door.engine.watchers().pool === 0);
});

/** Handlers that are running, counted where only a generator that was really ended gets to. */
test("a caller that hangs up while its window is full leaves no handler", async () => {
  let running = 0;
  const big = { accounts: [{ email: "x".repeat(256 << 10) }] };
  const own = await openDoor({
    options: {
      routes: (router) =>
        void router.service(PoolService, {
          async *watchPool() {
            running++;
            try {
              for (;;) yield big;
            } finally {
              running--;
            }
          },
        }),
    },
  });
  const session = http2.connect("http://localhost", { createConnection: () => net.connect(own.path) });
  session.on("error", () => {});
  const streams = Array.from({ length: 20 }, () => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/rotor.v1.PoolService/WatchPool",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {});
    stream.end(Buffer.alloc(5));
    // Never read: the first 64 KiB fill the window, and the handler stands in the middle of a write.
    return stream;
  });
  await until("every handler runs", () => running === 20);
  for (const stream of streams) stream.close(http2.constants.NGHTTP2_CANCEL);
  await until("no handler is left", () => running === 0);
  session.destroy();
  await own.close();
});

test("a connection that breaks takes its watchers with it", async () => {
  const watches = await Promise.all(
    [grpcTransport, connectTransport].map(async (transport) => {
      const watch = watchPool(transport(door.path));
      await watch.next();
      return watch;
    }),
  );
  const raw = net.connect(door.path);
  const session = http2.connect("http://localhost", { createConnection: () => raw });
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": "/rotor.v1.PoolService/WatchPool",
    "content-type": "application/grpc",
  });
  stream.on("error", () => {});
  stream.end(Buffer.alloc(5));
  await until("three watchers", () => door.engine.watchers().pool === 3);
  raw.destroy();
  await until("two watchers", () => door.engine.watchers().pool === 2);
  for (const watch of watches) watch.stop();
  await until("no watchers", () => door.engine.watchers().pool === 0);
});
