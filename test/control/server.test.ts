/** The socket itself: who gets in, what is refused, what garbage does, and how the door closes. */
import { afterEach, expect, test } from "bun:test";
import { chmodSync, existsSync, rmSync } from "node:fs";
import http2 from "node:http2";
import net from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { systemClock } from "../../src/base/clock.ts";
import { OpenCalls } from "../../src/control/open-calls.ts";
import { createPeerReader } from "../../src/control/peer.ts";
import { SNIFF_MS } from "../../src/control/sniff.ts";
import { AccountService } from "../../src/gen/rotor/v1/account_service_pb.ts";
import { PoolService } from "../../src/gen/rotor/v1/pool_service_pb.ts";
import { accountOf } from "../support/fake-engine.ts";
import { createManualClock } from "../support/manual-clock.ts";
import {
  connectTransport,
  type Door,
  grpcClient,
  grpcTransport,
  OWN_UID,
  openDoor,
  postJson,
  until,
} from "./harness.ts";

const doors: Door[] = [];
afterEach(async () => {
  for (const door of doors.splice(0)) await door.close();
});

async function open(changes: Parameters<typeof openDoor>[0] = {}): Promise<Door> {
  const door = await openDoor(changes);
  door.engine.put(accountOf("one"));
  doors.push(door);
  return door;
}

/** A bare connection, with what came back and whether it has ended. */
function dial(path: string) {
  const socket = net.connect(path);
  const state = { socket, received: "", isClosed: false };
  socket.on("data", (chunk) => {
    state.received += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    state.isClosed = true;
  });
  return state;
}

/** The door still answers both generations. */
async function expectAlive(door: Door): Promise<void> {
  await grpcClient(AccountService, door.path).listAccounts({});
  expect((await postJson(door.path, "rotor.v1.PoolService/GetPool", {})).status).toBe(200);
}

test.skipIf(process.platform === "win32")("the kernel says who is at the other end", async () => {
  const read = createPeerReader()!;
  const path = (await open()).path.replace("rotor.sock", "other.sock");
  const seen = Promise.withResolvers<ReturnType<typeof read>>();
  const server = net.createServer((socket) => {
    seen.resolve(read(socket));
    socket.destroy();
  });
  server.listen(path, () => dial(path));
  const peer = await seen.promise;
  expect(peer?.uid).toBe(OWN_UID);
  if (process.platform === "linux") expect(peer?.pid).toBe(process.pid);
  server.close();
});

test("no reader for a platform that has none", () => {
  expect(createPeerReader("win32")).toBeNull();
});

for (const [who, peer, admitted] of [
  ["ourselves", { pid: 7, uid: OWN_UID }, true],
  ["root", { pid: 7, uid: 0 }, true],
  ["another user", { pid: 7, uid: OWN_UID + 1 }, false],
  ["somebody whom the kernel does not name", null, false],
] as const) {
  test(`${who}: ${admitted ? "comes in" : "is refused and logged"}`, async () => {
    const door = await open({ options: { readPeer: () => peer } });
    const call = grpcClient(AccountService, door.path).listAccounts({}, { timeoutMs: 2_000 });
    const code = await call.then(
      () => null,
      (thrown) => ConnectError.from(thrown).code,
    );
    expect(code === null).toBe(admitted);
    const refusals = door.log.filter((line) => line.event === "peer.refused");
    expect(refusals.length > 0).toBe(!admitted);
    for (const line of refusals)
      expect([line.level, line.fields]).toEqual(["warn", { pid: peer?.pid ?? null, uid: peer?.uid ?? null }]);
  });
}

/** Root alone can become somebody else. */
test.skipIf(OWN_UID !== 0 || process.platform !== "linux")(
  "a process of another user, for real, hears nothing",
  async () => {
    const door = await open();
    // As if the modes had failed: the kernel's word has to do.
    chmodSync(door.folder, 0o711);
    chmodSync(door.path, 0o666);
    const dialAs = async (uid: number) => {
      const script = `process.setuid(${uid});
      const socket = require("node:net").connect(${JSON.stringify(door.path)});
      socket.on("connect", () => socket.write("POST /rotor.v1.PoolService/GetPool HTTP/1.1\\r\\nhost: d\\r\\nconnection: close\\r\\ncontent-type: application/json\\r\\ncontent-length: 2\\r\\n\\r\\n{}"));
      socket.on("data", (chunk) => process.stdout.write(chunk));
      socket.on("error", (cause) => process.stdout.write(cause.code));
      socket.on("close", () => process.exit());`;
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", cwd: "/" });
      return await new Response(child.stdout).text();
    };
    expect(await dialAs(0)).toStartWith("HTTP/1.1 200");
    expect(await dialAs(65_534)).not.toContain("HTTP");
    expect(door.log.find((line) => line.event === "peer.refused")?.fields.uid).toBe(65_534);
  },
);

