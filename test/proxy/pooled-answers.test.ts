/** What clients are told of usage at the door: the pool where the setting says so, and upstream's own bytes where it does not. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { PooledUsage } from "../../src/domain/pooled-usage.ts";
import { readLimitHeaders } from "../../src/upstream/codex-headers.ts";
import { readUsageBody } from "../../src/upstream/usage-body.ts";
import { opened, sse } from "../support/fake-exchange-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import { type Door, openDoor, TURN } from "./door.ts";

const POOL: PooledUsage = {
  tier: "pro",
  main: {
    limit: "codex",
    models: null,
    isReached: false,
    primary: { usedPercent: 40, lengthMinutes: 300, resetsAtMs: T0 + 60_000 },
    secondary: null,
  },
  others: [],
  credits: { hasCredits: false, unlimited: false, balance: null },
};
const ONE_ACCOUNT = [
  ["content-type", "text/event-stream"],
  ["x-codex-primary-used-percent", "100"],
  ["x-codex-secondary-used-percent", "88"],
  ["x-codex-turn-state", "abc"],
] as const;
const EVENTS = sse([
  { type: "codex.rate_limits", plan_type: "plus", rate_limits: { primary: { used_percent: 100 } } },
  { type: "response.created", response: {} },
  { type: "response.completed", response: { id: "r", usage: null } },
]);

let door: Door;
beforeEach(() => {
  door = openDoor();
});
afterEach(() => door.close());

describe("told of the pool", () => {
  beforeEach(() => {
    door.fake.pooled = POOL;
  });

  test.each(["/backend-api/wham/usage", "/backend-api/codex/usage", "/api/codex/usage"])(
    "%s is answered here, for the client's own login",
    async (path) => {
      const response = await door.ask(path, { headers: { "chatgpt-account-id": "workspace-of-the-client" } });
      const text = await response.text();
      expect(JSON.parse(text).account_id).toBe("workspace-of-the-client");
      expect(readUsageBody(text, T0)).toMatchObject({
        tier: "pro",
        windows: [{ usedPercent: 40, lengthMinutes: 300 }],
      });
      expect(door.fake.requests).toEqual([]);
    },
  );

  test("headers and the event of a turn say the pool's figures; the rest is upstream's", async () => {
    door.fake.reply = () => opened(EVENTS, ONE_ACCOUNT);
    const response = await door.post("/backend-api/codex/responses", TURN);
    const headers = [...response.headers] as [string, string][];
    expect(readLimitHeaders(headers, T0)).toMatchObject({ tier: "pro", windows: [{ usedPercent: 40 }] });
    expect(response.headers.get("x-codex-turn-state")).toBe("abc");
    const text = await response.text();
    expect(text).toContain('"used_percent":40');
    expect(text).not.toContain('"used_percent":100');
    expect(text.slice(text.indexOf("response.created"))).toBe(EVENTS.slice(EVENTS.indexOf("response.created")));
  });

  test("an SDK, which shows none of it, is told neither the pool's figures nor the account's", async () => {
    door.fake.reply = () => opened(EVENTS, ONE_ACCOUNT);
    const messages = [{ role: "user", content: "hello" }];
    for (const [path, body] of [
      ["/v1/responses", TURN],
      ["/v1/chat/completions", JSON.stringify({ model: "gpt-5.5", messages })],
    ] as const) {
      const response = await door.post(path, body);
      expect(response.headers.get("x-codex-primary-used-percent")).toBeNull();
      expect(response.headers.get("x-codex-turn-state")).toBe("abc");
      await response.text();
    }
    expect(door.fake.reckonings).toBe(0);
  });

  test("no reset credit is offered, and none is spent for whichever account comes next", async () => {
    const offered = await door.ask("/backend-api/wham/rate-limit-reset-credits");
    expect(await offered.json()).toMatchObject({ credits: [], available_count: 0 });
    const body = '{"redeem_request_id":"x"}';
    const spent = await door.ask("/api/codex/rate-limit-reset-credits/consume", { method: "POST", body });
    expect(await spent.json()).toMatchObject({ code: "no_credit" });
    expect(door.fake.requests).toEqual([]);
  });

  test("only reading usage is: anything else of that path is upstream's", async () => {
    door.fake.reply = () => opened("{}", [["content-type", "application/json"]]);
    await door.ask("/backend-api/wham/usage/thread_usage/query", { method: "POST", body: "{}" });
    expect(door.fake.last().upstreamPath).toBe("/wham/usage/thread_usage/query");
  });
});

test("told of the account that served: byte for byte", async () => {
  door.fake.reply = () => opened(EVENTS, ONE_ACCOUNT);
  const response = await door.post("/backend-api/codex/responses", TURN);
  expect(response.headers.get("x-codex-primary-used-percent")).toBe("100");
  expect(response.headers.get("x-codex-secondary-used-percent")).toBe("88");
  expect(await response.text()).toBe(EVENTS);
  expect(door.fake.last().filter).toBeNull();
  await door.ask("/backend-api/wham/usage");
  expect(door.fake.last().upstreamPath).toBe("/wham/usage");
});
