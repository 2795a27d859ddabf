/** The simulator's WebSocket: requests as frames, chains, refusals with a status, faults inside and before it. */
import { expect, test } from "bun:test";
import { handshakeStatus, openSocket, responseIdIn, textIn, typesIn } from "../support/ws-client.ts";
import { requestBody, startBench, type TestBench, until } from "./support.ts";

const PATH = "/codex/responses";

async function open(bench: TestBench, deflate = true) {
  return openSocket(bench.sim.url + PATH, bench.headers(), deflate);
}

const create = (text: string, more = {}) => ({ type: "response.create", ...requestBody(text, more) });

for (const deflate of [true, false]) {
  test(`a request is a frame, its events are frames (deflate ${deflate})`, async () => {
    await using bench = await startBench();
    const socket = await open(bench, deflate);
    const frames = await socket.ask(create("hello"));
    expect(typesIn(frames).slice(0, 4)).toEqual([
      "codex.rate_limits",
      "codex.response.metadata",
      "response.created",
      "response.in_progress",
    ]);
    expect(typesIn(frames).at(-1)).toBe("response.completed");
    expect(textIn(frames)).toBe("SIM alpha says: hello");
    socket.close();
    await until(() => bench.sim.requests().every(({ end }) => end !== "open"));
    expect(bench.sim.requests().map(({ method, status, account }) => [method, status, account])).toEqual([
      ["GET", 101, "alpha"],
      ["WS", 200, "alpha"],
    ]);
  });
}

test("a warm-up generates nothing; what follows it carries only what is new", async () => {
  await using bench = await startBench();
  const socket = await open(bench);
  const warm = await socket.ask(
    create("", { generate: false, input: [{ type: "message", role: "developer", content: "be brief" }] }),
  );
  expect(typesIn(warm)).toEqual(["response.created", "response.completed"]);
  const first = await socket.ask(create("first", { previous_response_id: responseIdIn(warm) }));
  expect(textIn(first)).toBe("SIM alpha says: first");
  const usage = (frames: typeof first) => (frames.at(-1)!.response as { usage: { input_tokens: number } }).usage;
  const second = await socket.ask(create("second", { previous_response_id: responseIdIn(first) }));
  expect(textIn(second)).toBe("SIM alpha says: second");
  expect(usage(second).input_tokens).toBeGreaterThan(usage(first).input_tokens);
  socket.close();
});

test("a response of another connection is not known", async () => {
  await using bench = await startBench();
  const one = await open(bench);
  const id = responseIdIn(await one.ask(create("first")));
  const other = await open(bench);
  const [error] = await other.ask(create("second", { previous_response_id: id }));
  expect(error).toMatchObject({ type: "error", status: 400, error: { code: "previous_response_not_found" } });
  one.close();
  other.close();
});

test("a full window is an error frame with the status and the reset", async () => {
  await using bench = await startBench();
  const socket = await open(bench);
  bench.sim.changeAccount("alpha", { usedPercent: { primary: 100 } });
  const [error] = await socket.ask(create("hello"));
  expect(error).toMatchObject({ type: "error", status: 429, error: { type: "usage_limit_reached" } });
  expect((error!.headers as Record<string, string>)["x-codex-primary-used-percent"]).toBe("100");
  socket.close();
});

for (const [kind, status] of [
  ["upgrade_required", 426],
  ["unauthorized", 401],
  ["usage_limit", 429],
  ["overloaded", 503],
] as const) {
  test(`${kind} at the handshake is ${status}`, async () => {
    await using bench = await startBench();
    bench.fault({ at: "upgrade", kind });
    expect(await handshakeStatus(bench.sim.url + PATH, bench.headers())).toBe(status);
    expect(await handshakeStatus(bench.sim.url + PATH, bench.headers())).toBe(101);
  });
}

test("a handshake without a login is 401", async () => {
  await using bench = await startBench();
  expect(await handshakeStatus(bench.sim.url + PATH, {})).toBe(401);
});

test("connection_limit, answered inside: the client is told to come back on a new connection", async () => {
  await using bench = await startBench();
  bench.fault({ at: "responses", kind: "connection_limit" });
  const socket = await open(bench);
  const [error] = await socket.ask(create("hello"));
  expect(error).toMatchObject({ status: 400, error: { code: "websocket_connection_limit_reached" } });
  socket.close();
});

test("failed_usage_limit in the middle comes after output", async () => {
  await using bench = await startBench();
  bench.fault({ at: "responses", kind: "failed_usage_limit", point: "middle" });
  const socket = await open(bench);
  const frames = await socket.ask(create("hello there, how are you"));
  expect(textIn(frames)).not.toBe("");
  expect(frames.at(-1)!.type).toBe("response.failed");
  socket.close();
});

test("close_frame closes with its code; cut drops the connection without one", async () => {
  await using bench = await startBench();
  bench.fault({ at: "responses", kind: "close_frame", point: "middle", status: 1013 });
  const closed = await open(bench);
  closed.send(create("hello there, how are you"));
  expect((await closed.closed).code).toBe(1013);
  bench.fault({ at: "responses", kind: "cut", point: "middle" });
  const cut = await open(bench);
  cut.send(create("hello there, how are you"));
  expect((await cut.closed).code).toBe(1006);
});

test("binary frames are refused with 1003", async () => {
  await using bench = await startBench();
  const socket = await open(bench);
  socket.ws.send(new Uint8Array([1, 2, 3]));
  expect((await socket.closed).code).toBe(1003);
});
