/**
 * Accounts, holds and windows in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Account, exchangesInLastWeek } from "../../domain/account.ts";
import type { Seen } from "../../domain/credits.ts";
import { holdText } from "../../domain/explain.ts";
import type { Hold, HoldKind } from "../../domain/hold.ts";
import type { Level } from "../../domain/threshold.ts";
import { usedPercentNow, type Window, type WindowSource } from "../../domain/window.ts";
import * as accountPb from "../../gen/rotor/v1/account_pb.ts";
import type { Engine } from "../../pool/engine.ts";
import { instant, int64 } from "./values.ts";

const HOLD_KINDS: Readonly<Record<HoldKind, accountPb.HoldKind>> = {
  disabled: accountPb.HoldKind.DISABLED,
  paused: accountPb.HoldKind.PAUSED,
  draining: accountPb.HoldKind.DRAINING,
  needs_login: accountPb.HoldKind.NEEDS_LOGIN,
  cooling_down: accountPb.HoldKind.COOLING_DOWN,
  reserved: accountPb.HoldKind.RESERVED,
  off_schedule: accountPb.HoldKind.OFF_SCHEDULE,
  window_exhausted: accountPb.HoldKind.WINDOW_EXHAUSTED,
  model_unsupported: accountPb.HoldKind.MODEL_UNSUPPORTED,
  at_capacity: accountPb.HoldKind.AT_CAPACITY,
  pacing: accountPb.HoldKind.PACING,
};

const WINDOW_SOURCES: Readonly<Record<WindowSource, accountPb.WindowSource>> = {
  header: accountPb.WindowSource.HEADER,
  event: accountPb.WindowSource.EVENT,
  error: accountPb.WindowSource.ERROR,
  usage_endpoint: accountPb.WindowSource.USAGE_ENDPOINT,
  import: accountPb.WindowSource.IMPORT,
};

const LEVELS: Readonly<Record<Level, accountPb.WindowLevel>> = {
  ok: accountPb.WindowLevel.OK,
  low: accountPb.WindowLevel.LOW,
  critical: accountPb.WindowLevel.CRITICAL,
};

/** Accounts as they are now, with the holds for an ask without a model: the same function that selection calls. */
export function accountConverter(engine: Engine, nowMs: number) {
  return (account: Account): MessageInitShape<typeof accountPb.AccountSchema> => {
    const files = engine.files.holding(account.id);
    const openLeases = engine.accounts.openLeases(account.id);
    const holds = engine.selection.holdsOn(account);
    return {
      id: account.id,
      alias: account.alias,
      email: account.email ?? "",
      userId: account.userId ?? "",
      workspaceId: account.workspaceId,
      workspaceName: account.workspaceName ?? "",
      tags: [...account.orders.tags],
      note: account.orders.note,
      weight: account.orders.weight,
      priority: account.orders.priority,
      pace: account.orders.pace ?? undefined,
      refreshOwnerFile: account.refreshOwner.kind === "file" ? account.refreshOwner.path : "",
      onDevice: files.length > 0,
      deviceFiles: files.map((file) => file.path),
      twoOwners: files.some((file) => file.notice === "two_owners"),
      tier: account.tier,
      issuer: account.issuer,
      enabled: account.enabled,
      holds: holds.map(holdMessage),
      windows: account.windows.map((window) => windowMessage(window, engine.selection.scarcityOf(window).level, nowMs)),
      credits: creditsMessage(account),
      resetCredits: resetCreditsMessage(account),
      credentials: {
        generation: int64(account.credentials.generation),
        accessExpireTime: instant(account.credentials.accessExpiresAtMs),
        refreshTime: instant(account.credentials.refreshedAtMs),
      },
      openLeases,
      exchangesLastWeek: int64(exchangesInLastWeek(account, nowMs)),
      lastLeaseTime: instant(account.use.lastLeasedAtMs),
      lastServedTime: instant(account.use.lastServedAtMs),
      createTime: instant(account.createdAtMs),
      unsupportedModels: account.unsupportedModels
        .filter((refused) => refused.untilMs > nowMs)
        .map((refused) => ({ model: refused.model, endTime: instant(refused.untilMs) })),
    };
  };
}

function creditsMessage({ credits }: Account): MessageInitShape<typeof accountPb.CreditsSchema> | undefined {
  if (credits === null) return undefined;
  const { hasCredits, unlimited, balance } = credits;
  return { hasCredits, unlimited, balance: balance ?? "", ...seenFields(credits) };
}

function resetCreditsMessage({
  resetCredits,
}: Account): MessageInitShape<typeof accountPb.ResetCreditsSchema> | undefined {
  return resetCredits === null ? undefined : { available: resetCredits.available, ...seenFields(resetCredits) };
}

function seenFields({ observedAtMs, observedFrom }: Seen) {
  return { observeTime: instant(observedAtMs), source: WINDOW_SOURCES[observedFrom] };
}

export function holdMessage(hold: Hold): MessageInitShape<typeof accountPb.HoldSchema> {
  return {
    kind: HOLD_KINDS[hold.kind],
    endTime: instant(hold.untilMs),
    text: holdText(hold),
    reason: "reason" in hold ? hold.reason : "",
    startTime: instant("sinceMs" in hold ? hold.sinceMs : null),
  };
}

export function windowMessage(
  window: Window,
  level: Level,
  nowMs: number,
): MessageInitShape<typeof accountPb.WindowSchema> {
  return {
    limit: window.limit,
    slot: window.slot,
    models: [...(window.models ?? [])],
    lengthMinutes: int64(window.lengthMinutes ?? 0),
    usedPercent: usedPercentNow(window, nowMs),
    resetTime: instant(window.resetsAtMs),
    observeTime: instant(window.observedAtMs),
    source: WINDOW_SOURCES[window.observedFrom],
    level: LEVELS[level],
  };
}
