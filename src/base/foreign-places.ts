/**
 * Where other programs keep their logins, and what they leave lying beside them: data over platform, environment and home, in each
 * product's own order. Pure; opens nothing. Patterns are relative to a root or absolute (`path.resolve(root, pattern)` settles both);
 * `*` stands for any part of one name.
 */
import { posix, win32 } from "node:path";
import type { Host } from "./env.ts";

/** What `rotor import NAME` takes. */
export type ForeignProduct =
  | "codex"
  | "opencode"
  | "opencode-multi-auth"
  | "codex-multi-auth"
  | "oc-codex-multi-auth"
  | "pr97"
  | "cliproxyapi";

export interface ForeignPlace {
  readonly product: ForeignProduct;
  /** Folders in the order in which the product looks: the first that holds one of `stores` or `fallbacks` is the installation. */
  readonly roots: readonly string[];
  /** The variable that names the root; null = the product's default. */
  readonly setBy: string | null;
  /** Files with the logins, the one that counts first. */
  readonly stores: readonly string[];
  /** Read together with a store. */
  readonly beside: readonly string[];
  /** When none of `stores` is there or can be read: the first of these that can. */
  readonly fallbacks: readonly string[];
  /** Copies of the same logins in the hands of other programs, which may be fresher; given to the import with the store. */
  readonly elsewhere: readonly string[];
  readonly leftovers: readonly Leftover[];
  /** What a person should know when nothing is found here; null = nothing. */
  readonly advice: string | null;
}

/** Files that hold secrets in plain text and that nobody needs once the accounts are here. */
export interface Leftover {
  readonly pattern: string;
  readonly what: string;
}

type Where = Pick<Host, "env" | "platform" | "homeDir">;

/** Every place to look into, in the order in which they are offered. */
export function foreignPlaces(where: Where): readonly ForeignPlace[] {
  return [
    codex(where),
    opencode(where),
    ...opencodeMultiAuth(where),
    codexMultiAuth(where),
    ocCodexMultiAuth(where),
    pr97(where),
    cliProxyApi(where),
  ];
}

const NOTHING = { beside: [], fallbacks: [], elsewhere: [], leftovers: [], advice: null, setBy: null } as const;

const pathOf = ({ platform }: Where) => (platform === "win32" ? win32 : posix);

/** A variable with something in it, without the blanks around it. */
const variable = ({ env }: Where, name: string): string | null => env[name]?.trim() || null;

function codexHome(where: Where): string {
  return variable(where, "CODEX_HOME") ?? pathOf(where).join(where.homeDir, ".codex");
}

function codex(where: Where): ForeignPlace {
  return {
    ...NOTHING,
    product: "codex",
    roots: [codexHome(where)],
    setBy: variable(where, "CODEX_HOME") === null ? null : "CODEX_HOME",
    stores: ["auth.json"],
    advice:
      'Codex may keep its login in the keychain of the system: set cli_auth_credentials_store = "file" and sign in again',
  };
}

/** The same on every system: OpenCode follows the XDG rules on macOS and Windows too. */
function opencodeData(where: Where): string {
  const { join } = pathOf(where);
  return join(variable(where, "XDG_DATA_HOME") ?? join(where.homeDir, ".local", "share"), "opencode");
}

function opencode(where: Where): ForeignPlace {
  return {
    ...NOTHING,
    product: "opencode",
    roots: [opencodeData(where)],
    setBy: variable(where, "XDG_DATA_HOME") === null ? null : "XDG_DATA_HOME",
    stores: ["auth.json"],
    advice: "OpenCode 2 keeps its logins in opencode.db, which is not read: sign in with rotor login",
  };
}

