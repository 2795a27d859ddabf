/**
 * The account file of pull request 97 to opencode-openai-codex-auth: a list of refresh tokens with the ChatGPT account each belongs to.
 * It keeps no access tokens.
 */
import { foreignAccount, mergeAccounts } from "./foreign-account.ts";
import type { ForeignAccount, ForeignStore } from "./foreign-store.ts";
import { instantMs, type JsonNode, number, optional, soft, text } from "./json-node.ts";
import { EMPTY_STORE } from "./store-builder.ts";

export function isPr97(doc: JsonNode): boolean {
  const { value } = doc.get("accounts");
  if (!Array.isArray(value)) return false;
  const nodes = doc.get("accounts").items();
  return nodes.some((one) => one.has("chatgptAccountId") && !one.has("accessToken"));
}

export function readPr97(docs: readonly JsonNode[]): ForeignStore {
  const found = docs.flatMap(accountsOf);
  const remarks = docs[0]!.remarks;
  return { ...EMPTY_STORE, format: "pr97", accounts: mergeAccounts(found, remarks).accounts, remarks };
}

function accountsOf(doc: JsonNode): readonly ForeignAccount[] {
  if (doc.read("version", number) !== 1) throw doc.get("version").wrong("is not one that Rotor knows");
  const current = doc.read("activeIndex", soft(number));
  return doc
    .get("accounts")
    .items()
    .map((at, index) =>
      foreignAccount(at, {
        refreshToken: at.read("refreshToken", text),
        workspaceId: at.read("chatgptAccountId", optional(text)),
        email: at.read("email", optional(text)),
        createdAtMs: at.read("addedAt", soft(instantMs)),
        lastUsedAtMs: at.read("lastUsed", soft(instantMs)),
        limitedUntilMs: at.read("rateLimitResetTime", soft(instantMs)),
        isCurrent: index === current,
      }),
    );
}
