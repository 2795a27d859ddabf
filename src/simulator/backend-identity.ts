/**
 * Who calls the backend: the bearer token and the account id that must go with it (wire reference §3.1, §4.1).
 */
import type { SimAccount } from "./accounts.ts";
import type { Answer } from "./answer.ts";
import { headerOf } from "./http-request.ts";
import { noteAccount } from "./recorder.ts";
import * as refusal from "./refusals.ts";
import type { Call } from "./world.ts";

export type Identity = { account: SimAccount; refused: null } | { account: null; refused: Answer };

export function identify(call: Call): Identity {
  const { world, exchange, record } = call;
  const token = /^Bearer\s+(\S+)$/i.exec(headerOf(exchange.request.headers, "authorization") ?? "")?.[1];
  if (!token) return { account: null, refused: refusal.accessRefusal("unauthorized") };
  const access = world.vault.checkAccess(token);
  if (access.account) noteAccount(record, access.account.alias);
  if (!access.ok) return { account: null, refused: refusal.accessRefusal(access.refusal) };
  // Strict on purpose: a proxy that mixes up two accounts' headers must not pass unseen.
  if (headerOf(exchange.request.headers, "chatgpt-account-id") !== access.account.accountId)
    return { account: null, refused: refusal.accessRefusal("unauthorized") };
  return { account: access.account, refused: null };
}
