/** Windows that fill, refuse, and reset by the simulator's clock. */
import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../src/simulator/json.ts";
import type { Scenario } from "../../src/simulator/scenario.ts";
import { jsonOf, startBench } from "./support.ts";

const START = Date.UTC(2026, 10, 21, 12);
const withWindows = (windows: NonNullable<Scenario["accounts"]>[0]["windows"], more: JsonObject = {}): Scenario => ({
  startTime: new Date(START).toISOString(),
  accounts: [{ windows, ...more }],
});
const tenRequests = { minutes: 300, capacityRequests: 10 };

describe("a window", () => {
  test("fills request by request, then refuses until its clock has run", async () => {
    await using bench = await startBench(withWindows([tenRequests]));
    for (let n = 1; n <= 10; n++) {
      const response = await bench.ask("hi");
      expect(response.status).toBe(200);
      expect(response.headers.get("x-codex-primary-used-percent")).toBe(String(n * 10));
      await response.text();
    }
    const refused = await bench.ask("hi");
    const error = (await jsonOf(refused)).error as { resets_at: number; resets_in_seconds: number };
    expect(refused.status).toBe(429);
    expect(error).toMatchObject({ type: "usage_limit_reached", plan_type: "plus", eligible_promo: null });
    expect(error.resets_in_seconds).toBeGreaterThan(17_990);
    expect(error.resets_in_seconds).toBeLessThanOrEqual(18_000);
    expect(refused.headers.get("x-codex-primary-used-percent")).toBe("100");
    expect(refused.headers.get("x-codex-primary-reset-at")).toBe(String(error.resets_at));
    expect(refused.headers.get("x-codex-rate-limit-reached-type")).toBe("rate_limit_reached");
    bench.sim.clock.set(error.resets_at * 1_000 - 5_000);
    expect((await bench.ask("hi")).status).toBe(429);
    bench.sim.clock.set(error.resets_at * 1_000);
    const again = await bench.ask("hi");
    expect(again.status).toBe(200);
    expect(again.headers.get("x-codex-primary-used-percent")).toBe("10");
    expect(bench.sim.account("alpha").counters).toMatchObject({ responses: 13, limited: 2 });
  });

  test("counts tokens of the question and of the answer", async () => {
    await using bench = await startBench(withWindows([{ minutes: 300, capacityTokens: 1_000 }]));
    const [window] = bench.sim.account("alpha").buckets[0]!.windows;
    const usage = async () => {
      const text = await (await bench.ask("x".repeat(1_000))).text();
      return Number(/"total_tokens":(\d+)/.exec(text)![1]);
    };
    const first = await usage();
    expect(first).toBeGreaterThan(250);
    expect(window!.used).toBe(first);
    for (let n = 0; n < 4 && window!.used < 1_000; n++) await usage();
    expect((await bench.ask("hi")).status).toBe(429);
  });

  test("a full week is told although the five hours are empty, with the later reset", async () => {
    const windows = [
      tenRequests,
      { minutes: 10_080, capacityRequests: 1_000, usedPercent: 100, resetsInSeconds: 86_400 },
    ];
    await using bench = await startBench(withWindows(windows));
    const error = (await jsonOf(await bench.ask("hi"))).error as { resets_in_seconds: number };
    expect(error.resets_in_seconds).toBeGreaterThan(86_390);
    bench.sim.clock.advance(86_401_000);
    expect((await bench.ask("hi")).status).toBe(200);
  });

  test("just below full still serves and does not read 100", async () => {
    await using bench = await startBench(
      withWindows([{ minutes: 300, capacityTokens: 10_000_000, usedPercent: 99.999 }]),
    );
    const response = await bench.ask("hi");
    expect(response.status).toBe(200);
    expect(response.headers.get("x-codex-primary-used-percent")).toBe("99.9");
  });

  test("the plan decides how many windows there are and how big", async () => {
    await using bench = await startBench({ accounts: [{ plan: "free" }, { plan: "plus" }, { plan: "pro" }] });
    const sizes = ["alpha", "beta", "gamma"].map((alias) =>
      bench.sim.account(alias).buckets[0]!.windows.map((window) => window.capacity),
    );
    expect(sizes.map((list) => list.length)).toEqual([1, 2, 2]);
    expect(sizes[2]![0]).toBe(sizes[1]![0]! * 10);
    const free = (await jsonOf(await bench.get("/wham/usage"))).rate_limit as JsonObject;
    expect(free.secondary_window).toBeNull();
    expect((free.primary_window as JsonObject).limit_window_seconds).toBe(2_592_000);
  });
});

