/** Attempts over a WebSocket, against the simulator: what is sent, on which socket, what an answer means, and when HTTP carries it instead. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { Secret } from "../../src/base/secret.ts";
import { acceptKey } from "../../src/base/ws-handshake.ts";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import { createSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { createUpstream } from "../../src/upstream/codex-client.ts";
import type { AttemptRequest, AttemptSocket } from "../../src/upstream/upstream.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { drain, opened, request } from "./harness.ts";

let simulator: Simulator;
let clock: ManualClock;
let upstream: ReturnType<typeof createUpstream>;

beforeEach(async () => {
  simulator = await createSimulator({
    clock: systemClock,
    dice: systemDice,
    scenario: { accounts: [{ alias: "a" }, { alias: "b" }] },
  });
  clock = createManualClock(systemClock.nowMs());
  upstream = createUpstream({ baseUrl: simulator.url, clock, dice: systemDice, log: silentLog });
});

afterEach(async () => {
  upstream.close();
  await simulator.close();
});

const userItem = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });
const bodyOf = (input: unknown[], more: object = {}) =>
  new TextEncoder().encode(
    JSON.stringify({ model: "gpt-5.5", instructions: "", stream: true, store: false, input, ...more }),
  );

interface Ask {
  readonly text?: string;
  readonly since?: AttemptSocket["since"];
  readonly key?: string | null;
  readonly warmUp?: boolean;
  readonly account?: number;
  readonly signal?: AbortSignal;
}

function attempt({ text = "hi", since = null, key = "a one", warmUp = false, account = 0, signal }: Ask = {}) {
  const { tokens } = simulator.accounts[account]!;
  const body = bodyOf([userItem(text)]);
  const asked: Partial<AttemptRequest> = {
    headers: [
      ["content-type", "application/json"],
      ["accept", "text/event-stream"],
      ["originator", "codex_exec"],
    ],
    body,
    accessToken: new Secret(tokens.access_token),
    workspaceId: tokens.account_id,
    socket: { key, body, since, warmUp },
  };
  return upstream.attempt(request(signal === undefined ? asked : { ...asked, signal }));
}

async function served(ask: Ask = {}): Promise<{ id: string; text: string }> {
  const answer = await opened(attempt(ask));
  const { text } = await drain(answer.body);
  expect((await answer.end).outcome.kind).toBe("served");
  return { id: /"id":"(resp_[^"]+)"/.exec(text)![1]!, text };
}

const asked = () => simulator.requests().filter(({ method }) => method !== "GET");
const handshakes = () => simulator.requests().filter(({ method }) => method === "GET");
const inputOf = (index: number) => (asked()[index]!.body as { input: unknown[] }).input;
const fault = (spec: Partial<FaultSpec> & Pick<FaultSpec, "kind">) =>
  void simulator.addFault({ at: "responses", ...spec } as FaultSpec);

describe("a request", () => {
  test("is a frame; its events come as an event stream, with usage and windows", async () => {
    const answer = await opened(attempt());
    expect(answer.headers).toContainEqual(["content-type", "text/event-stream"]);
    expect(answer.observation.windows.map(({ limit, slot }) => `${limit}/${slot}`)).toContain("codex/primary");
    const { text, broken } = await drain(answer.body);
    expect(broken).toBe(false);
    expect(text).toStartWith("event: codex.rate_limits\ndata: {");
    expect(text).toContain("SIM ");
    const { outcome, usage, observation } = await answer.end;
    expect(outcome.kind).toBe("served");
    expect(usage!.inputTokens).toBeGreaterThan(0);
    expect(observation.windows.length).toBeGreaterThan(0);
    const names = Object.fromEntries(handshakes()[0]!.headers.map(([name, value]) => [name.toLowerCase(), value]));
    expect(names).toMatchObject({ originator: "codex_exec", "openai-beta": "responses_websockets=2026-02-06" });
    for (const gone of ["accept", "content-type", "content-length", "accept-encoding"])
      expect(names).not.toHaveProperty(gone);
  });

  test("goes on on the conversation's socket, with what is new alone", async () => {
    const first = await served({ text: "one" });
    const body = bodyOf([userItem("two")], { previous_response_id: first.id });
    await served({ text: "one, two", since: { responseId: first.id, body } });
    expect(handshakes()).toHaveLength(1);
    expect(asked()[1]!.body).toMatchObject({ previous_response_id: first.id });
    expect(inputOf(1)).toEqual([userItem("two")]);
  });

  test("is sent in full where its reference is not the socket's last response", async () => {
    const first = await served({ text: "one" });
    await served({ text: "between" });
    const body = bodyOf([userItem("two")], { previous_response_id: first.id });
    await served({ text: "one, two", since: { responseId: first.id, body } });
    expect(asked()[2]!.body).not.toHaveProperty("previous_response_id");
    expect(inputOf(2)).toEqual([userItem("one, two")]);
  });

  test("is sent once more in full when upstream has forgotten the reference", async () => {
    const first = await served({ text: "one" });
    fault({ kind: "previous_response_not_found" });
    const body = bodyOf([userItem("two")], { previous_response_id: first.id });
    await served({ text: "one, two", since: { responseId: first.id, body } });
    expect(asked().map(({ status }) => status)).toEqual([200, 400, 200]);
    expect(inputOf(2)).toEqual([userItem("one, two")]);
    expect(handshakes()).toHaveLength(1);
  });

  test("meets a socket that upstream says is too old: another one", async () => {
    await served();
    fault({ kind: "connection_limit" });
    await served();
    expect(handshakes()).toHaveLength(2);
    expect(asked().map(({ status }) => status)).toEqual([200, 400, 200]);
  });

  test("of another account or conversation, or of none, never meets its socket", async () => {
    await served({ key: "a one" });
    await served({ key: "a two" });
    await served({ key: "b one", account: 1 });
    await served({ key: null });
    await served({ key: null });
    expect(handshakes().map(({ account }) => account)).toEqual(["a", "a", "b", "a", "a"]);
  });

  test("that only says what is to come is passed on as that", async () => {
    const { text } = await served({ warmUp: true });
    expect(text).toContain("response.completed");
    expect(asked()[0]!.body).toMatchObject({ generate: false });
  });

  test("of several megabytes arrives whole", async () => {
    const long = "x".repeat(3 * 1024 * 1024);
    const answer = attempt({ text: long });
    const result = await answer;
    // More than the model takes: refused by what it says, which proves that it was read.
    expect(result).toMatchObject({ kind: "failed", outcome: { kind: "request_rejected", status: 400 } });
    expect(asked()[0]!.bodyBytes).toBeGreaterThan(long.length);
  });
});

describe("what comes of it", () => {
  test("a full window: the account's, with its reset, and upstream's words", async () => {
    fault({ kind: "usage_limit", resetsInSeconds: 600 });
    const result = await attempt();
    if (result.kind !== "failed") throw new Error("opened");
    expect(result.outcome.kind).toBe("window_exhausted");
    expect(result.answer!.status).toBe(429);
    expect(Buffer.from(result.answer!.body).toString()).toContain("usage_limit_reached");
    // The socket is as good as before.
    await served();
    expect(handshakes()).toHaveLength(1);
  });

  test.each([
    ["failed_usage_limit", "opening", "window_exhausted"],
    ["failed_overloaded", "opening", "upstream_failed"],
    ["cut", "opening", "upstream_failed"],
    ["close_frame", "opening", "upstream_failed"],
    ["reset_before_headers", undefined, "upstream_failed"],
    ["unauthorized", undefined, "unauthorized"],
  ] as const)("%s before output is a failed attempt: %s, %s", async (kind, point, outcome) => {
    fault(point === undefined ? { kind } : { kind, point });
    expect(await attempt()).toMatchObject({ kind: "failed", outcome: { kind: outcome } });
    await served();
  });

  test.each(["cut", "cut_reset", "close_frame"] as const)(
    "%s after output began: cut, and no use of that socket again",
    async (kind) => {
      fault({ kind, point: "middle" });
      const answer = await opened(attempt({ text: "a longer answer, please" }));
      expect((await drain(answer.body)).broken).toBe(true);
      expect((await answer.end).outcome.kind).toBe("cut");
      await served();
      expect(handshakes()).toHaveLength(2);
    },
  );

  test("a client that leaves ends the socket: upstream sees it go", async () => {
    fault({ kind: "stall", point: "middle" });
    const client = new AbortController();
    const answer = await opened(attempt({ signal: client.signal }));
    const reader = answer.body.getReader();
    await reader.read();
    client.abort();
    expect((await answer.end).outcome.kind).toBe("client_gone");
    reader.cancel().catch(() => {});
    while (handshakes()[0]!.end === "open") await new Promise((resolve) => setImmediate(resolve));
    expect(asked()[0]!.end).toBe("client_closed");
  });
});

describe("the handshake", () => {
  test.each([
    ["unauthorized", "unauthorized"],
    ["usage_limit", "window_exhausted"],
  ] as const)("%s is the account's: %s, and HTTP is not asked", async (kind, outcome) => {
    fault({ at: "upgrade", kind });
    expect(await attempt()).toMatchObject({ kind: "failed", outcome: { kind: outcome } });
    expect(asked()).toHaveLength(0);
  });

  test("426: HTTP carries it, and what follows, for ten minutes", async () => {
    fault({ at: "upgrade", kind: "upgrade_required", times: "always" });
    await served();
    await served();
    expect(asked().map(({ method }) => method)).toEqual(["POST", "POST"]);
    expect(handshakes()).toHaveLength(1);
    simulator.clearFaults();
    await clock.advance(10 * 60_000);
    await served();
    expect(asked().at(-1)!.method).toBe("WS");
  });

  test.each(["overloaded", "not_found", "close_before_headers", "cloudflare_challenge"] as const)(
    "%s: HTTP carries it; after three in a row WebSockets rest for a minute",
    async (kind) => {
      fault({ at: "upgrade", kind, times: "always" });
      for (let n = 0; n < 5; n++) await served();
      expect(asked().map(({ method }) => method)).toEqual(Array(5).fill("POST"));
      expect(handshakes()).toHaveLength(3);
      simulator.clearFaults();
      await clock.advance(60_000);
      await served();
      expect(asked().at(-1)!.method).toBe("WS");
    },
  );

  test("a stalled one is given up for HTTP", async () => {
    fault({ at: "upgrade", kind: "stall_before_headers" });
    const answer = served();
    while (handshakes().length === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(25_000);
    await answer;
    expect(asked().map(({ method }) => method)).toEqual(["POST"]);
  });

  test("without a WebSocket, what only says what is to come is answered here", async () => {
    fault({ at: "upgrade", kind: "upgrade_required" });
    const { id, text } = await served({ warmUp: true });
    expect(id).toStartWith("resp_rotor_");
    expect(text).toContain("response.completed");
    expect(asked()).toHaveLength(0);
  });
});

describe("a free socket", () => {
  test("is pinged, and closed after five minutes", async () => {
    await served();
    for (let n = 0; n < 9; n++) {
      await clock.advance(30_000);
      // The pong is on its way through the network of this machine.
      await served({ key: `a other ${n}` });
    }
    expect(handshakes()[0]!.end).toBe("open");
    await clock.advance(30_000);
    while (handshakes()[0]!.end === "open") await new Promise((resolve) => setImmediate(resolve));
  });

  test("that is nearly an hour old is not used again", async () => {
    await served();
    for (let minute = 0; minute < 56; minute += 0.5) {
      await clock.advance(30_000);
      await served();
    }
    expect(handshakes()).toHaveLength(2);
  });

  test("that answers no ping is closed", async () => {
    const ended = Promise.withResolvers<void>();
    const deaf = Bun.listen<undefined>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket, bytes) {
          const key = /sec-websocket-key: (\S+)/i.exec(bytes.toString("latin1"))?.[1];
          if (key === undefined) {
            // To the one request: an answer that is complete, and nothing ever again.
            if (bytes.length > 100) socket.write(Buffer.concat([Buffer.from([0x81, DONE.length]), DONE]));
            return;
          }
          const head = ["connection: Upgrade", "upgrade: websocket", `sec-websocket-accept: ${acceptKey(key)}`];
          socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head.join("\r\n")}\r\n\r\n`);
        },
        close: () => ended.resolve(),
      },
    });
    const silent = createUpstream({
      baseUrl: `http://127.0.0.1:${deaf.port}`,
      clock,
      dice: systemDice,
      log: silentLog,
    });
    const body = bodyOf([userItem("hi")]);
    const result = await silent.attempt(request({ body, socket: { key: "k", body, since: null, warmUp: false } }));
    if (result.kind !== "opened") throw new Error("not opened");
    await drain(result.body);
    await clock.advance(30_000);
    await clock.advance(30_000);
    await ended.promise;
    deaf.stop(true);
    silent.close();
  });
});

const DONE = Buffer.from('{"type":"response.completed","response":{"id":"resp_1","usage":null}}');
