/** Windows out of headers, events and the usage answer. */
import { describe, expect, test } from "bun:test";
import { activeLimit, readLimitHeaders } from "../../src/upstream/codex-headers.ts";
import { readRateLimitEvent } from "../../src/upstream/rate-limit-event.ts";
import { readUsageBody } from "../../src/upstream/usage-body.ts";
import { T0 } from "../support/manual-clock.ts";
import { HEADER_STATEMENTS, RATE_LIMIT_EVENT, reading, USAGE_BODY } from "../vectors/limit-statements.ts";

const THREE = [
  reading(),
  reading({ slot: "secondary", usedPercent: 34, lengthMinutes: 10_080, resetsAtMs: T0 + 86_400_000 }),
  reading({ limit: "codex_bengalfox", models: ["gpt-x-spark"], usedPercent: 1, resetsAtMs: T0 + 10_000 }),
];

describe("headers", () => {
  for (const { fact, headers, windows, tier, credits, resetCredits } of HEADER_STATEMENTS) {
    test(fact, () => {
      const seen = readLimitHeaders(Object.entries(headers), T0);
      expect(seen).toMatchObject({ windows, from: "header", tier: tier ?? null });
      if (windows.length > 0) {
        expect(seen.credits).toEqual(credits ?? null);
        expect(seen.resetCredits).toBe(resetCredits ?? null);
      }
    });
  }

  test("the limit in force is the main one unless upstream names another", () => {
    expect(activeLimit([])).toBe("codex");
    expect(activeLimit([["x-codex-active-limit", "primary"]])).toBe("codex");
    expect(activeLimit([["x-codex-active-limit", "codex_bengalfox"]])).toBe("codex_bengalfox");
  });
});

describe("the event", () => {
  test("states all windows and the plan", () => {
    expect(readRateLimitEvent(RATE_LIMIT_EVENT, T0)).toEqual({
      windows: THREE,
      from: "event",
      tier: "plus",
      credits: { hasCredits: false, unlimited: false, balance: null },
    });
  });

  test("of any other shape teaches nothing and throws nothing", () => {
    const shapes = [{}, { rate_limits: null }, { rate_limits: [1] }, { rate_limits: { primary: "x" } }];
    for (const extra of [null, 7, [null, 7, {}], { a: null, b: [] }]) {
      for (const shape of shapes) {
        const seen = readRateLimitEvent({ ...shape, additional_rate_limits: extra, plan_type: 7 }, T0);
        expect(seen).toEqual({ windows: [], from: "event", tier: null, credits: null });
      }
    }
  });
});

describe("the usage answer", () => {
  test("states all windows, the plan and credits", () => {
    const seen = readUsageBody(JSON.stringify(USAGE_BODY), T0);
    expect(seen).toEqual({
      windows: THREE,
      from: "usage_endpoint",
      tier: "plus",
      atMs: T0,
      credits: { hasCredits: false, unlimited: false, balance: "0" },
      resetCredits: null,
    });
  });

  test("says that the limit is reached: then the fullest window is used up, whatever its rounded figure", () => {
    const { rate_limit } = USAGE_BODY;
    const seen = readUsageBody(JSON.stringify({ rate_limit: { ...rate_limit, limit_reached: true } }), T0);
    expect(seen!.windows.map(({ usedPercent }) => usedPercent)).toEqual([12, 100]);
    expect(readUsageBody('{"rate_limit":{"limit_reached":true}}', T0)!.windows).toEqual([]);
  });

  test("may lack any of it", () => {
    expect(readUsageBody('{"rate_limit":null}', T0)).toMatchObject({ windows: [], tier: null });
    for (const text of ["", "[]", "<html>", "{}"]) expect(readUsageBody(text, T0)).toBeNull();
  });
});
