/**
 * What a client gets when nobody can serve (contracts §4), from the real daemon: the shape for each surface, the true earliest time, the
 * command that mends it; and how far an exchange goes before it gives up.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { FaultOn } from "./failure-table.ts";
import { DRESSES, type Dress, eventsOf, speakerOf } from "./support/client.ts";
import type { KeyJson, PlanJson } from "./support/control.ts";
import { type Lane, openLane } from "./support/lane.ts";
import { type Received, sendRaw } from "./support/raw-http.ts";
import type { Trio } from "./support/trio.ts";
import { until } from "./support/until.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

const PLACES = ["A", "B", "C"] as const;

function orderOnAll(trio: Trio, fault: Omit<FaultOn, "on">): void {
  for (const on of PLACES) trio.order({ ...fault, on, times: "always" });
}

interface ErrorJson {
  readonly code: string;
  readonly type: string;
  readonly message: string;
  readonly resets_at?: number;
  readonly resets_in_seconds?: number;
}

/** The error of a JSON answer, or of the one event of a stream that says nothing else. */
function errorIn(received: Received): ErrorJson {
  if (!received.headers.get("content-type")?.startsWith("text/event-stream")) {
    return (JSON.parse(received.text) as { error: ErrorJson }).error;
  }
  const events = eventsOf(received.text);
  expect(events.map((event) => event.type)).toEqual(["response.failed"]);
  return (events[0]!.response as { error: ErrorJson }).error;
}

const getPool = async () =>
  (await lane.control.call<{ pool: { pauseEndTime?: string; usableCount: number } }>("PoolService/GetPool")).pool;

const retryAfterOf = (received: Received) => Number(received.headers.get("retry-after"));

/** A case in every dress, each with accounts of its own. */
function inEveryDress(name: string, play: (dress: Dress, trio: Trio) => Promise<void>): void {
  for (const dress of DRESSES) test(`${name} (${dress})`, () => lane.withTrio((trio) => play(dress, trio)));
}

describe("every hold ends at a known time: 429 in upstream's own form, with the true earliest reset", () => {
  const expectLimit = (received: Received, inSeconds: number, fromMs: number) => {
    expect(received.status).toBe(429);
    const error = errorIn(received);
    expect(error.type).toBe("usage_limit_reached");
    const earliest = fromMs / 1_000 + inSeconds - 2;
    const latest = Date.now() / 1_000 + inSeconds + 2;
    expect(error.resets_at).toBeGreaterThanOrEqual(earliest);
    expect(error.resets_at).toBeLessThanOrEqual(latest);
    expect(retryAfterOf(received)).toBe(error.resets_in_seconds!);
    expect(Math.abs(error.resets_in_seconds! - inSeconds)).toBeLessThanOrEqual(
      2 + Math.ceil((Date.now() - fromMs) / 1_000),
    );
  };

  inEveryDress("three windows, three resets", async (dress, trio) => {
    const fromMs = Date.now();
    trio.order({ on: "A", kind: "usage_limit", resetsInSeconds: 7_200 });
    trio.order({ on: "B", kind: "usage_limit", resetsInSeconds: 3_600 });
    trio.order({ on: "C", kind: "usage_limit", resetsInSeconds: 5_400 });
    expectLimit(await lane.client.ask(dress), 3_600, fromMs);
    expect(trio.tried()).toBe("ABC");
    // Nobody is asked again before the time has come.
    expectLimit(await lane.client.ask(dress), 3_600, fromMs);
    expect(trio.tried()).toBe("ABC");
  });

  inEveryDress("one of them needs a login, the others have a time", async (dress, trio) => {
    const fromMs = Date.now();
    trio.order({ on: "A", kind: "deactivated_workspace" });
    trio.order({ on: "B", kind: "usage_limit", resetsInSeconds: 7_200 });
    trio.order({ on: "C", kind: "rate_limit", tryAgainIn: "6m0s" });
    expectLimit(await lane.client.ask(dress), 360, fromMs);
  });
});

