/**
 * An engine in memory for tests of the doors: accounts, keys, settings, pin and strategy really change and are really announced.
 * Nothing is sent anywhere, and selection is the order in which accounts were added.
 */
import { systemClock } from "../../src/base/clock.ts";
import { AppError } from "../../src/base/errors.ts";
import { systemDice } from "../../src/base/id.ts";
import { type Account, type AccountId, isAlias, NO_ORDERS, OWNED_HERE } from "../../src/domain/account.ts";
import { editAccount } from "../../src/domain/account-edit.ts";
import { type ClientKey, NO_TERMS } from "../../src/domain/client-key.ts";
import type { Exchange, ExchangeId } from "../../src/domain/exchange.ts";
import { forecastPool } from "../../src/domain/forecast.ts";
import { type Hold, holdsOn } from "../../src/domain/hold.ts";
import { activePin, type Pin } from "../../src/domain/pin.ts";
import type { Plan } from "../../src/domain/plan.ts";
import {
  isSettingKey,
  readSetting,
  resolveSettings,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type SettingValue,
  settingsFrom,
} from "../../src/domain/setting.ts";
import { PRESETS } from "../../src/domain/setting-preset.ts";
import type { StrategyName } from "../../src/domain/strategy.ts";
import { scarcityOf } from "../../src/domain/threshold.ts";
import { seriesFrom, stepFor, type WindowSample } from "../../src/domain/window-history.ts";
import { createAuditBook } from "../../src/pool/audit-book.ts";
import type { Question } from "../../src/pool/choice.ts";
import type { Engine } from "../../src/pool/engine.ts";
import type { SettingChange } from "../../src/pool/setting-desk.ts";
import { anAsk } from "./builders.ts";
import { createFakeChoice } from "./fake-choice.ts";
import { createFakeClients } from "./fake-clients.ts";
import { COUNTERS } from "./fake-counters.ts";
import { createFakeFiles, type FakeFiles } from "./fake-files.ts";
import { createFakeLogins, type FakeLogins } from "./fake-logins.ts";
import { createModels } from "./fake-models.ts";
import { createFakeSpend, type FakeSpend } from "./fake-spend.ts";
import { T0 } from "./manual-clock.ts";
import { createMemoryStore } from "./memory-store.ts";
import { recordingLog } from "./recording-log.ts";

const NO_ONE = { keyId: null, profile: null, project: null };

export interface FakeEngine extends Engine {
  readonly spend: FakeSpend;
  readonly logins: FakeLogins;
  readonly files: FakeFiles;
  /** Adds or replaces an account and tells watchers. */
  put(account: Account): void;
  /** Adds or replaces an exchange and tells watchers. */
  record(exchange: Exchange): void;
  setOpenLeases(id: AccountId, count: number): void;
  /** What windows held: a test puts in what history is to show. */
  readonly samples: WindowSample[];
  /** How many watchers are subscribed: a door that leaks leaves some. */
  watchers(): { pool: number; exchanges: number };
  /** Every call of `explain` waits for this: a call that takes its time. */
  refreshGate: Promise<void> | null;
  /** How many calls of `refresh` have come in. */
  refreshesAsked: number;
  /** Thrown by the next call of `refresh`. */
  nextFailure: unknown;
}

export function accountOf(alias: string, changes: Partial<Account> = {}): Account {
  return {
    id: `01ACCOUNT${alias.toUpperCase().padEnd(17, "0")}` as AccountId,
    alias,
    email: `${alias}@example.org`,
    userId: `user-${alias}`,
    workspaceId: `workspace-${alias}`,
    workspaceName: null,
    issuer: "https://auth.example.org",
    tier: "plus",
    createdAtMs: T0,
    enabled: true,
    orders: NO_ORDERS,
    refreshOwner: OWNED_HERE,
    login: { kind: "ok" },
    credentials: { generation: 1, accessExpiresAtMs: T0 + 3_600_000, refreshedAtMs: T0 },
    windows: [],
    credits: null,
    resetCredits: null,
    cooldown: null,
    unsupportedModels: [],
    use: { lastLeaseOrder: 0, lastLeasedAtMs: null, lastServedAtMs: null, turn: 0, exchangesByDay: [] },
    ...changes,
  };
}

