/**
 * opencode-multi-auth stores: the map of v1 to v3 with its metrics file, and the array of its oldest and of one fork. Their loader
 * does not check types, so odd values of what no login depends on are left out with a remark. Never shows a token.
 */

import { parseInstant } from "../base/clock.ts";
import type { UnsupportedModel } from "../domain/account.ts";
import type { Window } from "../domain/window.ts";
import { cleanTags, type Found, foreignAccount, mergeAccounts } from "./foreign-account.ts";
import type { ForeignAccount, ForeignSetting, ForeignStore } from "./foreign-store.ts";
import {
  anyText,
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
import { EMPTY_STORE, type SettingRule, settingAt, strategyAt } from "./store-builder.ts";

export function isOpencodeMultiMap(doc: JsonNode): boolean {
  const { value, isObject } = doc.get("accounts");
  if (!isObject) return false;
  return doc.has("activeAlias") || doc.has("rotationIndex") || Object.values(value as object).some(isStored);
}

function isStored(value: unknown): boolean {
  return typeof value === "object" && value !== null && ("accessToken" in value || "refreshToken" in value);
}

/** `rotationIndex` tells it from the stores of codex-multi-auth, which never have one. */
export function isOpencodeMultiArray(doc: JsonNode): boolean {
  return Array.isArray(doc.get("accounts").value) && doc.has("rotationIndex");
}

/** Usage figures that v3 keeps apart, by alias; also accepted without their frame. */
export function isOpencodeMultiMetrics(doc: JsonNode): boolean {
  if (doc.get("metrics").isObject) return true;
  return (
    doc.isObject &&
    !doc.has("accounts") &&
    doc.entries().length > 0 &&
    doc.entries().every(([, one]) => one.has("usageCount"))
  );
}

/** Which conversation went to which account; ours begin anew. */
export function isOpencodeMultiSticky(doc: JsonNode): boolean {
  const entries = doc.get("entries");
  return entries.isObject && entries.entries().every(([, one]) => one.has("alias"));
}

/** `extra` of the reader: the same logins as other programs keep them, for the sake of fresher tokens. */
export interface OpencodeMultiDocs {
  readonly maps: readonly JsonNode[];
  readonly arrays: readonly JsonNode[];
  readonly metrics: readonly JsonNode[];
}

export function readOpencodeMultiAuth(
  docs: OpencodeMultiDocs,
  extra: readonly ForeignAccount[],
  remarks: string[],
): ForeignStore {
  const found: Named[] = [
    ...docs.maps.flatMap((map) => mapAccounts(map, docs.metrics)),
    ...docs.arrays.flatMap(arrayAccounts),
  ];
  const { accounts, placeOf } = mergeAccounts([...found.map((one) => one.account), ...extra], remarks);
  const map = docs.maps[0] ?? null;
  const forced = map === null ? null : map.read("forcedAlias", soft(text));
  const pinned = forced === null ? -1 : found.findIndex((one) => one.key === forced);
  if (forced !== null && pinned < 0)
    map!.get("forcedAlias").note("names an account that is not there; nothing is pinned");
  return {
    ...EMPTY_STORE,
    format: "opencode-multi-auth",
    accounts: weighted(accounts, found, placeOf, map),
    pin: pinned < 0 ? null : { account: placeOf[pinned]!, untilMs: map!.read("forcedUntil", soft(instantMs)) },
    strategy: map === null ? null : strategyOf(map),
    settings: map === null ? [] : settingsOf(map.get("settings")),
    remarks,
  };
}

/** An account with the key that its store knows it by; null in an array. */
interface Named {
  readonly key: string | null;
  readonly account: ForeignAccount;
}

const KNOWN_VERSIONS: readonly unknown[] = [undefined, 1, 2, 3];

function mapAccounts(map: JsonNode, metrics: readonly JsonNode[]): readonly Named[] {
  const version = map.get("version");
  if (!KNOWN_VERSIONS.includes(version.value)) {
    if (typeof version.value !== "number") throw version.wrong("must be a number");
    version.note("is newer than Rotor knows; the store is read as version 2");
  }
  const active = map.read("activeAlias", soft(text));
  return map
    .get("accounts")
    .entries()
    .flatMap(([key, at]) => {
      const figures = metricsOf(metrics, key);
      const account = storedAccount(at, figures ?? at, { alias: key, isCurrent: key === active });
      return account === null ? [] : [{ key, account }];
    });
}

/** Through the entries: the key is an alias that somebody chose, and no place may show it. */
function metricsOf(metrics: readonly JsonNode[], key: string): JsonNode | null {
  for (const doc of metrics) {
    const table = doc.has("metrics") ? doc.get("metrics") : doc;
    const entry = table.entries().find(([alias, at]) => alias === key && at.isObject);
    if (entry) return entry[1];
  }
  return null;
}

function arrayAccounts(doc: JsonNode): readonly Named[] {
  const active = doc.read("activeIndex", soft(number));
  return doc
    .get("accounts")
    .items()
    .flatMap((at, index) => {
      // Aliases of this store are computed from e-mail addresses and are no wish of anybody.
      const account = storedAccount(at, at, { alias: null, isCurrent: index === active });
      return account === null ? [] : [{ key: null, account }];
    });
}

/** null, with a remark, for an entry that the product itself would drop. `figures` is where the usage figures are kept. */
function storedAccount(
  at: JsonNode,
  figures: JsonNode,
  known: Pick<Found, "alias" | "isCurrent">,
): ForeignAccount | null {
  if (!at.isObject) throw at.wrong("must be an object");
  const refreshToken = at.read("refreshToken", optional(text));
  if (refreshToken === null) {
    const isKey = at.get("authType").value === "api" || at.has("apiKey");
    at.note(
      isKey
        ? "is an API key, not a ChatGPT login, and is left out"
        : "has no refresh token and is left out, as its product does",
    );
    return null;
  }
  return foreignAccount(at, {
    ...known,
    refreshToken,
    accessToken: at.read("accessToken", optional(text)),
    idToken: at.read("idToken", optional(text)),
    workspaceId: at.read("accountId", optional(text)),
    userId: at.read("userId", optional(text)) ?? at.read("accountUserId", optional(text))?.split("__")[0] ?? null,
    email: at.read("email", optional(text)),
    tier: at.read("planType", soft(text)),
    expiresAtMs: at.read("expiresAt", soft(instantMs)),
    refreshedAtMs: figures.read("lastRefresh", soft(instantText)),
    enabled: at.read("enabled", optional(flag)) ?? true,
    tags: cleanTags(at.read("tags", soft(list(text))) ?? []),
    note: at.read("notes", soft(anyText)) ?? "",
    needsLogin: at.read("authInvalid", soft(flag)) === true ? "auth_invalid" : null,
    windows: windowsOf(figures.get("rateLimits")),
    limitedUntilMs: limitedUntil(at),
    unsupportedModels: unsupportedOf(at),
    lastUsedAtMs: figures.read("lastUsed", soft(instantMs)),
    createdAtMs: at.read("addedAt", soft(instantMs)),
  });
}

const instantText: Reader<number> = (at) => {
  const atMs = parseInstant(text(at));
  if (atMs === null) throw at.wrong("is no date");
  return atMs;
};

/** A rate limit, a refresh that failed, or a workspace that was taken away: the product gives each of them an end. */
function limitedUntil(at: JsonNode): number | null {
  const ends = ["rateLimitedUntil", "workspaceDeactivatedUntil"].map((key) => at.read(key, soft(instantMs)) ?? 0);
  const end = Math.max(...ends);
  return end === 0 ? null : end;
}

function unsupportedOf(at: JsonNode): readonly UnsupportedModel[] {
  const model = at.read("modelUnsupportedModel", soft(text));
  const untilMs = at.read("modelUnsupportedUntil", soft(instantMs));
  return model === null || untilMs === null ? [] : [{ model, untilMs }];
}

const WINDOWS = [
  ["fiveHour", "primary", 300],
  ["weekly", "secondary", 10_080],
] as const;

function windowsOf(limits: JsonNode): readonly Window[] {
  return WINDOWS.flatMap(([key, slot, lengthMinutes]): readonly Window[] => {
    const at = limits.get(key);
    const limit = at.read("limit", soft(number)) ?? 100;
    const remaining = at.read("remaining", soft(number));
    if (remaining === null || limit <= 0) return [];
    return [
      {
        limit: "codex",
        slot,
        models: null,
        lengthMinutes,
        usedPercent: Math.min(100, Math.max(0, 100 - (remaining / limit) * 100)),
        resetsAtMs: at.read("resetAt", soft(instantMs)),
        // Without a time it is older than anything that we shall learn.
        observedAtMs: at.read("updatedAt", soft(instantMs)) ?? 0,
        observedFrom: "import",
      },
    ];
  });
}

/** Weights of the product are shares that add up to 1; ours are relative to an account like any other, which has 1. */
function weighted(
  accounts: readonly ForeignAccount[],
  found: readonly Named[],
  placeOf: readonly number[],
  map: JsonNode | null,
): readonly ForeignAccount[] {
  const table = map?.get("settings").get("accountWeights");
  if (table === undefined || !table.isObject) return accounts;
  const shares = new Map<number, number>();
  for (const [key, at] of table.entries()) {
    const index = found.findIndex((one) => one.key === key);
    const share = at.value;
    if (index < 0) at.note("is the weight of an account that is not there");
    else if (typeof share !== "number" || !(share > 0) || !Number.isFinite(share))
      at.note("is no weight above 0 and is left out");
    else shares.set(placeOf[index]!, share);
  }
  const mean = shares.values().reduce((sum, share) => sum + share, 0) / shares.size;
  return accounts.map((account, index) => {
    const share = shares.get(index);
    return share === undefined ? account : { ...account, weight: share / mean };
  });
}

/** While an account is forced, the strategy before it is the one that comes back. */
function strategyOf(map: JsonNode): string | null {
  const before = map.get("previousRotationStrategy");
  if (map.has("forcedAlias") && !before.isNothing) return strategyAt(before);
  const set = map.get("settings").get("rotationStrategy");
  return strategyAt(set.isNothing ? map.get("rotationStrategy") : set);
}

const RULES: Readonly<Record<string, SettingRule>> = {
  stickySessionRouting: { key: "affinity", unitMs: null },
  sessionIdleTimeoutMs: { key: "affinity_minutes", unitMs: 60_000 },
};

/** Bookkeeping, or read elsewhere. */
const QUIET = new Set(["rotationStrategy", "accountWeights", "updatedAt", "updatedBy"]) as ReadonlySet<string>;

function settingsOf(settings: JsonNode): readonly ForeignSetting[] {
  if (!settings.isObject) return [];
  return Object.keys(settings.value as object).flatMap((name) => {
    const rule = Object.hasOwn(RULES, name) ? RULES[name]! : null;
    if (rule === null) {
      if (!QUIET.has(name)) settings.get(/^\w{1,40}$/.test(name) ? name : "(another key)").note("has no setting here");
      return [];
    }
    return settingAt(settings.get(name), rule) ?? [];
  });
}
