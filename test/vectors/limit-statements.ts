/**
 * Windows as upstream states them, one fact each, in headers (wire §3.7), in the `codex.rate_limits` event (§3.8) and in the usage answer
 * (§3.10); seen 2026-11 on the real client (O) or in peers' code (P). Instants moved to the tests' clock.
 */
import type { CreditsReading } from "../../src/domain/credits.ts";
import type { WindowReading } from "../../src/domain/window.ts";
import { T0 } from "../support/manual-clock.ts";

const S = T0 / 1000;

export const reading = (more: Partial<WindowReading> = {}): WindowReading => ({
  limit: "codex",
  slot: "primary",
  models: null,
  lengthMinutes: 300,
  usedPercent: 12,
  resetsAtMs: T0 + 3_600_000,
  ...more,
});

export interface HeaderStatement {
  readonly fact: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tier?: string;
  readonly credits?: CreditsReading;
  readonly resetCredits?: number;
  readonly windows: readonly WindowReading[];
}

const PRIMARY = {
  "x-codex-primary-used-percent": "12",
  "x-codex-primary-window-minutes": "300",
  "x-codex-primary-reset-at": String(S + 3600),
};

export const HEADER_STATEMENTS: readonly HeaderStatement[] = [
  { fact: "nothing", headers: { "content-type": "text/event-stream", "x-codex-turn-state": "abc" }, windows: [] },
  { fact: "one window", headers: PRIMARY, windows: [reading()] },
  {
    fact: "two windows, the plan, and fractions (12.7 in the wild)",
    headers: {
      ...PRIMARY,
      "x-codex-primary-used-percent": "12.7",
      "x-codex-secondary-used-percent": "34",
      "x-codex-secondary-window-minutes": "10080",
      "x-codex-secondary-reset-at": String(S + 86_400),
      "x-codex-primary-over-secondary-limit-percent": "150",
      "x-codex-credits-has-credits": "True",
      "x-codex-plan-type": "Plus",
    },
    tier: "plus",
    credits: { hasCredits: true, unlimited: false, balance: null },
    windows: [
      reading({ usedPercent: 12.7 }),
      reading({ slot: "secondary", usedPercent: 34, lengthMinutes: 10_080, resetsAtMs: T0 + 86_400_000 }),
    ],
  },
  {
    fact: "a family of its own, with its name",
    headers: {
      "x-codex-bengalfox-primary-used-percent": "100",
      "x-codex-bengalfox-primary-window-minutes": "300",
      "x-codex-bengalfox-primary-reset-at": String(S + 60),
      "x-codex-bengalfox-limit-name": "GPT-X-Spark",
    },
    windows: [
      reading({ limit: "codex_bengalfox", models: ["gpt-x-spark"], usedPercent: 100, resetsAtMs: T0 + 60_000 }),
    ],
  },
  {
    fact: "a family without a name holds no model",
    headers: { "x-codex-code-review-secondary-used-percent": "100" },
    windows: [
      reading({
        limit: "codex_code-review",
        slot: "secondary",
        models: [],
        usedPercent: 100,
        lengthMinutes: null,
        resetsAtMs: null,
      }),
    ],
  },
  {
    fact: "seconds where the instant is missing",
    headers: { "x-codex-primary-used-percent": "5", "x-codex-primary-reset-after-seconds": "90" },
    windows: [reading({ usedPercent: 5, lengthMinutes: null, resetsAtMs: T0 + 90_000 })],
  },
  {
    fact: "an absurd instant: the seconds count",
    headers: { ...PRIMARY, "x-codex-primary-reset-at": "99999999999", "x-codex-primary-reset-after-seconds": "60" },
    windows: [reading({ resetsAtMs: T0 + 60_000 })],
  },
  {
    fact: "an absurd instant alone: no reset",
    headers: { ...PRIMARY, "x-codex-primary-reset-at": "0" },
    windows: [reading({ resetsAtMs: null })],
  },
  {
    fact: "a window that has just started again says nothing about the one that runs",
    headers: { ...PRIMARY, "x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": String(S - 1) },
    windows: [],
  },
  {
    fact: "a second window of zeros is none (plans without one)",
    headers: {
      ...PRIMARY,
      "x-codex-secondary-used-percent": "0",
      "x-codex-secondary-window-minutes": "0",
      "x-codex-secondary-reset-at": "0",
    },
    windows: [reading()],
  },
  {
    fact: "figures out of range are brought back into it",
    headers: { ...PRIMARY, "x-codex-primary-used-percent": "104.5" },
    windows: [reading({ usedPercent: 100 })],
  },
  { fact: "a figure that is no number", headers: { ...PRIMARY, "x-codex-primary-used-percent": "NaN" }, windows: [] },
  { fact: "an empty figure", headers: { ...PRIMARY, "x-codex-primary-used-percent": "" }, windows: [] },
];

export const RATE_LIMIT_EVENT = {
  type: "codex.rate_limits",
  plan_type: "plus",
  rate_limits: {
    allowed: true,
    limit_reached: false,
    primary: { used_percent: 12, window_minutes: 300, reset_after_seconds: 3600, reset_at: S + 3600 },
    secondary: { used_percent: 34, window_minutes: 10080, reset_after_seconds: 86_400, reset_at: S + 86_400 },
  },
  code_review_rate_limits: null,
  additional_rate_limits: {
    codex_bengalfox: {
      limit_name: "GPT-X-Spark",
      metered_limit_name: "codex_bengalfox",
      primary: { used_percent: 1, window_minutes: 300, reset_at: S + 10 },
    },
  },
  credits: { has_credits: false, unlimited: false, balance: null },
  promo: null,
};

export const USAGE_BODY = {
  user_id: "user-1",
  plan_type: "plus",
  rate_limit: {
    allowed: true,
    limit_reached: false,
    primary_window: { used_percent: 12, limit_window_seconds: 18_000, reset_after_seconds: 3600, reset_at: S + 3600 },
    secondary_window: {
      used_percent: 34,
      limit_window_seconds: 604_800,
      reset_after_seconds: 86_400,
      reset_at: S + 86_400,
    },
  },
  code_review_rate_limit: null,
  additional_rate_limits: [
    {
      limit_name: "GPT-X-Spark",
      metered_feature: "codex_bengalfox",
      rate_limit: {
        allowed: true,
        primary_window: { used_percent: 1, limit_window_seconds: 18_000, reset_at: S + 10 },
        secondary_window: null,
      },
    },
  ],
  credits: { has_credits: false, unlimited: false, balance: "0" },
  rate_limit_reached_type: null,
};
