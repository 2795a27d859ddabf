/**
 * WebSockets through the whole daemon, with the simulator behind it: a client's socket that outlives its accounts, HTTP clients carried over a
 * WebSocket, and the other way round.
 */
import { describe, expect, test } from "bun:test";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import {
  type Frame,
  handshakeStatus,
  openSocket,
  responseIdIn,
  type TestSocket,
  textIn,
  typesIn,
} from "../support/ws-client.ts";
import { createProxyClient, DRESSES } from "./support/client.ts";
import type { Control } from "./support/control.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until } from "./support/until.ts";

const PATH = "/backend-api/codex/responses";
const item = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });
const create = (text: string, more: object = {}) => ({
  type: "response.create",
  model: "gpt-5.5",
  instructions: "",
  stream: true,
  store: false,
  include: ["reasoning.encrypted_content"],
  input: [item(text)],
  ...more,
});

interface Set {
  readonly stage: Stage;
  readonly control: Control;
  readonly url: string;
  readonly key: string;
  readonly open: (session?: string) => Promise<TestSocket>;
  readonly order: (spec: Omit<FaultSpec, "at"> & { at?: FaultSpec["at"] }) => void;
  /** What was asked of the model, in order. */
  readonly asked: () => { account: string | null; status: number | null; method: string; body: unknown }[];
}

/** Three accounts, all usable. */
async function onSet(play: (set: Set) => Promise<void>, env: Record<string, string> = {}): Promise<void> {
  const accounts = ["alpha", "beta", "gamma"].map((alias) => ({ alias }));
  await using stage = await openStage({ accounts });
  const { control, proxyUrl: url } = await stage.start({ env: { ROTOR_SETTING_WAIT_SECONDS: "0", ...env } });
  for (const [index, login] of stage.sim.accounts.entries()) await control.importLogin(login, accounts[index]!.alias);
  const key = await control.createKey("test");
  const headers = (session: string) => ({
    authorization: `Bearer ${key}`,
    originator: "codex_exec",
    "session-id": session,
  });
  await play({
    stage,
    control,
    url,
    key,
    open: (session = "s-1") => openSocket(url + PATH, headers(session)),
    order: (spec) => void stage.sim.addFault({ at: "responses", ...spec } as FaultSpec),
    asked: () =>
      stage.sim
        .requests()
        .filter(({ method, path }) => method !== "GET" && path.endsWith("/codex/responses"))
        .map(({ account, status, method, body }) => ({ account, status, method, body })),
  });
}

const speaker = (frames: readonly Frame[]) => /^SIM (\w+) says/.exec(textIn(frames))?.[1] ?? null;

describe("a client's socket outlives its accounts", () => {
  for (const kind of ["usage_limit", "failed_usage_limit", "unauthorized", "failed_overloaded", "cut"] as const) {
    test(`${kind} before output: another account answers, with the whole history, on the same socket`, () =>
      onSet(async ({ open, order, asked }) => {
        const socket = await open();
        const first = await socket.ask(create("one"));
        const home = speaker(first)!;
        order({ kind, account: home, times: "always" });
        const second = await socket.ask(create("two", { previous_response_id: responseIdIn(first) }));
        expect(typesIn(second).at(-1)).toBe("response.completed");
        expect(speaker(second)).not.toBe(home);
        const last = asked().at(-1)!;
        expect(last.account).toBe(speaker(second));
        expect(last.body).not.toHaveProperty("previous_response_id");
        expect(JSON.stringify(last.body)).toContain('"one"');
        // And it goes on there, with what is new alone.
        const third = await socket.ask(create("three", { previous_response_id: responseIdIn(second) }));
        expect(speaker(third)).toBe(speaker(second));
        expect(asked().at(-1)!.body).toHaveProperty("previous_response_id");
        socket.close();
      }));
  }

  test("an account is held between two turns: the next turn goes elsewhere without asking it", () =>
    onSet(async ({ open, asked, control }) => {
      const socket = await open();
      const first = await socket.ask(create("one"));
      const home = speaker(first)!;
      const { id } = await control.account(home);
      await control.call("AccountService/UpdateAccount", { accountId: id, enabled: false });
      const second = await socket.ask(create("two", { previous_response_id: responseIdIn(first) }));
      expect(speaker(second)).not.toBe(home);
      // The first answer's sealed reasoning is another organisation's: it is left behind, at no request's cost.
      const next = speaker(second)!;
      expect(asked().map(({ account, status }) => [account, status])).toEqual([
        [home, 200],
        [next, 200],
      ]);
      expect(JSON.stringify(asked().at(-1)!.body)).toContain('"one"');
      socket.close();
    }));

  test("mid-output the account never changes: the failure is told as upstream told it", () =>
    onSet(async ({ open, order }) => {
      order({ kind: "failed_usage_limit", point: "middle" });
      const socket = await open();
      const frames = await socket.ask(create("a longer answer, please"));
      expect(frames.at(-1)).toMatchObject({
        type: "response.failed",
        response: { error: { code: "usage_limit_reached" } },
      });
      socket.close();
    }));

  test("every account is out: 429 in a frame, with the reset; the socket stays for better times", () =>
    onSet(async ({ open, stage }) => {
      for (const alias of ["alpha", "beta", "gamma"]) stage.sim.changeAccount(alias, { usedPercent: { primary: 100 } });
      const socket = await open();
      const [error] = await socket.ask(create("hello"));
      expect(error).toMatchObject({ type: "error", status: 429, error: { type: "usage_limit_reached" } });
      expect((error!.error as { resets_at: number }).resets_at).toBeGreaterThan(0);
      socket.close();
    }));
});

