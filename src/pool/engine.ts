/**
 * What the doors see of the engine room: its desks. Doors translate and call; they decide nothing.
 * Every method that changes something resolves after the change is durable, and rejects with an AppError.
 */

import type { BodyBytes } from "../base/body-bytes.ts";
import type { ByteFilter } from "../base/byte-filter.ts";
import type { AppError } from "../base/errors.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { AccountEdit } from "../domain/account-edit.ts";
import type { Exchange, ExchangeId, Surface } from "../domain/exchange.ts";
import type { FileNotice } from "../domain/file-verdict.ts";
import type { PoolForecast } from "../domain/forecast.ts";
import type { Hold } from "../domain/hold.ts";
import type { Login, LoginMethod } from "../domain/login.ts";
import type { ModelMapping } from "../domain/model-choice.ts";
import type { Pin } from "../domain/pin.ts";
import type { Plan } from "../domain/plan.ts";
import type { Mentions } from "../domain/rule-rename.ts";
import type { StrategyName } from "../domain/strategy.ts";
import type { Scarcity } from "../domain/threshold.ts";
import type { Waiting } from "../domain/waiting.ts";
import type { Window } from "../domain/window.ts";
import type { HistoryStep, WindowSeries } from "../domain/window-history.ts";
import type { ExchangeQuery, StoreCheck } from "../store/store.ts";
import type { AuditDesk } from "./audit-book.ts";
import type { BackgroundDesk } from "./background-desk.ts";
import type { BudgetDesk } from "./budget-desk.ts";
import type { CatalogueDesk } from "./catalogue.ts";
import type { Choice, Question } from "./choice.ts";
import type { ClientDesk } from "./client-desk.ts";
import type { KeyDesk } from "./key-desk.ts";
import type { LedgerDesk } from "./ledger.ts";
import type { EditOptions, LoginStep, ProbeOptions, QueueOptions } from "./login-step.ts";
import type { UsageDesk } from "./pooled-usage.ts";
import type { PriceDesk } from "./price-desk.ts";
import type { Redeemed } from "./redeem-desk.ts";
import type { SettingDesk } from "./setting-desk.ts";
import type { SocketAsk } from "./socket-ask.ts";
import type { TransferDesk } from "./transfer-desk.ts";

export interface Engine extends Choice {
  readonly accounts: AccountDesk;
  readonly logins: LoginDesk;
  readonly selection: SelectionDesk;
  readonly history: HistoryDesk;
  readonly exchanges: ExchangeDesk;
  readonly keys: KeyDesk;
  readonly clients: ClientDesk;
  readonly budgets: BudgetDesk;
  readonly ledger: LedgerDesk;
  readonly prices: Omit<PriceDesk, "costOf">;
  readonly files: FileDesk;
  readonly transfers: TransferDesk;
  readonly settings: SettingDesk;
  readonly catalogue: CatalogueDesk;
  readonly usage: UsageDesk;
  readonly audit: AuditDesk;
  readonly background: BackgroundDesk;
  counters(): Counters;
  checkStore(): Promise<StoreCheck>;
}

export interface AccountDesk {
  /** In the order in which they were added. */
  list(): readonly Account[];
  get(id: AccountId): Account | null;
  openLeases(id: AccountId): number;
  update(id: AccountId, changes: { alias?: string; enabled?: boolean; force: boolean }): Promise<Account>;
  /** The same edit of all of them, or of none. Resolves with the accounts as they are after it, or would be. */
  edit(ids: readonly AccountId[], edit: AccountEdit, options: EditOptions): Promise<readonly Account[]>;
  /** On every account that has it, and in every rule and profile that names it. Resolves with these accounts. */
  renameTag(from: string, to: string, options: { readonly dryRun: boolean }): Promise<readonly Account[]>;
  /** Rules and profiles that name this account by its alias. */
  mentions(id: AccountId): Mentions;
  /** `revoke` ends the login upstream too, first; refused when another program renews it. */
  remove(id: AccountId, options?: { revoke: boolean }): Promise<Account>;
  refresh(id: AccountId): Promise<Account>;
  /** Renews the logins of these, a few at a time. First one step for each: queued, or skipped with the reason; a dry run ends there. */
  refreshAll(ids: readonly AccountId[], options: QueueOptions): AsyncIterable<LoginStep>;
  /**
   * Finds out whether these logins work, restores those that were lost and do, and asks what each account has left, and a model when that
   * is wished for. Steps as of `refreshAll`.
   */
  probeAll(ids: readonly AccountId[], options: ProbeOptions): AsyncIterable<LoginStep>;
  /** Redeems a reset credit, once (pool/redeem-desk.ts). */
  redeem(id: AccountId): Promise<Redeemed>;
  clearCooldown(id: AccountId): Promise<Account>;
}

