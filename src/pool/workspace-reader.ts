/**
 * Learns from upstream what the workspaces of a login are called and which there are. A name is a nicety: nothing waits for it for long,
 * and no failure is told to anybody.
 */
import type { Clock } from "../base/clock.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { Workspace } from "../domain/login.ts";
import { readWorkspacesBody } from "../upstream/workspaces-body.ts";
import { type CallDeps, callAccount } from "./account-call.ts";
import type { UsageReader } from "./usage-reader.ts";

export interface WorkspaceReader {
  /** All that this login may be signed in to; none when upstream does not say. Accounts take their names. Never rejects. */
  learn(id: AccountId, signal: AbortSignal): Promise<readonly Workspace[]>;
  /** Usage that is read brings the name along when it is not known, or was learnt long ago. */
  inPassing(reader: UsageReader): UsageReader;
}

/** The official client asks at every start (wire §3.1); names change once in years. */
const PATH = "/wham/accounts/check";
const AGAIN_AFTER_MS = 24 * 3_600_000;
/** A person waits for the end of a login. */
const WAIT_MS = 5_000;

export function createWorkspaceReader(deps: CallDeps & { readonly clock: Clock }): WorkspaceReader {
  const { keeper, clock } = deps;
  const askedAtMs = new Map<AccountId, number>();
  const startedAtMs = clock.nowMs();

  const ask = async (id: AccountId, given: AbortSignal): Promise<readonly Workspace[]> => {
    askedAtMs.set(id, clock.nowMs());
    const [late, over] = [new AbortController(), new AbortController()];
    void clock.sleep(WAIT_MS, over.signal).then(
      () => late.abort(),
      () => {},
    );
    try {
      const signal = AbortSignal.any([given, late.signal]);
      const end = await callAccount(deps, id, { method: "GET", path: PATH, body: null, signal, renews: false });
      return end.kind === "answered" ? (readWorkspacesBody(end.text) ?? []) : [];
    } finally {
      over.abort();
    }
  };
  const learn = async (id: AccountId, signal: AbortSignal) => {
    const workspaces = await ask(id, signal).catch(() => []);
    const asked = keeper.get(id);
    for (const account of asked === null ? [] : keeper.accounts()) {
      const name = nameFor(account, asked!, workspaces);
      if (name !== null) keeper.apply(account.id, { kind: "edited", workspaceName: name });
    }
    return workspaces;
  };
  const isDue = (id: AccountId) => {
    const known = keeper.get(id)?.workspaceName ?? null;
    const lastAtMs = askedAtMs.get(id) ?? (known === null ? Number.NEGATIVE_INFINITY : startedAtMs);
    return clock.nowMs() - lastAtMs >= AGAIN_AFTER_MS;
  };
  return {
    learn,
    inPassing: (reader) => ({
      async read(id, signal) {
        const end = await reader.read(id, signal);
        if (end.kind === "read" && isDue(id)) await learn(id, signal);
        return end;
      },
    }),
  };
}

/** The new name of this account's workspace; null when there is none. A workspace is the same whoever is in it, at one issuer. */
function nameFor(account: Account, asked: Account, workspaces: readonly Workspace[]): string | null {
  if (account.issuer !== asked.issuer) return null;
  const name = workspaces.find(({ id }) => id === account.workspaceId)?.name ?? "";
  return name === "" || name === account.workspaceName ? null : name;
}
