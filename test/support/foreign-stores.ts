/** Stores as the replaced products leave them, built at run time so that no token lies in a file. One builder a format. */
import { createCipheriv, scryptSync } from "node:crypto";
import { sha256Hex } from "../../src/base/id.ts";
import type { ForeignFile } from "../../src/transfer/json-node.ts";
import { anAccount } from "./builders.ts";
import { T0 } from "./manual-clock.ts";
import { tokenFor } from "./tokens.ts";

/** Stands in every token and e-mail address, so that a test can look for it where neither may be. */
export const CANARY = "canary7f3a";

export const DAY_MS = 86_400_000;

export interface Login {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly idToken: string;
  readonly workspaceId: string;
  readonly userId: string;
  readonly email: string;
  readonly expiresAtMs: number;
}

/** Person `n` in workspace `n`; `mark` and `expiresAtMs` make another copy of the same login. */
export function aLogin(n: number, mark = "a", expiresAtMs = T0 + DAY_MS): Login {
  const account = anAccount({ n });
  return {
    accessToken: tokenFor(account, expiresAtMs, `${CANARY}${mark}`),
    refreshToken: `${CANARY}-refresh-${n}${mark}`,
    idToken: tokenFor(account, expiresAtMs, `${CANARY}id${mark}`),
    workspaceId: account.workspaceId,
    userId: account.userId!,
    email: `${CANARY}.person${n}@example.test`,
    expiresAtMs,
  };
}

export function fileOf(value: unknown, name = "store.json"): ForeignFile {
  return { name, bytes: new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value, null, 2)) };
}

export function codexAuth(login: Login): Record<string, unknown> {
  const tokens = {
    id_token: login.idToken,
    access_token: login.accessToken,
    refresh_token: login.refreshToken,
    account_id: login.workspaceId,
  };
  return {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens,
    last_refresh: new Date(T0).toISOString(),
    something_new: { kept: true },
  };
}

export function opencodeAuth(login: Login): Record<string, unknown> {
  return {
    openai: {
      type: "oauth",
      refresh: login.refreshToken,
      access: login.accessToken,
      expires: login.expiresAtMs,
      accountId: login.workspaceId,
    },
    anthropic: { type: "api", key: "none" },
  };
}

/** Several logins in one refresh text. */
export function multiplexedOpencodeAuth(logins: readonly Login[]): Record<string, unknown> {
  const refresh = logins.map((one) => `${one.refreshToken}|${one.workspaceId}`).join("||");
  return { openai: { type: "oauth", refresh, access: logins[0]!.accessToken, expires: logins[0]!.expiresAtMs } };
}

function stored(login: Login): Record<string, unknown> {
  return {
    accessToken: login.accessToken,
    refreshToken: login.refreshToken,
    idToken: login.idToken,
    accountId: login.workspaceId,
    userId: login.userId,
    email: login.email,
    planType: "plus",
    expiresAt: login.expiresAtMs,
    lastRefresh: new Date(T0).toISOString(),
    usageCount: 42,
    lastUsed: T0 - 1_000,
  };
}

/** Version 2 with everything in it: forced account, weights, windows, a disabled and a lost login, a key that holds an address. */
export function opencodeMultiMap(version: 1 | 2 | 3 = 2): Record<string, unknown> {
  const [work, home, lost] = [aLogin(1), aLogin(2), aLogin(3)];
  const windows = {
    fiveHour: { limit: 100, remaining: 44.5, resetAt: T0 + 3_600_000, updatedAt: T0 - 5_000 },
    weekly: { limit: 100, remaining: 88, updatedAt: T0 - 5_000 },
  };
  const accounts = {
    "Work Laptop": { ...stored(work), alias: "Work Laptop", tags: ["Team A", "b"], notes: "mine", rateLimits: windows },
    [home.email]: { ...stored(home), enabled: false, disabledAt: T0, rateLimitedUntil: T0 + 60_000 },
    lost: { ...stored(lost), authInvalid: true, modelUnsupportedModel: "gpt-5.5", modelUnsupportedUntil: T0 + DAY_MS },
  };
  const store = { accounts, activeAlias: "Work Laptop", rotationIndex: 1, lastRotation: T0 };
  if (version === 1) return store;
  return {
    ...store,
    version,
    forcedAlias: "lost",
    forcedUntil: T0 + DAY_MS,
    previousRotationStrategy: "least-used",
    forcedBy: "dashboard",
    rotationStrategy: "random",
    settings: {
      rotationStrategy: "random",
      criticalThreshold: 10,
      lowThreshold: 30,
      accountWeights: { "Work Laptop": 0.75, lost: 0.25 },
      sessionIdleTimeoutMs: 600_000,
      updatedAt: T0,
    },
  };
}

/** Version 3 keeps figures beside the accounts. */
export function opencodeMultiMetrics(): Record<string, unknown> {
  const weekly = { limit: 100, remaining: 25, updatedAt: T0 };
  return { version: 1, updatedAt: T0, metrics: { lost: { usageCount: 3, lastUsed: T0 - 7, rateLimits: { weekly } } } };
}

