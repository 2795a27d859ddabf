/**
 * What every reader of a foreign format returns, in one shape. Facts as they were found, in our units and words: what to do with them is
 * decided by the import desk. Types only.
 */
import type { Orders, UnsupportedModel } from "../domain/account.ts";
import type { Window } from "../domain/window.ts";
import type { FoundLogin } from "./codex-auth.ts";

/** Whose files they are. One product may have written several formats; its reader knows them all. */
export type ForeignFormat =
  /** Codex `auth.json`, one or many. */
  | "codex-auth"
  /** OpenCode `auth.json`, also with several logins in one refresh text. */
  | "opencode-auth"
  /** Map store v1 to v3, array store, and the encrypted envelope around either. */
  | "opencode-multi-auth"
  | "codex-multi-auth"
  | "oc-codex-multi-auth"
  /** Pull request 97 to opencode-openai-codex-auth. */
  | "pr97"
  | "cliproxyapi"
  | "codex-lb"
  /** Our own portable, encrypted one. */
  | "rotor-pool-file";

export interface ForeignStore {
  readonly format: ForeignFormat;
  readonly accounts: readonly ForeignAccount[];
  /** `account` is an index into `accounts`. */
  readonly pin: { readonly account: number; readonly untilMs: number | null } | null;
  /** One of our strategy names; null when there is none or none of ours does the same (then a remark says so). */
  readonly strategy: string | null;
  readonly keys: readonly ForeignKey[];
  readonly settings: readonly ForeignSetting[];
  readonly profiles: readonly ForeignProfile[];
  readonly budgets: readonly ForeignBudget[];
  readonly ledger: readonly ForeignLedgerRow[];
  /** What another Rotor was told of choosing; null for every other product. */
  readonly choice: CarriedChoice | null;
  /** What could not be carried, in words, with its place. Never a token or an e-mail address. */
  readonly remarks: readonly string[];
}

/**
 * One login in one workspace. Tokens that the store does not keep are empty texts: such a login is refreshed before it can serve, and
 * its claims are what the store says of it.
 */
export interface ForeignAccount extends FoundLogin, Orders {
  /** False when nothing names the ChatGPT account: `claims.workspaceId` is empty then, and only the first refresh can tell. */
  readonly isIdentified: boolean;
  /** An alias in form, once in the store, never derived from an e-mail address; null when there is no usable wish. */
  readonly alias: string | null;
  readonly enabled: boolean;
  readonly workspaceName: string | null;
  /** Other workspaces that the product reached with this one login. Each of them needs a login of its own here. */
  readonly workspaces: readonly ForeignWorkspace[];
  /** Why the login does not work any more, as the store puts it; null when it knows of nothing. */
  readonly needsLogin: string | null;
  readonly windows: readonly Window[];
  /** A limit whose window the store does not name: not to be asked before then. */
  readonly limitedUntilMs: number | null;
  readonly unsupportedModels: readonly UnsupportedModel[];
  readonly lastUsedAtMs: number | null;
  readonly createdAtMs: number | null;
  /** The one that the product would have used next, or used last. */
  readonly isCurrent: boolean;
}

export interface ForeignWorkspace {
  readonly id: string;
  readonly name: string | null;
  readonly enabled: boolean;
  readonly isCurrent: boolean;
}

/** A client key, of which the product kept only the hash. */
export interface ForeignKey {
  readonly name: string;
  /** The first characters of the secret, by which people know it; null when it is not kept. */
  readonly prefix: string | null;
  /** Over the whole secret text. */
  readonly hashAlgorithm: "sha256";
  readonly hashHex: string;
  readonly createdAtMs: number | null;
  readonly lastUsedAtMs: number | null;
  readonly revokedAtMs: number | null;
  readonly expiresAtMs: number | null;
}

export interface ForeignSetting {
  /** Key of our catalogue. */
  readonly key: string;
  /** A text that the catalogue reads as a value of that key. */
  readonly value: string;
  /** What the product calls it. */
  readonly from: string;
}

/** A routing profile: how one project wants its accounts and models chosen. */
export interface ForeignProfile {
  readonly key: string;
  readonly name: string | null;
  /** Folder of the project. */
  readonly root: string | null;
  readonly preferredTags: readonly string[];
  readonly avoidTags: readonly string[];
  /** The product matches these as whole names and as parts of names. */
  readonly modelAllowlist: readonly string[];
  readonly modelDenylist: readonly string[];
  readonly accountWeights: readonly { readonly account: number; readonly weight: number }[];
  readonly budgetKey: string | null;
  readonly updatedAtMs: number | null;
}

export interface ForeignBudget {
  /** "global", or the key of a project. */
  readonly key: string;
  /** As the product spells it: hour, day, week, month. UTC, weeks begin on Monday. */
  readonly window: string;
  readonly maxRequests: number | null;
  readonly maxTokens: number | null;
  readonly maxCostUsd: number | null;
  readonly updatedAtMs: number | null;
}

/** One exchange as the product counted it. */
export interface ForeignLedgerRow {
  readonly id: string;
  readonly atMs: number;
  readonly source: string | null;
  readonly operation: string | null;
  readonly outcome: string | null;
  readonly model: string | null;
  readonly projectKey: string | null;
  /** Index into the accounts; null when none of them has this hash. */
  readonly account: number | null;
  readonly requestId: string | null;
  readonly statusCode: number | null;
  readonly errorCode: string | null;
  readonly durationMs: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number | null;
  readonly reasoningTokens: number | null;
  readonly totalTokens: number | null;
  readonly costUsd: number | null;
}

/** Rules, profiles and budgets in our own words, as a pool file carries them. */
export interface CarriedChoice {
  readonly rules: readonly string[];
  readonly profiles: readonly CarriedProfile[];
  readonly budgets: readonly CarriedBudget[];
}

export interface CarriedProfile {
  readonly name: string;
  /** `tag:work, spare`; "" = every account. */
  readonly accounts: string;
  /** null = the pool's. */
  readonly strategy: string | null;
  readonly models: readonly string[];
  readonly rules: readonly string[];
  /** Client keys by their names. */
  readonly keyNames: readonly string[];
  readonly projects: readonly { readonly key: string; readonly path: string }[];
  readonly budgets: readonly string[];
}

export interface CarriedBudget {
  readonly name: string;
  readonly scope: "all" | "key" | "project" | "profiles";
  /** Name of the key or project; "" for the others. */
  readonly of: string;
  readonly measure: string;
  readonly amount: number;
  readonly period: string;
  readonly warnPercent: number | null;
  readonly createdAtMs: number;
}