test("a client that leaves ends the socket to upstream too", () =>
  onSet(async ({ open, order, stage }) => {
    order({ kind: "stall", point: "middle" });
    const socket = await open();
    socket.send(create("a longer answer, please"));
    while ((await socket.next()).type !== "response.output_text.delta");
    socket.close();
    await until(
      () => stage.sim.requests().some(({ method, end }) => method === "WS" && end === "client_closed"),
      "the close upstream",
    );
  }));

test("conversations share no socket, and no account's socket serves another account", () =>
  onSet(async ({ open, stage }) => {
    const sockets = await Promise.all(["s-1", "s-2", "s-3", "s-4"].map((session) => open(session)));
    await Promise.all(sockets.map((socket, index) => socket.ask(create(`hello ${index}`))));
    const handshakes = stage.sim.requests().filter(({ method }) => method === "GET");
    expect(handshakes).toHaveLength(4);
    for (const socket of sockets) socket.close();
  }));

test("a key that is revoked serves no more turns on a socket that was open before", () =>
  onSet(async ({ open, url, key, control, asked }) => {
    const socket = await open();
    await socket.ask(create("one"));
    const { keys } = await control.call<{ keys: { id: string }[] }>("KeyService/ListKeys");
    await control.call("KeyService/RevokeKey", { keyId: keys[0]!.id });
    const [error] = await socket.ask(create("two"));
    expect(error).toMatchObject({ type: "error", status: 401, error: { code: "invalid_client_key" } });
    expect((await socket.closed).code).toBe(1008);
    expect(await handshakeStatus(url + PATH, { authorization: `Bearer ${key}` })).toBe(401);
    expect(asked()).toHaveLength(1);
  }));

describe("upstream_transport", () => {
  for (const dress of DRESSES) {
    test(`websocket carries HTTP clients too: ${dress}`, () =>
      onSet(
        async ({ url, key, asked, stage }) => {
          const client = createProxyClient(url, key);
          for (let n = 0; n < 2; n++) {
            const answer = await client.ask(dress, { text: "hello", headers: { "session-id": "s-1" } });
            expect(answer.status).toBe(200);
            expect(answer.text).toContain("says: hello");
          }
          expect(asked().map(({ method, status }) => [method, status])).toEqual([
            ["WS", 200],
            ["WS", 200],
          ]);
          expect(stage.sim.requests().filter(({ method }) => method === "GET")).toHaveLength(1);
        },
        { ROTOR_SETTING_UPSTREAM_TRANSPORT: "websocket" },
      ));
  }

  test("http carries WebSocket clients: the whole input each time, warm-ups are answered here", () =>
    onSet(
      async ({ open, asked, stage }) => {
        const socket = await open();
        const warm = await socket.ask(create("", { generate: false, input: [item("prompt")] }));
        expect(responseIdIn(warm)).toStartWith("resp_rotor_");
        const first = await socket.ask(create("one", { previous_response_id: responseIdIn(warm) }));
        const second = await socket.ask(create("two", { previous_response_id: responseIdIn(first) }));
        expect(speaker(second)).toBe(speaker(first));
        expect(asked().map(({ method }) => method)).toEqual(["POST", "POST"]);
        const text = JSON.stringify(asked()[1]!.body);
        for (const part of ["prompt", "one", "two"]) expect(text).toContain(`"${part}"`);
        expect(stage.sim.requests().filter(({ method }) => method === "GET")).toHaveLength(0);
        socket.close();
      },
      { ROTOR_SETTING_UPSTREAM_TRANSPORT: "http" },
    ));
});