test("without peer credentials the door opens, and says what guards it", async () => {
  const door = await open({ options: { readPeer: null } });
  await expectAlive(door);
  expect(door.log.some((line) => line.event === "peer_check.left_out" && line.level === "warn")).toBe(true);
});

for (const [what, headers, admitted] of [
  ["Host localhost", { host: "localhost" }, true],
  ["Host with a port", { host: "localhost:80" }, true],
  ["Host 127.0.0.1", { host: "127.0.0.1" }, true],
  ["Host [::1]", { host: "[::1]:1" }, true],
  ["Host of one label, as in curl's manual", { host: "d" }, true],
  ["a Host with a dot", { host: "rotor.example.org" }, false],
  ["a Host that is an address elsewhere", { host: "10.0.0.1" }, false],
  ["a Host that is none", { host: "a b" }, false],
  ["Origin", { host: "localhost", origin: "http://localhost" }, false],
  ["Origin null", { host: "localhost", origin: "null" }, false],
  ["Referer", { host: "localhost", referer: "http://localhost/x" }, false],
] as const) {
  test(`HTTP/1.1 with ${what} is ${admitted ? "served" : "refused"}`, async () => {
    const door = await open();
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const { socket, ...state } = dial(door.path);
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString();
    });
    socket.write(
      `POST /rotor.v1.PoolService/GetPool HTTP/1.1\r\n${lines.join("")}content-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
    );
    await until("an answer", () => received.includes("\r\n\r\n") || socket.destroyed || state.isClosed);
    if (admitted) expect(received).toStartWith("HTTP/1.1 200");
    else expect(received).toMatch(/^HTTP\/1\.1 (403|400)/);
    if (received.startsWith("HTTP/1.1 403")) expect(received).toContain('"code":"permission_denied"');
    socket.destroy();
  });
}

test("HTTP/2 with Origin is refused too", async () => {
  const door = await open();
  const session = http2.connect("http://localhost", { createConnection: () => net.connect(door.path) });
  const stream = session.request({
    ":method": "POST",
    ":path": "/rotor.v1.PoolService/GetPool",
    origin: "http://x.org",
  });
  const status = Promise.withResolvers<number | undefined>();
  stream.on("response", (headers) => status.resolve(headers[":status"]));
  stream.end();
  expect(await status.promise).toBe(403);
  session.destroy();
});

for (const [what, bytes] of [
  ["garbage", Buffer.from([0, 255, 1, 254, 13, 10, 13, 10])],
  ["a TLS hello", Buffer.from("160301020001000001fc0303", "hex")],
  ["a preface with garbage behind it", Buffer.from(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"z".repeat(64)}`)],
  ["a preface that turns into something else", Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")],
  ["half a request line", Buffer.from("GET /\r\n")],
  ["a request line without end", Buffer.from(`GET /${"a".repeat(100_000)}`)],
] as const) {
  test(`${what} ends that connection at the most`, async () => {
    const door = await open();
    const state = dial(door.path);
    state.socket.write(bytes);
    await systemClock.sleep(5);
    await expectAlive(door);
    state.socket.destroy();
    await expectAlive(door);
  });
}

test("the first bytes may come one at a time", async () => {
  const door = await open();
  const state = dial(door.path);
  const head = "POST /rotor.v1.PoolService/GetPool HTTP/1.1\r\nhost: d\r\ncontent-type: application/json";
  await drip(state.socket, Buffer.from(`${head}\r\ncontent-length: 2\r\n\r\n{}`));
  await until("an answer", () => state.received.startsWith("HTTP/1.1 200"));
  state.socket.destroy();

  // Settings, then a HEADERS frame would follow; the server's own SETTINGS show that it took the preface for what it is.
  const second = dial(door.path);
  await drip(second.socket, Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1"));
  const SETTINGS = 4;
  await until("settings", () => second.received.length >= 9 && second.received.charCodeAt(3) === SETTINGS);
  second.socket.destroy();
});

/** One byte to a packet: each is written when the one before has left. */
async function drip(socket: net.Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) await new Promise<void>((resolve) => socket.write(Buffer.of(byte), () => resolve()));
}

