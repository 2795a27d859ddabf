/** One builder a noun: a sound default, and only what a test is about spelt out. */

import fc from "fast-check";
import { type Account, type AccountId, NO_ORDERS, OWNED_HERE } from "../../src/domain/account.ts";
import type { Ask } from "../../src/domain/ask.ts";
import type { ModelFacts } from "../../src/domain/model.ts";
import { NO_PACING } from "../../src/domain/pace.ts";
import { resolveSettings, type Settings, settingsFrom, THRESHOLD_ACTIONS } from "../../src/domain/setting.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import type { Window } from "../../src/domain/window.ts";
import { T0 } from "./manual-clock.ts";

/** The settings that nobody changed. */
export const SETTINGS_NOW: Settings = settingsFrom(resolveSettings({ env: {}, config: {}, saved: {} }).states);

export const ISSUER = "https://issuer.test";

/** A ULID-shaped id that sorts like its number. */
export function accountId(n: number): AccountId {
  return `01JD${String(n).padStart(22, "0")}` as AccountId;
}

/** A model as upstream would list it. */
export function modelOf(slug: string, changes: Partial<ModelFacts> = {}): ModelFacts {
  return {
    slug,
    name: slug.toUpperCase(),
    listed: true,
    contextTokens: 272_000,
    maxContextTokens: 272_000,
    maxOutputTokens: null,
    efforts: ["low", "medium", "high", "xhigh"],
    defaultEffort: "medium",
    serviceTiers: ["priority"],
    verbosity: true,
    defaultVerbosity: "low",
    inputModalities: ["text", "image"],
    lite: false,
    upgradeTo: null,
    plans: null,
    minimalClientVersion: null,
    ...changes,
  };
}

export function anAccount(change: Partial<Account> & { n?: number } = {}): Account {
  const { n = 1, ...fields } = change;
  return {
    id: accountId(n),
    alias: `plus-${n}`,
    email: `person${n}@example.test`,
    userId: `user-${n}`,
    workspaceId: `workspace-${n}`,
    workspaceName: null,
    issuer: ISSUER,
    tier: "plus",
    createdAtMs: T0,
    enabled: true,
    orders: NO_ORDERS,
    refreshOwner: OWNED_HERE,
    login: { kind: "ok" },
    credentials: { generation: 1, accessExpiresAtMs: T0 + 864_000_000, refreshedAtMs: T0 },
    windows: [],
    credits: null,
    resetCredits: null,
    cooldown: null,
    unsupportedModels: [],
    use: { lastLeaseOrder: 0, lastLeasedAtMs: null, lastServedAtMs: null, turn: 0, exchangesByDay: [] },
    ...fields,
  };
}

export function aWindow(change: Partial<Window> = {}): Window {
  return {
    limit: "codex",
    slot: "primary",
    models: null,
    lengthMinutes: 300,
    usedPercent: 10,
    resetsAtMs: T0 + 3_600_000,
    observedAtMs: T0,
    observedFrom: "header",
    ...change,
  };
}

export function anAsk(change: Partial<Ask> = {}): Ask {
  return {
    nowMs: T0,
    model: null,
    strategy: "balanced",
    pin: null,
    affinity: null,
    tried: new Set(),
    openLeases: new Map(),
    maxLeases: 32,
    pacing: NO_PACING,
    thresholds: SETTINGS_NOW,
    rules: null,
    profile: null,
    dice: 0.5,
    ...change,
  };
}

const soon = fc.integer({ min: -7_200_000, max: 7_200_000 }).map((offset) => T0 + offset);
const models = fc.constantFrom("gpt-5.5", "gpt-6.1-sol", "gpt-6-luna");

export const windowArb: fc.Arbitrary<Window> = fc.record({
  limit: fc.constantFrom("codex", "codex_bengalfox"),
  slot: fc.constantFrom("primary" as const, "secondary" as const),
  models: fc.option(fc.array(models, { maxLength: 2 })),
  lengthMinutes: fc.option(fc.constantFrom(300, 10_080, 43_200)),
  usedPercent: fc.oneof(fc.double({ min: 0, max: 99.9, noNaN: true }), fc.constant(100)),
  resetsAtMs: fc.option(soon),
  observedAtMs: soon,
  observedFrom: fc.constantFrom("header" as const, "event" as const, "error" as const),
});

