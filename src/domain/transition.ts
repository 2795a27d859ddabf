/**
 * What an event does to an account: (account, event) → account' and effects. Pure; the keeper carries the effects out.
 * Two rules run through all of it: an older observation never undoes a newer one, and times come from upstream when it says them.
 */
import {
  type Account,
  type Cooldown,
  type CooldownReason,
  countExchange,
  isLoginCooldown,
  type Orders,
  type RefreshOwner,
  type UseFacts,
} from "./account.ts";
import { ANNOUNCE, DURABLY, type Effect, LATER, log, NO_EFFECTS, NOTED, OBSERVED } from "./effect.ts";
import { isOtherPlan, observe } from "./observe.ts";
import type { Observation, Outcome } from "./outcome.ts";
import { takeTurn } from "./turn.ts";
import { type ModelsListed, modelsListed, refuseModel } from "./unsupported-models.ts";
import { countsModel, isExhausted, mergeWindows, type Window } from "./window.ts";

export type AccountEvent =
  | {
      readonly kind: "leased";
      readonly atMs: number;
      readonly order: number;
      /** The virtual time when selection gave it a turn (domain/turn.ts); null for what had to be this account. */
      readonly turn: number | null;
    }
  | AttemptEnded
  /** Figures without an outcome: the opening of a stream, the usage endpoint. */
  | { readonly kind: "observed"; readonly atMs: number; readonly observation: Observation }
  /** New tokens are on disk. */
  | {
      readonly kind: "credentials_renewed";
      readonly atMs: number;
      readonly generation: number;
      readonly accessExpiresAtMs: number | null;
      readonly tier: string | null;
      readonly email: string | null;
    }
  | { readonly kind: "login_rejected"; readonly atMs: number; readonly generation: number; readonly reason: string }
  | { readonly kind: "refresh_failed"; readonly atMs: number }
  /** The access token is of no use, and whoever renews this login has not renewed it. */
  | { readonly kind: "owner_late"; readonly atMs: number }
  | { readonly kind: "cooldown_cleared" }
  | ModelsListed
  | {
      readonly kind: "edited";
      readonly alias?: string;
      readonly enabled?: boolean;
      readonly orders?: Partial<Orders>;
      readonly refreshOwner?: RefreshOwner;
      readonly workspaceName?: string;
    };

export interface AttemptEnded {
  readonly kind: "attempt_ended";
  readonly startedAtMs: number;
  readonly atMs: number;
  /** Credentials that the attempt used: a refusal of old ones says nothing about new ones. */
  readonly generation: number;
  readonly model: string | null;
  readonly outcome: Outcome;
  readonly observation: Observation;
}

export interface Transition {
  readonly account: Account;
  readonly effects: readonly Effect[];
}

/** Lengths that only the caller's bounds know: see base/bounds. */
export interface Ladders {
  readonly cooldownFirstMs: number;
  readonly cooldownLongestMs: number;
  readonly refreshFirstMs: number;
  readonly ownerLateFirstMs: number;
  readonly modelUnsupportedMs: number;
}