export interface LoginRequest {
  readonly method: LoginMethod;
  /** For the account, when it turns out to be a new one; null = a default. */
  readonly alias: string | null;
  /** Renew this account and no other. */
  readonly accountId: AccountId | null;
  /** E-mail address to suggest to the sign-in page. */
  readonly loginHint: string | null;
  /** Only an account in this workspace; absent: the person chooses. */
  readonly workspaceId?: string | undefined;
}

export interface LoginDesk {
  /** Resolves when there is something to open or type. */
  start(request: LoginRequest): Promise<Login>;
  /** Resolves when the login has ended, completed or failed. Rejects with `invalid_callback`, and the login goes on. */
  complete(id: string, callbackUrl: string): Promise<Login>;
  /** The login as it ended, which may be before this. */
  cancel(id: string): Promise<Login>;
  /** Throws `login_not_found`. A login is a new object after every change. */
  get(id: string): Login;
  /** Open ones, and those that ended within the last hour; newest first. */
  list(): readonly Login[];
  watch(onChange: () => void): () => void;
}

export interface PoolView {
  readonly revision: number;
  readonly strategy: StrategyName;
  readonly pin: Pin | null;
  readonly pauseUntilMs: number | null;
  readonly accountCount: number;
  readonly usableCount: number;
  readonly nextUsableAtMs: number | null;
  readonly openLeases: number;
  readonly lastAccountId: AccountId | null;
  readonly nextAccountId: AccountId | null;
  /** In line for an account. */
  readonly waitingCount: number;
  readonly firstWaiting: Waiting | null;
}

export interface SelectionDesk {
  view(): PoolView;
  setStrategy(strategy: StrategyName): Promise<void>;
  pin(id: AccountId, untilMs: number | null): Promise<void>;
  unpin(): Promise<void>;
  /** The holds of one account for an ask now without a model, and how scarce a window of it is: from what selection calls. */
  holdsOn(account: Account): readonly Hold[];
  scarcityOf(window: Window): Scarcity;
  /** The whole plan; leases nothing. Throws `profile_not_found`. */
  explain(question: Question): Plan;
  /** Calls `onChange` after every visible change until the returned function is called. Calls may be merged. */
  watch(onChange: () => void): () => void;
}

export interface HistoryDesk {
  /** What windows held since then, in the finest step that reaches back so far. */
  series(query: {
    accountId: AccountId | null;
    sinceMs: number;
  }): Promise<{ step: HistoryStep; series: readonly WindowSeries[] }>;
  forecast(ask: {
    model: string | null;
    without: ReadonlySet<AccountId>;
    extraTiers: readonly string[];
  }): Promise<PoolForecast>;
}

/** What a door hands in: one client request, decoded and judged as far as the door can. */
export interface ExchangeRequest {
  /** Of the exchange, where a client was told before it began; absent: a new one. */
  readonly id?: ExchangeId;
  readonly surface: Surface;
  readonly method: string;
  /** As the client asked, without a path-scoped key: for the record. */
  readonly path: string;
  /** Path and query below upstream's base URL. */
  readonly upstreamPath: string;
  readonly headers: HeaderList;
  readonly body: BodyBytes | null;
  /** Plain bytes of `body` when that is compressed, else `body` itself; what may be edited when a retry needs it. */
  readonly plainBody: BodyBytes | null;
  readonly model: string | null;
  /** How the request differs from what its client asked; null = not at all. `model` is the one that is sent. */
  readonly mapping: ModelMapping | null;
  /** Makes the filter that an opened stream's bytes go through; null passes them as they are. */
  readonly filter: (() => ByteFilter) | null;
  /** Undo a `content-encoding` that upstream chose unasked: for a door that reads or edits the bytes. */
  readonly unpack: boolean;
  /** A request that upstream refuses inside a 200, before any output, is refused with a status; absent: as upstream said it. */
  readonly statusForRefusals?: boolean;
  /** What the client of a stream reads while upstream is silent; absent: nothing. */
  readonly bridge?: Uint8Array;
  /** For a request that came over a WebSocket; null for HTTP. */
  readonly socket: SocketAsk | null;
  /** An inference stream, as opposed to a control call that is passed through. */
  readonly stream: boolean;
  /** Only this account may serve it, as under a pin; absent: whoever may. */
  readonly only?: AccountId;
  /** Stable key of the conversation, null when there is none. */
  readonly conversation: string | null;
  readonly keyId: string | null;
  /** `x-rotor-profile`; absent or null = it names none. */
  readonly profile?: string | null;
  /** For the ledger and the terms of the client key, as the client said it; null = it said nothing. */
  readonly project: string | null;
  readonly effort: string | null;
  readonly tier: string | null;
  /** Aborted when the client hangs up. */
  readonly signal: AbortSignal;
}