describe("no known end: 400 with a stable code and the command that mends it", () => {
  const expectStop = (received: Received, code: string, command: RegExp) => {
    expect(received.status).toBe(400);
    expect(received.headers.get("retry-after")).toBeNull();
    const error = errorIn(received);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(command);
  };

  inEveryDress("every account needs a login", async (dress, trio) => {
    orderOnAll(trio, { kind: "deactivated_workspace" });
    expectStop(await lane.client.ask(dress), "no_usable_account", /rotor account list/);
    expectStop(await lane.client.ask(dress), "no_usable_account", /rotor account list/);
    expect(trio.tried()).toBe("ABC");
  });

  inEveryDress("every account is disabled", async (dress, trio) => {
    for (const place of PLACES) {
      const { id } = await trio.account(place);
      await lane.control.call("AccountService/UpdateAccount", { accountId: id, enabled: false, force: true });
    }
    expectStop(await lane.client.ask(dress), "no_usable_account", /rotor account enable/);
    expect(trio.tried()).toBe("");
  });

  inEveryDress("the pinned account is held, and a pin never falls over", async (dress, trio) => {
    await lane.control.call("PoolService/PinAccount", { accountId: (await trio.account("B")).id });
    try {
      trio.order({ on: "B", kind: "usage_limit", resetsInSeconds: 7_200 });
      expectStop(await lane.client.ask(dress), "no_usable_account", /rotor pool unpin/);
      expect(trio.tried()).toBe("B");
    } finally {
      await lane.control.call("PoolService/UnpinAccount");
    }
  });

  inEveryDress("a model that nobody has", async (dress, trio) => {
    orderOnAll(trio, { kind: "model_unsupported" });
    expectStop(await lane.client.ask(dress), "model_unsupported", /gpt-5\.5/);
    expect(trio.tried()).toBe("ABC");
  });

  for (const dress of DRESSES) {
    test(`no accounts (${dress})`, async () => {
      expectStop(await lane.client.ask(dress), "no_accounts", /rotor login/);
    });
  }
});

describe("upstream itself is in trouble: said so that the client comes back once, not thirty times", () => {
  const expectLater = (received: Received, dress: Dress, code: string) => {
    if (dress === "codex") {
      expect(received.status).toBe(200);
      expect(errorIn(received).code).toBe("server_is_overloaded");
      return;
    }
    expect(received.status).toBe(503);
    expect(errorIn(received).code).toBe(code);
    expect(retryAfterOf(received)).toBeGreaterThan(0);
  };

  inEveryDress("every account meets an overload: four attempts, then the answer", async (dress, trio) => {
    orderOnAll(trio, { kind: "overloaded" });
    expectLater(await lane.client.ask(dress), dress, "upstream_overloaded");
    expect(trio.tried()).toBe("AABB");
    for (const place of PLACES) expect((await trio.account(place)).holds ?? []).toEqual([]);
  });

  test("a burst of failures pauses the pool: nobody is burnt", () =>
    lane.withTrio(async (trio) => {
      const dress = "codex";
      orderOnAll(trio, { kind: "server_error" });
      await lane.client.ask(dress);
      // The fifth failure within ten seconds, on a second account.
      expectLater(await lane.client.ask(dress), dress, "upstream_overloaded");
      const seen = trio.tried().length;
      const { pool } = await lane.control.call<{ pool: { pauseEndTime?: string; usableCount: number } }>(
        "PoolService/GetPool",
      );
      expect(Date.parse(pool.pauseEndTime!)).toBeGreaterThan(Date.now());
      expect(pool.usableCount).toBe(3);
      expectLater(await lane.client.ask(dress), dress, "upstream_overloaded");
      expect(trio.tried().length).toBe(seen);
      // The next case wants a pool that serves.
      await until(async () => (await getPool()).pauseEndTime === undefined, "the end of the pause");
    }));

  inEveryDress("the edge challenges everywhere: bounded, and no login is blamed", async (dress, trio) => {
    orderOnAll(trio, { kind: "cloudflare_challenge" });
    expectLater(await lane.client.ask(dress), dress, "upstream_overloaded");
    expect(trio.tried()).toBe("ABC");
    for (const place of PLACES) expect((await trio.account(place)).holds ?? []).toEqual([]);
  });

  test("nothing listens there: the host is blamed, no account", async () => {
    await using dead = await openLane({ ROTOR_UPSTREAM_BASE_URL: "http://127.0.0.1:9/backend-api" });
    const login = dead.stage.sim.addAccount();
    await dead.control.importLogin(login.auth, "alpha");
    await Promise.all(
      DRESSES.map(async (dress) => {
        const received = await dead.client.ask(dress);
        expectLater(received, dress, "upstream_unreachable");
        const { attempts } = await dead.control.exchange(received.headers.get("x-rotor-exchange")!);
        expect(attempts!.map(({ outcome, next }) => `${outcome} ${next}`)).toEqual([
          "unreachable same",
          "unreachable same",
          "unreachable answer",
        ]);
      }),
    );
    expect((await dead.control.account("alpha")).holds ?? []).toEqual([]);
  });
});

