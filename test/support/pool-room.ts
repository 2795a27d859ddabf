/**
 * An engine room for tests: the real pool over a memory store, a scripted upstream and issuer, a manual clock and seeded dice.
 * The scripted upstream answers by account, so that a test says who refuses and nothing else; it records every attempt in order.
 */

import type { Dice } from "../../src/base/id.ts";
import type { Log } from "../../src/base/log.ts";
import type { Secret } from "../../src/base/secret.ts";
import type { Account } from "../../src/domain/account.ts";
import { NOTHING_OBSERVED, type Observation, type Outcome, type Usage } from "../../src/domain/outcome.ts";
import { createEngine, type RunningEngine } from "../../src/pool/create-engine.ts";
import type { ExchangeAnswer, ExchangeRequest } from "../../src/pool/engine.ts";
import type { Store } from "../../src/store/store.ts";
import type {
  AttemptRequest,
  FailedAttempt,
  Issuer,
  OpenedAttempt,
  RefreshResult,
  RevokeResult,
  Upstream,
} from "../../src/upstream/upstream.ts";
import { anAccount, ISSUER } from "./builders.ts";
import {
  createFakeCallbackDoor,
  createFakeLoginIssuer,
  type FakeCallbackDoor,
  type FakeLoginIssuer,
} from "./fake-login-issuer.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { createMemoryFiles, type MemoryFiles } from "./memory-files.ts";
import { createMemoryStore } from "./memory-store.ts";
import { tokenFor } from "./tokens.ts";

export { tokenFor };

/** What upstream does with an attempt: an outcome before output, or "open" (served when the test finishes it), or "serve" at once. */
export type Script = Outcome | "serve" | "open";

export interface SeenAttempt {
  readonly workspaceId: string;
  readonly accessToken: string;
  readonly request: AttemptRequest;
  /** Ends an "open" attempt. */
  finish(outcome?: Outcome): void;
}

export interface PoolRoom {
  readonly engine: RunningEngine;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly seen: SeenAttempt[];
  /** Refresh tokens that the issuer was shown, in order. */
  readonly refreshed: string[];
  /** Those that it was asked to end. */
  readonly revoked: string[];
  readonly loginIssuer: FakeLoginIssuer;
  readonly callbacks: FakeCallbackDoor;
  readonly files: MemoryFiles;
  readonly logged: { level: string; event: string; fields: Record<string, unknown> }[];
  ask(change?: Partial<ExchangeRequest>): Promise<ExchangeAnswer>;
}

export interface RoomOptions {
  readonly accounts?: readonly Account[];
  /** By workspace id, else for all. */
  readonly upstream?: (request: AttemptRequest, nth: number) => Script | Promise<Script>;
  /** What the model list of an account is; null answers that it is still the one that was named. */
  readonly models?: (request: AttemptRequest) => { body: string; etag: string | null } | null;
  readonly observe?: (request: AttemptRequest) => Observation;
  /** What an opened answer says; nothing when absent. */
  readonly body?: (request: AttemptRequest) => string;
  readonly issuer?: (refreshToken: string) => RefreshResult | Promise<RefreshResult>;
  readonly revoke?: () => RevokeResult;
  readonly settings?: Record<string, string>;
  readonly store?: Store;
  readonly files?: MemoryFiles;
  readonly clock?: ManualClock;
  readonly seed?: number;
}

export const USAGE: Usage = { inputTokens: 100, cachedInputTokens: 80, outputTokens: 10, reasoningTokens: 4 };

/** mulberry32: small, seeded, good enough to shuffle with. */
export function seededDice(seed: number): Dice {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { fraction: next, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)) };
}

export async function createPoolRoom(options: RoomOptions = {}): Promise<PoolRoom> {
  const clock = options.clock ?? createManualClock();
  const store = options.store ?? createMemoryStore();
  const seen: SeenAttempt[] = [];
  const refreshed: string[] = [];
  const revoked: string[] = [];
  const logged: PoolRoom["logged"] = [];
  const accounts = options.accounts ?? [anAccount({ n: 1 }), anAccount({ n: 2 }), anAccount({ n: 3 })];
  if (options.store === undefined) {
    await store.addAccounts(
      accounts.map((account) => ({
        account,
        credentials: {
          accessToken: tokenFor(account, account.credentials.accessExpiresAtMs ?? clock.nowMs()),
          refreshToken: `refresh-${account.alias}-1`,
          idToken: null,
        },
      })),
    );
  }
  const log: Log = Object.fromEntries(
    (["debug", "info", "warn", "error"] as const).map((level) => [
      level,
      (event: string, fields: Record<string, unknown> = {}) => logged.push({ level, event, fields }),
    ]),
  ) as unknown as Log;
  const loginIssuer = createFakeLoginIssuer();
  const callbacks = createFakeCallbackDoor();
  const files = options.files ?? createMemoryFiles();
  const engine = await createEngine({
    store,
    loginIssuer,
    openCallbackListener: callbacks.open,
    upstream: scriptedUpstream(options, seen),
    issuer: scriptedIssuer(options, refreshed, revoked),
    filePort: files,
    issuerUrl: ISSUER,
    // A test that is not about it sees no attempt but its own.
    settings: { fromEnv: { usage_poll: "off", ...options.settings }, fromFile: {} },
    clock,
    dice: seededDice(options.seed ?? 1),
    log,
  });
  const ask: PoolRoom["ask"] = (change) => engine.exchanges.run(aRequest(change));
  return { engine, store, clock, seen, refreshed, revoked, loginIssuer, callbacks, files, logged, ask };
}

