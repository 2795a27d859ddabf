/**
 * Asks upstream's usage endpoint what one account has left. Never spends a model request, never learns anything from a failure, and renews
 * a login only when its access token has expired, as any request does.
 */
import type { Clock } from "../base/clock.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { Settings } from "../domain/setting.ts";
import type { AttemptRequest, OpenedAttempt, Upstream } from "../upstream/upstream.ts";
import { readUsageBody } from "../upstream/usage-body.ts";
import type { CredentialKeeper } from "./credential-keeper.ts";
import type { Keeper } from "./keeper.ts";

export type UsageEnd =
  | { readonly kind: "read"; readonly account: Account }
  | { readonly kind: "failed"; readonly message: string };

export interface UsageReader {
  /** Never rejects. */
  read(id: AccountId, signal: AbortSignal): Promise<UsageEnd>;
}

/** As the official client asks, and where upstream has no such path (wire §3.10). */
const PATHS = ["/wham/usage", "/codex/usage"] as const;

export interface UsageReaderDeps {
  readonly keeper: Keeper;
  readonly credentials: CredentialKeeper;
  readonly upstream: Upstream;
  readonly settings: () => Settings;
  readonly clock: Clock;
}

export function createUsageReader(deps: UsageReaderDeps): UsageReader {
  const { keeper, credentials, clock } = deps;
  const read = async (id: AccountId, signal: AbortSignal): Promise<UsageEnd> => {
    const end = await credentials.access(id);
    if (end.kind === "rejected") return failed(`its login is refused (${end.reason})`);
    if (end.kind === "failed") return failed(end.message);
    for (const path of PATHS) {
      const { accessToken } = end.access;
      const { workspaceId } = keeper.require(id);
      const result = await deps.upstream.attempt(requestOf(deps, { path, accessToken, workspaceId, signal }));
      if (result.kind === "opened") {
        const observation = readUsageBody(await textOf(result), clock.nowMs());
        if (observation === null) return failed("the usage endpoint answered what cannot be read");
        const account = keeper.apply(id, { kind: "observed", atMs: clock.nowMs(), observation });
        return account === null ? failed("the account was removed meanwhile") : { kind: "read", account };
      }
      const { outcome, answer } = result;
      if (answer?.status !== 404) {
        const said = "message" in outcome ? outcome.message : "reason" in outcome ? outcome.reason : outcome.kind;
        return failed(`the usage endpoint could not be read: ${said}`);
      }
    }
    return failed("upstream has no usage endpoint");
  };
  return { read: (id, signal) => read(id, signal).catch((thrown) => failed(messageOf(thrown))) };
}

function requestOf(
  { settings }: UsageReaderDeps,
  what: Pick<AttemptRequest, "path" | "accessToken" | "workspaceId" | "signal">,
): AttemptRequest {
  const { connect_timeout_seconds, first_byte_timeout_seconds } = settings();
  const firstByteMs = first_byte_timeout_seconds * 1_000;
  const timeouts = { connectMs: connect_timeout_seconds * 1_000, firstByteMs, silenceMs: firstByteMs };
  return { ...what, method: "GET", headers: [], body: null, stream: false, filter: null, unpack: true, timeouts };
}

async function textOf({ body, end }: OpenedAttempt): Promise<string> {
  const text = await new Response(body).text();
  await end;
  return text;
}

function failed(message: string): UsageEnd {
  return { kind: "failed", message };
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : "it broke off";
}
