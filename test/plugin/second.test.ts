/**
 * The plugin in a copy of OpenCode 2's loader: hooks by name and upstream, a request that is made, signed with the person's own token and then
 * sent. The program itself was not to be had; this is its loader as its sources say it.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import plugin from "../../src/plugin/opencode.ts";
import { type FakeDaemon, openFakeDaemon } from "../support/fake-daemon.ts";

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await openFakeDaemon();
});
afterEach(() => daemon[Symbol.asyncDispose]());

const OWN = "own".repeat(20);

interface Registered {
  readonly name: string;
  readonly act: (event: never) => Promise<void>;
  readonly providerID: string | undefined;
}

async function loaded(knows: (name: string) => boolean = () => true) {
  const hooks: Registered[] = [];
  const hook = async (name: string, act: Registered["act"], filter?: { providerID?: string }) => {
    if (!knows(name)) throw new Error(`there is no hook ${name}`);
    hooks.push({ name, act, providerID: filter?.providerID });
  };
  await plugin.setup({ options: { home: daemon.home, start: false }, directory: daemon.home, session: { hook } });
  const trigger = async <T extends object>(name: string, upstream: string, event: T): Promise<T> => {
    for (const one of hooks)
      if (one.name === name && (one.providerID ?? upstream) === upstream) await one.act(event as never);
    return event;
  };
  /** One request as OpenCode 2 makes it; `elsewhere` is what another plugin does to its address. */
  const ask = async (upstream = "openai", elsewhere?: string) => {
    const asked = await trigger("model.request", upstream, {
      kind: "primary",
      baseURL: undefined as string | undefined,
    });
    const base = elsewhere ?? asked.baseURL ?? "https://api.example.org/v1";
    const signed = new Request(`${base}/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${OWN}`, "chatgpt-account-id": "theirs" },
      body: '{"model":"gpt-5.5"}',
    });
    return (await trigger("http.request", upstream, { request: signed })).request;
  };
  return { hooks, trigger, ask };
}

test("a request goes to the daemon with its key, and without anything of the person's", async () => {
  const { ask, hooks } = await loaded();
  expect(hooks.map(({ name, providerID }) => [name, providerID])).toEqual([
    ["model.request", "openai"],
    ["http.request", "openai"],
    ["http.response", "openai"],
    ["experimental.ws.handshake", "openai"],
  ]);
  const answer = await fetch(await ask());
  expect(await answer.text()).toBe('{"served":true}');
  const [seen] = daemon.requests;
  expect(seen).toMatchObject({ path: "/v1/responses", body: '{"model":"gpt-5.5"}' });
  expect(seen!.headers.authorization).toBe(`Bearer ${daemon.key}`);
  expect(JSON.stringify(seen)).not.toContain(OWN);
  expect(seen!.headers["chatgpt-account-id"]).toBeUndefined();
});

test("what is of another upstream stays as it was, and Rotor's key is not in it", async () => {
  const { ask } = await loaded();
  const request = await ask("anthropic");
  expect(request.url).toBe("https://api.example.org/v1/responses");
  expect(request.headers.get("authorization")).toBe(`Bearer ${OWN}`);
});

test("a request that was led elsewhere ends; the key is not shown there", async () => {
  const { ask } = await loaded();
  await expect(ask("openai", "https://api.openai.com/v1")).rejects.toThrow("another address than the daemon's");
});

test("without a daemon it ends before it is made, in words", async () => {
  const { ask } = await loaded();
  await daemon.stop();
  await expect(ask()).rejects.toThrow(/Rotor does not answer: .* rotor up/);
});

test("a daemon that came back on another port is followed; a key that it has forgotten is shown again", async () => {
  const { ask, trigger } = await loaded();
  await ask();
  await daemon.stop();
  await daemon.start();
  expect((await fetch(await ask())).status).toBe(200);
  const before = daemon.calls.length;
  await trigger("http.response", "openai", { response: new Response("", { status: 401 }) });
  await ask();
  expect(daemon.calls.slice(before).map(({ method }) => method)).toEqual(["ClientService/GetClientHandshake"]);
});

test("a WebSocket shows the daemon's key, to the daemon alone; a build without that hook loads all the same", async () => {
  const { trigger } = await loaded();
  await trigger("model.request", "openai", {});
  const url = `${daemon.proxyUrl.replace("http", "ws")}/v1/responses`;
  const shaken = await trigger("experimental.ws.handshake", "openai", {
    url,
    headers: { Authorization: OWN, "x-a": "b" },
  });
  expect(shaken.headers as object).toEqual({ "x-a": "b", authorization: `Bearer ${daemon.key}` });
  await expect(
    trigger("experimental.ws.handshake", "openai", { url: "wss://api.openai.com/v1/responses", headers: {} }),
  ).rejects.toThrow("another address");
  expect((await loaded((name) => !name.startsWith("experimental"))).hooks).toHaveLength(3);
});

test("OpenCode 1, which calls it too with a context that knows no conversations, gets nothing of it", async () => {
  await plugin.setup({});
  await plugin.setup({ options: { home: daemon.home } });
  expect(daemon.calls).toEqual([]);
});
