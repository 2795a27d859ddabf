/**
 * codex-multi-auth and oc-codex-multi-auth: all files of one installation put together. Every pool (the global one and those of
 * projects), quarantined accounts, and what is kept beside them; the freshest copy of a login wins.
 */

import { isSiblingPool, poolInWal, readFlagged, readPool } from "./codex-multi-accounts.ts";
import {
  readBudgets,
  readClientTokens,
  readLedger,
  readPluginSettings,
  readProfiles,
  withPolicies,
  withWindows,
} from "./codex-multi-facts.ts";
import { mergeAccounts } from "./foreign-account.ts";
import type { ForeignAccount, ForeignStore } from "./foreign-store.ts";
import type { JsonNode } from "./json-node.ts";
import { EMPTY_STORE, strategyAt } from "./store-builder.ts";

export interface CodexMultiDocs {
  /** The first is the one whose active account and pin count. */
  readonly pools: readonly JsonNode[];
  readonly flagged: readonly JsonNode[];
  readonly wals: readonly JsonNode[];
  readonly cleared: readonly JsonNode[];
  readonly policies: readonly JsonNode[];
  readonly profiles: readonly JsonNode[];
  readonly budgets: readonly JsonNode[];
  readonly tokens: readonly JsonNode[];
  readonly ledger: readonly JsonNode[];
  readonly windows: readonly JsonNode[];
  readonly settings: readonly JsonNode[];
}

/** `extra`: the same logins as other programs keep them, for the sake of fresher tokens. */
export function readCodexMultiAuth(
  docs: CodexMultiDocs,
  extra: readonly ForeignAccount[],
  remarks: string[],
): ForeignStore {
  const poolDocs = [...docs.pools, ...walPools(docs)];
  const pools = poolDocs.map(readPool);
  // The first pool decides who is current and who is pinned; a project's pool has an active account of its own.
  const members = pools.flatMap((pool, index) =>
    pool.accounts.map((account) => (index === 0 ? account : { ...account, isCurrent: false })),
  );
  const found = [...members, ...docs.flagged.flatMap(readFlagged), ...extra];
  const merged = mergeAccounts(found, remarks);
  const withOrders = docs.policies.reduce(withPolicies, merged.accounts);
  const accounts = docs.windows.reduce(withWindows, withOrders);
  const pinned = pools[0]?.pinned ?? null;
  const [settings] = docs.settings;
  return {
    ...EMPTY_STORE,
    format: poolDocs.length > 0 && poolDocs.every(isSiblingPool) ? "oc-codex-multi-auth" : "codex-multi-auth",
    accounts,
    pin: pinned === null ? null : { account: merged.placeOf[pinned]!, untilMs: null },
    strategy: settings === undefined ? null : strategyAt(settings.get("pluginConfig").get("schedulingStrategy")),
    keys: docs.tokens.flatMap(readClientTokens),
    settings: settings === undefined ? [] : readPluginSettings(settings),
    profiles: docs.profiles.flatMap((doc) => readProfiles(doc, accounts)),
    budgets: docs.budgets.flatMap(readBudgets),
    ledger: readLedger(docs.ledger, accounts),
    remarks,
  };
}

/** As the product does: the write-ahead file counts when the pool itself is gone, and not when it was cleared on purpose. */
function walPools(docs: CodexMultiDocs): readonly JsonNode[] {
  for (const wal of docs.wals) {
    if (docs.pools.length > 0) wal.note("is not needed: the pool itself is there");
    else if (docs.cleared.length > 0) wal.note("is left out: the pool was cleared on purpose after it");
  }
  return docs.pools.length > 0 || docs.cleared.length > 0 ? [] : docs.wals.map(poolInWal);
}
