/**
 * The body of `GET /wham/accounts/check` → the workspaces that this login's person is in (wire §3.1). Pure. Comes as a list, and as a map
 * by id with each entry wrapped once more. Workspaces that are switched off are left out.
 */
import type { Workspace } from "../domain/login.ts";
import { asObject, type Json, parseObject, textAt } from "./json.ts";

/** Names are shown in tables and on prompts. */
const LONGEST_NAME = 100;
/** A person in more has other troubles. */
const MOST = 50;

/** null when the text is not such an answer. */
export function readWorkspacesBody(text: string): readonly Workspace[] | null {
  const accounts = parseObject(text)?.accounts;
  if (Array.isArray(accounts)) return named(accounts.map(asObject));
  const byId = asObject(accounts);
  if (byId === null) return null;
  return named(Object.entries(byId).map(([id, entry]) => ({ id, ...(asObject(asObject(entry)?.account) ?? {}) })));
}

function named(entries: readonly (Json | null)[]): Workspace[] {
  return entries.slice(0, MOST).flatMap((entry) => {
    if (entry === null || entry.is_deactivated === true) return [];
    const id = textAt(entry, "id") ?? textAt(entry, "account_id");
    const name = (textAt(entry, "name") ?? "").replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
    return id === null ? [] : [{ id, name: name.slice(0, LONGEST_NAME) }];
  });
}
