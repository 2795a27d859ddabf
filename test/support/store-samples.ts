/** Accounts, credentials, keys and exchanges by number, for tests of stores. Tokens are made up here and look like no real one. */
import { type Account, type AccountId, NO_ORDERS, OWNED_HERE } from "../../src/domain/account.ts";
import { type ClientKey, NO_TERMS } from "../../src/domain/client-key.ts";
import type { AttemptRecord, Exchange, ExchangeId } from "../../src/domain/exchange.ts";
import type { Window } from "../../src/domain/window.ts";
import type { Credentials } from "../../src/store/store.ts";
import { T0 } from "./manual-clock.ts";

/** An id that is a ULID in form and sorts like `n`. */
function ulidLike(kind: string, n: number): string {
  return `01${kind}${String(n).padStart(23, "0")}`;
}

export function accountLike(n: number, changes: Partial<Account> = {}): Account {
  return {
    id: ulidLike("A", n) as AccountId,
    alias: `account-${n}`,
    email: `person${n}@example.com`,
    userId: `person-${n}`,
    workspaceId: `workspace-${n}`,
    workspaceName: null,
    issuer: "https://issuer.example",
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

export function nextGeneration(account: Account): Account {
  const { generation, refreshedAtMs } = account.credentials;
  const credentials = { generation: generation + 1, accessExpiresAtMs: null, refreshedAtMs: refreshedAtMs + 60_000 };
  return { ...account, credentials };
}

export function credentialsLike(n: number): Credentials {
  return {
    accessToken: `access-token-number-${n}`,
    refreshToken: `refresh-token-number-${n}`,
    idToken: `id-token-number-${n}`,
  };
}

export function windowLike(changes: Partial<Window> = {}): Window {
  return {
    limit: "codex",
    slot: "primary",
    models: null,
    lengthMinutes: 300,
    usedPercent: 12.5,
    resetsAtMs: T0 + 1_000,
    observedAtMs: T0,
    observedFrom: "header",
    ...changes,
  };
}

export function keyLike(n: number, changes: Partial<ClientKey> = {}): ClientKey {
  return {
    id: `KEY${String(n).padStart(7, "0")}`,
    name: `key-${n}`,
    hash: { algorithm: "sha256", hex: String(n).padStart(64, "0") },
    former: null,
    terms: NO_TERMS,
    createdAtMs: T0,
    revokedAtMs: null,
    lastUsedAtMs: null,
    ...changes,
  };
}

export function exchangeId(n: number): ExchangeId {
  return ulidLike("E", n) as ExchangeId;
}

/** `tried` gives one attempt for each account named. */
export function exchangeLike(n: number, changes: Partial<Exchange> & { tried?: readonly AccountId[] } = {}): Exchange {
  const { tried = [accountLike(1).id], ...rest } = changes;
  return {
    id: exchangeId(n),
    startedAtMs: T0 + n,
    endedAtMs: T0 + n + 10,
    surface: "codex",
    method: "POST",
    path: "/backend-api/codex/responses",
    model: "some-model",
    mapping: null,
    keyId: "KEY0000001",
    conversation: null,
    attempts: tried.map(attemptOn),
    plan: null,
    servedBy: accountLike(1).id,
    servedByAlias: "account-1",
    status: 200,
    errorCode: null,
    usage: { inputTokens: 10, cachedInputTokens: 5, outputTokens: 3, reasoningTokens: 1 },
    spend: null,
    firstByteMs: 4,
    waitedMs: 0,
    ...rest,
  };
}

function attemptOn(accountId: AccountId): AttemptRecord {
  return {
    accountId,
    alias: "some",
    startedAtMs: T0,
    endedAtMs: T0 + 5,
    outcome: "served",
    status: 200,
    message: null,
    next: "done",
  };
}