/** The same path on macOS and Windows, and no XDG. One fork kept an array beside OpenCode's own configuration. */
function opencodeMultiAuth(where: Where): readonly ForeignPlace[] {
  const { join, normalize, dirname, basename } = pathOf(where);
  const [file, folder] = [
    variable(where, "OPENCODE_MULTI_AUTH_STORE_FILE"),
    variable(where, "OPENCODE_MULTI_AUTH_STORE_DIR"),
  ];
  const store = normalize(
    file ?? join(folder ?? join(where.homeDir, ".config", "opencode-multi-auth"), "accounts.json"),
  );
  const sandboxes = join(where.homeDir, ".codex-multi", "*", "auth.json");
  const codexFile = variable(where, "OPENCODE_MULTI_AUTH_CODEX_AUTH_FILE") ?? join(codexHome(where), "auth.json");
  const shared = {
    product: "opencode-multi-auth",
    elsewhere: [sandboxes, codexFile, join(opencodeData(where), "auth.json")],
    advice: "an encrypted store asks for its passphrase; CODEX_SOFT_STORE_PASSPHRASE is taken when it is set",
  } as const;
  const copiesOf = (name: string): readonly Leftover[] => [
    { pattern: `${name}.bak`, what: "the store before its last change, perhaps from before it was encrypted" },
    { pattern: `${name}.lkg`, what: "the last good store, in plain text even when the store is encrypted" },
    { pattern: `${name}.tmp-*`, what: "what a crash left of a store" },
  ];
  const name = basename(store);
  const main: ForeignPlace = {
    ...NOTHING,
    ...shared,
    roots: [dirname(store)],
    setBy: file !== null ? "OPENCODE_MULTI_AUTH_STORE_FILE" : folder !== null ? "OPENCODE_MULTI_AUTH_STORE_DIR" : null,
    stores: [name],
    beside: ["account-metrics.json", "sticky-sessions.json"],
    fallbacks: [`${name}.lkg`, `${name}.bak`],
    leftovers: [
      ...copiesOf(name),
      { pattern: sandboxes, what: "a login for the probes of one account" },
      { pattern: "credentials.json", what: "passwords of the automatic login" },
      { pattern: "deactivated-accounts.json", what: "accounts of the automatic login" },
    ],
  };
  const names = ["opencode-multi-auth-codex-accounts.json", "opencode-multi-auth-accounts.json"];
  const fork: ForeignPlace = {
    ...NOTHING,
    ...shared,
    roots: [join(where.homeDir, ".config", "opencode")],
    stores: names,
    fallbacks: names.map((one) => `${one}.bak`),
    leftovers: names.flatMap(copiesOf),
  };
  return [main, fork];
}

/** What both siblings keep around a pool called `name`. */
function poolFiles(name: string): Pick<ForeignPlace, "beside" | "fallbacks" | "leftovers"> {
  return {
    beside: [`${name}.wal`, `${name}.reset-intent`, `projects/*/${name}`],
    fallbacks: [`${name}.bak`, `${name}.bak.1`, `${name}.bak.2`],
    leftovers: [
      { pattern: `${name}.bak*`, what: "an earlier pool" },
      { pattern: `${name}.wal`, what: "a pool that was being written" },
      { pattern: `${name}.*.tmp`, what: "what a crash left of a pool" },
      { pattern: `projects/*/${name}`, what: "the pool of a project" },
      { pattern: `projects/*/${name}.*`, what: "a copy of the pool of a project" },
    ],
  };
}

const CMA_FACTS = [
  "openai-codex-flagged-accounts.json",
  "openai-codex-blocked-accounts.json",
  "account-policies.json",
  "routing-profiles.json",
  "budget-guards.json",
  "local-client-tokens.json",
  "usage/usage-ledger*.jsonl",
  "quota-cache.json",
  "settings.json",
];

function codexMultiAuth(where: Where): ForeignPlace {
  const { join } = pathOf(where);
  const { roots, setBy } = codexMultiRoots(where);
  const [current, older] = [poolFiles("openai-codex-accounts.json"), poolFiles("codex-accounts.json")];
  return {
    ...NOTHING,
    product: "codex-multi-auth",
    roots,
    setBy,
    stores: ["openai-codex-accounts.json", "codex-accounts.json"],
    beside: [...current.beside, ...CMA_FACTS],
    fallbacks: [...current.fallbacks, ...older.fallbacks],
    elsewhere: [join(codexHome(where), "auth.json")],
    leftovers: [
      ...current.leftovers,
      ...older.leftovers,
      { pattern: "openai-codex-flagged-accounts.json*", what: "accounts that it set apart, with copies" },
      { pattern: "openai-codex-blocked-accounts.json*", what: "accounts that it set apart, with copies" },
      { pattern: "backups/*.json", what: "a named backup" },
      { pattern: "refresh-leases/*.result.json", what: "tokens of the last refresh" },
    ],
  };
}

