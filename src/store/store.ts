/**
 * What the pool asks of a store, in intentions rather than tables, so that another database can follow (contracts §25).
 * Every method is atomic. Promises settle only when what they promise is true: a credential write has reached the disk.
 *
 * What a plan made from memory may hold stale when several hosts share one store: window figures, cooldowns, lease counts and
 * use counts (each is corrected by the next answer). What it may not: credentials (fenced by generation), the account list,
 * pins and client keys (to be announced across hosts).
 */
import type { Account, AccountId } from "../domain/account.ts";
import type { ActorKind, AuditEntry } from "../domain/audit.ts";
import type { Budget } from "../domain/budget.ts";
import type { ClientKey } from "../domain/client-key.ts";
import type { Credentials } from "../domain/credentials.ts";
import type { Exchange, ExchangeId } from "../domain/exchange.ts";
import type { LedgerRow, UsageQuery, UsageReport } from "../domain/ledger.ts";
import type { Spend } from "../domain/limit.ts";
import type { ModelAlias, ModelList } from "../domain/model.ts";
import type { Pin } from "../domain/pin.ts";
import type { SavedPrice } from "../domain/price.ts";
import type { Profile } from "../domain/profile.ts";
import type { PreviewAsk, RulePreview } from "../domain/rule-preview.ts";
import type { ZoneOffset } from "../domain/schedule.ts";
import type { SettingKey, SettingValue } from "../domain/setting.ts";
import type { StrategyName } from "../domain/strategy.ts";
import type { WatchedFile } from "../domain/watched-file.ts";
import type { HistoryStep, WindowSample } from "../domain/window-history.ts";
import type { GuardKind } from "./key-guard.ts";

export type { Credentials };

export interface StoredPool {
  readonly accounts: readonly Account[];
  readonly strategy: StrategyName;
  readonly pin: Pin | null;
  readonly keys: readonly ClientKey[];
  /** By name. */
  readonly budgets: readonly Budget[];
  /** Prices that the operator has said. */
  readonly prices: readonly SavedPrice[];
  readonly settings: Readonly<Partial<Record<SettingKey, SettingValue>>>;
  /** In the order in which they were added. */
  readonly watchedFiles: readonly WatchedFile[];
  /** Lines of the pool's rules, as they were written. */
  readonly rules: readonly string[];
  /** In the order in which they were added. */
  readonly profiles: readonly Profile[];
  /** In the order of their names. */
  readonly modelAliases: readonly ModelAlias[];
  /** What upstream last told each account; none of an account that was removed. */
  readonly modelLists: readonly ModelList[];
}

/** From when on the ledger is kept: single rows, and sums by the hour. */
export interface LedgerKept {
  readonly rowsSinceMs: number;
  readonly sumsSinceMs: number;
}

/** What one key used for one project. */
/** What counts against limits. */
export interface Spent {
  readonly turns: readonly SpentRow[];
  /** The same turns, as far as they counted to budgets of their profile. */
  readonly budgets: readonly { readonly budget: string; readonly spend: Spend }[];
}

export interface SpentRow {
  readonly keyId: string | null;
  readonly project: string | null;
  readonly spend: Spend;
}

/** A refresh that was about to be sent when the process ended: the old token is to be tried once more (contracts §15). */
export interface RefreshIntent {
  readonly accountId: AccountId;
  readonly generation: number;
  /** SHA-256 of the refresh token that was sent. */
  readonly tokenHash: string;
  readonly startedAtMs: number;
}

/** A reset credit that was about to be redeemed: until its end is known, it is asked for under the same id, so that it is spent once. */
export interface RedeemIntent {
  readonly accountId: AccountId;
  /** UUID by which upstream knows the request again. */
  readonly requestId: string;
  readonly startedAtMs: number;
}

export interface NewAccount {
  readonly account: Account;
  readonly credentials: Credentials;
}

/** What an import, or the first word on whose a login is, changes at once. */
export interface PoolBatch {
  readonly added: readonly NewAccount[];
  /** Fenced like a refresh; each carries the generation after the expected one. */
  readonly replaced: readonly (NewAccount & { readonly expectedGeneration: number })[];
  /** Gone before anything is added or replaced. */
  readonly removed: readonly AccountId[];
  /** null = both stay. */
  readonly pool: { readonly strategy: StrategyName; readonly pin: Pin | null } | null;
  readonly keys: readonly ClientKey[];
  readonly settings: ReadonlyMap<SettingKey, SettingValue>;
  /** Added, or replaced by name. */
  readonly profiles: readonly Profile[];
  /** Added, or replaced by name. */
  readonly budgets: readonly Budget[];
  /** In place of all; null = they stay. */
  readonly rules: readonly string[] | null;
}

