/** Every kind of client gets the same answers and the same errors over the one socket. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { AppError } from "../../src/base/errors.ts";
import {
  AccountService,
  ListAccountsRequestSchema,
  ListAccountsResponseSchema,
} from "../../src/gen/rotor/v1/account_service_pb.ts";
import { DaemonService, DaemonState } from "../../src/gen/rotor/v1/daemon_service_pb.ts";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import { TransferService } from "../../src/gen/rotor/v1/transfer_service_pb.ts";
import { accountOf } from "../support/fake-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import {
  connectTransport,
  type Door,
  grpcClient,
  grpcTransport,
  grpcWebTransport,
  openDoor,
  postJson,
  until,
} from "./harness.ts";

const ONE = accountOf("one");
let door: Door;
beforeAll(async () => {
  door = await openDoor();
  door.engine.put(ONE);
});
afterAll(() => door.close());

const TRANSPORTS: readonly [string, (path: string) => Transport][] = [
  ["gRPC over h2c", grpcTransport],
  ["Connect over HTTP/1.1", connectTransport],
  ["gRPC-Web over HTTP/1.1", grpcWebTransport],
];

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => Promise.reject(new Error("the call was answered")),
    (thrown) => ConnectError.from(thrown),
  );
}

for (const [name, transport] of TRANSPORTS) {
  test(`${name}: a call is answered`, async () => {
    const client = createClient(AccountService, transport(door.path));
    const { accounts } = await client.listAccounts({});
    expect(accounts.map((account) => account.alias)).toEqual(["one"]);
  });

  test(`${name}: an error carries code, hint, facts and time in its detail`, async () => {
    const client = createClient(AccountService, transport(door.path));
    const retryAtMs = T0 + 90_000;
    const facts = { tries: 3, none: null };
    door.engine.nextFailure = new AppError("upstream_unreachable", "no route", { facts, retryAtMs });
    const error = await failureOf(client.refreshAccount({ accountId: ONE.id }));
    expect([error.code, error.rawMessage]).toEqual([Code.Unavailable, "no route"]);
    const [detail] = error.findDetails(ErrorDetailSchema);
    expect(detail?.code).toBe("upstream_unreachable");
    expect(detail?.hint).toBe("check the network, then: rotor doctor");
    expect(detail?.facts).toEqual({ tries: "3" });
    expect(Number(detail?.retryTime?.seconds) * 1000).toBe(retryAtMs);
  });

  test(`${name}: a stranger becomes "internal" and its words stay in the log`, async () => {
    const client = createClient(AccountService, transport(door.path));
    door.engine.nextFailure = new TypeError("the inside of the house");
    const error = await failureOf(client.refreshAccount({ accountId: ONE.id }));
    expect(error.code).toBe(Code.Internal);
    expect(error.findDetails(ErrorDetailSchema)[0]?.code).toBe("internal");
    expect(JSON.stringify([error.rawMessage, error.details])).not.toContain("inside of the house");
    const line = door.log.findLast((line) => line.event === "call.failed");
    expect(line?.fields.method).toBe("rotor.v1.AccountService/RefreshAccount");
    expect(String(line?.fields.cause)).toContain("the inside of the house");
  });

  test(`${name}: a deadline ends the call`, async () => {
    const client = createClient(AccountService, transport(door.path));
    const gate = Promise.withResolvers<void>();
    door.engine.refreshGate = gate.promise;
    const error = await failureOf(client.refreshAccount({ accountId: ONE.id }, { timeoutMs: 30 }));
    gate.resolve();
    door.engine.refreshGate = null;
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test(`${name}: a long deadline is not refused`, async () => {
    const client = createClient(AccountService, transport(door.path));
    await client.listAccounts({}, { timeoutMs: 86_400_000 });
  });
}

test("@grpc/grpc-js: a call is answered, an error has its trailers", async () => {
  const client = new grpc.Client(`unix:${door.path}`, grpc.credentials.createInsecure());
  const call = (path: string, body: Uint8Array) =>
    new Promise<Uint8Array>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (message: Uint8Array) => Buffer.from(message),
        (bytes: Buffer) => bytes,
        body,
        (error, bytes) => (error ? reject(error) : resolve(bytes!)),
      );
    });
  const request = toBinary(ListAccountsRequestSchema, { $typeName: "rotor.v1.ListAccountsRequest" });
  const answer = fromBinary(ListAccountsResponseSchema, await call("/rotor.v1.AccountService/ListAccounts", request));
  expect(answer.accounts[0]?.alias).toBe("one");

  const refused = await call("/rotor.v1.AccountService/GetAccount", Buffer.from("\n\x03abc")).catch((error) => error);
  expect(refused.code).toBe(grpc.status.NOT_FOUND);
  expect(refused.metadata.get("grpc-status-details-bin")[0].toString()).toContain("account_not_found");

  const unknown = await call("/rotor.v1.AccountService/Nope", request).catch((error) => error);
  expect(unknown.code).toBe(grpc.status.UNIMPLEMENTED);
  client.close();
});

test("plain JSON: fields with their default value are written too", async () => {
  const { status, body } = await postJson(door.path, "rotor.v1.PoolService/GetPool", {});
  expect(status).toBe(200);
  expect(body.pool).toMatchObject({ strategy: "STRATEGY_BALANCED", accountCount: 1, openLeases: 0, lastAccountId: "" });
});

test("plain JSON: an error has HTTP status, code, message and detail", async () => {
  const { status, body } = await postJson(door.path, "rotor.v1.AccountService/GetAccount", { accountId: "abc" });
  expect(status).toBe(404);
  expect(body.code).toBe("not_found");
  expect(body.message).toBe("there is no account with the id abc");
  const [detail] = body.details;
  expect(detail.type).toBe("rotor.v1.ErrorDetail");
  expect(fromBinary(ErrorDetailSchema, Buffer.from(detail.value, "base64")).facts).toEqual({ account_id: "abc" });
});

test("plain JSON: nonsense is an error of the client", async () => {
  const wrongType = await postJson(door.path, "rotor.v1.AccountService/GetAccount", { accountId: 7 });
  expect([wrongType.status, wrongType.body.code]).toEqual([400, "invalid_argument"]);
  const noMethod = await postJson(door.path, "rotor.v1.AccountService/Nope", {});
  expect([noMethod.status, noMethod.body.code]).toEqual([404, "not_found"]);
  const noPath = await postJson(door.path, "", {});
  expect(noPath.status).toBe(404);
});

test("a compressed request is read", async () => {
  const response = await fetch("http://localhost/rotor.v1.AccountService/GetAccount", {
    unix: door.path,
    method: "POST",
    headers: { "content-type": "application/json", "content-encoding": "gzip" },
    body: gzipSync(JSON.stringify({ accountId: ONE.id })),
  });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-encoding")).toBeNull();
});

test("a thousand calls at once on one connection", async () => {
  const client = grpcClient(AccountService, door.path);
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => client.getAccount({ accountId: ONE.id })));
  expect(new Set(answers.map((answer) => answer.account?.alias))).toEqual(new Set(["one"]));
});

test("what a caller sent comes back shortened in an error, however long it was", async () => {
  for (const [, transport] of TRANSPORTS) {
    const client = createClient(AccountService, transport(door.path));
    const error = await failureOf(client.getAccount({ accountId: "é".repeat(1 << 20) }));
    expect(error.code).toBe(Code.NotFound);
    expect(error.rawMessage).toHaveLength(500);
    expect(error.findDetails(ErrorDetailSchema)[0]?.facts.account_id).toHaveLength(200);
    await client.listAccounts({});
  }
});

test("a file of megabytes goes in", async () => {
  const client = grpcClient(TransferService, door.path);
  const data = Buffer.from(`{"note":"${"x".repeat(16 << 20)}"}`);
  const { accounts } = await client.importAccounts({ files: [{ data }], dryRun: true, alias: "big" });
  expect(accounts[0]?.alias).toBe("big");
});

test("outside state ready only the daemon answers, and says so", async () => {
  const own = await openDoor();
  try {
    own.facts.setState("locked", "the key file is missing");
    const error = await failureOf(grpcClient(AccountService, own.path).listAccounts({}));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe("the daemon is locked: the key file is missing");
    const [detail] = error.findDetails(ErrorDetailSchema);
    expect([detail?.code, detail?.facts.state]).toEqual(["store_locked", "locked"]);
    for (const method of [
      "PoolService/GetPool",
      "KeyService/ListKeys",
      "SettingService/ListSettings",
      "ExchangeService/ListExchanges",
    ])
      expect((await postJson(own.path, `rotor.v1.${method}`, {})).status).toBe(400);

    const daemon = grpcClient(DaemonService, own.path);
    const { daemon: facts, accounts, pool } = await daemon.getStatus({});
    expect([facts?.state, facts?.stateReason]).toEqual([DaemonState.LOCKED, "the key file is missing"]);
    expect([accounts, pool]).toEqual([[], undefined]);
    own.facts.setState("ready");
    await grpcClient(AccountService, own.path).listAccounts({});
  } finally {
    await own.close();
  }
});

test("the daemon in state ready without an engine is still starting", async () => {
  const own = await openDoor({ deps: { engine: () => null } });
  const error = await failureOf(grpcClient(AccountService, own.path).listAccounts({}));
  expect([error.code, error.rawMessage]).toEqual([Code.FailedPrecondition, "the daemon is still starting"]);
  await own.close();
});

test("a cancelled call ends for its caller at once and harms no other", async () => {
  const client = grpcClient(AccountService, door.path);
  const abort = new AbortController();
  const gate = Promise.withResolvers<void>();
  door.engine.refreshGate = gate.promise;
  const call = failureOf(client.refreshAccount({ accountId: ONE.id }, { signal: abort.signal }));
  abort.abort();
  expect((await call).code).toBe(Code.Canceled);
  gate.resolve();
  door.engine.refreshGate = null;
  await client.listAccounts({});
});

test("who asked for the stop stands in the log", async () => {
  await grpcClient(DaemonService, door.path).stopDaemon({});
  expect(door.facts.stops()).toBe(1);
  await createClient(DaemonService, connectTransport(door.path)).stopDaemon({});
  await until(
    "both stops are logged",
    () => door.log.filter((line) => line.event === "daemon.stop_asked").length === 2,
  );
  for (const line of door.log.filter((line) => line.event === "daemon.stop_asked"))
    expect(line.fields).toEqual(
      process.platform === "linux"
        ? { peer_pid: process.pid, peer_uid: process.getuid!() }
        : { peer_pid: null, peer_uid: process.getuid!() },
    );
});
