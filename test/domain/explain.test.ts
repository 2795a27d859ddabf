/** Every kind of hold has its words, and none of them carries more than it must. */
import { expect, test } from "bun:test";
import { holdText } from "../../src/domain/explain.ts";
import type { Hold } from "../../src/domain/hold.ts";

const used = (lengthMinutes: number | null): Hold => ({
  kind: "window_exhausted",
  untilMs: null,
  limit: "codex",
  lengthMinutes,
});

test.each([
  [{ kind: "disabled", untilMs: null }, "switched off by the operator"],
  [{ kind: "needs_login", untilMs: null, reason: "", sinceMs: 0 }, "its login no longer works"],
  [
    { kind: "needs_login", untilMs: null, reason: "invalid_grant", sinceMs: 0 },
    "its login no longer works: invalid_grant",
  ],
  [
    { kind: "cooling_down", untilMs: 1, reason: "rate_limited" },
    "set aside for a while: upstream asked for a slower pace",
  ],
  [
    { kind: "cooling_down", untilMs: 1, reason: "refresh_failed" },
    "set aside for a while: its login could not be renewed for a passing reason",
  ],
  [
    { kind: "cooling_down", untilMs: 1, reason: "upstream_failing" },
    "set aside for a while: upstream failed on it several times",
  ],
  [{ kind: "model_unsupported", untilMs: 1, model: "gpt-5.4-pro" }, "upstream refused gpt-5.4-pro for it"],
  [{ kind: "at_capacity", untilMs: null, openLeases: 1 }, "it serves 1 request, as many as it may"],
  [{ kind: "at_capacity", untilMs: null, openLeases: 32 }, "it serves 32 requests, as many as it may"],
  [used(null), "codex limit is used up"],
  [used(0), "codex limit is used up"],
  [used(45), "codex limit of 45 minutes is used up"],
  [used(61), "codex limit of 61 minutes is used up"],
  [used(60), "codex limit of 1 hour is used up"],
  [used(300), "codex limit of 5 hours is used up"],
  [used(1_440), "codex limit of 1 day is used up"],
  [used(10_080), "codex limit of 7 days is used up"],
] satisfies [Hold, string][])("%j", (hold, text) => {
  expect(holdText(hold)).toBe(text);
});
