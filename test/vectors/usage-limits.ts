/**
 * Refusals because an allowance is used up, and where their resets stand (product.md §4 sets the order). See refusal.ts.
 */
import { T0 } from "../support/manual-clock.ts";
import { json, type Refusal, row } from "./refusal.ts";

const S = T0 / 1000;

export const usageLimit = (more: object = {}) =>
  json({ error: { type: "usage_limit_reached", message: "The usage limit has been reached", ...more } });

export const USAGE_LIMITS: readonly Refusal[] = [
  row(
    "wire 4.1 [O]",
    "a used-up window says when it resets",
    429,
    usageLimit({ plan_type: "plus", resets_at: S + 3600, resets_in_seconds: 3600, eligible_promo: null }),
    {
      kind: "window_exhausted",
      untilMs: T0 + 3_600_000,
      message: "usage_limit_reached: The usage limit has been reached",
    },
  ),
  row(
    "wire 4.1 [P]",
    "the instant goes before the seconds",
    429,
    usageLimit({ resets_at: S + 100, resets_in_seconds: 900 }),
    {
      kind: "window_exhausted",
      untilMs: T0 + 100_000,
    },
  ),
  row("wire 4.1 [P]", "only the seconds are there", 429, usageLimit({ plan_type: null, resets_in_seconds: 90 }), {
    kind: "window_exhausted",
    untilMs: T0 + 90_000,
  }),
  row(
    "wire 4.1 [P]",
    "the word stands in code instead of type",
    429,
    json({ error: { code: "usage_limit_reached" } }),
    {
      kind: "window_exhausted",
      untilMs: null,
    },
  ),
  row(
    "wire 3.7 [O]",
    "the used-up window's header tells the reset",
    429,
    usageLimit(),
    { kind: "window_exhausted", untilMs: T0 + 500_000 },
    {
      headers: {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-at": String(S + 500),
        "x-codex-secondary-used-percent": "40",
        "x-codex-secondary-reset-at": String(S + 9000),
        "retry-after": "7",
      },
    },
  ),
  row(
    "wire 3.7 [O]",
    "of two used-up windows the later reset counts",
    429,
    usageLimit(),
    { kind: "window_exhausted", untilMs: T0 + 9_000_000 },
    {
      headers: {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-at": String(S + 500),
        "x-codex-secondary-used-percent": "100.0",
        "x-codex-secondary-reset-at": String(S + 9000),
      },
    },
  ),
  row(
    "wire 3.7 [O]",
    "the limit in force goes before another that is used up too",
    429,
    usageLimit(),
    { kind: "window_exhausted", untilMs: T0 + 60_000 },
    {
      headers: {
        "x-codex-active-limit": "codex_bengalfox",
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-at": String(S + 500),
        "x-codex-bengalfox-primary-used-percent": "100",
        "x-codex-bengalfox-primary-reset-at": String(S + 60),
      },
    },
  ),
  row(
    "product 4",
    "Retry-After is the next source",
    429,
    usageLimit({ message: "try again in 5m" }),
    { kind: "window_exhausted", untilMs: T0 + 120_000 },
    {
      headers: { "retry-after": "120" },
    },
  ),
  row(
    "product 4",
    "Retry-After as a date",
    429,
    usageLimit(),
    { kind: "window_exhausted", untilMs: T0 + 3_600_000 },
    {
      headers: { "retry-after": "Sat, 21 Nov 2026 13:00:00 GMT" },
    },
  ),
  row(
    "product 4",
    "the text is the last source",
    429,
    usageLimit({ message: "You've hit your usage limit. Try again in 3 days 4 hours." }),
    {
      kind: "window_exhausted",
      untilMs: T0 + (3 * 24 + 4) * 3_600_000,
    },
  ),
  row("wire 4.1 [P]", "known by its text alone", 429, json({ detail: "You've hit your usage limit." }), {
    kind: "window_exhausted",
    untilMs: null,
  }),
  row(
    "wire 4.5 [P:OP]",
    "a 404 with the usage limit's text",
    404,
    json({ detail: "The usage limit has been reached" }),
    {
      kind: "window_exhausted",
      untilMs: null,
    },
  ),
  row(
    "product 4",
    "a reset that has passed is none, the seconds count",
    429,
    usageLimit({ resets_at: S - 5, resets_in_seconds: 30 }),
    {
      kind: "window_exhausted",
      untilMs: T0 + 30_000,
    },
  ),
  row(
    "product 4",
    "absurd resets are none",
    429,
    usageLimit({ resets_at: S + 400 * 86_400, resets_in_seconds: "NaN" }),
    {
      kind: "window_exhausted",
      untilMs: null,
    },
  ),
  row("peers 2.1 [S]", "milliseconds by mistake", 429, usageLimit({ resets_at: T0 + 60_000 }), {
    kind: "window_exhausted",
    untilMs: T0 + 60_000,
  }),
  row(
    "wire 4.1 [O]",
    "the plan has no Codex",
    429,
    json({ error: { type: "usage_not_included", message: "..", plan_type: "free" } }),
    {
      kind: "window_exhausted",
      untilMs: null,
    },
  ),
  row(
    "wire 3.7 [O]",
    "a workspace without credits",
    429,
    json({ error: { type: "workspace_owner_credits_depleted" } }),
    {
      kind: "window_exhausted",
    },
  ),
  row(
    "wire 4.5 [P]",
    "quota of a spend limit",
    403,
    json({ error: { code: "project_spend_limit_exceeded", message: "no" } }),
    {
      kind: "window_exhausted",
    },
  ),
  row("wire 4.5 [P:RS]", "402 of another kind is about money", 402, json({ detail: "Payment required" }), {
    kind: "window_exhausted",
    untilMs: null,
  }),
];
