/**
 * The store in memory: the second implementation of the contract in test/contract/store.suite.ts, and what other tests use as a store.
 * Keeps credentials in the open, so it must never leave the tests.
 */

import { AppError } from "../../src/base/errors.ts";
import { type Account, type AccountId, isSameIdentity } from "../../src/domain/account.ts";
import type { AuditEntry } from "../../src/domain/audit.ts";
import type { ClientKey } from "../../src/domain/client-key.ts";
import type { Exchange, ExchangeId } from "../../src/domain/exchange.ts";
import type { ModelAlias, ModelList } from "../../src/domain/model.ts";
import type { Pin } from "../../src/domain/pin.ts";
import type { Profile } from "../../src/domain/profile.ts";
import { HISTORY_BACK_MS, previewRules } from "../../src/domain/rule-preview.ts";
import type { SettingKey, SettingValue } from "../../src/domain/setting.ts";
import { DEFAULT_STRATEGY, type StrategyName } from "../../src/domain/strategy.ts";
import type { WatchedFile } from "../../src/domain/watched-file.ts";
import { HISTORY_STEPS, type HistoryStep, seriesKey, type WindowSample } from "../../src/domain/window-history.ts";
import type { Credentials, RedeemIntent, RefreshIntent, Store } from "../../src/store/store.ts";
import { emptySpend, ledgerPart, type SpendState, spendPart } from "./memory-ledger.ts";

interface State extends SpendState {
  /** In the order in which they were added. */
  readonly accounts: Map<AccountId, Account>;
  readonly credentials: Map<AccountId, Credentials>;
  readonly intents: Map<AccountId, RefreshIntent>;
  readonly redeems: Map<AccountId, RedeemIntent>;
  readonly keys: Map<string, ClientKey>;
  readonly settings: Map<SettingKey, SettingValue>;
  readonly watchedFiles: Map<string, WatchedFile>;
  rules: readonly string[];
  readonly profiles: Map<string, Profile>;
  readonly modelAliases: Map<string, ModelAlias>;
  readonly modelLists: Map<AccountId, ModelList>;
  readonly exchanges: Map<ExchangeId, Exchange>;
  audit: AuditEntry[];
  /** By step, then by window and step of time. */
  readonly samples: Record<HistoryStep, Map<string, WindowSample>>;
  strategy: StrategyName;
  pin: Pin | null;
  closed: boolean;
}

export function createMemoryStore(): Store {
  const state: State = {
    accounts: new Map(),
    credentials: new Map(),
    intents: new Map(),
    redeems: new Map(),
    keys: new Map(),
    settings: new Map(),
    ...emptySpend(),
    watchedFiles: new Map(),
    rules: [],
    profiles: new Map(),
    modelAliases: new Map(),
    modelLists: new Map(),
    exchanges: new Map(),
    audit: [],
    samples: { fine: new Map(), hour: new Map(), day: new Map() },
    strategy: DEFAULT_STRATEGY,
    pin: null,
    closed: false,
  };
  const parts = {
    ...accountPart(state),
    ...batchPart(state),
    ...credentialPart(state),
    ...poolPart(state),
    ...choicePart(state),
    ...modelPart(state),
    ...exchangePart(state),
    ...auditPart(state),
    ...historyPart(state),
    ...spendPart(state, () => open(state)),
    ...ledgerPart(state, () => open(state)),
  };
  return {
    ...parts,
    async check() {
      return {
        schemaVersion: 1,
        integrity: "ok",
        sizeBytes: 0,
        seal: { guard: "key_file", fingerprint: null },
        looseFiles: [],
      };
    },
    async close() {
      state.closed = true;
    },
  };
}

function open(state: State): void {
  if (state.closed) throw new AppError("internal", "the store is closed");
}

function known(state: State, id: AccountId): Account {
  open(state);
  const account = state.accounts.get(id);
  if (account === undefined) throw new AppError("account_not_found", "there is no such account");
  return account;
}

function refuseConflict(accounts: Iterable<Account>, account: Account): void {
  const others = [...accounts].filter((other) => other.id !== account.id);
  const twin = others.find((other) => isSameIdentity(other, account));
  if (twin) throw new AppError("account_exists", `this login is already here as ${twin.alias}`);
  if (others.some((other) => other.alias === account.alias))
    throw new AppError("alias_taken", `the alias ${account.alias} is taken`);
}

/** What an answer may teach about an account; everything else of it belongs to the operator or to its credentials. */
function observed(stored: Account, seen: Account): Account {
  const { tier, windows, cooldown, unsupportedModels, use } = seen;
  return structuredClone({ ...stored, tier, windows, cooldown, unsupportedModels, use });
}

