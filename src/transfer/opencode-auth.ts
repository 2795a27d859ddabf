/**
 * OpenCode `auth.json`: one entry a service, of which only `openai` is ours. Its refresh text may hold several logins, as pull request 97
 * to opencode-openai-codex-auth packs them: `token|account||token|account`. Never shows a token.
 */
import { readTokenClaims } from "../domain/token-claims.ts";
import { foreignAccount, mergeAccounts } from "./foreign-account.ts";
import type { ForeignAccount, ForeignStore } from "./foreign-store.ts";
import { instantMs, type JsonNode, optional, soft, text } from "./json-node.ts";
import { EMPTY_STORE } from "./store-builder.ts";

export function isOpencodeAuth(doc: JsonNode): boolean {
  if (!doc.isObject) return false;
  const kinds = doc.entries().map(([, entry]) => entry.get("type").value);
  return kinds.length > 0 && kinds.every((kind) => kind === "oauth" || kind === "api" || kind === "wellknown");
}

export function readOpencodeAuth(docs: readonly JsonNode[]): ForeignStore {
  const found = docs.flatMap(accountsOf);
  const remarks = docs[0]!.remarks;
  return { ...EMPTY_STORE, format: "opencode-auth", accounts: mergeAccounts(found, remarks).accounts, remarks };
}

function accountsOf(doc: JsonNode): readonly ForeignAccount[] {
  const entry = doc.get("openai");
  if (entry.isNothing) throw doc.wrong("has no login to ChatGPT (there is no openai entry)");
  const kind = entry.read("type", text);
  if (kind !== "oauth") throw entry.wrong("is an API key, not a ChatGPT login; there is nothing to pool");
  const refresh = entry.get("refresh");
  const accessToken = entry.read("access", optional(text));
  const stated = entry.read("accountId", optional(text));
  const expiresAtMs = entry.read("expires", soft(instantMs));
  const logins = splitRefresh(refresh, text(refresh));
  const claims = accessToken === null ? null : readTokenClaims(accessToken);
  const workspaceOf = (index: number) => logins[index]!.workspaceId ?? (logins.length === 1 ? stated : null);
  // The one access token belongs to the login that it names; the text's first login when it names none.
  const named = logins.findIndex((_, index) => workspaceOf(index) === (claims?.workspaceId ?? stated));
  const current = named < 0 ? (claims?.workspaceId ? (logins.length === 1 ? 0 : -1) : 0) : named;
  return logins.map((login, index) =>
    foreignAccount(logins.length === 1 ? entry : refresh, {
      refreshToken: login.refreshToken,
      workspaceId: workspaceOf(index),
      accessToken: index === current ? accessToken : null,
      expiresAtMs: index === current ? expiresAtMs : null,
      isCurrent: index === current,
    }),
  );
}

interface PackedLogin {
  readonly refreshToken: string;
  readonly workspaceId: string | null;
}

/** `token|account||token|account`, or a plain token. */
function splitRefresh(at: JsonNode, packed: string): readonly PackedLogin[] {
  if (!packed.includes("|")) return [{ refreshToken: packed, workspaceId: null }];
  return packed.split("||").map((part, index) => {
    const [refreshToken = "", workspaceId = "", ...rest] = part.split("|").map((piece) => piece.trim());
    if (refreshToken === "" || rest.length > 0) throw at.wrong(`holds a broken login at position ${index + 1}`);
    return { refreshToken, workspaceId: workspaceId === "" ? null : workspaceId };
  });
}