describe("what the refusal says", () => {
  test.each([
    ["both", ["resets_at", "resets_in_seconds"]],
    ["resets_at", ["resets_at"]],
    ["resets_in_seconds", ["resets_in_seconds"]],
    ["none", []],
  ] as const)("limitAnswer %s", async (limitAnswer, fields) => {
    await using bench = await startBench(withWindows([{ ...tenRequests, usedPercent: 100 }], { limitAnswer }));
    const error = (await jsonOf(await bench.ask("hi"))).error as JsonObject;
    expect(Object.keys(error).filter((name) => name.startsWith("resets"))).toEqual([...fields]);
  });
});

describe("around the windows", () => {
  test("credits carry on, one a request, until they are spent", async () => {
    await using bench = await startBench(
      withWindows([{ ...tenRequests, usedPercent: 100 }], { credits: { hasCredits: true, balance: 2 } }),
    );
    expect((await bench.ask("hi")).headers.get("x-codex-credits-balance")).toBe("1.00");
    expect((await bench.ask("hi")).status).toBe(200);
    expect((await bench.ask("hi")).status).toBe(429);
    bench.sim.changeAccount("alpha", { credits: { unlimited: true } });
    expect((await bench.ask("hi")).status).toBe(200);
  });

  test("a model with its own limit neither drains nor feels the main one", async () => {
    const additionalLimits = [
      {
        limitName: "GPT-X-Spark",
        meteredFeature: "codex_bengalfox",
        models: ["gpt-x-spark"],
        windows: [{ minutes: 300, capacityRequests: 1 }],
      },
    ];
    await using bench = await startBench(withWindows([{ ...tenRequests, usedPercent: 100 }], { additionalLimits }));
    const spark = await bench.ask("hi", { model: "gpt-x-spark" });
    expect(spark.status).toBe(200);
    expect(spark.headers.get("x-codex-bengalfox-limit-name")).toBe("GPT-X-Spark");
    expect(spark.headers.get("x-codex-bengalfox-primary-used-percent")).toBe("100");
    expect(spark.headers.get("x-codex-active-limit")).toBe("codex_bengalfox");
    expect((await bench.ask("hi", { model: "gpt-x-spark" })).status).toBe(429);
    bench.sim.clock.advance(18_000_000);
    expect((await bench.ask("hi", { model: "gpt-x-spark" })).status).toBe(200);
    const usage = await jsonOf(await bench.get("/wham/usage"));
    expect(usage.additional_rate_limits).toMatchObject([
      { limit_name: "GPT-X-Spark", metered_feature: "codex_bengalfox", rate_limit: { limit_reached: true } },
    ]);
  });

  test("the usage endpoint says what the headers say", async () => {
    await using bench = await startBench(withWindows([{ ...tenRequests, usedPercent: 40, resetsInSeconds: 600 }]));
    const response = await bench.ask("hi");
    const usage = await jsonOf(await bench.get("/wham/usage"));
    expect(usage).toMatchObject({ plan_type: "plus", email: "alpha@example.test", rate_limit_reached_type: null });
    const primary = (usage.rate_limit as JsonObject).primary_window as JsonObject;
    expect(primary.used_percent).toBe(50);
    expect(String(primary.reset_at)).toBe(response.headers.get("x-codex-primary-reset-at")!);
    expect(primary.reset_at).toBe(START / 1_000 + 600);
  });

  test("a reset credit empties the windows once, whatever the number of tries", async () => {
    await using bench = await startBench(withWindows([{ ...tenRequests, usedPercent: 100 }], { resetCredits: 1 }));
    const listed = await jsonOf(await bench.get("/wham/rate-limit-reset-credits"));
    expect(listed).toMatchObject({
      available_count: 1,
      total_earned_count: 1,
      credits: [{ status: "available", reset_type: "codex_rate_limits" }],
    });
    const consume = async (id: string) =>
      jsonOf(await bench.post("/wham/rate-limit-reset-credits/consume", { redeem_request_id: id }));
    expect(await consume("one")).toMatchObject({
      code: "reset",
      windows_reset: ["primary"],
      credit: { status: "redeemed" },
    });
    expect(await consume("one")).toMatchObject({ code: "already_redeemed", windows_reset: [] });
    expect(await consume("two")).toMatchObject({ code: "no_credit", credit: null });
    expect((await bench.ask("hi")).status).toBe(200);
  });
});
