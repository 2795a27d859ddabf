/** Credits out of headers and bodies: what is no statement is none. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readLimitHeaders } from "../../src/upstream/codex-headers.ts";
import { creditsIn, resetCreditsIn } from "../../src/upstream/credits-reading.ts";
import { T0 } from "../support/manual-clock.ts";

describe("credits", () => {
  test("in headers, as upstream spells them (wire 3.7)", () => {
    const headers = [
      ["x-codex-credits-has-credits", "True"],
      ["x-codex-credits-unlimited", "false"],
      ["x-codex-credits-balance", "12.50"],
      ["x-codex-rate-limit-reset-credits-available", "2"],
    ] as const;
    expect(readLimitHeaders(headers, T0)).toMatchObject({
      credits: { hasCredits: true, unlimited: false, balance: "12.50" },
      resetCredits: 2,
    });
    expect(readLimitHeaders([["x-codex-plan-type", "plus"]], T0)).toMatchObject({ credits: null, resetCredits: null });
  });

  test("in bodies: numbers as texts, a balance that is none, nothing at all", () => {
    expect(creditsIn({ credits: { has_credits: true, unlimited: true, balance: 7 } })).toEqual({
      hasCredits: true,
      unlimited: true,
      balance: "7",
    });
    expect(creditsIn({ credits: { has_credits: false, balance: "<b>" } })?.balance).toBeNull();
    expect(creditsIn({ credits: null })).toBeNull();
    expect(resetCreditsIn({ rate_limit_reset_credits: { available_count: "1" } })).toBe(1);
    expect(resetCreditsIn({ rate_limit_reset_credits: { available_count: -1 } })).toBeNull();
  });

  test("of any other shape throws nothing", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const body = { credits: value, rate_limit_reset_credits: value };
        creditsIn(body as never);
        resetCreditsIn(body as never);
      }),
    );
  });
});
