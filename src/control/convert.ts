/**
 * Between the words of the domain and those of the API, both ways. The only file that knows both; it decides nothing.
 * Absent in the domain is null; in proto it is an absent message, an empty text or zero, as the proto comments say.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "../base/errors.ts";
import { isUlid } from "../base/id.ts";
import { type Account, type AccountId, exchangesInLastWeek } from "../domain/account.ts";
import type { ClientKey } from "../domain/client-key.ts";
import type { AttemptRecord, Exchange, ExchangeId } from "../domain/exchange.ts";
import { holdText } from "../domain/explain.ts";
import { type Hold, type HoldKind, holdsOn } from "../domain/hold.ts";
import type { Login } from "../domain/login.ts";
import type { Usage } from "../domain/outcome.ts";
import type { Pin } from "../domain/pin.ts";
import type { Plan, PlanRecord } from "../domain/plan.ts";
import * as setting from "../domain/setting.ts";
import type { StrategyName } from "../domain/strategy.ts";
import { usedPercentNow, type Window, type WindowSource } from "../domain/window.ts";
import * as accountPb from "../gen/rotor/v1/account_pb.ts";
import type { AttemptSchema, ExchangeSchema, UsageSchema } from "../gen/rotor/v1/exchange_pb.ts";
import type { KeySchema } from "../gen/rotor/v1/key_service_pb.ts";
import * as loginPb from "../gen/rotor/v1/login_service_pb.ts";
import * as poolPb from "../gen/rotor/v1/pool_pb.ts";
import * as settingPb from "../gen/rotor/v1/setting_service_pb.ts";
import type { Engine, PoolView, SettingChange } from "../pool/engine.ts";

// Instants and numbers

export function instant(atMs: number | null): Timestamp | undefined {
  return atMs === null ? undefined : timestampFromMs(atMs);
}

/** null when absent; fractions of a millisecond are dropped. */
export function toInstantMs(time: Timestamp | undefined): number | null {
  return time === undefined ? null : Math.floor(timestampMs(time));
}

function duration(lengthMs: number | null): Duration | undefined {
  return lengthMs === null ? undefined : durationFromMs(lengthMs);
}

export function int64(number: number): bigint {
  return BigInt(Math.trunc(number));
}

// Ids. Whether they exist is the engine's to say.

export function toAccountId(text: string): AccountId {
  if (text === "") throw new AppError("invalid_request", "account_id is empty");
  return text as AccountId;
}

export function toExchangeId(text: string): ExchangeId {
  if (!isUlid(text)) throw new AppError("invalid_request", `${text} is not the id of an exchange`);
  return text as ExchangeId;
}

// Accounts

const HOLD_KINDS: Readonly<Record<HoldKind, accountPb.HoldKind>> = {
  disabled: accountPb.HoldKind.DISABLED,
  needs_login: accountPb.HoldKind.NEEDS_LOGIN,
  cooling_down: accountPb.HoldKind.COOLING_DOWN,
  window_exhausted: accountPb.HoldKind.WINDOW_EXHAUSTED,
  model_unsupported: accountPb.HoldKind.MODEL_UNSUPPORTED,
  at_capacity: accountPb.HoldKind.AT_CAPACITY,
};

const WINDOW_SOURCES: Readonly<Record<WindowSource, accountPb.WindowSource>> = {
  header: accountPb.WindowSource.HEADER,
  event: accountPb.WindowSource.EVENT,
  error: accountPb.WindowSource.ERROR,
  usage_endpoint: accountPb.WindowSource.USAGE_ENDPOINT,
  import: accountPb.WindowSource.IMPORT,
};