/** `number` makes ids that sort by it. */
export function exchangeOf(number: number, changes: Partial<Exchange> = {}): Exchange {
  return {
    id: `01EXCH${String(number).padStart(20, "0")}` as ExchangeId,
    startedAtMs: T0 + number,
    endedAtMs: null,
    surface: "codex",
    method: "POST",
    path: "/backend-api/codex/responses",
    model: "gpt-5.4",
    mapping: null,
    keyId: null,
    conversation: null,
    attempts: [],
    plan: null,
    servedBy: null,
    servedByAlias: null,
    status: null,
    errorCode: null,
    usage: null,
    spend: null,
    firstByteMs: null,
    waitedMs: 0,
    ...changes,
  };
}

/** What a view says of a pool in which nothing is under way. */
const QUIET = { pauseUntilMs: null, nextUsableAtMs: null, lastAccountId: null, waitingCount: 0, firstWaiting: null };

export function createFakeEngine(options: { nowMs?: () => number } = {}): FakeEngine {
  const nowMs = options.nowMs ?? (() => T0);
  const spend = createFakeSpend(nowMs);
  const accounts = new Map<AccountId, Account>();
  const exchanges = new Map<ExchangeId, Exchange>();
  const openLeases = new Map<AccountId, number>();
  const poolWatchers = new Set<() => void>();
  const exchangeWatchers = new Set<(exchange: Exchange) => void>();
  let revision = 1;
  let strategy: StrategyName = "balanced";
  let pin: Pin | null = null;

  const announce = () => {
    revision++;
    for (const tell of poolWatchers) tell();
  };
  const find = (id: AccountId): Account => {
    const account = accounts.get(id);
    if (!account) throw new AppError("account_not_found", `there is no account with the id ${id}`);
    return account;
  };
  const put = (account: Account) => {
    accounts.set(account.id, account);
    announce();
    return account;
  };
  const settings = createSettings();
  const now = () => settingsFrom(settings.list());
  const heldOn = (account: Account, model: string | null) =>
    holdsOn(
      account,
      anAsk({ nowMs: nowMs(), model, pin, openLeases, thresholds: now(), maxLeases: now().account_max_leases }),
    );
  const explain = ({ model }: Question): Plan => {
    const pinned = activePin(pin, nowMs());
    const held: Plan["held"][number][] = [];
    const order: AccountId[] = [];
    const passedOver: Plan["passedOver"][number][] = [];
    for (const account of accounts.values()) {
      const holds = heldOn(account, model);
      if (holds.length > 0) held.push({ accountId: account.id, holds });
      else if (pinned && pinned.accountId !== account.id)
        passedOver.push({ accountId: account.id, because: "pinned_elsewhere" });
      else order.push(account.id);
    }
    const reason = order.length === 0 ? "none" : pinned ? "pin" : "strategy";
    return {
      atMs: nowMs(),
      strategy,
      profile: null,
      rules: [],
      order,
      usableCount: order.length,
      held,
      heldCount: held.length,
      passedOver,
      deferred: [],
      nextUsableAtMs: null,
      reason,
    };
  };

  const samples: WindowSample[] = [];
  const fake: FakeEngine = {
    samples,
    refreshGate: null,
    refreshesAsked: 0,
    nextFailure: null,
    logins: createFakeLogins(nowMs),
    files: createFakeFiles(nowMs, find, put),
    put: (account) => void put(account),
    record(exchange) {
      exchanges.set(exchange.id, exchange);
      for (const tell of exchangeWatchers) tell(exchange);
    },
    setOpenLeases(id, count) {
      openLeases.set(id, count);
      announce();
    },
    watchers: () => ({ pool: poolWatchers.size, exchanges: exchangeWatchers.size }),
    accounts: {
      list: () => [...accounts.values()],
      get: (id) => accounts.get(id) ?? null,
      openLeases: (id) => openLeases.get(id) ?? 0,
      async update(id, { alias, enabled, force }) {
        const account = find(id);
        if (alias !== undefined && !isAlias(alias)) throw new AppError("invalid_alias", `${alias} is not an alias`);
        if ([...accounts.values()].some((other) => other.alias === alias && other.id !== id))
          throw new AppError("alias_taken", `${alias} is taken`, { facts: { alias: alias ?? null } });
        if (enabled === false && !force && accounts.size === 1)
          throw new AppError("last_usable_account", `${account.alias} is the last usable account`);
        return put({
          ...account,
          ...(alias === undefined ? {} : { alias }),
          ...(enabled === undefined ? {} : { enabled }),
        });
      },
      async remove(id) {
        const account = find(id);
        accounts.delete(id);
        announce();
        return account;
      },
      async refresh(id) {
        const account = find(id);
        fake.refreshesAsked++;
        const failure = fake.nextFailure;
        fake.nextFailure = null;
        if (failure !== null) throw failure;
        await fake.refreshGate;
        const { credentials } = account;
        return put({ ...account, credentials: { ...credentials, generation: credentials.generation + 1 } });
      },
      ...createOrders({ find, put, nowMs, count: () => accounts.size, refresh: (id) => fake.accounts.refresh(id) }),
      mentions: () => ({ rules: [], profiles: [] }),
      redeem: async (id) => ({ code: "reset", account: put({ ...find(id), windows: [] }), resumed: false }),
      clearCooldown: async (id) => put({ ...find(id), cooldown: null }),
    },
    transfers: fakeTransfers(() => [...accounts.values()], put),
    selection: {
      view() {
        const plan = explain({ model: null, from: NO_ONE, atMs: null });
        return {
          ...QUIET,
          revision,
          strategy,
          pin,
          accountCount: accounts.size,
          usableCount: plan.usableCount,
          openLeases: [...openLeases.values()].reduce((sum, count) => sum + count, 0),
          nextAccountId: plan.order[0] ?? null,
        };
      },
      async setStrategy(name) {
        strategy = name;
        announce();
      },
      async pin(id, untilMs) {
        pin = { accountId: find(id).id, sinceMs: nowMs(), untilMs };
        announce();
      },
      async unpin() {
        pin = null;
        announce();
      },
      holdsOn: (account) => heldOn(account, null),
      scarcityOf: (window) => scarcityOf(window, now(), nowMs()),
      explain,
      watch(onChange) {
        poolWatchers.add(onChange);
        return () => void poolWatchers.delete(onChange);
      },
    },
    history: createHistory(samples, accounts, nowMs, heldOn),
    exchanges: {
      run: () => Promise.reject(new Error("the fake engine runs no exchanges")),
      open: () => [...exchanges.values()].filter((exchange) => exchange.endedAtMs === null),
      async list({ limit, before, accountId, keyId, failed }) {
        return [...exchanges.values()]
          .sort((a, b) => (a.id < b.id ? 1 : -1))
          .filter((exchange) => before === undefined || exchange.id < before)
          .filter((exchange) => accountId === undefined || exchange.servedBy === accountId)
          .filter((exchange) => keyId === undefined || exchange.keyId === keyId)
          .filter((exchange) => !failed || (exchange.status ?? 0) >= 400)
          .slice(0, limit);
      },
      async get(idOrPrefix) {
        const found = [...exchanges.values()].filter((exchange) => exchange.id.startsWith(idOrPrefix));
        if (found.length !== 1) throw new AppError("exchange_not_found", `there is no exchange ${idOrPrefix}`);
        return found[0]!;
      },
      watch(onChange) {
        exchangeWatchers.add(onChange);
        return () => void exchangeWatchers.delete(onChange);
      },
    },
    keys: createKeys(nowMs),
    clients: createFakeClients(() => fake, nowMs),
    budgets: spend.budgets,
    ledger: spend.ledger,
    prices: spend.prices,
    spend,
    settings,
    usage: { isPooled: () => false, told: () => null },
    catalogue: createModels(nowMs, () => [...accounts.values()]),
    audit: createAudit(nowMs, settings),
    ...createFakeChoice({ of: () => fake, nowMs }),
    background: createFakeBackground(),
    counters: () => COUNTERS,
    checkStore: async () => ({
      schemaVersion: 1,
      integrity: "ok",
      sizeBytes: 0,
      seal: { guard: "key_file", fingerprint: null },
      looseFiles: [],
    }),
  };
  return fake;
}

