/** The control API: its guard, and every noun. */
import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../src/simulator/json.ts";
import { jsonOf, startBench } from "./support.ts";

describe("the guard", () => {
  const callers: Record<string, string>[] = [{}, { "x-rotor-sim": "0" }, { "x-rotor-sim": "" }];
  test.each(callers)("refuses %j", async (headers) => {
    await using bench = await startBench();
    for (const [method, path] of [
      ["GET", "accounts"],
      ["POST", "faults"],
      ["POST", "clock"],
    ]) {
      const response = await fetch(`${bench.sim.issuer}/__sim/v1/${path}`, { method, headers });
      expect(response.status).toBe(403);
    }
  });

  test("the control calls do not stand in the record", async () => {
    await using bench = await startBench();
    await bench.control("GET", "clock");
    expect(bench.sim.requests()).toEqual([]);
  });

  test("unknown paths, methods and bodies are told", async () => {
    await using bench = await startBench();
    expect((await bench.control("GET", "nothing")).status).toBe(404);
    expect((await bench.control("PUT", "faults")).status).toBe(404);
    expect((await bench.control("GET", "accounts/nobody")).status).toBe(404);
    const broken = await fetch(`${bench.sim.issuer}/__sim/v1/faults`, {
      method: "POST",
      headers: { "x-rotor-sim": "1" },
      body: "{",
    });
    expect(broken.status).toBe(400);
  });
});

describe("accounts", () => {
  test("are listed, added, changed", async () => {
    await using bench = await startBench({ accounts: [{ alias: "one" }] });
    const added = await jsonOf(await bench.control("POST", "accounts", { alias: "two", plan: "pro" }));
    const auth = added.auth as ReturnType<typeof bench.auth>;
    expect((await bench.get("/wham/usage", auth)).status).toBe(200);
    expect((await bench.control("POST", "accounts", { alias: "two" })).status).toBe(409);
    const changed = await jsonOf(
      await bench.control("PATCH", "accounts/two", { plan: "free", usedPercent: { primary: 30 } }),
    );
    expect(changed).toMatchObject({
      alias: "two",
      plan: "free",
      limits: [{ windows: [{ usedPercent: 30, unit: "tokens" }] }],
    });
    const { accounts } = (await jsonOf(await bench.control("GET", "accounts"))) as { accounts: JsonObject[] };
    expect(accounts.map((account) => account.alias)).toEqual(["one", "two"]);
    expect(await jsonOf(await bench.control("GET", "accounts/one"))).toMatchObject({ alias: "one", plan: "plus" });
  });

  test("a window can be made full, and a small one given", async () => {
    await using bench = await startBench();
    await bench.control("PATCH", "accounts/alpha", { usedPercent: { primary: 100 } });
    expect((await bench.ask("hi")).status).toBe(429);
    await bench.control("PATCH", "accounts/alpha", { windows: [{ minutes: 60, capacityRequests: 1 }] });
    expect((await bench.ask("hi")).status).toBe(200);
    expect((await bench.ask("hi")).status).toBe(429);
  });

  test("tokens expire, logins end, new ones are given", async () => {
    await using bench = await startBench();
    await bench.control("POST", "accounts/alpha/expire-access");
    expect((await bench.get("/wham/usage")).status).toBe(401);
    const login = (await jsonOf(await bench.control("POST", "accounts/alpha/login"))) as unknown as ReturnType<
      typeof bench.auth
    >;
    expect((await bench.get("/wham/usage", login)).status).toBe(200);
    await bench.control("POST", "accounts/alpha/revoke");
    expect((await bench.refresh(login.tokens.refresh_token)).status).toBe(401);
  });

  test("a wrong change names its field and changes nothing", async () => {
    await using bench = await startBench();
    const response = await bench.control("PATCH", "accounts/alpha", { plan: "gold" });
    expect(response.status).toBe(400);
    expect(((await jsonOf(response)).error as JsonObject).message).toContain(
      "account.plan must be one of free, go, plus",
    );
    expect(bench.sim.account("alpha").plan).toBe("plus");
  });
});

describe("faults", () => {
  test("are added, listed with their strikes, removed and cleared", async () => {
    await using bench = await startBench();
    const first = await jsonOf(await bench.control("POST", "faults", { at: "usage", kind: "server_error", times: 2 }));
    await bench.control("POST", "faults", { at: "models", kind: "not_found", times: "always" });
    expect((await bench.get("/wham/usage")).status).toBe(500);
    const { faults } = (await jsonOf(await bench.control("GET", "faults"))) as { faults: JsonObject[] };
    expect(faults).toMatchObject([
      { id: first.id, kind: "server_error", left: 1, struck: 1 },
      { kind: "not_found", left: "always", struck: 0 },
    ]);
    expect((await bench.control("DELETE", `faults/${first.id}`)).status).toBe(200);
    expect((await bench.control("DELETE", `faults/${first.id}`)).status).toBe(404);
    expect((await bench.get("/wham/usage")).status).toBe(200);
    await bench.control("DELETE", "faults");
    expect((await bench.get("/codex/models")).status).toBe(200);
  });

  test.each([
    [{ kind: "server_error" }, "`at` must be one of"],
    [{ at: "usage", kind: "nonsense" }, "is not known"],
    [{ at: "usage", kind: "crlf" }, "strikes at responses only"],
    [{ at: "usage", kind: "foreign_account" }, "strikes at refresh or token only"],
    [{ at: "usage", kind: "conflict", times: 0 }, "`times`"],
    [{ at: "usage", kind: "conflict", skip: -1 }, "`skip`"],
    [{ at: "usage", kind: "conflict", delayMs: 5 }, "takes no `delayMs`"],
    [{ at: "usage", kind: "late_answer", delayMs: "5" }, "`delayMs` must be a number"],
    [{ at: "responses", kind: "cut", point: "start" }, "`point` must be one of"],
  ])("%j is refused", async (fault, words) => {
    await using bench = await startBench();
    const response = await bench.control("POST", "faults", fault);
    expect(response.status).toBe(400);
    expect(((await jsonOf(response)).error as JsonObject).message).toContain(words);
  });
});