/** Accounts as they are now, with the holds for an ask without a model: the same function that selection calls. */
export function accountConverter(engine: Engine, nowMs: number) {
  const maxLeases = Number(engine.settings.list().find((state) => state.key === "account_max_leases")?.value);
  return (account: Account): MessageInitShape<typeof accountPb.AccountSchema> => {
    const openLeases = engine.accounts.openLeases(account.id);
    const holds = holdsOn(account, { nowMs, model: null, maxLeases, openLeases: new Map([[account.id, openLeases]]) });
    return {
      id: account.id,
      alias: account.alias,
      email: account.email ?? "",
      userId: account.userId ?? "",
      workspaceId: account.workspaceId,
      tier: account.tier,
      issuer: account.issuer,
      enabled: account.enabled,
      holds: holds.map(holdMessage),
      windows: account.windows.map((window) => windowMessage(window, nowMs)),
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

function holdMessage(hold: Hold): MessageInitShape<typeof accountPb.HoldSchema> {
  return { kind: HOLD_KINDS[hold.kind], endTime: instant(hold.untilMs), text: holdText(hold) };
}

function windowMessage(window: Window, nowMs: number): MessageInitShape<typeof accountPb.WindowSchema> {
  return {
    limit: window.limit,
    slot: window.slot,
    models: [...(window.models ?? [])],
    lengthMinutes: int64(window.lengthMinutes ?? 0),
    usedPercent: usedPercentNow(window, nowMs),
    resetTime: instant(window.resetsAtMs),
    observeTime: instant(window.observedAtMs),
    source: WINDOW_SOURCES[window.observedFrom],
  };
}

// Logins

const LOGIN_METHODS: Readonly<Record<Login["method"], loginPb.LoginMethod>> = {
  browser: loginPb.LoginMethod.BROWSER,
  device: loginPb.LoginMethod.DEVICE,
  manual: loginPb.LoginMethod.MANUAL,
};

const LOGIN_STATES: Readonly<Record<Login["state"], loginPb.LoginState>> = {
  pending: loginPb.LoginState.PENDING,
  completed: loginPb.LoginState.COMPLETED,
  failed: loginPb.LoginState.FAILED,
  canceled: loginPb.LoginState.CANCELED,
  expired: loginPb.LoginState.EXPIRED,
};

export function toLoginMethod(method: loginPb.LoginMethod): Login["method"] {
  for (const [name, value] of Object.entries(LOGIN_METHODS)) if (value === method) return name as Login["method"];
  throw new AppError("invalid_request", "method says nothing; there are browser, device and manual");
}

/** With its account as that is now. */
export function loginMessage(
  login: Login,
  engine: Engine,
  nowMs: number,
): MessageInitShape<typeof loginPb.LoginSchema> {
  const account = login.accountId === null ? null : engine.accounts.get(login.accountId);
  return {
    id: login.id,
    method: LOGIN_METHODS[login.method],
    state: LOGIN_STATES[login.state],
    authorizeUrl: login.authorizeUrl ?? "",
    redirectUri: login.redirectUri ?? "",
    verificationUrl: login.verificationUrl ?? "",
    userCode: login.userCode ?? "",
    startTime: instant(login.startedAtMs),
    expireTime: instant(login.expiresAtMs),
    endTime: instant(login.endedAtMs),
    account: account === null ? undefined : accountConverter(engine, nowMs)(account),
    added: login.added,
    errorCode: login.error?.code ?? "",
    errorMessage: login.error?.message ?? "",
  };
}

// Pool and plans

const STRATEGIES: Readonly<Record<StrategyName, poolPb.Strategy>> = {
  balanced: poolPb.Strategy.BALANCED,
  "round-robin": poolPb.Strategy.ROUND_ROBIN,
  "least-used": poolPb.Strategy.LEAST_USED,
  random: poolPb.Strategy.RANDOM,
};

const PLAN_REASONS: Readonly<Record<Plan["reason"], poolPb.PlanReason>> = {
  pin: poolPb.PlanReason.PIN,
  affinity: poolPb.PlanReason.AFFINITY,
  strategy: poolPb.PlanReason.STRATEGY,
  none: poolPb.PlanReason.NONE,
};

export function toStrategyName(strategy: poolPb.Strategy): StrategyName {
  for (const [name, value] of Object.entries(STRATEGIES)) if (value === strategy) return name as StrategyName;
  throw new AppError("invalid_request", `there is no strategy with the number ${strategy}`);
}

export function poolMessage(view: PoolView): MessageInitShape<typeof poolPb.PoolSchema> {
  return {
    revision: int64(view.revision),
    strategy: STRATEGIES[view.strategy],
    pin: view.pin === null ? undefined : pinMessage(view.pin),
    pauseEndTime: instant(view.pauseUntilMs),
    accountCount: view.accountCount,
    usableCount: view.usableCount,
    nextUsableTime: instant(view.nextUsableAtMs),
    openLeases: view.openLeases,
    lastAccountId: view.lastAccountId ?? "",
    nextAccountId: view.nextAccountId ?? "",
  };
}

function pinMessage(pin: Pin): MessageInitShape<typeof poolPb.PinSchema> {
  return { accountId: pin.accountId, startTime: instant(pin.sinceMs), endTime: instant(pin.untilMs) };
}

/** Aliases are looked up when read; a removed account has none any more. */
export type AliasOf = (id: AccountId) => string;

export function aliasLookup(engine: Engine): AliasOf {
  return (id) => engine.accounts.get(id)?.alias ?? "";
}

export function planMessage(plan: Plan | PlanRecord, aliasOf: AliasOf): MessageInitShape<typeof poolPb.PlanSchema> {
  return {
    planTime: instant(plan.atMs),
    strategy: STRATEGIES[plan.strategy],
    reason: PLAN_REASONS[plan.reason],
    accountIds: [...plan.order],
    usableCount: plan.usableCount,
    held: plan.held.map((held) => ({
      accountId: held.accountId,
      alias: aliasOf(held.accountId),
      holds: held.holds.map(holdMessage),
    })),
    heldCount: "heldCount" in plan ? plan.heldCount : plan.held.length,
    passedOver: plan.passedOver.map((passed) => ({
      accountId: passed.accountId,
      alias: aliasOf(passed.accountId),
      reason: passed.because,
    })),
    nextUsableTime: instant(plan.nextUsableAtMs),
  };
}

// Exchanges

export function exchangeMessage(exchange: Exchange, aliasOf: AliasOf): MessageInitShape<typeof ExchangeSchema> {
  return {
    id: exchange.id,
    startTime: instant(exchange.startedAtMs),
    endTime: instant(exchange.endedAtMs),
    surface: exchange.surface,
    method: exchange.method,
    path: exchange.path,
    model: exchange.model ?? "",
    keyId: exchange.keyId ?? "",
    conversation: exchange.conversation ?? "",
    attempts: exchange.attempts.map(attemptMessage),
    plan: exchange.plan === null ? undefined : planMessage(exchange.plan, aliasOf),
    accountId: exchange.servedBy ?? "",
    accountAlias: exchange.servedByAlias ?? "",
    status: exchange.status ?? 0,
    errorCode: exchange.errorCode ?? "",
    usage: exchange.usage === null ? undefined : usageMessage(exchange.usage),
    firstByteDuration: duration(exchange.firstByteMs),
    waitDuration: duration(exchange.waitedMs),
  };
}

function usageMessage(usage: Usage): MessageInitShape<typeof UsageSchema> {
  return {
    inputTokens: int64(usage.inputTokens),
    cachedInputTokens: int64(usage.cachedInputTokens),
    outputTokens: int64(usage.outputTokens),
    reasoningTokens: int64(usage.reasoningTokens),
  };
}

function attemptMessage(attempt: AttemptRecord): MessageInitShape<typeof AttemptSchema> {
  return {
    accountId: attempt.accountId,
    accountAlias: attempt.alias,
    startTime: instant(attempt.startedAtMs),
    endTime: instant(attempt.endedAtMs),
    outcome: attempt.outcome,
    status: attempt.status ?? 0,
    message: attempt.message ?? "",
    next: attempt.next,
  };
}

// Keys and settings

export function keyMessage(key: ClientKey): MessageInitShape<typeof KeySchema> {
  return {
    id: key.id,
    name: key.name,
    createTime: instant(key.createdAtMs),
    lastUseTime: instant(key.lastUsedAtMs),
    revokeTime: instant(key.revokedAtMs),
  };
}

const SETTING_SOURCES: Readonly<Record<setting.SettingSource, settingPb.SettingSource>> = {
  env: settingPb.SettingSource.ENV,
  config: settingPb.SettingSource.CONFIG,
  saved: settingPb.SettingSource.SAVED,
  default: settingPb.SettingSource.DEFAULT,
};

export function settingMessage(state: setting.SettingState): MessageInitShape<typeof settingPb.SettingSchema> {
  const spec: setting.SettingSpec = setting.SETTINGS[state.key];
  return {
    key: state.key,
    value: valueText(state.value),
    source: SETTING_SOURCES[state.source],
    defaultValue: valueText(spec.default),
    accepts: spec.type === "boolean" ? "on or off" : `${spec.min}–${spec.max} ${spec.unit}`,
    reason: spec.why,
  };
}

export function settingChangeMessage(change: SettingChange): MessageInitShape<typeof settingPb.SettingChangeSchema> {
  return { key: change.key, oldValue: valueText(change.before), newValue: valueText(change.after) };
}

/** In the words that are accepted when it is set. */
function valueText(value: setting.SettingValue): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : String(value);
}

export function toSettingKey(text: string): setting.SettingKey {
  if (setting.isSettingKey(text)) return text;
  throw new AppError("setting_not_found", `there is no setting ${text}`, { facts: { key: text } });
}

export function toPresetName(text: string): setting.PresetName {
  if (setting.isPresetName(text)) return text;
  throw new AppError("invalid_setting", `there is no preset ${text}; there are ${setting.PRESET_NAMES.join(", ")}`);
}
