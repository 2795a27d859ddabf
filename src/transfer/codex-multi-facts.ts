/**
 * What codex-multi-auth keeps beside its accounts: policies, routing profiles, budgets, client tokens, the usage ledger, the last figures
 * of the windows, and settings. Accounts are found again by the hash of their ChatGPT account id, or of their e-mail address.
 */
import { sha256Hex } from "../base/id.ts";
import type { Window } from "../domain/window.ts";
import { cleanTags } from "./foreign-account.ts";
import type {
  ForeignAccount,
  ForeignBudget,
  ForeignKey,
  ForeignLedgerRow,
  ForeignProfile,
  ForeignSetting,
} from "./foreign-store.ts";
import {
  anyText,
  fields,
  flag,
  instantMs,
  type JsonNode,
  list,
  number,
  optional,
  type Reader,
  soft,
  text,
} from "./json-node.ts";
import { type SettingRule, settingAt } from "./store-builder.ts";

/** `sha256:<hex>` of the account id, else of the e-mail address: two members of one workspace share it. */
const accountKeyOf = ({ claims }: ForeignAccount) =>
  `sha256:${sha256Hex(claims.workspaceId || claims.email?.toLowerCase() || "unknown")}`;

/** A pool or a quarantine whose list became an object is not taken for the policies of nobody: those have no active account. */
export function isCodexMultiPolicies(doc: JsonNode): boolean {
  return doc.get("accounts").isObject && !doc.has("activeIndex");
}

export function withPolicies(accounts: readonly ForeignAccount[], doc: JsonNode): readonly ForeignAccount[] {
  const rows = new Map(doc.get("accounts").entries());
  if (rows.size === 0) doc.note("says nothing of any account");
  for (const [key, at] of rows)
    if (!accounts.some((one) => accountKeyOf(one) === key)) at.note("is the policy of an account that is not there");
  return accounts.map((account) => {
    const at = rows.get(accountKeyOf(account));
    if (at === undefined) return account;
    if (!at.isObject) throw at.wrong("must be an object");
    const weight = at.read("weight", soft(number)) ?? 1;
    const isPaused = at.read("paused", optional(flag)) ?? false;
    // Their weight 0 keeps an account out of everything; ours is above 0, and keeping out is what a pause is for.
    if (weight <= 0) at.get("weight").note("is 0: the account is paused instead");
    return {
      ...account,
      tags: cleanTags([...account.tags, ...(at.read("tags", soft(list(text))) ?? [])]),
      note: at.read("note", soft(anyText)) || account.note,
      weight: weight > 0 ? weight : 1,
      pause:
        isPaused || weight <= 0
          ? { sinceMs: at.read("updatedAt", soft(instantMs)) ?? 0, untilMs: null }
          : account.pause,
      draining: at.read("drained", optional(flag)) ?? false,
    };
  });
}

export function readProfiles(doc: JsonNode, accounts: readonly ForeignAccount[]): readonly ForeignProfile[] {
  return doc
    .get("profiles")
    .entries()
    .map(([key, at]) => {
      if (!at.isObject) throw at.wrong("must be an object");
      const words = (name: string) => at.read(name, soft(list(text))) ?? [];
      const weights = at.get("accountWeightByKey");
      return {
        key,
        name: at.read("projectName", soft(text)),
        root: at.read("identityRoot", soft(text)),
        preferredTags: cleanTags(words("preferredTags")),
        avoidTags: cleanTags(words("avoidTags")),
        modelAllowlist: words("modelAllowlist"),
        modelDenylist: words("modelDenylist"),
        accountWeights: weights.isObject ? weights.entries().flatMap((entry) => weightOf(entry, accounts)) : [],
        budgetKey: at.read("budgetKey", soft(text)),
        updatedAtMs: at.read("updatedAt", soft(instantMs)),
      };
    });
}

function weightOf(
  [key, at]: readonly [string, JsonNode],
  accounts: readonly ForeignAccount[],
): ForeignProfile["accountWeights"] {
  const weight = soft(number)(at);
  const found = accounts.flatMap((one, index) => (accountKeyOf(one) === key ? [index] : []));
  if (found.length === 0) at.note("is the weight of an account that is not there");
  return weight === null ? [] : found.map((account) => ({ account, weight }));
}

export function readBudgets(doc: JsonNode): readonly ForeignBudget[] {
  return doc
    .get("limits")
    .entries()
    .map(([key, at]) => {
      if (!at.isObject) throw at.wrong("must be an object");
      return {
        key,
        // A limit that is not read would let everything through; it is refused rather than left out.
        window: at.read("window", text),
        maxRequests: at.read("maxRequests", optional(number)),
        maxTokens: at.read("maxTokens", optional(number)),
        maxCostUsd: at.read("maxCostUsd", optional(number)),
        updatedAtMs: at.read("updatedAt", soft(instantMs)),
      };
    });
}

export function readClientTokens(doc: JsonNode): readonly ForeignKey[] {
  return doc
    .get("tokens")
    .items()
    .map((at, index) => {
      const digest = /^sha256:([0-9a-f]{64})$/i.exec(at.read("tokenHash", text));
      if (digest === null) throw at.get("tokenHash").wrong("is no SHA-256 hash");
      return {
        name: at.read("label", soft(text)) ?? `client-${index + 1}`,
        prefix: at.read("prefix", soft(text)),
        hashAlgorithm: "sha256",
        hashHex: digest[1]!.toLowerCase(),
        createdAtMs: at.read("createdAt", soft(instantMs)),
        lastUsedAtMs: at.read("lastUsedAt", soft(instantMs)),
        // Revoked is revoked, whatever the time looks like.
        revokedAtMs: at.read("revokedAt", optional(instantMs)),
        expiresAtMs: at.read("expiresAt", soft(instantMs)),
      };
    });
}