describe("an exchange is bounded, and patient", () => {
  inEveryDress("three accounts at the most, though a fourth would do", async (dress, trio) => {
    const fourth = lane.stage.sim.addAccount();
    const { id } = await lane.control.importLogin(fourth.auth, fourth.account.alias);
    try {
      const order = await planned();
      for (const account of order.slice(0, 3))
        lane.stage.sim.addFault({ at: "responses", kind: "usage_limit", account });
      const received = await lane.client.ask(dress);
      expect(trio.requests("/backend-api/codex/responses").map(({ account }) => account)).toEqual(order.slice(0, 3));
      expect(received.status).toBe(dress === "codex" ? 200 : 429);
      const { code, message } = errorIn(received);
      if (dress === "codex") expect(`${code} ${message}`).toMatch(/^rate_limit_exceeded .*try again in \d+s/);
      else expect(`${code} ${retryAfterOf(received) > 0}`).toBe("attempts_exhausted true");
      // Told to come back, it meets the one that is left.
      expect(speakerOf((await lane.client.ask(dress)).text)).toBe(order[3]!);
    } finally {
      await lane.control.call("AccountService/RemoveAccount", { accountId: id });
    }
  });

  for (const dress of DRESSES) {
    test.concurrent(`a short hold of everybody is waited out, and the client sees one clean answer (${dress})`, async () => {
      await using patient = await openLane();
      await patient.withTrio(async (trio) => {
        for (const on of PLACES) trio.order({ on, kind: "rate_limit", tryAgainIn: "1.2s" });
        const received = await patient.client.ask(dress);
        expect(received.status).toBe(200);
        expect(trio.tried()).toMatch(/^ABC[ABC]$/);
        const exchange = await patient.control.exchange(received.headers.get("x-rotor-exchange")!);
        expect(Number.parseFloat(exchange.waitDuration!)).toBeGreaterThan(0);
      });
    });
  }
});

/** Aliases in the order in which the next request would try them. */
async function planned(): Promise<string[]> {
  const { plan } = await lane.control.call<{ plan: PlanJson }>("PoolService/ExplainSelection", { model: "gpt-5.5" });
  const accounts = await lane.control.accounts();
  return plan.accountIds!.map((id) => accounts.find((account) => account.id === id)!.alias);
}

describe("the door", () => {
  const ask = (path: string, headers: Record<string, string>) =>
    sendRaw(lane.client.url + path, { headers: { "content-type": "application/json", ...headers }, body: "{}" })
      .received;

  for (const path of ["/v1/responses", "/backend-api/codex/responses"]) {
    test(`no key, a wrong key and a revoked key are told apart from a login (${path})`, async () => {
      expect(errorIn(await ask(path, {})).code).toBe("missing_client_key");
      const wrong = await ask(path, { authorization: `Bearer rtr_nobody_${"x".repeat(43)}` });
      expect(`${wrong.status} ${errorIn(wrong).code}`).toBe("401 invalid_client_key");
      const name = path.replaceAll("/", ".").slice(1);
      const secret = await lane.control.createKey(name);
      const { keys } = await lane.control.call<{ keys: KeyJson[] }>("KeyService/ListKeys");
      await lane.control.call("KeyService/RevokeKey", { keyId: keys.find((key) => key.name === name)!.id });
      const revoked = await ask(path, { authorization: `Bearer ${secret}` });
      expect(`${revoked.status} ${errorIn(revoked).code}`).toBe("401 invalid_client_key");
      const login = lane.stage.sim.addAccount().auth.tokens.access_token;
      const shown = await ask(path, { authorization: `Bearer ${login}` });
      const isCodex = path.startsWith("/backend-api");
      expect(`${shown.status} ${errorIn(shown).code}`).toBe(isCodex ? "400 foreign_login" : "401 invalid_client_key");
      expect(shown.text).not.toContain(login);
    });
  }
});
