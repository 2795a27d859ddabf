/** Every method of every service of ours: a read leaves nothing in the audit log, an order exactly one entry, carried out or refused. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { actionOf, isOrder } from "../../src/control/audit-interceptor.ts";
import { CONTROL_SERVICES } from "../../src/control/routes.ts";
import { AccountService } from "../../src/gen/rotor/v1/account_service_pb.ts";
import { ActorKind, AuditService } from "../../src/gen/rotor/v1/audit_service_pb.ts";
import { PoolService } from "../../src/gen/rotor/v1/pool_service_pb.ts";
import { TransferService } from "../../src/gen/rotor/v1/transfer_service_pb.ts";
import { accountOf } from "../support/fake-engine.ts";
import { type Door, grpcClient, grpcTransport, OWN_UID, openDoor, postJson } from "./harness.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor();
});
afterEach(() => door.close());

const OURS = CONTROL_SERVICES.filter(({ typeName }) => typeName.startsWith("rotor.v1."));
const METHODS = OURS.flatMap((service) => service.methods.map((method) => ({ service, method })));
const entries = () => door.engine.audit.list({ limit: 99 });

/** Calls it with an empty request, whatever that brings; a watch is left after its first message. */
async function call(service: (typeof OURS)[number], method: DescMethod): Promise<void> {
  const client = createClient(service, grpcTransport(door.path)) as unknown as Record<
    string,
    (request: object) => unknown
  >;
  try {
    const answer = client[method.localName]!(method.methodKind === "client_streaming" ? nothing() : {});
    if (method.methodKind !== "server_streaming") await answer;
    else for await (const _ of answer as AsyncIterable<unknown>) break;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ConnectError);
  }
}

async function* nothing() {}

test("the proto says of every method whose name is a question that it changes nothing", () => {
  // A handshake gives a key out; an event that a client reports changes nothing that is kept.
  const asking =
    /^(Get(?!ClientHandshake)|Report|List|Watch(?!File)|Explain|Preview|Query|Forecast|Verify|Download|Run(?=Diagnostics))/;
  const odd = METHODS.filter(({ method }) => asking.test(method.name) === isOrder(method));
  expect(odd.map(({ method }) => method.name)).toEqual([]);
});

for (const { service, method } of METHODS) {
  const what = isOrder(method) ? "leaves one entry" : "leaves none";
  test(`${service.name}.${method.name} ${what}`, async () => {
    await call(service, method);
    const found = await entries();
    expect(found.map(({ actor }) => actor)).toEqual(
      isOrder(method) ? [{ kind: "ctl", uid: OWN_UID, pid: process.pid }] : [],
    );
    for (const { action } of found) expect(action).toMatch(/^[a-z_]+\.[a-z_]+$/);
  });
}

test("an order is called after its method when nobody says better", () => {
  const actions = METHODS.filter(({ method }) => isOrder(method)).map(({ method }) => actionOf(method));
  for (const action of [
    "account.remove",
    "transfer.import_accounts",
    "account.clear_cooldown",
    "pool.set_strategy",
    "daemon.stop",
    "key.create",
  ])
    expect(actions).toContain(action);
});

test("a door that knows its callers names them", async () => {
  await door.close();
  door = await openDoor({ deps: { door: "dashboard" } });
  await grpcClient(PoolService, door.path).unpinAccount({});
  expect((await entries()).map(({ actor }) => actor.kind)).toEqual(["dashboard"]);
});

test("a rehearsal leaves none", async () => {
  const transfers = grpcClient(TransferService, door.path);
  await transfers.importAccounts({ files: [{ data: new TextEncoder().encode("{}") }], dryRun: true });
  expect(await entries()).toEqual([]);
});

test("entries go out page by page, with who, what and why not", async () => {
  const accounts = grpcClient(AccountService, door.path);
  door.engine.put(accountOf("one"));
  await accounts.refreshAccount({ accountId: accountOf("one").id });
  await accounts.removeAccount({ accountId: "nobody" }).catch(() => {});
  const audit = grpcClient(AuditService, door.path);
  const first = await audit.listAuditEntries({ pageSize: 1 });
  expect(first.entries[0]).toMatchObject({
    action: "account.remove",
    errorCode: "account_not_found",
    actor: { kind: ActorKind.CTL, uid: BigInt(OWN_UID), pid: BigInt(process.pid) },
  });
  const second = await audit.listAuditEntries({ pageSize: 1, pageToken: first.nextPageToken });
  expect(second.entries.map(({ action }) => action)).toEqual(["account.refresh"]);
  expect(second.nextPageToken).toBe("");
  const failed = await audit.listAuditEntries({ failed: true, action: "account", actor: ActorKind.CTL });
  expect(failed.entries).toHaveLength(1);
  for (const bad of [{ pageToken: "no id" }, { pageSize: -1 }]) {
    const answer = await audit.listAuditEntries(bad).catch((thrown: unknown) => ConnectError.from(thrown).code);
    expect(answer).toBe(Code.InvalidArgument);
  }
});

test("a method without side effects is not answered to a GET, which a browser would send without Origin", async () => {
  const query = `connect=v1&encoding=json&message=${encodeURIComponent("{}")}`;
  const response = await fetch(`http://localhost/rotor.v1.AccountService/ListAccounts?${query}`, { unix: door.path });
  expect(response.status).toBe(404);
  expect((await postJson(door.path, "rotor.v1.AccountService/ListAccounts", {})).status).toBe(200);
});
