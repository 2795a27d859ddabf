/** The routes over real loopback HTTP: surfaces, keys, guard, control calls, models, states and the listener. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { wholeOf } from "../../src/base/body-bytes.ts";
import { AppError } from "../../src/base/errors.ts";
import { createHttpGuard } from "../../src/base/http-guard.ts";
import { silentLog } from "../../src/base/log.ts";
import { createProxyApp, createTurnDoor, type ProxyAppDeps } from "../../src/proxy/app.ts";
import { listenProxy } from "../../src/proxy/listen.ts";
import { createSocketDoor } from "../../src/proxy/socket-door.ts";
import { readModelList } from "../../src/upstream/model-list.ts";
import { CLIENT_KEY, COMPLETED, EXCHANGE_ID, KEY_ID, opened, refused, sse } from "../support/fake-exchange-engine.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { openDoor, sendRaw, TURN } from "./door.ts";

const door = openDoor();
afterAll(() => door.close());
beforeEach(() => {
  door.fake.requests.length = 0;
  door.fake.modelRequests.length = 0;
  door.fake.reply = () => opened(sse(COMPLETED));
});

const JWT = ["eyJhbGciOiJub25lIn0", "eyJzdWIiOiJ4In0", "c2ln"].join(".");
const CODEX = { originator: "codex_exec" };
const codeOf = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code;

describe("a turn", () => {
  test.each(["/v1/responses", "/responses"])("%s of an SDK reaches the engine normalised", async (path) => {
    const response = await door.post(`${path}?beta=1`, TURN);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-rotor-exchange")).toBe(EXCHANGE_ID);
    expect(await response.text()).toBe(sse(COMPLETED));
    const asked = door.fake.last();
    expect(asked).toMatchObject({
      surface: "sdk",
      method: "POST",
      path,
      upstreamPath: "/codex/responses?beta=1",
      model: "gpt-5.5",
      stream: true,
      conversation: null,
      keyId: KEY_ID,
    });
    expect(asked.plainBody).toBe(asked.body);
    expect(JSON.parse(Buffer.from(wholeOf(asked.body!)).toString())).toEqual({
      ...TURN,
      instructions: "",
      store: false,
      include: ["reasoning.encrypted_content"],
    });
  });

  test.each(["/backend-api/codex/responses", "/backend-api/codex/v1/responses"])(
    "%s reaches the engine byte for byte",
    async (path) => {
      const body = '{ "model":"gpt-5.5" ,\n"temperature":0.50,"input":"x"}';
      const response = await door.post(path, body);
      expect(await response.text()).toBe(sse(COMPLETED));
      const asked = door.fake.last();
      expect(asked).toMatchObject({
        surface: "codex",
        upstreamPath: "/codex/responses",
        model: "gpt-5.5",
        stream: true,
      });
      expect(Buffer.from(wholeOf(asked.body!)).toString()).toBe(body);
    },
  );

  test("Codex pointed at /v1 stays Codex", async () => {
    const body = '{"model":"m","x":1}';
    for (const headers of [CODEX, { "x-codex-beta-features": "y" }]) {
      await (await door.post("/v1/responses", body, headers as Record<string, string>)).text();
      expect(door.fake.last()).toMatchObject({ surface: "codex", upstreamPath: "/codex/responses" });
      expect(Buffer.from(wholeOf(door.fake.last().body!)).toString()).toBe(body);
    }
  });

  test("its conversation is the one that the client names, under its own key", async () => {
    await (await door.post("/v1/responses", { ...TURN, prompt_cache_key: "pck" })).text();
    expect(door.fake.last().conversation).toBe(`${KEY_ID}/pck`);
    await (await door.post("/v1/responses", { ...TURN, prompt_cache_key: "pck" }, { "session-id": "s1" })).text();
    expect(door.fake.last().conversation).toBe(`${KEY_ID}/s1`);
  });

  test("a body that is not JSON is refused with the byte where it is wrong, and reaches nobody", async () => {
    for (const path of ["/v1/responses", "/backend-api/codex/responses"]) {
      const response = await door.post(path, '{"model":"m",}');
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      expect(error.code).toBe("invalid_json");
      expect(error.message).toContain("byte 13 of 14");
    }
    expect((await door.post("/v1/responses", "")).status).toBe(400);
    expect((await door.post("/v1/responses", "[1]")).status).toBe(400);
    expect(door.fake.requests).toHaveLength(0);
  });

  test("what upstream rejected comes back byte for byte", async () => {
    const body = new TextEncoder().encode('{"detail":"Unsupported parameter: x"}');
    door.fake.reply = () => ({
      kind: "rejected",
      exchangeId: EXCHANGE_ID,
      status: 422,
      headers: [
        ["content-type", "application/json"],
        ["content-length", "999"],
        ["x-request-id", "r1"],
      ],
      body,
    });
    const response = await door.post("/v1/responses", TURN);
    expect(response.status).toBe(422);
    expect(await response.bytes()).toEqual(body);
    expect(response.headers.get("x-request-id")).toBe("r1");
    expect(response.headers.get("x-rotor-exchange")).toBe(EXCHANGE_ID);
  });

  test("previous_response_id is refused in words that a client understands", async () => {
    const response = await door.post("/v1/responses", { ...TURN, previous_response_id: "resp_1" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: "previous_response_not_found", param: "previous_response_id", type: "invalid_request_error" },
    });
  });

  test("a client without a stream gets one JSON object", async () => {
    const response = await door.post("/v1/responses", { model: "m", input: "hi" });
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toMatchObject({
      id: "resp_1",
      output: [{ id: "msg_1" }],
      usage: { total_tokens: 4 },
    });
    expect(JSON.parse(Buffer.from(wholeOf(door.fake.last().body!)).toString())).toMatchObject({ stream: true });
  });

  test("vendor events reach Codex and not SDKs", async () => {
    const events = [{ type: "codex.rate_limits", plan_type: "plus" }, ...COMPLETED];
    door.fake.reply = () => opened(sse(events));
    expect(await (await door.post("/v1/responses", TURN)).text()).toBe(sse(COMPLETED));
    expect(await (await door.post("/backend-api/codex/responses", TURN)).text()).toBe(sse(events));
  });

  test("an engine that throws is an internal error with a code, and its words stay inside", async () => {
    door.fake.reply = () => {
      throw new Error("secret words");
    };
    const sdk = await door.post("/v1/responses", TURN);
    expect(sdk.status).toBe(500);
    const text = await sdk.text();
    expect(text).toContain('"internal"');
    expect(text).not.toContain("secret words");
    expect((await door.post("/backend-api/codex/responses", TURN)).status).toBe(400);
  });
});

describe("keys", () => {
  test.each([
    ["bearer", { authorization: `Bearer ${CLIENT_KEY}` }, 200],
    ["bearer in lower case", { authorization: `bearer ${CLIENT_KEY}` }, 200],
    ["api-key", { "api-key": CLIENT_KEY }, 200],
    ["x-api-key", { "x-api-key": CLIENT_KEY }, 200],
    ["none", {}, 401],
    ["another one", { authorization: `Bearer ${CLIENT_KEY.replace("k", "j")}` }, 401],
    ["basic", { authorization: `Basic ${CLIENT_KEY}` }, 401],
    ["a login, to an SDK route", { authorization: `Bearer ${JWT}` }, 401],
  ])("%s", async (_, shown, status) => {
    const bearer = "authorization" in shown && shown.authorization.startsWith("Bearer");
    for (const [method, path] of [
      ["POST", "/v1/responses"],
      ["GET", "/backend-api/wham/usage"],
      ["GET", "/v1/models"],
    ] as const) {
      if (path.startsWith("/backend-api") && "authorization" in shown && shown.authorization?.includes(JWT)) continue;
      const response = await fetch(door.url + path, {
        method,
        headers: shown as Record<string, string>,
        body: method === "POST" ? JSON.stringify(TURN) : undefined,
      });
      expect([path, response.status === 401]).toEqual([path, status === 401]);
      if (status === 401) {
        expect(response.headers.get("www-authenticate")).toBe('Bearer realm="rotor"');
        expect(await codeOf(response)).toBe(bearer ? "invalid_client_key" : "missing_client_key");
      } else await response.arrayBuffer();
    }
  });

  test("a Codex client that shows its own login is stopped, not sent to refresh it", async () => {
    const response = await door.post("/backend-api/codex/responses", TURN, { authorization: `Bearer ${JWT}` });
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("foreign_login");
  });

  test("a key in the path serves, in place of the client's own login, and is seen by nobody behind the door", async () => {
    const response = await door.post(`/k/${CLIENT_KEY}/backend-api/codex/responses?a=b`, TURN, {
      authorization: `Bearer ${JWT}`,
      "chatgpt-account-id": "acct-of-client",
    });
    expect(response.status).toBe(200);
    await response.text();
    const asked = door.fake.last();
    expect(asked).toMatchObject({
      path: "/backend-api/codex/responses",
      upstreamPath: "/codex/responses?a=b",
      keyId: KEY_ID,
      surface: "codex",
    });
    const everything = JSON.stringify([asked.path, asked.upstreamPath, asked.headers]);
    expect(everything).not.toContain(CLIENT_KEY);
    expect(everything).not.toContain(JWT);
    expect(everything).not.toContain("acct-of-client");
  });

  test("a wrong key in the path is refused, whatever the header shows", async () => {
    const wrong = CLIENT_KEY.replace("k", "j");
    expect((await door.post(`/k/${wrong}/v1/responses`, TURN)).status).toBe(401);
    expect((await door.post(`/k/${CLIENT_KEY}/k/${CLIENT_KEY}/v1/responses`, TURN)).status).toBe(404);
    expect((await door.ask(`/k/${CLIENT_KEY}`)).status).toBe(404);
  });

  test("health, readiness and HEAD need none", async () => {
    expect(await (await fetch(`${door.url}/health`)).json()).toEqual({ status: "alive" });
    expect(await (await fetch(`${door.url}/ready`)).json()).toEqual({ status: "ready" });
    for (const path of ["/v1/responses", "/backend-api/codex/responses"]) {
      const response = await fetch(door.url + path, { method: "HEAD" });
      expect([response.status, await response.text()]).toEqual([200, ""]);
    }
  });
});

describe("WebSocket", () => {
  test.each(["/v1/models", "/backend-api/codex/alpha/search"])(
    "an upgrade of %s, where no WebSocket is, is answered 426 at once",
    async (path) => {
      const answer = await sendRaw(
        door.port,
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nConnection: Upgrade, close\r\n` +
          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      expect(answer).toStartWith("HTTP/1.1 426 ");
      expect(answer).toContain('"code":"upgrade_required"');
      expect(door.fake.requests).toHaveLength(0);
    },
  );

  test("GET without an upgrade finds nothing", async () => {
    expect((await door.ask("/v1/responses")).status).toBe(404);
  });
});

describe("guard", () => {
  const get = (path: string, ...lines: string[]) =>
    sendRaw(door.port, `GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);

  test("hosts and origins of elsewhere are refused on every route", async () => {
    for (const path of ["/health", "/ready", "/v1/models", "/nothing", `/k/${CLIENT_KEY}/v1/models`]) {
      expect(await get(path, "Host: evil.example")).toStartWith("HTTP/1.1 403 ");
      expect(await get(path, "Host: 127.0.0.1", "Origin: https://evil.example")).toStartWith("HTTP/1.1 403 ");
    }
    expect(await get("/health", "Host: localhost:99")).toStartWith("HTTP/1.1 200 ");
    expect(await get("/health", "Host: 127.0.0.1", "Origin: http://localhost:3000")).toStartWith("HTTP/1.1 200 ");
  });

  test("short host names that the operator allowed find every route", async () => {
    const short = openDoor({ guard: createHttpGuard(["ai", "llm"]) });
    try {
      for (const host of ["ai", "llm", "llm:80"]) {
        const answer = await sendRaw(
          short.port,
          `POST /v1/responses HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nConnection: close\r\nContent-Length: 27\r\n\r\n{"model":"m","input":"hi!"}`,
        );
        expect(answer).toStartWith("HTTP/1.1 200 ");
      }
      expect(short.fake.requests.map((request) => request.path)).toEqual([
        "/v1/responses",
        "/v1/responses",
        "/v1/responses",
      ]);
    } finally {
      await short.close();
    }
  });
});

describe("control calls", () => {
  test.each([
    ["GET", "/backend-api/wham/usage?x=1", "/wham/usage?x=1"],
    ["DELETE", "/backend-api/files/f1", "/files/f1"],
    ["PATCH", "/api/codex/settings/user", "/wham/settings/user"],
    ["GET", "/backend-api/codex/anything/else", "/codex/anything/else"],
  ])("%s %s goes to %s", async (method, path, upstreamPath) => {
    door.fake.reply = () => opened('{"ok":true}', [["content-type", "application/json"]], 201);
    const response = await door.ask(path, { method });
    expect([response.status, await response.text()]).toEqual([201, '{"ok":true}']);
    expect(door.fake.last()).toMatchObject({ method, upstreamPath, stream: false, surface: "codex" });
  });

  test("bodies pass untouched; calls of the Codex backend are read for model and conversation", async () => {
    door.fake.reply = () => opened("{}", [["content-type", "application/json"]]);
    const body = '{ "model": "gpt-5.5", "prompt_cache_key": "p1" }';
    await (await door.post("/backend-api/codex/responses/compact", body)).text();
    expect(door.fake.last()).toMatchObject({ model: "gpt-5.5", conversation: `${KEY_ID}/p1` });
    expect(Buffer.from(wholeOf(door.fake.last().body!)).toString()).toBe(body);
    await (await door.post("/backend-api/codex/odd", "not json")).text();
    expect(door.fake.last().model).toBeNull();
    await (await door.post("/backend-api/files", body)).text();
    expect(door.fake.last().model).toBeNull();
  });

  test("paths that leave upstream's base reach nobody", async () => {
    for (const path of [
      "/backend-api/..%2fx",
      "/backend-api/%252e%252e/..%5cx",
      "/backend-api/a/%2e%2e%2fb",
      "/backend-api/%zz",
      "/backend-api//evil",
    ]) {
      expect([path, (await door.ask(path)).status]).toEqual([path, 404]);
    }
    expect(door.fake.requests).toHaveLength(0);
  });

  test("an answer without a body stays without one", async () => {
    door.fake.reply = () => opened([], [], 204);
    const response = await door.ask("/backend-api/x", { method: "POST" });
    expect([response.status, await response.text()]).toEqual([204, ""]);
  });

  test("accounts/check is answered for the id that the client sent, by us", async () => {
    door.fake.accounts = [
      { enabled: false, tier: "free" },
      { enabled: true, tier: "pro" },
    ] as unknown as typeof door.fake.accounts;
    for (const path of ["/backend-api/wham/accounts/check", "/api/codex/accounts/check"]) {
      const response = await door.ask(path, { headers: { "chatgpt-account-id": "acct-7" } });
      expect(await response.json()).toMatchObject({
        accounts: [{ id: "acct-7", plan_type: "pro", workspace_backend_origin: "https://chatgpt.com" }],
        account_ordering: ["acct-7"],
        default_account_id: "acct-7",
      });
    }
    expect((await door.ask("/backend-api/wham/accounts/check")).status).toBe(400);
    expect(door.fake.requests).toHaveLength(0);
  });

  test("a control call never gets a stream for an answer", async () => {
    door.fake.reply = () => refused(new AppError("upstream_overloaded", "too much"));
    const response = await door.ask("/backend-api/wham/usage");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    expect(await codeOf(response)).toBe("upstream_overloaded");
  });

  test("unknown routes say so", async () => {
    for (const path of ["/", "/v1/embeddings", "/v2/responses", "/dashboard", "/v1/completions"]) {
      const response = await door.post(path, {});
      expect(response.status).toBe(404);
      expect(await codeOf(response)).toBe("route_not_found");
    }
  });
});

describe("models", () => {
  const entry = { slug: "gpt-5.5", visibility: "list", display_name: "GPT-5.5", context_window: 272_000 };
  const list = { models: [entry, { slug: "codex-auto-review", visibility: "hide" }] };
  const body = new TextEncoder().encode(JSON.stringify(list, null, 1));
  const models = readModelList(body)!.map(({ facts }) => facts);
  const seen = {
    id: "gpt-5.5",
    object: "model",
    created: 0,
    owned_by: "openai",
    name: "GPT-5.5",
    context_window: 272_000,
    reasoning_efforts: [],
    service_tiers: [],
    input_modalities: [],
  };

  test("Codex gets upstream's bytes, and nothing when it has them", async () => {
    door.fake.models = { kind: "models", body, etag: '"e1"', models };
    const path = "/backend-api/codex/models?client_version=0.169.0";
    const codex = await door.ask(path);
    expect(await codex.bytes()).toEqual(body);
    expect(codex.headers.get("etag")).toBe('"e1"');
    expect(door.fake.modelRequests).toEqual(["0.169.0"]);
    expect((await door.ask(path, { headers: { "if-none-match": '"e1"' } })).status).toBe(304);
    expect((await door.ask(path, { headers: { "if-none-match": '"e0"' } })).status).toBe(200);
  });

  test("SDKs get OpenAI's list with limits and aliases beside Codex's", async () => {
    door.fake.models = { kind: "models", body, etag: '"e1"', models };
    door.fake.aliases = [{ name: "fast", target: "gpt-5.5-low", createdAtMs: 5_000 }];
    const alias = { id: "fast", object: "model", created: 5, owned_by: "rotor", alias_of: "gpt-5.5-low" };
    const sdk = await door.ask("/v1/models");
    expect(await sdk.json()).toEqual({ object: "list", data: [seen, alias], models: list.models });
    expect(await (await door.ask("/v1/models/fast")).json()).toEqual(alias);
  });

  test("one model by its name, hidden or not; an unknown one is 404 with its code", async () => {
    door.fake.models = { kind: "models", body, etag: null, models };
    expect(await (await door.ask("/v1/models/gpt-5.5")).json()).toEqual(seen);
    expect(await (await door.ask("/v1/models/codex-auto-review")).json()).toMatchObject({ id: "codex-auto-review" });
    const none = await door.ask("/v1/models/nope");
    expect([none.status, await codeOf(none)]).toEqual([404, "model_not_found"]);
  });

  test("a list that cannot be had is an error with a code", async () => {
    door.fake.models = { kind: "refused", error: new AppError("no_accounts", "there are no accounts yet") };
    expect((await door.ask("/v1/models")).status).toBe(400);
  });
});

describe("states and listener", () => {
  test("while the daemon is not ready every request is told why, and nobody is asked", async () => {
    const locked = openDoor({
      engine: () => null,
      state: () => ({ state: "locked", reason: "the seal key is missing" }),
    });
    try {
      expect((await locked.ask("/health")).status).toBe(200);
      const ready = await locked.ask("/ready");
      expect([ready.status, await ready.json()]).toEqual([
        503,
        { status: "locked", reason: "the seal key is missing" },
      ]);
      for (const path of ["/v1/responses", "/backend-api/codex/responses"]) {
        const response = await locked.post(path, TURN);
        expect(response.status).toBe(400);
        expect(await response.json()).toMatchObject({
          error: {
            code: "store_locked",
            message: "Rotor is locked: the seal key is missing (to mend it: rotor seal unlock)",
          },
        });
      }
    } finally {
      await locked.close();
    }
  });

  test("a port in use is named", () => {
    const clock = createManualClock();
    const deps: ProxyAppDeps = {
      engine: () => null,
      state: () => ({ state: "ready", reason: "" }),
      guard: createHttpGuard(),
      clock,
      log: silentLog,
    };
    const sockets = createSocketDoor(deps);
    const turns = createTurnDoor(deps);
    expect(() =>
      listenProxy(createProxyApp(deps), { host: "127.0.0.1", port: door.port, clock, sockets, turns }),
    ).toThrow(expect.objectContaining({ code: "address_in_use", facts: { host: "127.0.0.1", port: door.port } }));
  });

  test("stopping lets an open stream end, and cuts it when its time is up", async () => {
    const stopping = openDoor();
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          controller.enqueue(new TextEncoder().encode("data: {}\n\n"));
          await new Promise(() => {});
        },
        cancel: () => {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    stopping.fake.reply = () => opened(endless);
    const response = await stopping.post("/backend-api/codex/responses", TURN);
    const reader = response.body!.getReader();
    await reader.read();
    await stopping.close();
    await expect(reader.read()).rejects.toThrow();
    expect(cancelled).toBe(true);
  });
});