/** What a change of names does to what is said of choosing. */
export interface ChoiceChange {
  /** In place of all. */
  readonly rules: readonly string[];
  /** Replaced by name. */
  readonly profiles: readonly Profile[];
}

export interface ExchangeQuery {
  /** Newest first; at most this many. */
  readonly limit: number;
  /** Only those older than this id (page on). */
  readonly before?: ExchangeId;
  /** Only those that this account served or was tried for. */
  readonly accountId?: AccountId;
  readonly keyId?: string;
  /** Only those that ended with an error code or a status of 400 and above. */
  readonly failed?: boolean;
}

export interface AuditQuery {
  /** Newest first; at most this many. */
  readonly limit: number;
  /** Only those older than this id (page on). */
  readonly before?: string;
  readonly sinceMs?: number;
  /** An action, or its noun for all of that noun's. */
  readonly action?: string;
  readonly actor?: ActorKind;
  /** Id, or name at that moment. */
  readonly subject?: string;
  /** Only orders that were refused. */
  readonly failed?: boolean;
}

/** Oldest first. */
export interface WindowHistoryQuery {
  readonly step: HistoryStep;
  readonly sinceMs: number;
  /** Only of this account. */
  readonly accountId?: AccountId;
}

export interface Store {
  /** Everything that selection needs, read once at start. Accounts and keys in the order in which they were added. */
  loadPool(): Promise<StoredPool>;

  /** Adds all or none. Rejects with `account_exists` (same identity or id) or `alias_taken`. Durable. */
  addAccounts(batch: readonly NewAccount[]): Promise<void>;
  /**
   * Replaces the credentials of a known account (a new login or import) and all of its facts; fenced like a refresh. Durable.
   * Rejects with `account_not_found`, `account_exists` or `alias_taken`.
   */
  replaceCredentials(
    account: Account,
    expectedGeneration: number,
    credentials: Credentials,
  ): Promise<"committed" | "stale">;
  /**
   * All of it or nothing. Durable. `stale` = an account that is to be replaced has another generation by now, and nothing was written.
   * Rejects with `account_not_found`, `account_exists`, `alias_taken` or `key_exists`.
   */
  applyBatch(batch: PoolBatch): Promise<"committed" | "stale">;
  /** Account with its credentials and a pin on it; history of exchanges kept. Durable. Rejects with `account_not_found`. */
  removeAccount(id: AccountId): Promise<void>;
  /**
   * Alias, e-mail, enabled, login state and observations: what an operator or the credential keeper changed; never identity or
   * credential facts. A login state of another generation than the stored one is not taken: it speaks of other credentials.
   * Durable. Rejects with `account_not_found` or `alias_taken`.
   */
  saveAccount(account: Account): Promise<void>;
  /** As `saveAccount`, of all or of none; with what else has to change with them. */
  saveAccounts(accounts: readonly Account[], along?: ChoiceChange): Promise<void>;
  /**
   * Tier, windows, cooldowns, unsupported models, use counts: written behind, in batches, without waiting for the disk.
   * An account that was removed meanwhile is passed over.
   */
  saveObservations(accounts: readonly Account[]): Promise<void>;

  /** Opens the seal. Rejects with `account_not_found`, or with what keeps the seal shut (`seal_key_missing`, `store_locked`, …). */
  loadCredentials(id: AccountId): Promise<{ credentials: Credentials; generation: number }>;
  /** Written before a refresh is sent; one per account, the latest counts. Durable. Rejects with `account_not_found`. */
  beginRefresh(intent: RefreshIntent): Promise<void>;
  /**
   * Compare-and-swap on the generation; `account` carries the generation after the expected one. Saves login state, credential
   * facts, e-mail and observations, and clears the intent. Durable: resolves after fsync. `stale` = another generation is
   * stored, and nothing was written but that the intent is gone. Rejects with `account_not_found`.
   */
  commitRefresh(account: Account, expectedGeneration: number, credentials: Credentials): Promise<"committed" | "stale">;
  /** The refresh ended without new credentials. No intent is no error. */
  abandonRefresh(id: AccountId): Promise<void>;
  refreshIntents(): Promise<readonly RefreshIntent[]>;

  /**
   * Written before a reset credit is asked for. One per account: where one stands already, that is the answer and nothing is written.
   * Durable. Rejects with `account_not_found`.
   */
  beginRedeem(intent: RedeemIntent): Promise<RedeemIntent>;
  /** Its end is known. No such intent is no error. Durable: the next one is another request. */
  endRedeem(intent: RedeemIntent): Promise<void>;