describe("the rest", () => {
  test("the clock is read, moved and set", async () => {
    await using bench = await startBench();
    const set = await jsonOf(await bench.control("POST", "clock", { time: "2030-01-01T00:00:00Z" }));
    expect(String(set.time)).toStartWith("2030-01-01T00:00:0");
    const moved = await jsonOf(await bench.control("POST", "clock", { advanceMs: 86_400_000 }));
    expect(String(moved.time)).toStartWith("2030-01-02T00:00:0");
    expect(String((await jsonOf(await bench.control("GET", "clock"))).time)).toStartWith("2030-01-02T");
    expect((await bench.control("POST", "clock", {})).status).toBe(400);
  });

  test("requests are listed by path, account and id, with names as sent", async () => {
    await using bench = await startBench();
    await (await bench.ask("one")).text();
    await (await bench.ask("two", {}, bench.auth(1))).text();
    await bench.get("/wham/usage");
    const list = async (query: string) =>
      (await jsonOf(await bench.control("GET", `requests?${query}`))).requests as JsonObject[];
    expect(await list("")).toHaveLength(3);
    expect((await list("path=/responses")).map((record) => record.account)).toEqual(["alpha", "beta"]);
    expect((await list("account=alpha")).map((record) => record.path)).toEqual([
      "/backend-api/codex/responses",
      "/backend-api/wham/usage",
    ]);
    const [first] = await list("path=/responses");
    expect(await list(`after=${first!.id}`)).toHaveLength(2);
    expect(first).toMatchObject({ method: "POST", status: 200, end: "answered", faults: [] });
    expect(first!.eventsSent).toBe(first!.eventsPlanned as number);
    const headers = Object.fromEntries(first!.headers as [string, string][]);
    expect(Object.entries(headers).find(([name]) => name.toLowerCase() === "authorization")![1]).toBe("account:alpha");
    await bench.control("DELETE", "requests");
    expect(await list("")).toEqual([]);
  });

  test("pacing, oauth and recorder are read and changed; nonsense is refused", async () => {
    await using bench = await startBench();
    expect(await jsonOf(await bench.control("PATCH", "pacing", { deltas: 3 }))).toMatchObject({
      deltas: 3,
      deltaChars: 12,
    });
    expect(await jsonOf(await bench.control("PATCH", "oauth", { graceSeconds: 5 }))).toMatchObject({ graceSeconds: 5 });
    expect(await jsonOf(await bench.control("GET", "oauth"))).toMatchObject({
      graceSeconds: 5,
      accessTokenSeconds: 864_000,
    });
    await bench.control("PATCH", "recorder", { keep: 1, bodies: false });
    await (await bench.ask("one")).text();
    await (await bench.ask("two")).text();
    expect(bench.sim.requests()).toHaveLength(1);
    expect(bench.sim.requests()[0]!.body).toBeNull();
    expect((await bench.control("PATCH", "pacing", { speed: 3 })).status).toBe(400);
  });

  test("counters add up per account", async () => {
    await using bench = await startBench();
    await (await bench.ask("one")).text();
    await bench.refresh(bench.auth(1).tokens.refresh_token);
    expect(await jsonOf(await bench.control("GET", "counters"))).toMatchObject({
      openStreams: 0,
      requests: 2,
      accounts: {
        alpha: { responses: 1, completed: 1, refreshes: 0 },
        beta: { responses: 0, refreshes: 1, logins: 1 },
      },
    });
  });

  test("a sign-in can be approved or refused without a browser", async () => {
    await using bench = await startBench();
    const query = new URLSearchParams({
      response_type: "code",
      client_id: bench.sim.oauth.clientId,
      redirect_uri: "http://localhost:1455/auth/callback",
      scope: "openid",
      code_challenge: "A".repeat(43),
      code_challenge_method: "S256",
      state: "s",
    });
    const url = `${bench.sim.issuer}/oauth/authorize?${query}`;
    const granted = await jsonOf(await bench.control("POST", "authorize", { url, account: "beta" }));
    expect(String(granted.redirectUrl)).toStartWith("http://localhost:1455/auth/callback?code=ac_");
    expect(granted.state).toBe("s");
    const refused = await jsonOf(await bench.control("POST", "authorize", { url, error: "access_denied" }));
    expect(String(refused.redirectUrl)).toContain("error=access_denied");
    expect((await bench.control("POST", "authorize", { url, account: "nobody" })).status).toBe(404);
    expect((await bench.control("POST", "authorize", { url: "x" })).status).toBe(400);
  });
});