export function transition(account: Account, event: AccountEvent, ladders: Ladders): Transition {
  switch (event.kind) {
    case "leased":
      return { account: { ...account, use: leased(account, event) }, effects: NOTED };
    case "attempt_ended":
      return attemptEnded(account, event, ladders);
    case "observed": {
      const observed = observe(account, event.observation, event.atMs, false);
      return { account: observed, effects: observed === account ? NO_EFFECTS : OBSERVED };
    }
    case "credentials_renewed":
      return credentialsRenewed(account, event);
    case "login_rejected":
      return loginRejected(account, event.atMs, event.generation, event.reason);
    case "refresh_failed":
      return coolDown(account, "refresh_failed", event.atMs, null, ladders.refreshFirstMs, ladders.cooldownLongestMs);
    case "owner_late": {
      const { ownerLateFirstMs, cooldownLongestMs } = ladders;
      return coolDown(account, "owner_must_refresh", event.atMs, null, ownerLateFirstMs, cooldownLongestMs);
    }
    case "cooldown_cleared":
      return account.cooldown === null
        ? { account, effects: [] }
        : { account: { ...account, cooldown: null }, effects: [DURABLY, ANNOUNCE, log("account.cooldown_cleared")] };
    case "models_listed":
      return modelsListed(account, event, ladders.modelUnsupportedMs);
    case "edited": {
      const edited = {
        ...account,
        alias: event.alias ?? account.alias,
        enabled: event.enabled ?? account.enabled,
        orders: event.orders === undefined ? account.orders : { ...account.orders, ...event.orders },
        refreshOwner: event.refreshOwner ?? account.refreshOwner,
        workspaceName: event.workspaceName ?? account.workspaceName,
      };
      return { account: edited, effects: [DURABLY, ANNOUNCE] };
    }
  }
}

function leased(account: Account, { atMs, order, turn }: Extract<AccountEvent, { kind: "leased" }>): UseFacts {
  const { use } = account;
  return {
    ...use,
    lastLeaseOrder: order,
    turn: turn === null ? use.turn : takeTurn(account, turn),
    lastLeasedAtMs: atMs,
    exchangesByDay: countExchange(use.exchangesByDay, atMs),
  };
}

function attemptEnded(before: Account, event: AttemptEnded, ladders: Ladders): Transition {
  const account = observe(before, event.observation, event.atMs, event.outcome.kind !== "served");
  const effects = account === before ? NO_EFFECTS : OBSERVED;
  const { outcome, atMs } = event;
  const then = (next: Transition): Transition =>
    effects.length === 0 ? next : { account: next.account, effects: [...effects, ...next.effects] };
  switch (outcome.kind) {
    case "served":
    case "request_rejected":
    case "encrypted_content_rejected":
      return then(healthy(account, event));
    case "window_exhausted":
      if (
        outcome.untilMs === null &&
        account.windows.some((window) => isExhausted(window, atMs) && countsModel(window, event.model))
      ) {
        return then({ account, effects: [] });
      }
      return outcome.untilMs === null
        ? then(coolDown(account, "rate_limited", atMs, null, ladders.cooldownFirstMs, ladders.cooldownLongestMs))
        : then(exhaust(account, outcome.untilMs, atMs));
    case "rate_limited":
      return then(
        coolDown(account, "rate_limited", atMs, outcome.untilMs, ladders.cooldownFirstMs, ladders.cooldownLongestMs),
      );
    case "login_rejected":
      return then(loginRejected(account, atMs, event.generation, outcome.reason));
    case "model_unsupported":
      return then(refuseModel(account, outcome.model ?? event.model, atMs, ladders.modelUnsupportedMs));
    // A 401 is followed by a refresh, whose end is an event of its own. The rest is the host's, the route's or the client's, not the account's.
    case "unauthorized":
    case "refresh_failed":
    case "challenged":
    case "upstream_failed":
    case "unreachable":
    case "timed_out":
    case "cut":
    case "client_gone":
      return { account, effects };
  }
}

/** A healthy answer to a request that was sent after the failure shows that the hold is stale. */
function healthy(account: Account, event: AttemptEnded): Transition {
  const served = event.outcome.kind === "served";
  const cleared = account.cooldown !== null && account.cooldown.sinceMs <= event.startedAtMs;
  const windows = served ? withoutStale(account.windows, event) : account.windows;
  const use = served ? { ...account.use, lastServedAtMs: event.atMs } : account.use;
  if (!cleared && windows === account.windows && use === account.use) return { account, effects: [] };
  return {
    account: { ...account, use, windows, cooldown: cleared ? null : account.cooldown },
    effects: cleared || windows !== account.windows ? [LATER, ANNOUNCE, log("account.hold_cleared")] : NOTED,
  };
}