export function opencodeMultiArray(): Record<string, unknown> {
  const accounts = [
    { ...stored(aLogin(1)), addedAt: T0 - DAY_MS },
    { ...stored(aLogin(2)), addedAt: T0, enabled: false },
  ];
  return { version: 2, accounts, activeIndex: 1, rotationIndex: 0, lastRotation: T0 };
}

/** As the product encrypts: scrypt with Node's defaults, the tag apart. Salt and nonce are counted, not drawn. */
export function opencodeMultiEnvelope(store: unknown, passphrase: string): Record<string, unknown> {
  const [salt, iv] = [Buffer.alloc(16, 1), Buffer.alloc(12, 2)];
  const cipher = createCipheriv("aes-256-gcm", scryptSync(passphrase, salt, 32), iv);
  const data = Buffer.concat([cipher.update(JSON.stringify(store)), cipher.final()]);
  const text = (bytes: Buffer) => bytes.toString("base64");
  return {
    encrypted: true,
    version: 2,
    salt: text(salt),
    iv: text(iv),
    tag: text(cipher.getAuthTag()),
    data: text(data),
  };
}

export function pr97(): Record<string, unknown> {
  const accounts = [aLogin(1), aLogin(2)].map((login, n) => ({
    refreshToken: login.refreshToken,
    chatgptAccountId: login.workspaceId,
    email: login.email,
    addedAt: T0 - DAY_MS,
    lastUsed: T0 - n,
    lastSwitchReason: "initial",
    rateLimitResetTime: T0 + 5_000,
  }));
  return { version: 1, accounts, activeIndex: 1 };
}

function member(login: Login): Record<string, unknown> {
  return {
    recordId: `record:${login.userId}`,
    accountId: login.workspaceId,
    accountIdSource: "token",
    accountLabel: `Desk ${login.userId} [id:555555]`,
    email: login.email,
    refreshToken: login.refreshToken,
    accessToken: login.accessToken,
    expiresAt: login.expiresAtMs,
    addedAt: T0 - DAY_MS,
    lastUsed: T0 - 1_000,
    lastSwitchReason: "rotation",
  };
}

export function codexMultiV3(): Record<string, unknown> {
  const limits = { "gpt-5.2": T0 + 500, "gpt-5-codex": T0 + 900 };
  const workspaces = [
    { id: "workspace-2", name: "Team", enabled: true, isDefault: true },
    { id: "workspace-9", name: "Other", enabled: false, disabledAt: T0 },
  ];
  return {
    version: 3,
    accounts: [
      { ...member(aLogin(1)), rateLimitResetTimes: limits, coolingDownUntil: T0 + 30, cooldownReason: "auth-failure" },
      { ...member(aLogin(2)), enabled: false, workspaces, currentWorkspaceIndex: 0 },
      { ...member(aLogin(3)), authInvalidatedAt: T0, authInvalidationErrorCode: "token_invalidated" },
    ],
    activeIndex: 0,
    activeIndexByFamily: { codex: 0 },
    pinnedAccountIndex: 1,
    affinityGeneration: 7,
  };
}

/** No access token, no account id: only the address and the refresh token. */
export function codexMultiV1(): Record<string, unknown> {
  const { email, refreshToken } = aLogin(1);
  return {
    version: 1,
    activeIndex: 0,
    accounts: [{ email, refreshToken, addedAt: T0, lastUsed: 0, rateLimitResetTime: T0 + 5 }],
  };
}

const hashOf = (text: string) => `sha256:${sha256Hex(text)}`;
export const clientTokenHash = sha256Hex("a client token");

const FIRST = hashOf("workspace-1");

function ledgerRow(n: number): Record<string, unknown> {
  return {
    version: 1,
    id: `row-${n}`,
    createdAt: T0 + n,
    source: "runtime-proxy",
    operation: "responses",
    outcome: "success",
    model: "gpt-5.5",
    projectKey: "demo-1a2b3c4d5e6f",
    account: { accountHash: FIRST, emailHash: hashOf(aLogin(1).email), index: 0 },
    requestId: null,
    statusCode: 200,
    errorCode: null,
    durationMs: 5_123,
    tokens: { inputTokens: 10, outputTokens: 20, cachedInputTokens: 5, reasoningTokens: 0, totalTokens: 30 },
    costUsd: null,
  };
}

function policies(): Record<string, unknown> {
  const third = hashOf("workspace-3");
  const plain = { tags: [], weight: 1, paused: false, drained: false, note: null, updatedAt: T0 };
  return {
    version: 1,
    accounts: {
      [FIRST]: { ...plain, accountKey: FIRST, tags: ["work"], weight: 2, drained: true, note: "first" },
      [third]: { ...plain, accountKey: third, weight: 0 },
    },
  };
}

function profiles(): Record<string, unknown> {
  const demo = {
    projectKey: "demo-1a2b3c4d5e6f",
    projectName: "demo",
    identityRoot: "/home/a/demo",
    preferredTags: ["work"],
    avoidTags: [],
    modelAllowlist: [],
    modelDenylist: ["gpt-5.6"],
    accountWeightByKey: { [FIRST]: 3 },
    budgetKey: "demo",
    updatedAt: T0,
  };
  return { version: 1, profiles: { [demo.projectKey]: demo } };
}

