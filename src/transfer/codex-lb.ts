/**
 * codex-lb exports: the account bundle (after its box was opened), the export of one account, and the older one that holds an
 * `auth.json` as text. Its API writes camelCase. Shapes as its schemas state them (app/modules/accounts, read 2026-11).
 */
import { foreignAccount, mergeAccounts } from "./foreign-account.ts";
import type { ForeignAccount, ForeignStore } from "./foreign-store.ts";
import { anyText, instantMs, JsonNode, number, optional, parseJson, soft, text } from "./json-node.ts";
import { EMPTY_STORE } from "./store-builder.ts";

/** What is inside the box, one export, or a list of exports. */
export function isCodexLb(doc: JsonNode): boolean {
  if (Array.isArray(doc.value)) return doc.value.length > 0 && doc.items().every(isExport);
  return isExport(doc) || isBundle(doc);
}

function isBundle(doc: JsonNode): boolean {
  const { value } = doc.get("accounts");
  return Array.isArray(value) && doc.has("created_at");
}

function isExport(at: JsonNode): boolean {
  const tokens = at.get("tokens");
  return tokens.has("accessToken") || tokens.has("refreshToken") || typeof at.get("authJson").value === "string";
}

export function readCodexLb(docs: readonly JsonNode[]): ForeignStore {
  const found = docs.flatMap((doc): readonly ForeignAccount[] => {
    if (Array.isArray(doc.value)) return doc.items().map(exportedAccount);
    return isBundle(doc) ? bundleAccounts(doc) : [exportedAccount(doc)];
  });
  const remarks = docs[0]!.remarks;
  return { ...EMPTY_STORE, format: "codex-lb", accounts: mergeAccounts(found, remarks).accounts, remarks };
}

function bundleAccounts(doc: JsonNode): readonly ForeignAccount[] {
  if (doc.read("version", number) !== 1) throw doc.get("version").wrong("is not one that Rotor knows");
  return doc
    .get("accounts")
    .items()
    .map((at) => {
      const credentials = at.get("credentials");
      return foreignAccount(at, {
        accessToken: credentials.read("access_token", text),
        refreshToken: credentials.read("refresh_token", text),
        idToken: credentials.read("id_token", optional(text)),
        workspaceId: at.read("chatgpt_account_id", optional(text)),
        userId: at.read("chatgpt_user_id", optional(text)),
        email: at.read("email", optional(text)),
        tier: at.read("plan_type", soft(text)),
        alias: at.read("alias", soft(text)),
        workspaceName: at.read("workspace_label", soft(text)),
        priority: PRIORITIES[at.read("routing_policy", soft(text)) ?? "normal"] ?? 0,
      });
    });
}

/** Its policies, on our scale of who is drained first. */
const PRIORITIES: Readonly<Record<string, number>> = { burn_first: 1, normal: 0, preserve: -1 };

function exportedAccount(at: JsonNode): ForeignAccount {
  const account = at.get("account");
  const inner = at.read("authJson", optional(anyText));
  const tokens = (inner === null ? at : nested(at, inner)).get("tokens");
  const either = (camel: string, snake: string) => (tokens.has(camel) ? tokens.get(camel) : tokens.get(snake));
  const owner = account.isObject ? account : at;
  return foreignAccount(at, {
    accessToken: text(either("accessToken", "access_token")),
    refreshToken: text(either("refreshToken", "refresh_token")),
    idToken: optional(text)(either("idToken", "id_token")),
    workspaceId: optional(text)(either("accountId", "account_id")) ?? owner.read("chatgptAccountId", optional(text)),
    email: owner.read("email", optional(text)),
    tier: at.read("planType", soft(text)),
    expiresAtMs: tokens.read("expiresAtMs", soft(instantMs)),
    workspaceName: at.read("workspaceLabel", soft(text)),
    // Its own words for an account that an operator set aside, and for one whose login was lost.
    enabled: at.get("status").value !== "deactivated" && at.get("status").value !== "paused",
    needsLogin: at.get("status").value === "reauth_required" ? "reauth_required" : null,
  });
}

function nested(at: JsonNode, source: string): JsonNode {
  const parsed = parseJson(source);
  if (!parsed.ok) throw at.get("authJson").wrong(`is broken: ${parsed.reason}`);
  const path = at.path === "" ? "authJson" : `${at.path}.authJson`;
  return new JsonNode(at.file, path, parsed.value, at.remarks);
}
