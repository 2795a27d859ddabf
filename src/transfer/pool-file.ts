/**
 * The portable pool file: a whole foreign store in a passphrase box, ours to write and to read. Format 1: the box of
 * base/passphrase-box.ts for the context below, and in it one JSON object with `format`, `version`, `createdAtMs` and `store`.
 * Logins in it are live: whoever opens it on two machines has two owners of one refresh token.
 */
import { AppError } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import { openWithPassphrase, sealWithPassphrase } from "../base/passphrase-box.ts";
import type { Window } from "../domain/window.ts";
import type { CarriedChoice, ForeignAccount, ForeignStore } from "./foreign-store.ts";
import {
  anyText,
  fields,
  flag,
  instantMs,
  JsonNode,
  list,
  nullable,
  number,
  oneOf,
  optional,
  parseJson,
  type Reader,
  shownName,
  text,
} from "./json-node.ts";

const CONTEXT = "rotor/pool-file/v1";
const FORMAT = "rotor-pool-file";
const VERSION = 1;

export type PoolFileContent = Omit<ForeignStore, "format" | "remarks">;

export async function writePoolFile(
  content: PoolFileContent,
  passphrase: string,
  createdAtMs: number,
  dice: Dice,
): Promise<Uint8Array> {
  const { accounts, pin, strategy, keys, settings, profiles, budgets, ledger, choice } = content;
  const store = { accounts, pin, strategy, keys, settings, profiles, budgets, ledger, choice };
  const plain = new TextEncoder().encode(JSON.stringify({ format: FORMAT, version: VERSION, createdAtMs, store }));
  try {
    return await sealWithPassphrase(plain, passphrase, CONTEXT, dice);
  } finally {
    plain.fill(0);
  }
}

export async function readPoolFile(name: string, bytes: Uint8Array, passphrase: string | null): Promise<ForeignStore> {
  const place = shownName(name) || "the file";
  const facts = { file: place };
  if (!passphrase) throw new AppError("passphrase_required", `${place} is encrypted`, { facts });
  const opened = await openWithPassphrase(bytes, passphrase, CONTEXT);
  if (!opened.ok && opened.reason === "wrong_passphrase") {
    throw new AppError("passphrase_wrong", `${place} does not open with this passphrase, or it is no pool file`, {
      facts,
    });
  }
  if (!opened.ok) throw new AppError("invalid_import", `${place} is damaged, or a newer Rotor wrote it`, { facts });
  const parsed = parseJson(new TextDecoder().decode(opened.plain));
  opened.plain.fill(0);
  if (!parsed.ok) throw new AppError("invalid_import", `${place} holds no JSON`, { facts });
  const doc = new JsonNode(shownName(name), "", parsed.value, []);
  if (doc.read("format", text) !== FORMAT) throw doc.wrong("is no pool file");
  if (doc.read("version", number) !== VERSION)
    throw doc.get("version").wrong("is newer than this Rotor; update it first");
  return { format: FORMAT, ...doc.read("store", content), remarks: doc.remarks };
}

const count = nullable(number);
const word = nullable(text);
const instant = nullable(instantMs);

const window: Reader<Window> = fields({
  limit: text,
  slot: oneOf("primary", "secondary"),
  models: nullable(list(text)),
  lengthMinutes: count,
  usedPercent: number,
  resetsAtMs: instant,
  observedAtMs: instantMs,
  observedFrom: oneOf("header", "event", "error", "usage_endpoint", "import"),
});

const account: Reader<ForeignAccount> = fields({
  place: text,
  credentials: fields({ accessToken: anyText, refreshToken: anyText, idToken: word }),
  claims: fields({ userId: word, workspaceId: anyText, email: word, tier: word, expiresAtMs: instant }),
  issuer: word,
  refreshedAtMs: instant,
  isIdentified: flag,
  alias: word,
  enabled: flag,
  tags: list(text),
  note: anyText,
  weight: number,
  priority: number,
  pause: nullable(fields({ sinceMs: instantMs, untilMs: instant })),
  draining: flag,
  pace: optional(fields({ requestsPerMinute: number, burst: number })),
  workspaceName: word,
  workspaces: list(fields({ id: text, name: word, enabled: flag, isCurrent: flag })),
  needsLogin: word,
  windows: list(window),
  limitedUntilMs: instant,
  unsupportedModels: list(fields({ model: text, untilMs: instantMs })),
  lastUsedAtMs: instant,
  createdAtMs: instant,
  isCurrent: flag,
});

const key = fields({
  name: text,
  prefix: word,
  hashAlgorithm: oneOf("sha256"),
  hashHex: text,
  createdAtMs: instant,
  lastUsedAtMs: instant,
  revokedAtMs: instant,
  expiresAtMs: instant,
});

const profile = fields({
  key: text,
  name: word,
  root: word,
  preferredTags: list(text),
  avoidTags: list(text),
  modelAllowlist: list(text),
  modelDenylist: list(text),
  accountWeights: list(fields({ account: number, weight: number })),
  budgetKey: word,
  updatedAtMs: instant,
});

const ledgerRow = fields({
  id: text,
  atMs: instantMs,
  source: word,
  operation: word,
  outcome: word,
  model: word,
  projectKey: word,
  account: count,
  requestId: word,
  statusCode: count,
  errorCode: word,
  durationMs: count,
  inputTokens: count,
  outputTokens: count,
  cachedInputTokens: count,
  reasoningTokens: count,
  totalTokens: count,
  costUsd: count,
});

const choice: Reader<CarriedChoice> = fields({
  rules: list(anyText),
  profiles: list(
    fields({
      name: text,
      accounts: anyText,
      strategy: word,
      models: list(text),
      rules: list(anyText),
      keyNames: list(text),
      projects: list(fields({ key: text, path: text })),
      budgets: list(text),
    }),
  ),
  budgets: list(
    fields({
      name: text,
      scope: oneOf("all", "key", "project", "profiles"),
      of: anyText,
      measure: text,
      amount: number,
      period: text,
      warnPercent: count,
      createdAtMs: instantMs,
    }),
  ),
});

/** Every field, strictly: what we wrote we can read, and anything else is not ours. */
const content: Reader<PoolFileContent> = fields({
  accounts: list(account),
  pin: nullable(fields({ account: number, untilMs: instant })),
  strategy: word,
  keys: list(key),
  settings: list(fields({ key: text, value: anyText, from: text })),
  profiles: list(profile),
  budgets: list(
    fields({ key: text, window: text, maxRequests: count, maxTokens: count, maxCostUsd: count, updatedAtMs: instant }),
  ),
  ledger: list(ledgerRow),
  choice: optional(choice),
});
