/** Files of logins for tests: what a program like the Codex CLI writes, and a program that renews its login there as that one does. */
import type { Account } from "../../src/domain/account.ts";
import { tokenFor } from "./tokens.ts";

/** An `auth.json` of `account`, in the n-th state of its login; `family` tells two sign-ins of one person apart. */
export function authJson(
  account: Pick<Account, "alias" | "userId" | "workspaceId">,
  state: { n: number; expiresAtMs: number; family?: string },
) {
  return {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: tokenFor(account, state.expiresAtMs, `id${state.n}`),
      access_token: tokenFor(account, state.expiresAtMs, `gen${state.n}`, state.family),
      refresh_token: `refresh-${account.alias}-${state.n}`,
      account_id: account.workspaceId,
    },
    last_refresh: new Date(state.expiresAtMs - 864_000_000).toISOString(),
    kept_by_others: { yes: true },
  };
}