/** Not a matter of the control API. */
function createFakeBackground(): Engine["background"] {
  const refuse = () => {
    throw new Error("the fake engine has no background responses");
  };
  return { start: refuse, get: refuse, cancel: refuse, remove: refuse, close() {} };
}

function createKeys(nowMs: () => number): Engine["keys"] {
  const keys = new Map<string, ClientKey>();
  const known = (id: string) => {
    const key = keys.get(id);
    if (!key) throw new AppError("key_not_found", `there is no key ${id}`);
    return key;
  };
  const secretOf = (key: ClientKey) => `rtr_${key.id}_${"s".repeat(43)}`;
  return {
    async create(name, terms = NO_TERMS) {
      if ([...keys.values()].some((key) => key.name === name && key.revokedAtMs === null))
        throw new AppError("key_exists", `there is a key ${name}`);
      const id = `K${String(keys.size).padStart(9, "0")}`;
      const hash = { algorithm: "sha256", hex: "00" } as const;
      const createdAtMs = nowMs();
      const key: ClientKey = {
        id,
        name,
        hash,
        former: null,
        terms,
        createdAtMs,
        revokedAtMs: null,
        lastUsedAtMs: null,
      };
      keys.set(id, key);
      return { key, secret: secretOf(key) };
    },
    get: (id) => keys.get(id) ?? null,
    async setTerms(id, terms) {
      const key = { ...known(id), terms };
      keys.set(id, key);
      return key;
    },
    async renew(id, graceMs) {
      const before = known(id);
      const key = { ...before, former: { hash: before.hash, untilMs: nowMs() + graceMs } };
      keys.set(id, key);
      return { key, secret: secretOf(key) };
    },
    list: () => [...keys.values()],
    use: (id) => (keys.get(id)?.revokedAtMs === null ? known(id) : null),
    async revoke(id) {
      const revoked = { ...known(id), revokedAtMs: nowMs() };
      keys.set(id, revoked);
      return revoked;
    },
    verify: (text) => [...keys.values()].find((key) => key.revokedAtMs === null && secretOf(key) === text) ?? null,
  };
}