/** In the order of the product's own search; a folder that a variable names is the only one. */
function codexMultiRoots(where: Where): Pick<ForeignPlace, "roots" | "setBy"> {
  const { join, normalize } = pathOf(where);
  const own = variable(where, "CODEX_MULTI_AUTH_DIR");
  if (own !== null) return { roots: [own], setBy: "CODEX_MULTI_AUTH_DIR" };
  const home = where.platform === "win32" ? windowsHome(where) : where.homeDir;
  const standard = join(home, ".codex");
  const codexDir = variable(where, "CODEX_HOME");
  const alike = (path: string) => {
    const plain = normalize(path).replace(/[/\\]+$/, "");
    return where.platform === "win32" ? plain.toLowerCase() : plain;
  };
  if (codexDir !== null && alike(codexDir) !== alike(standard))
    return { roots: [join(codexDir, "multi-auth")], setBy: "CODEX_HOME" };
  return {
    roots: [join(standard, "multi-auth"), join(home, "DevTools", "config", "codex", "multi-auth"), standard],
    setBy: null,
  };
}

function windowsHome(where: Where): string {
  const { HOMEDRIVE, HOMEPATH } = where.env;
  const joined = HOMEDRIVE && HOMEPATH ? `${HOMEDRIVE}${HOMEPATH}` : null;
  return variable(where, "USERPROFILE") ?? variable(where, "HOME") ?? joined ?? where.homeDir;
}

function ocCodexMultiAuth(where: Where): ForeignPlace {
  const pool = poolFiles("oc-codex-multi-auth-accounts.json");
  const legacy = poolFiles("openai-codex-accounts.json");
  const apart = [
    "oc-codex-multi-auth-flagged-accounts.json",
    "openai-codex-flagged-accounts.json",
    "openai-codex-blocked-accounts.json",
  ];
  return {
    ...NOTHING,
    product: "oc-codex-multi-auth",
    roots: [pathOf(where).join(where.homeDir, ".opencode")],
    stores: ["oc-codex-multi-auth-accounts.json", "openai-codex-accounts.json"],
    beside: [...pool.beside, ...apart],
    fallbacks: [...pool.fallbacks, ...legacy.fallbacks],
    elsewhere: [pathOf(where).join(opencodeData(where), "auth.json")],
    leftovers: [
      ...pool.leftovers,
      ...legacy.leftovers,
      ...apart.map((name) => ({ pattern: `${name}*`, what: "accounts that it set apart, with copies" })),
      { pattern: "backups/*.json", what: "a named backup" },
    ],
    advice:
      variable(where, "CODEX_KEYCHAIN") === "1"
        ? "CODEX_KEYCHAIN=1 keeps the pool in the keychain (service oc-codex-multi-auth): export it with the product and import the file"
        : null,
  };
}

function pr97(where: Where): ForeignPlace {
  const { join } = pathOf(where);
  const roaming = variable(where, "APPDATA");
  return {
    ...NOTHING,
    product: "pr97",
    roots: [
      where.platform === "win32" && roaming !== null
        ? join(roaming, "opencode")
        : join(where.homeDir, ".local", "share", "opencode"),
    ],
    stores: ["openai-codex-accounts.json"],
    leftovers: [
      {
        pattern: join(where.homeDir, ".opencode", "logs", "codex-plugin", "*"),
        what: "whole requests, when their logging was on",
      },
    ],
  };
}

function cliProxyApi(where: Where): ForeignPlace {
  return {
    ...NOTHING,
    product: "cliproxyapi",
    roots: [pathOf(where).join(where.homeDir, ".cli-proxy-api")],
    stores: ["*.json"],
    advice: "its config may name another folder as auth-dir: rotor import FOLDER",
  };
}