export type ExchangeAnswer =
  /** Upstream's answer, to be sent as it comes. */
  | {
      readonly kind: "opened";
      readonly exchangeId: ExchangeId;
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: ReadableStream<Uint8Array>;
    }
  /** Upstream's refusal of the request itself, byte for byte. */
  | {
      readonly kind: "rejected";
      readonly exchangeId: ExchangeId;
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: Uint8Array;
    }
  /** Rotor's own final answer; the door puts it in the client's words (contracts §4). */
  | { readonly kind: "refused"; readonly exchangeId: ExchangeId; readonly error: AppError };

export interface ExchangeDesk {
  /** Never rejects: whatever happens ends as an answer. The caller must read or cancel an opened body. */
  run(request: ExchangeRequest): Promise<ExchangeAnswer>;
  open(): readonly Exchange[];
  list(query: ExchangeQuery): Promise<readonly Exchange[]>;
  /** Id or unambiguous beginning of one; open ones included. Rejects with `exchange_not_found`. */
  get(idOrPrefix: string): Promise<Exchange>;
  watch(onChange: (exchange: Exchange) => void): () => void;
}

/** A watched file and what the last look at it has shown. */
export interface FileView {
  readonly path: string;
  readonly addedAtMs: number;
  readonly lookedAtMs: number | null;
  readonly state: FileState;
  /** Why it is of no use, in words; null when it holds a login. */
  readonly reason: string | null;
  /** Account whose login it holds; null = none of ours, or no login. */
  readonly accountId: AccountId | null;
  /** `offered`: a login that is not here. `two_owners`: Rotor and another program both renew it. null = nothing to say. */
  readonly notice: FileNotice | null;
}

export type FileState = "login" | "empty" | "broken" | "absent" | "refused";

export interface SyncedFile {
  readonly view: FileView;
  readonly action: "add" | "renew" | "hand_over" | "nothing";
  readonly reason: string;
  /** Alias of the account that it belongs to now, or would; "" when there is none. */
  readonly alias: string;
}

/** What a switch did, or would do. */
export interface SwitchReport {
  readonly path: string;
  readonly account: Account;
  /** The account whose login the file held before; null = none. */
  readonly previous: Account | null;
  /** The previous login was only in the file and became an account of the pool, or renewed one. */
  readonly previousKept: "nothing_there" | "in_store" | "adopted" | "backed_up";
  /** Copy of the file as it was; null when nothing in it would be lost. */
  readonly backupPath: string | null;
  /** False when the file held this very login already. */
  readonly written: boolean;
}

export interface FileDesk {
  list(): readonly FileView[];
  /** Watched files in which this account's login lies. */
  holding(id: AccountId): readonly FileView[];
  /** Registers a file. Throws `invalid_login_file`. */
  watch(path: string): Promise<FileView>;
  /** Throws `file_not_watched`, and `file_in_use` while an account depends on it. */
  unwatch(path: string): Promise<void>;
  /** Looks now and takes over what it finds; null = every watched file. */
  sync(path: string | null, dryRun: boolean): Promise<readonly SyncedFile[]>;
  /** Makes a file hold this account's login; its program renews it from then on. */
  switchTo(id: AccountId, path: string, dryRun: boolean): Promise<SwitchReport>;
  /** Rotor renews this login from now on. */
  take(id: AccountId): Promise<Account>;
}

export interface Counters {
  readonly exchanges: number;
  readonly served: number;
  readonly failovers: number;
  readonly refreshes: number;
  readonly refreshFailures: number;
  readonly clientsGone: number;
  /** Logins that somebody had tried out. */
  readonly probes: number;
}
