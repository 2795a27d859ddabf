/**
 * A file in which another program keeps the login that it uses now: the `auth.json` of Codex or of OpenCode. Reads what it holds (a login,
 * none, or bytes that cannot be read yet: the program may be writing) and writes another login into it. Pure; no token in a reason.
 */
import { fromUnknown } from "../base/errors.ts";
import { type FoundLogin, readCodexAuth } from "./codex-auth.ts";
import type { ForeignAccount } from "./foreign-store.ts";
import { JsonNode } from "./json-node.ts";
import { isOpencodeAuth, readOpencodeAuth } from "./opencode-auth.ts";
import { writeCodexAuth, writeOpencodeAuth } from "./write-auth-json.ts";

export type LoginFileContent =
  | { readonly kind: "login"; readonly login: FoundLogin }
  /** Sound, and without a ChatGPT login that could be shared. */
  | { readonly kind: "empty"; readonly reason: string }
  | { readonly kind: "broken"; readonly reason: string };

export function readLoginFile(data: Uint8Array): LoginFileContent {
  const value = parse(data);
  if (value === undefined)
    return { kind: "broken", reason: data.length === 0 ? "it is empty" : "it is not whole JSON" };
  const node = new JsonNode("", "", value, []);
  if (!node.isObject) return { kind: "broken", reason: "it is not a JSON object" };
  try {
    return isOpencodeAuth(node) ? readOpencode(node) : readCodex(node, data);
  } catch (thrown) {
    return { kind: "broken", reason: fromUnknown(thrown).message };
  }
}

function readCodex(node: JsonNode, data: Uint8Array): LoginFileContent {
  if (!node.get("tokens").isNothing) return { kind: "login", login: readCodexAuth(data)[0]! };
  const hasApiKey = !node.get("OPENAI_API_KEY").isNothing;
  return { kind: "empty", reason: hasApiKey ? "it holds an API key, not a ChatGPT login" : "it holds no login" };
}

function readOpencode(node: JsonNode): LoginFileContent {
  const entry = node.get("openai");
  if (entry.isNothing) return { kind: "empty", reason: "it holds no login to ChatGPT" };
  if (entry.get("type").value !== "oauth") return { kind: "empty", reason: "it holds an API key, not a ChatGPT login" };
  const { accounts } = readOpencodeAuth([node]);
  const [login] = accounts;
  if (accounts.length !== 1 || login === undefined)
    return { kind: "empty", reason: "it holds several logins in one, which cannot be shared" };
  if (!login.isIdentified || login.credentials.accessToken === "")
    return { kind: "empty", reason: "its login names no ChatGPT account" };
  return { kind: "login", login };
}

/** The file with this login in it, and with all else that it holds. `before` null = there is none yet; its folder says whose it is. */
export function writeLoginFile(path: string, before: Uint8Array | null, login: ForeignAccount): Uint8Array {
  const value = before === null ? undefined : parse(before);
  const isOpencode =
    value === undefined ? /[/\\]opencode[/\\][^/\\]+$/.test(path) : isOpencodeAuth(new JsonNode("", "", value, []));
  return isOpencode ? writeOpencodeAuth(before, login) : writeCodexAuth(before, login);
}

/** undefined = not JSON, or not whole. */
function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    return undefined;
  }
}