function accountPart(state: State) {
  const save = (account: Account) => {
    const stored = known(state, account.id);
    refuseConflict(state.accounts.values(), { ...stored, alias: account.alias });
    const login = account.credentials.generation === stored.credentials.generation ? account.login : stored.login;
    const { alias, enabled, email, workspaceName, orders, refreshOwner } = account;
    const saved = { ...stored, alias, enabled, email, workspaceName, orders, refreshOwner, login };
    state.accounts.set(account.id, observed(saved, account));
  };
  return {
    async addAccounts(batch) {
      open(state);
      const added = new Map(state.accounts);
      for (const { account } of batch) {
        if (added.has(account.id)) throw new AppError("account_exists", "this account is already here");
        refuseConflict(added.values(), account);
        added.set(account.id, account);
      }
      for (const { account, credentials } of batch) {
        state.accounts.set(account.id, structuredClone(account));
        state.credentials.set(account.id, structuredClone(credentials));
      }
    },
    async removeAccount(id) {
      known(state, id);
      state.accounts.delete(id);
      state.credentials.delete(id);
      state.intents.delete(id);
      state.redeems.delete(id);
      if (state.pin?.accountId === id) state.pin = null;
      for (const kept of Object.values(state.samples))
        for (const [key, sample] of kept) if (sample.accountId === id) kept.delete(key);
    },
    async saveAccount(account) {
      save(account);
    },
    async saveAccounts(batch, along) {
      const before = new Map(state.accounts);
      try {
        for (const account of batch) save(account);
      } catch (refusal) {
        for (const [id, account] of before) state.accounts.set(id, account);
        throw refusal;
      }
      if (along === undefined) return;
      state.rules = [...along.rules];
      for (const profile of along.profiles) state.profiles.set(profile.name, structuredClone(profile));
    },
    async saveObservations(accounts) {
      open(state);
      for (const account of accounts) {
        const stored = state.accounts.get(account.id);
        if (stored) state.accounts.set(account.id, observed(stored, account));
      }
    },
  } satisfies Partial<Store>;
}

function batchPart(state: State) {
  return {
    async applyBatch(batch) {
      open(state);
      for (const id of batch.removed) known(state, id);
      for (const { account, expectedGeneration } of batch.replaced) {
        if (account.credentials.generation !== expectedGeneration + 1)
          throw new AppError("internal", "new credentials must carry the generation after the expected one");
        if (known(state, account.id).credentials.generation !== expectedGeneration) return "stale";
      }
      const after = new Map([...state.accounts].filter(([id]) => !batch.removed.includes(id)));
      for (const { account } of [...batch.replaced, ...batch.added]) {
        refuseConflict(after.values(), account);
        after.set(account.id, account);
      }
      for (const { account } of batch.added)
        if (state.accounts.has(account.id)) throw new AppError("account_exists", "this account is already here");
      if (batch.pool?.pin != null && !after.has(batch.pool.pin.accountId))
        throw new AppError("account_not_found", "there is no such account");
      const names = [...state.keys.values()].filter((key) => key.revokedAtMs === null).map((key) => key.name);
      for (const key of batch.keys) {
        if (names.includes(key.name)) throw new AppError("key_exists", `there is already a key named ${key.name}`);
        names.push(key.name);
      }
      for (const id of batch.removed) {
        for (const map of [state.accounts, state.credentials, state.intents, state.redeems]) map.delete(id);
        if (state.pin?.accountId === id) state.pin = null;
      }
      for (const { account, credentials } of [...batch.replaced, ...batch.added]) {
        state.accounts.set(account.id, structuredClone(account));
        state.credentials.set(account.id, structuredClone(credentials));
        state.intents.delete(account.id);
      }
      if (batch.pool !== null) [state.strategy, state.pin] = [batch.pool.strategy, structuredClone(batch.pool.pin)];
      for (const key of batch.keys) state.keys.set(key.id, structuredClone(key));
      for (const [key, value] of batch.settings) state.settings.set(key, value);
      for (const profile of batch.profiles) state.profiles.set(profile.name, structuredClone(profile));
      for (const budget of batch.budgets) state.budgets.set(budget.name, structuredClone(budget));
      if (batch.rules !== null) state.rules = [...batch.rules];
      return "committed";
    },
  } satisfies Partial<Store>;
}

