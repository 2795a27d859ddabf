/** Times in every spelling of upstream's, and the bounds of what is believed. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RESET_LONGEST_MS } from "../../src/base/bounds.ts";
import { instantInText, instantOf, retryAfter, saneInstant } from "../../src/upstream/reset-time.ts";
import { T0 } from "../support/manual-clock.ts";

describe("a time in a text", () => {
  const cases: readonly (readonly [string, number | null])[] = [
    ["Please try again in 1.3s.", 1_300],
    ["Please try again in 750ms. Visit", 750],
    ["try again in 6m0s", 360_000],
    ["Try again in 1h2m", 3_720_000],
    ["try again in 1h 2m 3s", 3_723_000],
    ["try again in 2 hours, 5 minutes and 1 second", 7_501_000],
    ["try again in 1 day 2 hours", 93_600_000],
    ["Retry after 5 seconds", 5_000],
    ["resets in 12h", 43_200_000],
    ["wait 3 mins", 180_000],
    ["try again in 10 milliseconds", 10],
    ["try again at 10:26 PM", null],
    ["try again in 0s", null],
    ["try again in 5 monkeys", null],
    ["try again in 9999999999s", null],
    ["limit 500 requests per 60s", null],
    ["", null],
  ];
  for (const [text, ms] of cases) {
    test(JSON.stringify(text), () => expect(instantInText(text, T0)).toBe(ms === null ? null : T0 + ms));
  }

  test("hours, minutes and seconds add up", () => {
    const parts = fc.tuple(fc.nat(99), fc.nat(59), fc.integer({ min: 1, max: 59 }));
    fc.assert(
      fc.property(parts, ([h, m, s]) => {
        expect(instantInText(`try again in ${h}h${m}m${s}s`, T0)).toBe(T0 + ((h * 60 + m) * 60 + s) * 1000);
      }),
    );
  });
});

describe("an instant", () => {
  test("lies ahead and within reason, or is none", () => {
    expect(saneInstant(T0 + 1, T0)).toBe(T0 + 1);
    expect(saneInstant(T0 + RESET_LONGEST_MS, T0)).toBe(T0 + RESET_LONGEST_MS);
    for (const atMs of [T0, T0 - 1, T0 + RESET_LONGEST_MS + 1, Number.NaN, Number.POSITIVE_INFINITY, null]) {
      expect(saneInstant(atMs, T0)).toBeNull();
    }
  });

  test("is read from seconds, milliseconds, texts of them and ISO 8601", () => {
    for (const value of [T0 / 1000, T0, `${T0 / 1000}`, new Date(T0).toISOString()]) expect(instantOf(value)).toBe(T0);
    for (const value of [null, undefined, "", "soon", {}, true]) expect(instantOf(value)).toBeNull();
  });
});

describe("Retry-After", () => {
  const at = (headers: Record<string, string>) => retryAfter(Object.entries(headers), T0);
  test("as seconds, milliseconds or date", () => {
    expect(at({ "retry-after": "3" })).toBe(T0 + 3_000);
    expect(at({ "retry-after-ms": "250", "retry-after": "3" })).toBe(T0 + 250);
    expect(at({ "retry-after": new Date(T0 + 60_000).toUTCString() })).toBe(T0 + 60_000);
  });
  test("none when absent, past or garbled", () => {
    for (const headers of [{}, { "retry-after": "soon" }, { "retry-after": "-1" }, { "retry-after": "0" }]) {
      expect(at(headers as Record<string, string>)).toBeNull();
    }
    expect(at({ "retry-after": new Date(T0 - 1_000).toUTCString() })).toBeNull();
  });
});