/** Without those that were used up when the request was sent: it was served all the same. */
function withoutStale(windows: readonly Window[], event: AttemptEnded): readonly Window[] {
  for (const window of windows) if (isStale(window, event)) return windows.filter((one) => !isStale(one, event));
  return windows;
}

function isStale(window: Window, { startedAtMs, atMs, model }: AttemptEnded): boolean {
  return window.observedAtMs < startedAtMs && isExhausted(window, atMs) && countsModel(window, model);
}

/** Upstream said when it resets: the window whose reset that is (to the minute) is used up; an unknown one is noted as such. */
function exhaust(account: Account, untilMs: number, atMs: number): Transition {
  const known = account.windows.find(
    (window) => window.resetsAtMs !== null && Math.abs(window.resetsAtMs - untilMs) < 60_000,
  );
  const reading = known
    ? { ...known, usedPercent: 100, resetsAtMs: untilMs }
    : {
        limit: "stated",
        slot: "primary" as const,
        models: null,
        lengthMinutes: null,
        usedPercent: 100,
        resetsAtMs: untilMs,
      };
  const windows = mergeWindows(account.windows, [reading], atMs, "error");
  const facts = { limit: reading.limit, until_ms: untilMs };
  return { account: { ...account, windows }, effects: [...OBSERVED, log("account.window_exhausted", facts)] };
}

/** Sets a hold with an end: as upstream stated it, else doubling from `firstMs`. Never earlier than a hold that already stands. */
function coolDown(
  account: Account,
  reason: CooldownReason,
  atMs: number,
  statedUntilMs: number | null,
  firstMs: number,
  longestMs: number,
): Transition {
  const before = account.cooldown;
  if (before !== null && before.sinceMs > atMs) return { account, effects: [] };
  // Several requests in flight fail together; they are one failure, not a climb up the ladder.
  const sameBurst = before !== null && before.reason === reason && before.untilMs > atMs;
  const failures = sameBurst ? before.failures : before?.reason === reason ? before.failures + 1 : 1;
  const untilMs = statedUntilMs ?? atMs + Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 20));
  const cooldown: Cooldown = {
    untilMs: before === null ? untilMs : Math.max(untilMs, before.untilMs),
    sinceMs: atMs,
    reason,
    failures,
  };
  const effects: Effect[] = [
    LATER,
    ANNOUNCE,
    log("account.cooled_down", { reason, until_ms: cooldown.untilMs, failures }),
  ];
  return { account: { ...account, cooldown }, effects };
}

/** Loud once: an account that needs a login already is not announced again. */
function loginRejected(account: Account, atMs: number, generation: number, reason: string): Transition {
  if (account.login.kind === "needs_login" || generation < account.credentials.generation)
    return { account, effects: [] };
  const rejected: Account = { ...account, login: { kind: "needs_login", reason, sinceMs: atMs } };
  const said: readonly Effect[] = [
    log("account.needs_login", { reason }, "warn"),
    { kind: "audit", action: "account.needs_login", text: reason },
  ];
  return { account: rejected, effects: [DURABLY, ANNOUNCE, ...said] };
}

function credentialsRenewed(
  account: Account,
  event: Extract<AccountEvent, { kind: "credentials_renewed" }>,
): Transition {
  if (event.generation <= account.credentials.generation) return { account, effects: [] };
  const renewed: Account = {
    ...account,
    tier: event.tier ?? account.tier,
    windows: event.tier !== null && isOtherPlan(account.tier, event.tier) ? [] : account.windows,
    email: event.email ?? account.email,
    login: { kind: "ok" },
    cooldown: isLoginCooldown(account.cooldown?.reason) ? null : account.cooldown,
    credentials: {
      generation: event.generation,
      accessExpiresAtMs: event.accessExpiresAtMs,
      refreshedAtMs: event.atMs,
    },
  };
  return {
    account: renewed,
    effects: [ANNOUNCE, log("account.credentials_renewed", { generation: event.generation })],
  };
}
