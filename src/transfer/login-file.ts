/**
 * What a file in which another program keeps its login holds at this moment: a login, none, or bytes that cannot be read (yet: the
 * program may be writing). Pure; never puts a token into a reason.
 */
import { fromUnknown } from "../base/errors.ts";
import { type FoundLogin, readCodexAuth } from "./codex-auth.ts";

export type LoginFileContent =
  | { readonly kind: "login"; readonly login: FoundLogin }
  /** Sound, and without a ChatGPT login. */
  | { readonly kind: "empty"; readonly reason: string }
  | { readonly kind: "broken"; readonly reason: string };

/** Reads a Codex `auth.json` (wire §2): one object with `tokens`. */
export function readLoginFile(data: Uint8Array): LoginFileContent {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    return { kind: "broken", reason: data.length === 0 ? "it is empty" : "it is not whole JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { kind: "broken", reason: "it is not a JSON object" };
  const { tokens, OPENAI_API_KEY: apiKey } = value as Record<string, unknown>;
  if (tokens === undefined || tokens === null)
    return { kind: "empty", reason: apiKey ? "it holds an API key, not a ChatGPT login" : "it holds no login" };
  try {
    return { kind: "login", login: readCodexAuth(data)[0]! };
  } catch (thrown) {
    return { kind: "broken", reason: fromUnknown(thrown).message };
  }
}