  /** Durable. Rejects with `account_not_found` when the pinned account is not there. */
  savePool(pool: { strategy: StrategyName; pin: Pin | null }): Promise<void>;
  /** Durable. Rejects with `key_exists` when the name is taken by a key that is not revoked. */
  addKey(key: ClientKey): Promise<void>;
  /** Durable. Rejects with `key_not_found` or `key_exists`. */
  saveKey(key: ClientKey): Promise<void>;
  /** Last uses by key id, written behind; never moves one back. */
  touchKeys(lastUsed: ReadonlyMap<string, number>): Promise<void>;
  /** A path that is there already stays as it is. Durable. */
  addWatchedFile(file: WatchedFile): Promise<void>;
  /** No such path is no error. Durable. */
  removeWatchedFile(path: string): Promise<void>;
  /** The whole list in place of the one before. Durable. */
  saveRules(lines: readonly string[]): Promise<void>;
  /** Adds or replaces by name, all or none. Durable. */
  saveProfiles(profiles: readonly Profile[], renamed?: { readonly from: string; readonly to: string }): Promise<void>;
  /** No such profile is no error. Durable. */
  removeProfile(name: string): Promise<void>;
  /** Upserts by name. Durable. */
  saveModelAlias(alias: ModelAlias): Promise<void>;
  /** No such name is no error. Durable. */
  removeModelAlias(name: string): Promise<void>;
  /** In place of the account's last one; written behind. One of an account that was removed meanwhile is passed over. */
  saveModelList(list: ModelList): Promise<void>;
  /** null takes the saved value away. All or none. Durable. */
  saveSettings(changes: ReadonlyMap<SettingKey, SettingValue | null>): Promise<void>;

  /** Adds it, or puts it in the place of the one of its name. Durable. */
  saveBudget(budget: Budget): Promise<void>;
  /** Durable. Rejects with `budget_not_found`. */
  removeBudget(name: string): Promise<void>;
  /** Durable. */
  savePrice(price: SavedPrice): Promise<void>;
  /** No such price is no error. Durable. */
  removePrice(model: string): Promise<void>;

  /** Adds turns that have just ended, each once, and sums them up by the hour, both or neither. Written behind. */
  appendLedger(batch: readonly LedgerRow[], kept: LedgerKept): Promise<void>;
  /** As `appendLedger`, of turns that were counted elsewhere; one that is here already, by its id, counts no second time. */
  adoptTurns(batch: readonly LedgerRow[], kept: LedgerKept): Promise<void>;
  /** Which of these turns are in the ledger. */
  knownTurns(ids: readonly ExchangeId[]): Promise<ReadonlySet<ExchangeId>>;
  /** What counts against limits since the beginning of an hour. */
  spentSince(sinceMs: number): Promise<Spent>;
  /** Sums of the ledger. May take its time, but not that of a stream. */
  queryUsage(query: UsageQuery): Promise<UsageReport>;

  /**
   * Adds exchanges that are over, each once; written behind. Drops the oldest beyond `keep`, a large excess over several calls. What was added
   * in one call may stay together until as many as are to be kept are there without it.
   */
  appendExchanges(batch: readonly Exchange[], keep: number): Promise<void>;
  listExchanges(query: ExchangeQuery): Promise<readonly Exchange[]>;
  getExchange(id: ExchangeId): Promise<Exchange | null>;

  /** Adds entries and drops what is older than `keepSinceMs`. Durable; an id that is there already is no error. */
  appendAudit(batch: readonly AuditEntry[], keepSinceMs: number): Promise<void>;
  listAudit(query: AuditQuery): Promise<readonly AuditEntry[]>;

  /** Keeps each in every step of time (domain/window-history.ts), and drops what has been kept for its time at `nowMs`. Written behind. */
  appendWindowSamples(batch: readonly WindowSample[], nowMs: number): Promise<void>;
  listWindowHistory(query: WindowHistoryQuery): Promise<readonly WindowSample[]>;
  /** What other rules would have done to the exchanges that are kept. May take its time, but not that of a stream. */
  previewRules(ask: PreviewAsk, zone: ZoneOffset): Promise<RulePreview>;

  /** Integrity and durability facts for `doctor`. */
  check(): Promise<StoreCheck>;
  close(): Promise<void>;
}

export interface StoreCheck {
  readonly schemaVersion: number;
  readonly integrity: "ok" | string;
  readonly sizeBytes: number;
  /** Which guard opens the logins in it, and by which key; the fingerprint is null until the first key is made. */
  readonly seal: { readonly guard: GuardKind; readonly fingerprint: string | null };
  /** Files whose mode lets others in. */
  readonly looseFiles: readonly string[];
}
