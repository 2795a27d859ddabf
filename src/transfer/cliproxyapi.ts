/**
 * CLIProxyAPI: one flat JSON file a credential (`~/.cli-proxy-api`), of which those of type `codex` are ours. Field names as its
 * token storage writes them (internal/auth/codex/token.go, read 2026-11). Never shows a token.
 */
import { parseInstant } from "../base/clock.ts";
import { foreignAccount, mergeAccounts } from "./foreign-account.ts";
import type { ForeignAccount, ForeignStore } from "./foreign-store.ts";
import { anyText, flag, type JsonNode, number, optional, type Reader, soft, text } from "./json-node.ts";
import { EMPTY_STORE } from "./store-builder.ts";

export function isCliProxyApi(doc: JsonNode): boolean {
  const type = doc.get("type").value;
  if (typeof type !== "string" || doc.has("tokens")) return false;
  // Logins to other services have other fields; only the login to Codex must show that it is one.
  return type === "codex"
    ? doc.has("refresh_token") || doc.has("access_token")
    : doc.has("email") || doc.has("access_token");
}

export function readCliProxyApi(docs: readonly JsonNode[]): ForeignStore {
  const remarks = docs[0]!.remarks;
  const found = docs.flatMap((doc): readonly ForeignAccount[] => {
    if (doc.get("type").value === "codex") return [accountOf(doc)];
    doc.note("is a login to another service and is left out");
    return [];
  });
  if (found.length === 0) throw docs[0]!.wrong("is no login to Codex");
  return { ...EMPTY_STORE, format: "cliproxyapi", accounts: mergeAccounts(found, remarks).accounts, remarks };
}

function accountOf(doc: JsonNode): ForeignAccount {
  for (const key of ["proxy_url", "prefix", "excluded_models"])
    if (doc.has(key)) doc.get(key).note("is not carried over");
  const weight = doc.read("weight", soft(number));
  return foreignAccount(doc, {
    accessToken: doc.read("access_token", optional(text)),
    refreshToken: doc.read("refresh_token", text),
    idToken: doc.read("id_token", optional(text)),
    workspaceId: doc.read("account_id", optional(text)),
    email: doc.read("email", optional(text)),
    tier: doc.read("plan_type", soft(text)),
    expiresAtMs: doc.read("expired", soft(instantText)),
    refreshedAtMs: doc.read("last_refresh", soft(instantText)),
    alias: doc.read("label", soft(text)),
    note: doc.read("note", soft(anyText)) ?? "",
    enabled: !(doc.read("disabled", optional(flag)) ?? false),
    priority: doc.read("priority", soft(number)) ?? 0,
    weight: weight !== null && weight > 0 ? weight : 1,
  });
}

/** RFC 3339 text → milliseconds. */
const instantText: Reader<number> = (at) => {
  const atMs = parseInstant(text(at));
  if (atMs === null) throw at.wrong("is no date");
  return atMs;
};
