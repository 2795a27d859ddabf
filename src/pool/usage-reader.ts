/**
 * Asks upstream's usage endpoint what one account has left. Never spends a model request and never learns anything from a failure.
 */
import type { Clock } from "../base/clock.ts";
import { fromUnknown } from "../base/errors.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { readUsageBody } from "../upstream/usage-body.ts";
import { type CallDeps, callAccount } from "./account-call.ts";

export type UsageEnd =
  | { readonly kind: "read"; readonly account: Account }
  | { readonly kind: "failed"; readonly message: string };

export interface UsageReader {
  /** Never rejects, and renews a login only when its access token has expired, as any request does. */
  read(id: AccountId, signal: AbortSignal): Promise<UsageEnd>;
}

/** As the official client asks, and where upstream has no such path (wire §3.10). */
const PATHS = ["/wham/usage", "/codex/usage"] as const;

export function createUsageReader(deps: CallDeps & { readonly clock: Clock }): UsageReader {
  const { keeper, clock } = deps;
  const read = async (id: AccountId, signal: AbortSignal): Promise<UsageEnd> => {
    for (const path of PATHS) {
      const end = await callAccount(deps, id, { method: "GET", path, body: null, signal, renews: false });
      if (end.kind === "refused" && end.status === 404) continue;
      if (end.kind !== "answered") return failed(end.message);
      const atMs = clock.nowMs();
      const observation = readUsageBody(end.text, atMs);
      if (observation === null) return failed("the usage endpoint answered what cannot be read");
      const account = keeper.apply(id, { kind: "observed", atMs, observation });
      return account === null ? failed("the account was removed meanwhile") : { kind: "read", account };
    }
    return failed("upstream has no usage endpoint");
  };
  return { read: (id, signal) => read(id, signal).catch((thrown) => failed(fromUnknown(thrown).message)) };
}

function failed(message: string): UsageEnd {
  return { kind: "failed", message };
}