/** Accounts in every condition, with different ids. */
export const accountsArb: fc.Arbitrary<Account[]> = fc
  .array(
    fc.record({
      off: fc.integer({ min: 0, max: 9 }),
      needsLogin: fc.integer({ min: 0, max: 9 }),
      tier: fc.constantFrom("free", "plus", "pro", "team", "unknown"),
      cooldownUntilMs: fc.option(soon),
      windows: fc.array(windowArb, { maxLength: 3 }),
      refused: fc.option(fc.record({ model: models, untilMs: soon })),
      order: fc.integer({ min: 0, max: 5 }),
      uses: fc.integer({ min: 0, max: 50 }),
      weight: fc.constantFrom(1, 1, 0.2, 7),
      priority: fc.integer({ min: -1, max: 1 }),
    }),
    { maxLength: 12 },
  )
  .map((specs) => specs.map((spec, n) => fromSpec(spec, n)));

interface Spec {
  off: number;
  needsLogin: number;
  tier: string;
  cooldownUntilMs: number | null;
  windows: Window[];
  refused: { model: string; untilMs: number } | null;
  order: number;
  uses: number;
  weight: number;
  priority: number;
}

function fromSpec(spec: Spec, n: number): Account {
  return anAccount({
    n,
    enabled: spec.off !== 0,
    login: spec.needsLogin === 0 ? { kind: "needs_login", reason: "invalid_grant", sinceMs: T0 } : { kind: "ok" },
    tier: spec.tier,
    orders: { ...NO_ORDERS, weight: spec.weight, priority: spec.priority },
    windows: spec.windows,
    cooldown:
      spec.cooldownUntilMs === null
        ? null
        : { untilMs: spec.cooldownUntilMs, sinceMs: T0 - 1_000, reason: "rate_limited", failures: 1 },
    unsupportedModels: spec.refused === null ? [] : [spec.refused],
    use: {
      lastLeaseOrder: spec.order,
      lastLeasedAtMs: null,
      lastServedAtMs: null,
      turn: spec.order,
      exchangesByDay: spec.uses === 0 ? [] : [[Math.floor(T0 / 86_400_000), spec.uses]],
    },
  });
}

/** An ask over `accounts`: any strategy, model, pin, affinity, some tried, some busy. */
export function askArb(accounts: readonly Account[]): fc.Arbitrary<Ask> {
  const someone =
    accounts.length === 0 ? fc.constant(null) : fc.option(fc.constantFrom(...accounts.map((account) => account.id)));
  const some = fc.subarray(accounts.map((account) => account.id));
  return fc
    .record({
      strategy: fc.constantFrom(...STRATEGY_NAMES),
      model: fc.option(models),
      pinned: fc.option(someone, { freq: 3 }),
      pinUntilMs: fc.option(soon),
      affinity: someone,
      tried: some,
      busy: some,
      paced: some,
      spentUntilMs: soon,
      action: fc.constantFrom(...THRESHOLD_ACTIONS),
      dice: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
    })
    .map(({ pinned, pinUntilMs, tried, busy, paced, spentUntilMs, action, ...rest }) =>
      anAsk({
        ...rest,
        thresholds: { ...SETTINGS_NOW, critical_action: action, critical_short_percent: 30, critical_long_percent: 30 },
        pin: pinned === null ? null : { accountId: pinned, sinceMs: T0, untilMs: pinUntilMs },
        tried: new Set(tried),
        openLeases: new Map(busy.map((id) => [id, 2])),
        maxLeases: 2,
        pacing: {
          usual: { requestsPerMinute: 1, burst: 2 },
          spentUntilMs: new Map(paced.map((id) => [id, spentUntilMs])),
        },
      }),
    );
}

/** Accounts with an ask over them. */
export const selectionArb: fc.Arbitrary<{ accounts: Account[]; ask: Ask }> = accountsArb.chain((accounts) =>
  askArb(accounts).map((ask) => ({ accounts, ask })),
);