function lastWindows(): Record<string, unknown> {
  const window = (usedPercent: number, windowMinutes: number) => ({
    usedPercent,
    windowMinutes,
    resetAtMs: T0 + DAY_MS,
  });
  const entry = {
    updatedAt: T0 - 1,
    status: 200,
    planType: "plus",
    primary: window(12, 300),
    secondary: window(40, 10_080),
  };
  return { version: 1, byAccountId: { "workspace-1": entry }, byEmail: {} };
}

/** All files of one installation, the pool first. */
export function codexMultiBundle(): readonly ForeignFile[] {
  const flagged = { ...member(aLogin(4)), flaggedAt: T0, flaggedReason: "token-invalid", lastError: "invalid_grant" };
  const fresher = aLogin(1, "b", T0 + 2 * DAY_MS);
  const budget = { key: "global", window: "day", maxRequests: 100, maxTokens: 500_000, maxCostUsd: 10, updatedAt: T0 };
  const client = {
    id: "1",
    label: "my-client",
    prefix: "cma_local_Ab",
    createdAt: T0,
    lastUsedAt: null,
    revokedAt: null,
  };
  return [
    fileOf(codexMultiV3(), "openai-codex-accounts.json"),
    fileOf({ version: 3, accounts: [member(fresher)], activeIndex: 0 }, "projects/demo/openai-codex-accounts.json"),
    fileOf({ version: 1, accounts: [flagged] }, "openai-codex-flagged-accounts.json"),
    fileOf(policies(), "account-policies.json"),
    fileOf(profiles(), "routing-profiles.json"),
    fileOf({ version: 1, limits: { global: budget } }, "budget-guards.json"),
    fileOf({ version: 1, tokens: [{ ...client, tokenHash: `sha256:${clientTokenHash}` }] }, "local-client-tokens.json"),
    fileOf([1, 2].map((n) => JSON.stringify(ledgerRow(n))).join("\n"), "usage/usage-ledger.jsonl"),
    fileOf(lastWindows(), "quota-cache.json"),
    fileOf(
      {
        version: 1,
        pluginConfig: { schedulingStrategy: "hybrid", sessionAffinityTtlMs: 1_200_000, fastSession: false },
      },
      "settings.json",
    ),
  ];
}

export function ocCodexMulti(): Record<string, unknown> {
  const seat = (n: number) => {
    const { recordId: _, accountLabel: __, ...rest } = member(aLogin(n));
    return {
      ...rest,
      accountUserId: `user-${n}__workspace-${n}`,
      organizationId: `org-${n}`,
      accountTags: ["Blue"],
      accountNote: "noted",
      tokenRotatedAt: T0,
    };
  };
  return { version: 3, accounts: [seat(1), seat(2)], activeIndex: 1, activeIndexByFamily: { codex: 1 } };
}

export function cliProxyApi(login: Login): Record<string, unknown> {
  return {
    id_token: login.idToken,
    access_token: login.accessToken,
    refresh_token: login.refreshToken,
    account_id: login.workspaceId,
    last_refresh: new Date(T0).toISOString(),
    email: login.email,
    type: "codex",
    expired: new Date(login.expiresAtMs).toISOString(),
    disabled: true,
    priority: 5,
  };
}

export function codexLbExport(login: Login): Record<string, unknown> {
  const { accessToken, refreshToken, idToken, email, expiresAtMs } = login;
  return {
    filename: "auth.json",
    account: { accountId: "internal", chatgptAccountId: login.workspaceId, email },
    tokens: { idToken, accessToken, refreshToken, expiresAtMs },
    codexAuthJson: codexAuth(login),
    opencodeAuthJson: opencodeAuth(login),
  };
}

/** Encrypted as codex-lb does it: scrypt N = 2^15, the header bound in as JSON with sorted keys. */
export function codexLbBundle(logins: readonly Login[], passphrase: string): Record<string, unknown> {
  const accounts = logins.map((login, n) => ({
    chatgpt_account_id: login.workspaceId,
    chatgpt_user_id: login.userId,
    email: login.email,
    workspace_label: "Team",
    alias: `desk ${n}`,
    plan_type: "team",
    routing_policy: "burn_first",
    credentials: {
      auth_mode: "chatgpt",
      openai_api_key: null,
      access_token: login.accessToken,
      refresh_token: login.refreshToken,
      id_token: login.idToken,
    },
  }));
  const [salt, nonce] = [Buffer.alloc(16, 1), Buffer.alloc(12, 2)];
  const kdf = { n: 32_768, name: "scrypt", p: 1, r: 8, salt: salt.toString("base64") };
  const header = {
    cipher: { name: "AES-256-GCM", nonce: nonce.toString("base64") },
    format: "codex-lb-account-bundle",
    kdf,
    version: 1,
  };
  const key = scryptSync(passphrase, salt, 32, { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 });
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(Buffer.from(JSON.stringify(header)));
  const plain = JSON.stringify({ version: 1, created_at: new Date(T0).toISOString(), accounts });
  const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { ...header, ciphertext: sealed.toString("base64") };
}