function credentialPart(state: State) {
  const commit = (next: Account, expectedGeneration: number, credentials: Credentials): "committed" | "stale" => {
    const stored = known(state, next.id);
    const intent = state.intents.get(next.id);
    if (intent && intent.generation <= expectedGeneration) state.intents.delete(next.id);
    if (stored.credentials.generation !== expectedGeneration) return "stale";
    state.accounts.set(next.id, structuredClone(next));
    state.credentials.set(next.id, structuredClone(credentials));
    return "committed";
  };
  const checkGeneration = (account: Account, expectedGeneration: number) => {
    if (account.credentials.generation !== expectedGeneration + 1)
      throw new AppError("internal", "new credentials must carry the generation after the expected one");
  };
  return {
    async replaceCredentials(account, expectedGeneration, credentials) {
      const stored = known(state, account.id);
      checkGeneration(account, expectedGeneration);
      if (stored.credentials.generation === expectedGeneration) refuseConflict(state.accounts.values(), account);
      return commit(account, expectedGeneration, credentials);
    },
    async commitRefresh(account, expectedGeneration, credentials) {
      const stored = known(state, account.id);
      checkGeneration(account, expectedGeneration);
      const { login, email, credentials: facts } = account;
      return commit(
        observed({ ...stored, login, email, credentials: facts }, account),
        expectedGeneration,
        credentials,
      );
    },
    async loadCredentials(id) {
      const { generation } = known(state, id).credentials;
      return { credentials: structuredClone(state.credentials.get(id)!), generation };
    },
    async beginRefresh(intent) {
      known(state, intent.accountId);
      state.intents.set(intent.accountId, structuredClone(intent));
    },
    async abandonRefresh(id) {
      open(state);
      state.intents.delete(id);
    },
    async refreshIntents() {
      open(state);
      return structuredClone([...state.intents.values()]);
    },
    async beginRedeem(intent) {
      known(state, intent.accountId);
      const standing = state.redeems.get(intent.accountId) ?? structuredClone(intent);
      state.redeems.set(intent.accountId, standing);
      return structuredClone(standing);
    },
    async endRedeem(intent) {
      open(state);
      if (state.redeems.get(intent.accountId)?.requestId === intent.requestId) state.redeems.delete(intent.accountId);
    },
  } satisfies Partial<Store>;
}

