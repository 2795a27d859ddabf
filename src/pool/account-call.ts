/**
 * One call of Rotor's own on one account, outside any exchange: with its access, renewed when it has expired, and once more when upstream
 * does not take it. Chooses no account and learns nothing from what comes back.
 */
import type { AccountId } from "../domain/account.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { Settings } from "../domain/setting.ts";
import type { AttemptRequest, Upstream } from "../upstream/upstream.ts";
import type { CredentialKeeper, RefreshEnd } from "./credential-keeper.ts";
import type { Keeper } from "./keeper.ts";

export interface CallDeps {
  readonly keeper: Keeper;
  readonly credentials: CredentialKeeper;
  readonly upstream: Upstream;
  readonly settings: () => Settings;
}

export interface AccountCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON; null = no body. */
  readonly body: object | null;
  readonly signal: AbortSignal;
  /** Renew the login when upstream does not take an access token that has not expired. */
  readonly renews: boolean;
}

export type CallEnd =
  | { readonly kind: "answered"; readonly text: string }
  /** Nothing was done upstream, for sure. `status` null = nothing was sent. */
  | { readonly kind: "refused"; readonly status: number | null; readonly message: string }
  /** Nobody knows whether upstream did it. */
  | { readonly kind: "unknown"; readonly message: string };

const JSON_BODY = [["content-type", "application/json"]] as const;

export async function callAccount(deps: CallDeps, id: AccountId, call: AccountCall): Promise<CallEnd> {
  const { credentials } = deps;
  let end = await credentials.access(id);
  for (let tries = 1; ; tries++) {
    if (end.kind !== "renewed") return { kind: "refused", status: null, message: wordsOf(end) };
    const { accessToken, generation } = end.access;
    const { workspaceId } = deps.keeper.require(id);
    const result = await deps.upstream.attempt({ ...requestOf(deps, call), accessToken, workspaceId });
    if (result.kind === "opened") {
      const text = await new Response(result.body).text().catch(() => null);
      return text === null ? { kind: "unknown", message: "upstream broke off the answer" } : { kind: "answered", text };
    }
    const { outcome, answer } = result;
    if (outcome.kind !== "unauthorized" || !call.renews || tries > 1) return endOf(outcome, answer?.status ?? null);
    end = await credentials.refresh(id, "unauthorized_recovery", generation);
  }
}

function requestOf(
  { settings }: CallDeps,
  { method, path, body, signal }: AccountCall,
): Omit<AttemptRequest, "accessToken" | "workspaceId"> {
  const { connect_timeout_seconds, first_byte_timeout_seconds } = settings();
  const firstByteMs = first_byte_timeout_seconds * 1_000;
  return {
    method,
    path,
    headers: body === null ? [] : JSON_BODY,
    body: body === null ? null : new TextEncoder().encode(JSON.stringify(body)),
    signal,
    stream: false,
    filter: null,
    unpack: true,
    socket: null,
    timeouts: { connectMs: connect_timeout_seconds * 1_000, firstByteMs, silenceMs: firstByteMs },
  };
}

/** Ends that say nothing about what upstream did meanwhile. Every other one is its own word that it did nothing, or was never sent. */
const UNKNOWN: ReadonlySet<Outcome["kind"]> = new Set(["served", "upstream_failed", "timed_out", "cut", "client_gone"]);

function endOf(outcome: Outcome, status: number | null): CallEnd {
  const message = "message" in outcome ? outcome.message : "reason" in outcome ? outcome.reason : `HTTP ${status}`;
  return UNKNOWN.has(outcome.kind) ? { kind: "unknown", message } : { kind: "refused", status, message };
}

function wordsOf(end: Exclude<RefreshEnd, { kind: "renewed" }>): string {
  return end.kind === "rejected" ? `its login is refused (${end.reason})` : end.message;
}