/** What was sent, as text. */
export function textOfBody(body: AttemptRequest["body"]): string {
  return body === null ? "" : Buffer.concat(body instanceof Uint8Array ? [body] : [...body]).toString();
}

export function aRequest(change: Partial<ExchangeRequest> = {}): ExchangeRequest {
  const body = new TextEncoder().encode('{"model":"gpt-5.5","input":[],"stream":true}');
  return {
    surface: "codex",
    method: "POST",
    path: "/backend-api/codex/responses",
    upstreamPath: "/codex/responses",
    headers: [["content-type", "application/json"]],
    body,
    plainBody: body,
    model: "gpt-5.5",
    mapping: null,
    stream: true,
    filter: null,
    unpack: false,
    socket: null,
    conversation: null,
    keyId: "KEY",
    project: null,
    effort: null,
    tier: null,
    signal: new AbortController().signal,
    ...change,
  };
}

function scriptedUpstream(options: RoomOptions, seen: SeenAttempt[]): Upstream {
  return {
    async attempt(request): Promise<FailedAttempt | OpenedAttempt> {
      const { promise: end, resolve } = Promise.withResolvers<Awaited<OpenedAttempt["end"]>>();
      const finish = (outcome: Outcome = { kind: "served", usage: USAGE }) =>
        resolve({ outcome, usage: outcome.kind === "served" ? outcome.usage : null, observation: NOTHING_OBSERVED });
      seen.push({ workspaceId: request.workspaceId, accessToken: request.accessToken.reveal(), request, finish });
      const script = await (options.upstream?.(request, seen.length) ?? "serve");
      const observation = options.observe?.(request) ?? NOTHING_OBSERVED;
      if (typeof script === "object") {
        const status = script.kind === "request_rejected" ? script.status : script.kind === "unreachable" ? null : 429;
        const answer = status === null ? null : { status, headers: [], body: new TextEncoder().encode("{}") };
        return { kind: "failed", outcome: script, observation, answer };
      }
      if (script === "serve") finish();
      request.signal.addEventListener("abort", () => finish({ kind: "client_gone" }), { once: true });
      if (request.path.startsWith("/codex/models")) return openedList(options.models?.(request), end);
      const body = new ReadableStream<Uint8Array>({
        pull(c) {
          const text = options.body?.(request) ?? "";
          if (text !== "") c.enqueue(new TextEncoder().encode(text));
          c.close();
        },
        cancel: () => finish({ kind: "client_gone" }),
      });
      return { kind: "opened", status: 200, headers: [], body, observation, end };
    },
  };
}

const ONE_MODEL = { body: JSON.stringify({ models: [{ slug: "gpt-5.5" }] }), etag: '"m1"' };

function openedList(
  list: { body: string; etag: string | null } | null = ONE_MODEL,
  end: OpenedAttempt["end"],
): OpenedAttempt {
  const headers: [string, string][] = list?.etag ? [["etag", list.etag]] : [];
  const body = new Response(list?.body ?? "").body!;
  return { kind: "opened", status: list === null ? 304 : 200, headers, body, observation: NOTHING_OBSERVED, end };
}

function scriptedIssuer(options: RoomOptions, refreshed: string[], revoked: string[]): Issuer {
  return {
    async revoke(refreshToken: Secret) {
      revoked.push(refreshToken.reveal());
      return options.revoke?.() ?? { kind: "revoked" };
    },
    async refresh(refreshToken: Secret) {
      const token = refreshToken.reveal();
      refreshed.push(token);
      return (await options.issuer?.(token)) ?? { kind: "failed", message: "no issuer in this test" };
    },
  };
}

/** What a good issuer answers to `refresh-<alias>-<n>`: the next one, for the same account. */
export function rotate(accounts: readonly Account[], expiresAtMs: number) {
  return (token: string): RefreshResult => {
    const [, alias, n] = /^refresh-(.+)-(\d+)$/.exec(token)!;
    const account = accounts.find((one) => one.alias === alias)!;
    const next = Number(n) + 1;
    return {
      kind: "refreshed",
      tokens: {
        accessToken: tokenFor(account, expiresAtMs, `gen${next}`),
        refreshToken: `refresh-${alias}-${next}`,
        idToken: null,
      },
    };
  };
}