function poolPart(state: State) {
  const refuseTakenName = (key: ClientKey) => {
    const others = [...state.keys.values()].filter((other) => other.id !== key.id && other.revokedAtMs === null);
    if (key.revokedAtMs === null && others.some((other) => other.name === key.name))
      throw new AppError("key_exists", `there is already a key named ${key.name}`);
  };
  return {
    async loadPool() {
      open(state);
      return structuredClone({
        accounts: [...state.accounts.values()],
        strategy: state.strategy,
        pin: state.pin,
        keys: [...state.keys.values()],
        budgets: [...state.budgets.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
        prices: [...state.prices.values()].sort((a, b) => (a.model < b.model ? -1 : 1)),
        settings: Object.fromEntries(state.settings),
        watchedFiles: [...state.watchedFiles.values()],
        rules: state.rules,
        profiles: [...state.profiles.values()],
        modelAliases: [...state.modelAliases.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
        modelLists: [...state.modelLists.values()]
          .filter(({ accountId }) => state.accounts.has(accountId))
          .sort((a, b) => (a.accountId < b.accountId ? -1 : 1)),
      });
    },
    async savePool({ strategy, pin }) {
      if (pin !== null) known(state, pin.accountId);
      open(state);
      state.strategy = strategy;
      state.pin = structuredClone(pin);
    },
    async addKey(key) {
      open(state);
      if (state.keys.has(key.id)) throw new AppError("key_exists", "there is already a key with this id");
      refuseTakenName(key);
      state.keys.set(key.id, structuredClone(key));
    },
    async saveKey(key) {
      open(state);
      if (!state.keys.has(key.id)) throw new AppError("key_not_found", "there is no such key");
      refuseTakenName(key);
      state.keys.set(key.id, structuredClone(key));
    },
    async touchKeys(lastUsed) {
      open(state);
      for (const [id, lastUsedAtMs] of lastUsed) {
        const key = state.keys.get(id);
        if (key && (key.lastUsedAtMs ?? 0) < lastUsedAtMs) state.keys.set(id, { ...key, lastUsedAtMs });
      }
    },
    async addWatchedFile(file) {
      open(state);
      if (!state.watchedFiles.has(file.path)) state.watchedFiles.set(file.path, structuredClone(file));
    },
    async removeWatchedFile(path) {
      open(state);
      state.watchedFiles.delete(path);
    },
    async saveSettings(changes) {
      open(state);
      for (const [key, value] of changes) {
        if (value === null) state.settings.delete(key);
        else state.settings.set(key, value);
      }
    },
  } satisfies Partial<Store>;
}

function choicePart(state: State) {
  return {
    async saveRules(lines) {
      open(state);
      state.rules = [...lines];
    },
    async saveProfiles(profiles, renamed) {
      open(state);
      if (renamed !== undefined) {
        const kept = [...state.profiles].map(
          ([name, one]) => [name === renamed.from ? renamed.to : name, one] as const,
        );
        state.profiles.clear();
        for (const [name, one] of kept) state.profiles.set(name, { ...one, name });
      }
      for (const profile of profiles) state.profiles.set(profile.name, structuredClone(profile));
    },
    async removeProfile(name) {
      open(state);
      state.profiles.delete(name);
    },
  } satisfies Partial<Store>;
}

function modelPart(state: State) {
  return {
    async saveModelAlias(alias) {
      open(state);
      state.modelAliases.set(alias.name, structuredClone(alias));
    },
    async removeModelAlias(name) {
      open(state);
      state.modelAliases.delete(name);
    },
    async saveModelList(list) {
      open(state);
      if (state.accounts.has(list.accountId)) state.modelLists.set(list.accountId, structuredClone(list));
    },
  } satisfies Partial<Store>;
}

function exchangePart(state: State) {
  return {
    async appendExchanges(batch, keep) {
      open(state);
      for (const exchange of batch) state.exchanges.set(exchange.id, structuredClone(exchange));
      const excess = state.exchanges.size - keep;
      for (const id of [...state.exchanges.keys()].sort().slice(0, Math.max(0, excess))) state.exchanges.delete(id);
    },
    async listExchanges({ limit, before, accountId, keyId, failed }) {
      open(state);
      const touched = (exchange: Exchange) =>
        exchange.servedBy === accountId || exchange.attempts.some((attempt) => attempt.accountId === accountId);
      const found = [...state.exchanges.values()]
        .filter(
          (exchange) =>
            (before === undefined || exchange.id < before) &&
            (accountId === undefined || touched(exchange)) &&
            (keyId === undefined || exchange.keyId === keyId) &&
            (failed !== true || exchange.errorCode !== null || (exchange.status ?? 0) >= 400),
        )
        .sort((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, limit);
      return structuredClone(found);
    },
    async getExchange(id) {
      open(state);
      return structuredClone(state.exchanges.get(id) ?? null);
    },
  } satisfies Partial<Store>;
}

function auditPart(state: State) {
  return {
    async appendAudit(batch, keepSinceMs) {
      open(state);
      const added = batch.filter((entry) => !state.audit.some(({ id }) => id === entry.id));
      state.audit = structuredClone([...state.audit, ...added]).filter((entry) => entry.atMs >= keepSinceMs);
    },
    async listAudit({ limit, before, sinceMs, action, actor, subject, failed }) {
      open(state);
      const found = state.audit
        .filter(
          (entry) =>
            (before === undefined || entry.id < before) &&
            (sinceMs === undefined || entry.atMs >= sinceMs) &&
            (action === undefined || `${entry.action}.`.startsWith(`${action}.`)) &&
            (actor === undefined || entry.actor.kind === actor) &&
            (subject === undefined || entry.subjects.some(({ id, name }) => id === subject || name === subject)) &&
            (failed !== true || entry.errorCode !== null),
        )
        .sort((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, limit);
      return structuredClone(found);
    },
  } satisfies Partial<Store>;
}

function historyPart(state: State) {
  return {
    async appendWindowSamples(batch, nowMs) {
      open(state);
      for (const [step, { everyMs, keptMs }] of Object.entries(HISTORY_STEPS)) {
        const kept = state.samples[step as HistoryStep];
        for (const sample of batch) {
          const key = `${seriesKey(sample)}/${Math.floor(sample.atMs / everyMs)}`;
          if (state.accounts.has(sample.accountId) && (kept.get(key)?.atMs ?? 0) <= sample.atMs)
            kept.set(key, structuredClone(sample));
        }
        for (const [key, { atMs }] of kept) if (Math.floor(atMs / everyMs) * everyMs < nowMs - keptMs) kept.delete(key);
      }
    },
    async previewRules(ask, zone) {
      open(state);
      const exchanges = [...state.exchanges.values()]
        .filter(({ startedAtMs }) => startedAtMs >= ask.sinceMs)
        .sort((a, b) => (a.id < b.id ? 1 : -1));
      const samples = [...state.samples.hour.values(), ...state.samples.fine.values()]
        .filter(({ atMs }) => atMs >= ask.sinceMs - HISTORY_BACK_MS)
        .sort((a, b) => a.atMs - b.atMs);
      return structuredClone(previewRules(ask, { exchanges, isCut: false, samples }, zone));
    },
    async listWindowHistory({ step, sinceMs, accountId }) {
      open(state);
      const found = [...state.samples[step].values()].filter(
        (sample) => sample.atMs >= sinceMs && (accountId === undefined || sample.accountId === accountId),
      );
      return structuredClone(found.sort((a, b) => a.atMs - b.atMs || (seriesKey(a) < seriesKey(b) ? -1 : 1)));
    },
  } satisfies Partial<Store>;
}
