/** What upstream's answers say of the time, and what they do not. */
import { expect, test } from "bun:test";
import { createUpstreamClock } from "../../src/upstream/upstream-clock.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";

test("the last answer that said the time counts; others change nothing", async () => {
  const clock = createManualClock();
  const upstream = createUpstreamClock(clock);
  expect(upstream.reading()).toBeNull();
  upstream.note([["content-type", "text/plain"]]);
  upstream.note([["date", "soon"]]);
  expect(upstream.reading()).toBeNull();

  upstream.note([["date", new Date(T0 + 90_000).toUTCString()]]);
  expect(upstream.reading()).toEqual({ aheadMs: 90_000, seenAtMs: T0 });

  await clock.advance(60_000);
  upstream.note([["date", new Date(T0).toUTCString()]]);
  expect(upstream.reading()).toEqual({ aheadMs: -60_000, seenAtMs: T0 + 60_000 });
});

test("an answer out of a cache tells when it was put there, which is not asked", () => {
  const upstream = createUpstreamClock(createManualClock());
  upstream.note([
    ["date", new Date(0).toUTCString()],
    ["age", "3600"],
  ]);
  expect(upstream.reading()).toBeNull();
});