/** Orders to many accounts: those about logins are told step by step, and nothing is skipped but a login that is lost. */
function createOrders(deps: {
  find: (id: AccountId) => Account;
  put: (account: Account) => Account;
  count: () => number;
  nowMs: () => number;
  refresh: (id: AccountId) => Promise<Account>;
}): Pick<Engine["accounts"], "edit" | "renameTag" | "refreshAll" | "probeAll"> {
  const { find, put, count, nowMs, refresh } = deps;
  return {
    renameTag: async () => [],
    async edit(ids, edit, { force, dryRun }) {
      const edited = ids.map((id) => {
        const end = editAccount(find(id), edit, nowMs());
        if (!end.ok) throw new AppError(end.code, end.reason);
        return end.account;
      });
      if (edit.enabled === false && !force && edited.length === count())
        throw new AppError("last_usable_account", "nobody else can serve");
      return dryRun ? edited : edited.map(put);
    },
    async *refreshAll(ids, { dryRun }) {
      for (const id of ids) yield { accountId: id, alias: find(id).alias, state: "queued", text: "renewed today" };
      for (const id of dryRun ? [] : ids) {
        await refresh(id);
        yield { accountId: id, alias: find(id).alias, state: "done", text: "renewed" };
      }
    },
    async *probeAll(ids) {
      for (const id of ids) {
        const { alias, login } = find(id);
        if (login.kind === "ok") yield { accountId: id, alias, state: "done", text: "works" };
        else yield { accountId: id, alias, state: "skipped", text: `its refresh token is spent (${login.reason})` };
      }
    },
  };
}

