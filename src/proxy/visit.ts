/**
 * One request at the proxy's door: who it is from, what it wants, and the wrapper that turns whatever goes wrong into a final answer.
 * Never throws to the server, never answers without a stable code.
 */
import type { Clock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { type HeaderList, headerValue } from "../base/header-list.ts";
import type { Log } from "../base/log.ts";
import type { AccountId } from "../domain/account.ts";
import type { Surface } from "../domain/exchange.ts";
import type { Engine } from "../pool/engine.ts";
import { authenticate, withPass } from "./client-auth.ts";
import { finalAnswer } from "./final-answer.ts";
import { headerListOf } from "./header-hygiene.ts";
import type { PooledWords } from "./pooled-words.ts";
import { surfaceOf } from "./surface.ts";

export interface ProxyDeps {
  /** null while the daemon is not ready: nobody can be authenticated or served then. */
  readonly engine: () => Engine | null;
  /** The daemon's state (`ready`, `locked`, `damaged`, `migrating`) and why. */
  readonly state: () => { readonly state: string; readonly reason: string };
  readonly clock: Clock;
  readonly log: Log;
  /** Of a request body, as received and decoded. */
  readonly bodyMaxBytes: number;
  /** What clients are told of the pool's usage. */
  readonly words: PooledWords;
}

export interface Visit {
  readonly request: Request;
  readonly engine: Engine;
  /** Path without query, and without a path-scoped key. */
  readonly path: string;
  /** With its question mark; empty when there is none. */
  readonly query: string;
  readonly headers: HeaderList;
  readonly surface: Surface;
  readonly keyId: string;
  /** Only this account may serve what comes with this key; null = whoever may. */
  readonly only: AccountId | null;
  /** Aborted when the client hangs up. */
  readonly signal: AbortSignal;
  readonly bodyMaxBytes: number;
  readonly words: PooledWords;
  readonly clock: Clock;
  readonly nowMs: () => number;
}

interface Address {
  readonly path: string;
  readonly query: string;
}

/** A request whose header was read. */
interface Call {
  readonly request: Request;
  readonly address: Address;
  readonly headers: HeaderList;
  /** Is a stream what a Codex client expects there? */
  readonly stream: boolean;
}

type Handle = (visit: Visit) => Response | Promise<Response>;

/** Does what `handle` does for an authenticated request, and answers for it when it throws. `stream` as in {@link Call}. */
export function receive(deps: ProxyDeps, request: Request, stream: boolean, handle: Handle): Promise<Response> {
  const headers = headerListOf(request.headers);
  return answerCaller(deps, { request, address: splitUrl(request.url), headers, stream }, handle);
}

/** The same for who had to look at the request before. */
export async function answerCaller(deps: ProxyDeps, call: Call, handle: Handle): Promise<Response> {
  const { request, headers } = call;
  const { path, query } = call.address;
  const surface = surfaceOf(path, headers);
  try {
    const engine = deps.engine();
    const pass = engine === null ? null : authenticate(headers, surface, engine);
    if (headerValue(headers, "upgrade")?.toLowerCase() === "websocket") {
      throw new AppError("upgrade_required", "no WebSocket is served at this path; send the request over HTTP");
    }
    if (engine === null || pass === null) throw notReady(deps);
    const { bodyMaxBytes, words, clock } = deps;
    return await handle({
      request,
      engine,
      path,
      query,
      headers: withPass(headers, pass),
      surface,
      keyId: pass.keyId,
      only: pass.only,
      signal: request.signal,
      bodyMaxBytes,
      words,
      clock,
      nowMs: clock.nowMs,
    });
  } catch (thrown) {
    return refuse(deps, fromUnknown(thrown), { surface, stream: call.stream });
  }
}

/** A refusal before any exchange began. */
export function refuse(deps: ProxyDeps, error: AppError, about: { surface: Surface; stream: boolean }): Response {
  if (error.code === "internal") deps.log.error("request.failed", { error });
  const answer = finalAnswer(error, { ...about, exchangeId: null, nowMs: deps.clock.nowMs() });
  return new Response(answer.body as Uint8Array<ArrayBuffer>, {
    status: answer.status,
    headers: answer.headers as [string, string][],
  });
}

export function notReady(deps: ProxyDeps): AppError {
  const { state, reason } = deps.state();
  return new AppError(
    state === "locked" ? "store_locked" : "not_ready",
    reason === "" ? `Rotor is ${state}` : `Rotor is ${state}: ${reason}`,
  );
}

export function splitUrl(url: string): Address {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start < 0) return { path: "/", query: "" };
  const mark = url.indexOf("?", start);
  return mark < 0 ? { path: url.slice(start), query: "" } : { path: url.slice(start, mark), query: url.slice(mark) };
}
