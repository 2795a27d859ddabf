/** Tokens made at run time: shaped as JWTs, and nothing in them is secret. */
import type { Account } from "../../src/domain/account.ts";

export function tokenFor(
  account: Pick<Account, "userId" | "workspaceId">,
  expiresAtMs: number,
  mark = "a",
  family?: string,
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const auth = { chatgpt_user_id: account.userId, chatgpt_account_id: account.workspaceId, chatgpt_plan_type: "plus" };
  return [
    part({ alg: "none" }),
    part({ exp: expiresAtMs / 1000, session_id: family, "https://api.openai.com/auth": auth }),
    mark,
  ].join(".");
}
