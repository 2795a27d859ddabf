/**
 * Asks upstream for the model list of one account. Learns nothing about the account but that its login was refused: a list that cannot be
 * had says nothing about turns, and several that fail at once are no reason to pause the pool. Takes no lease: a list is no turn, and must
 * move nobody in the order of selection.
 */
import type { Clock } from "../base/clock.ts";
import { headerValue } from "../base/header-list.ts";
import type { Account } from "../domain/account.ts";
import { type HoldKind, holdsOn } from "../domain/hold.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { Settings } from "../domain/setting.ts";
import type { FailedAttempt, OpenedAttempt, Upstream } from "../upstream/upstream.ts";
import type { Access, CredentialKeeper } from "./credential-keeper.ts";
import type { Keeper } from "./keeper.ts";
import type { LeaseDesk } from "./lease-desk.ts";

export type FetchedModels =
  | { readonly kind: "models"; readonly body: Uint8Array; readonly etag: string | null }
  /** Upstream has what we have. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "failed"; readonly outcome: Outcome };

export interface ModelFetch {
  /** Is there nothing against asking for this account's list now? A used-up window is nothing against it. */
  mayAsk(account: Account): boolean;
  /** Never rejects. */
  fetch(account: Account, clientVersion: string, etag: string | null, signal: AbortSignal): Promise<FetchedModels>;
}

interface FetchDeps {
  readonly keeper: Keeper;
  readonly leases: LeaseDesk;
  readonly credentials: CredentialKeeper;
  readonly upstream: Upstream;
  readonly settings: () => Settings;
  readonly clock: Clock;
}

/** A list costs no allowance: whoever may not serve for one of these reasons may be asked for it. */
const NO_HINDRANCE: ReadonlySet<HoldKind> = new Set(["window_exhausted", "reserved", "draining", "model_unsupported"]);

export function createModelFetch(deps: FetchDeps): ModelFetch {
  return {
    mayAsk(account) {
      const ask = deps.leases.askFor({ model: null, affinity: null, tried: new Set() });
      return holdsOn(account, ask).every(({ kind }) => NO_HINDRANCE.has(kind));
    },
    async fetch(account, clientVersion, etag, signal) {
      const path = `/codex/models?client_version=${encodeURIComponent(clientVersion)}`;
      try {
        return await fetchOnce(deps, account, { path, etag, signal });
      } catch (thrown) {
        const message = thrown instanceof Error ? thrown.message : String(thrown);
        return { kind: "failed", outcome: { kind: "upstream_failed", status: null, message, retryAtMs: null } };
      }
    },
  };
}

interface Question {
  readonly path: string;
  readonly etag: string | null;
  readonly signal: AbortSignal;
}

async function fetchOnce(deps: FetchDeps, account: Account, question: Question): Promise<FetchedModels> {
  let end = await deps.credentials.access(account.id);
  for (let renewed = false; ; renewed = true) {
    if (end.kind === "rejected") return { kind: "failed", outcome: { kind: "login_rejected", reason: end.reason } };
    if (end.kind === "failed") return { kind: "failed", outcome: { kind: "refresh_failed", message: end.message } };
    const startedAtMs = deps.clock.nowMs();
    const result = await attempt(deps, account, question, end.access);
    if (result.kind === "opened") return read(result);
    if (result.outcome.kind !== "unauthorized" && result.outcome.kind !== "login_rejected")
      return { kind: "failed", outcome: result.outcome };
    if (renewed || result.outcome.kind === "login_rejected")
      return refused(deps, account, end.access, result, startedAtMs);
    end = await deps.credentials.refresh(account.id, "unauthorized_recovery", end.access.generation);
  }
}

function attempt(deps: FetchDeps, account: Account, { path, etag, signal }: Question, access: Access) {
  const now = deps.settings();
  return deps.upstream.attempt({
    method: "GET",
    path,
    headers: [["accept", "application/json"], ...(etag === null ? [] : ([["if-none-match", etag]] as const))],
    body: null,
    socket: null,
    accessToken: access.accessToken,
    workspaceId: deps.keeper.get(account.id)?.workspaceId ?? account.workspaceId,
    signal,
    stream: false,
    filter: null,
    unpack: true,
    timeouts: {
      connectMs: now.connect_timeout_seconds * 1_000,
      firstByteMs: now.first_byte_timeout_seconds * 1_000,
      silenceMs: now.silence_timeout_seconds * 1_000,
    },
  });
}

async function read(opened: OpenedAttempt): Promise<FetchedModels> {
  if (opened.status === 304) {
    await opened.body.cancel();
    return { kind: "unchanged" };
  }
  const body = new Uint8Array(await new Response(opened.body).arrayBuffer());
  const { outcome } = await opened.end;
  if (outcome.kind !== "served") return { kind: "failed", outcome };
  return { kind: "models", body, etag: headerValue(opened.headers, "etag") };
}

/** The login itself is refused: a fact about the account, whoever finds it. */
function refused(
  { keeper, clock }: FetchDeps,
  account: Account,
  access: Access,
  { outcome, observation }: FailedAttempt,
  startedAtMs: number,
): FetchedModels {
  const reason = outcome.kind === "login_rejected" ? outcome.reason : "unauthorized";
  const judged: Outcome = { kind: "login_rejected", reason };
  const { generation } = access;
  const atMs = clock.nowMs();
  keeper.apply(account.id, {
    kind: "attempt_ended",
    startedAtMs,
    atMs,
    generation,
    model: null,
    outcome: judged,
    observation,
  });
  return { kind: "failed", outcome: judged };
}
