/** ClientService at the socket: the handshake with all that a peer needs, its events, and what is refused. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { toJsonString } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { ClientEventKind, ClientService, ListClientsResponseSchema } from "../../src/gen/rotor/v1/client_service_pb.ts";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import { accountOf } from "../support/fake-engine.ts";
import { type Door, grpcClient, openDoor } from "./harness.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor();
  door.engine.put(accountOf("one"));
});
afterEach(() => door.close());

const clients = () => grpcClient(ClientService, door.path);
const PEER = { client: "opencode", clientVersion: "1.18.33", linkVersion: "0.1.0", pid: 7, instance: "one" };

async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
  } catch (thrown) {
    return ConnectError.from(thrown).findDetails(ErrorDetailSchema)[0]?.code;
  }
  throw new Error("the call was answered");
}

test("a handshake gives address, key and models; the list shows the peer without its key", async () => {
  const shaken = await clients().getClientHandshake({ ...PEER, directory: "/srv/demo" });
  expect(shaken).toMatchObject({ proxyUrl: "http://127.0.0.1:4747", defaultModel: "gpt-5.5", backfill: true });
  expect(shaken.models.map(({ name }) => name)).toEqual(["gpt-5.5", "gpt-6-sol"]);
  expect(shaken.key).toStartWith(`rtr_${shaken.client!.id}_`);
  expect((await clients().getClientHandshake(PEER)).key).toBe(shaken.key);
  const listed = await clients().listClients({});
  expect(listed.clients).toMatchObject([{ client: "opencode", pid: 7, clientVersion: "1.18.33", directory: "" }]);
  expect(toJsonString(ListClientsResponseSchema, listed)).not.toContain(shaken.key.slice(15));
  expect(door.log.filter((line) => JSON.stringify(line).includes(shaken.key))).toEqual([]);
});

test("events are told and listed; a peer that closes is gone", async () => {
  const { client } = await clients().getClientHandshake(PEER);
  const told = { clientId: client!.id, conversationId: "ses_1", title: "a title" };
  await clients().reportClientEvent({ ...told, kind: ClientEventKind.IDLE });
  await clients().reportClientEvent({ ...told, kind: ClientEventKind.CLOSED });
  const { clients: left, events } = await clients().listClients({});
  expect(left).toEqual([]);
  expect(events.map(({ kind }) => kind)).toEqual([ClientEventKind.CLOSED, ClientEventKind.IDLE]);
  expect(events[1]).toMatchObject({ client: "opencode", conversationId: "ses_1", title: "a title" });
});

test("who does not say who it is, and what no event is, are refused", async () => {
  const { client } = await clients().getClientHandshake(PEER);
  expect(await codeOf(clients().getClientHandshake({ ...PEER, client: "" }))).toBe("invalid_request");
  expect(await codeOf(clients().getClientHandshake({ ...PEER, profile: "none" }))).toBe("profile_not_found");
  expect(await codeOf(clients().getClientHandshake({ ...PEER, accountId: "none" }))).toBe("account_not_found");
  expect(await codeOf(clients().reportClientEvent({ clientId: client!.id }))).toBe("invalid_request");
  const stranger = { clientId: "nobody", kind: ClientEventKind.IDLE };
  expect(await codeOf(clients().reportClientEvent(stranger))).toBe("client_not_found");
});