/** The real one, over a store in memory: what an order leaves is part of what doors promise. */
function createAudit(nowMs: () => number, settings: Engine["settings"]): Engine["audit"] {
  return createAuditBook({
    store: createMemoryStore(),
    clock: { ...systemClock, nowMs },
    dice: systemDice,
    settings: () => settingsFrom(settings.list()),
    log: recordingLog([]),
  });
}

function createSettings(): Engine["settings"] {
  const saved: Partial<Record<SettingKey, SettingValue>> = {};
  const resolve = () => resolveSettings({ env: {}, config: {}, saved });
  const change = (wanted: (key: SettingKey) => SettingValue | null, keys: readonly SettingKey[], dryRun: boolean) => {
    const changes: SettingChange[] = [];
    for (const key of keys) {
      const before = saved[key] ?? SETTINGS[key].default;
      const after = wanted(key) ?? SETTINGS[key].default;
      if (before !== after) changes.push({ key, before, after });
      if (!dryRun) saved[key] = after;
    }
    return changes;
  };
  return {
    list: () => resolve().states,
    problems: () => resolve().problems,
    async set(key, text) {
      if (!isSettingKey(key)) throw new AppError("setting_not_found", `there is no setting ${key}`);
      const reading = readSetting(key, text);
      if (!reading.ok) throw new AppError("invalid_setting", reading.reason);
      saved[key] = reading.value;
      return resolve().states.find((state) => state.key === key)!;
    },
    reset: async (key, dryRun) => change(() => null, key === null ? SETTING_KEYS : [key as SettingKey], dryRun),
    applyPreset: async (name, dryRun) => change((key) => PRESETS[name][key] ?? null, SETTING_KEYS, dryRun),
  };
}

function createHistory(
  samples: readonly WindowSample[],
  accounts: ReadonlyMap<AccountId, Account>,
  nowMs: () => number,
  heldOn: (account: Account, model: string | null) => readonly Hold[],
): Engine["history"] {
  return {
    async series({ accountId, sinceMs }) {
      const wanted = samples.filter((one) => one.atMs >= sinceMs && (accountId ?? one.accountId) === one.accountId);
      return { step: stepFor(sinceMs, nowMs()), series: seriesFrom(wanted) };
    },
    async forecast({ model, without, extraTiers }) {
      for (const id of without)
        if (!accounts.has(id)) throw new AppError("account_not_found", `there is no account with the id ${id}`);
      const ask = { nowMs: nowMs(), model, series: seriesFrom(samples), without, extraTiers };
      return forecastPool([...accounts.values()], { ...ask, holdsOn: (account) => heldOn(account, model) });
    },
  };
}

function fakeTransfers(accounts: () => readonly Account[], put: (account: Account) => Account): Engine["transfers"] {
  return {
    async exportAccounts({ accountIds, format, dryRun }) {
      const chosen = accounts().filter(({ id }) => accountIds === null || accountIds.includes(id));
      const rows = chosen.map((account) => ({ account, action: "add", reason: format }) as const);
      return { bytes: dryRun ? null : new TextEncoder().encode("{}"), rows, destinationOnly: 2, remarks: [] };
    },
    async importFiles([file], { dryRun, alias }) {
      const text = new TextDecoder().decode(file!.bytes);
      if (!text.startsWith("{")) throw new AppError("invalid_import", "entry 1 is not an object");
      const account = accountOf(alias ?? "plus");
      if (!dryRun) put(account);
      const entry = { action: "add", reason: "new", alias: account.alias, account: dryRun ? null : account } as const;
      return { format: "codex-auth", backup: null, accounts: [entry], facts: [], remarks: ["something"] };
    },
  };
}