for (const [what, bytes] of [
  ["nothing", ""],
  ["half a preface", "PRI * HTTP/2.0\r\n"],
] as const) {
  test(`a client that says ${what} is let go after ${SNIFF_MS / 1000} s`, async () => {
    const clock = createManualClock();
    const door = await open({ options: { clock } });
    const state = dial(door.path);
    if (bytes !== "") state.socket.write(bytes);
    await until("the door waits for it", () => clock.pending() === 1);
    await clock.advance(SNIFF_MS - 1);
    await systemClock.sleep(5);
    expect(state.isClosed).toBe(false);
    await clock.advance(1);
    await until("it is let go", () => state.isClosed);
    await expectAlive(door);
  });
}

test("a client that speaks holds no timer", async () => {
  const clock = createManualClock();
  const door = await open({ options: { clock } });
  await expectAlive(door);
  expect(clock.pending()).toBe(0);
});

for (const [name, transport] of [
  ["gRPC", grpcTransport],
  ["Connect over HTTP/1.1", connectTransport],
] as const) {
  test(`${name}: closing lets a call finish, ends a watch and takes the socket away`, async () => {
    const door = await open();
    const gate = Promise.withResolvers<void>();
    door.engine.refreshGate = gate.promise;
    const client = createClient(AccountService, transport(door.path));
    const call = client.refreshAccount({ accountId: accountOf("one").id });
    const watch = createClient(PoolService, transport(door.path)).watchPool({})[Symbol.asyncIterator]();
    await watch.next();

    const closed = door.server.close(5_000);
    expect(existsSync(door.path)).toBe(false);
    expect((await watch.next()).done).toBe(true);
    expect(door.engine.watchers().pool).toBe(0);
    gate.resolve();
    expect((await call).account?.credentials?.generation).toBe(2n);
    await closed;
    await expect(grpcClient(AccountService, door.path).listAccounts({})).rejects.toThrow();
  });

  test(`${name}: after the grace an open call is cut with "unavailable"`, async () => {
    const door = await open();
    door.engine.refreshGate = new Promise(() => {});
    const client = createClient(AccountService, transport(door.path));
    const call = client.refreshAccount({ accountId: accountOf("one").id }).then(
      () => null,
      (thrown) => ConnectError.from(thrown).code,
    );
    await until("the call has come in", () => door.engine.refreshesAsked === 1);
    await door.server.close(20);
    expect(await call).toBe(Code.Unavailable);
  });
}

test("settling waits for single calls and for nothing else, and leaves the door open", async () => {
  const door = await open();
  const gate = Promise.withResolvers<void>();
  door.engine.refreshGate = gate.promise;
  const client = grpcClient(AccountService, door.path);
  const call = client.refreshAccount({ accountId: accountOf("one").id });
  const watch = grpcClient(PoolService, door.path).watchPool({})[Symbol.asyncIterator]();
  await watch.next();
  await until("the call has come in", () => door.engine.refreshesAsked === 1);
  let isSettled = false;
  const settled = door.server.settle(60_000).then(() => {
    isSettled = true;
  });
  expect((await watch.next()).done).toBe(true);
  expect((await client.listAccounts({})).accounts).toHaveLength(1);
  expect(isSettled).toBe(false);
  gate.resolve();
  expect((await call).account?.credentials?.generation).toBe(2n);
  await settled;
  // Nobody is under way any more: it is over at once.
  await door.server.settle(60_000);
});

test("settling ends with its grace", async () => {
  const clock = createManualClock();
  const calls = new OpenCalls(clock);
  const ended = calls.began();
  let isOver = false;
  void calls.none(1_000).then(() => {
    isOver = true;
  });
  await clock.advance(999);
  expect(isOver).toBe(false);
  await clock.advance(1);
  expect(isOver).toBe(true);
  ended();
});

test("idle connections do not hold the door open", async () => {
  const door = await open();
  const client = grpcClient(AccountService, door.path);
  await client.listAccounts({});
  await postJson(door.path, "rotor.v1.PoolService/GetPool", {});
  const silent = dial(door.path);
  await systemClock.sleep(5);
  const closing = door.server.close(60_000);
  expect(door.server.close(0)).toBe(closing);
  await closing;
  await until("the silent one is gone", () => silent.isClosed);
});

test("a successor's socket is left alone", async () => {
  const door = await open();
  rmSync(door.path);
  const successor = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => successor.listen(door.path, resolve));
  await door.server.close(0);
  expect(existsSync(door.path)).toBe(true);
  successor.close();
});