export function isLedgerRow(at: JsonNode): boolean {
  return at.has("createdAt") && at.has("operation") && at.has("outcome");
}

/** Rows of a ledger, of which there may be a million: the accounts are hashed once. */
export function readLedger(
  rows: readonly JsonNode[],
  accounts: readonly ForeignAccount[],
): readonly ForeignLedgerRow[] {
  const hashes = accounts.map(({ claims }) => ({
    byId: hashOf(claims.workspaceId),
    byEmail: claims.email === null ? null : hashOf(claims.email.trim().toLowerCase()),
  }));
  return rows.map((row) => readLedgerRow(row, hashes));
}

const hashOf = (value: string) => `sha256:${sha256Hex(value)}`;

interface AccountHashes {
  readonly byId: string;
  readonly byEmail: string | null;
}

function readLedgerRow(at: JsonNode, hashes: readonly AccountHashes[]): ForeignLedgerRow {
  const tokens = at.get("tokens");
  const word = (name: string) => at.read(name, soft(text));
  const count = (name: string) => tokens.read(name, soft(number));
  return {
    id: at.read("id", text),
    atMs: at.read("createdAt", instantMs),
    source: word("source"),
    operation: word("operation"),
    outcome: word("outcome"),
    model: word("model"),
    projectKey: word("projectKey"),
    account: ledgerAccount(at.get("account"), hashes),
    requestId: word("requestId"),
    statusCode: at.read("statusCode", soft(number)),
    errorCode: word("errorCode"),
    durationMs: at.read("durationMs", soft(number)),
    inputTokens: count("inputTokens"),
    outputTokens: count("outputTokens"),
    cachedInputTokens: count("cachedInputTokens"),
    reasoningTokens: count("reasoningTokens"),
    totalTokens: count("totalTokens"),
    costUsd: at.read("costUsd", soft(number)),
  };
}

/** By both hashes where both are there: members of one workspace differ in the second only. */
function ledgerAccount(at: JsonNode, hashes: readonly AccountHashes[]): number | null {
  const [byId, byEmail] = [at.read("accountHash", soft(text)), at.read("emailHash", soft(text))];
  if (byId === null && byEmail === null) return null;
  const found = hashes.findIndex(
    (one) =>
      (byId === null || byId === one.byId) && (byEmail === null || one.byEmail === null || byEmail === one.byEmail),
  );
  return found < 0 ? null : found;
}

const reading = fields({ usedPercent: number, windowMinutes: soft(number), resetAtMs: soft(instantMs) });

/** The last figures of the windows, by account id, or by e-mail address where that id stands for several people. */
export function withWindows(accounts: readonly ForeignAccount[], doc: JsonNode): readonly ForeignAccount[] {
  const rows = (name: string) =>
    doc.get(name).isObject ? new Map(doc.get(name).entries()) : new Map<string, JsonNode>();
  const [byId, byEmail] = [rows("byAccountId"), rows("byEmail")];
  return accounts.map((account) => {
    const { workspaceId, email } = account.claims;
    const isShared = accounts.filter((one) => one.claims.workspaceId === workspaceId).length > 1;
    const at = (email === null ? undefined : byEmail.get(email)) ?? (isShared ? undefined : byId.get(workspaceId));
    if (at === undefined || account.windows.length > 0) return account;
    const tier = account.claims.tier ?? at.read("planType", soft(text));
    return { ...account, claims: { ...account.claims, tier }, windows: windowsOf(at) };
  });
}

function windowsOf(at: JsonNode): readonly Window[] {
  const observedAtMs = at.read("updatedAt", soft(instantMs)) ?? 0;
  return (["primary", "secondary"] as const).flatMap((slot): readonly Window[] => {
    const found = at.read(
      slot,
      soft(reading as Reader<{ usedPercent: number; windowMinutes: number | null; resetAtMs: number | null }>),
    );
    if (found === null) return [];
    const usedPercent = Math.min(100, Math.max(0, found.usedPercent));
    const { windowMinutes: lengthMinutes, resetAtMs: resetsAtMs } = found;
    return [
      {
        limit: "codex",
        slot,
        models: null,
        lengthMinutes,
        usedPercent,
        resetsAtMs,
        observedAtMs,
        observedFrom: "import",
      },
    ];
  });
}

const RULES: Readonly<Record<string, SettingRule>> = {
  sessionAffinity: { key: "affinity", unitMs: null },
  sessionAffinityTtlMs: { key: "affinity_minutes", unitMs: 60_000 },
  fetchTimeoutMs: { key: "first_byte_timeout_seconds", unitMs: 1_000 },
  streamStallTimeoutMs: { key: "silence_timeout_seconds", unitMs: 1_000 },
  tokenRefreshSkewMs: { key: "refresh_minutes_before_expiry", unitMs: 60_000 },
  proactiveRefreshGuardian: { key: "refresh_proactively", unitMs: null },
};

export function readPluginSettings(doc: JsonNode): readonly ForeignSetting[] {
  const config = doc.get("pluginConfig");
  const names = config.isObject ? Object.keys(config.value as object) : [];
  const other = names.filter((name) => !Object.hasOwn(RULES, name) && name !== "schedulingStrategy");
  if (other.length > 0)
    config.note(`has ${other.length} more ${other.length === 1 ? "setting" : "settings"} that Rotor does not have`);
  if (doc.has("dashboardDisplaySettings")) doc.get("dashboardDisplaySettings").note("is not carried over");
  return names.flatMap((name) => (Object.hasOwn(RULES, name) ? (settingAt(config.get(name), RULES[name]!) ?? []) : []));
}
